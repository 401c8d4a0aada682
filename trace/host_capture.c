// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The host's side of a recording: finds the daemon and its virtqueues, loads host.bpf.c, hands its
 * events to the session.
 *
 * Nothing is pinned: programs, maps and links live by our file descriptors, so that they are gone
 * however this process ends. The daemon is never stopped, only looked at.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "bpf/host_abi.h"
#include "lib/compiler.h"
#include "lib/msg.h"
#include "trace/aggregate_counts.h"
#include "trace/bpf_util.h"
#include "trace/daemon_find.h"
#include "trace/event_source.h"
#include "trace/host_points.h"
#include "trace/record_session.h"
#include "trace/syscall_rules.h"
#include "trace/vring_find.h"

/* The skeleton names its types after the file, not after our rules. */
#include "bpf/host.skel.h"

#define RETRY_NS (NS_PER_SEC / 20)

struct capture {
	struct host_bpf *bpf;
	struct event_source source;
	struct daemon daemon;
	struct host_daemon layout; /* its queues and memory */
	int pidfd; /* readable when the daemon is gone */
	struct host_point_choice points[HOST_POINTS_MAX];
	bool gone;
	uint64_t missed; /* probe runs; kept because stop() frees the programs' links */
	bool aggregate;
	int stats_fd; /* while open, the kernel counts what programs cost; -1 */
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_SEC + (uint64_t)now.tv_nsec;
}

static int explain_rings(const struct capture *c, int err)
{
	int pid = (int)c->daemon.pid;

	if (err == -ESRCH)
		msg_error("daemon %d ended while its virtqueues were looked for", pid);
	else if (err == -ENODEV)
		msg_error("daemon %d maps no guest memory: its VM has gone or not connected yet",
			  pid);
	else if (err == -ENOENT)
		msg_error("daemon %d has no virtqueues in use: the guest has not started the "
			  "driver of "
			  "its file system device; start the recording once the guest has mounted "
			  "it (record waits as long as --duration, 60 s without)",
			  pid);
	else
		msg_error("cannot find the virtqueues of daemon %d: %s", pid, strerror(-err));
	return err;
}

static int find_once(struct capture *c, const char *which, bool patient)
{
	uint64_t start_ns = now_ns();
	int err;

	daemon_free(&c->daemon);
	err = daemon_find(&c->daemon, which, patient);
	if (err)
		return err;
	err = vring_find(c->daemon.pid, &c->layout);
	if (err)
		return (err == -ENOENT || err == -ENODEV) && patient ? -EAGAIN
								     : explain_rings(c, err);
	msg_debug("found %u virtqueues of daemon %d in %.1f ms", c->layout.nr_queues,
		  (int)c->daemon.pid, (double)(now_ns() - start_ns) / 1e6);
	return 0;
}

/* A guest that is still booting connects to the daemon and sets up its rings later. */
static int find_rings(struct capture *c, const struct capture_config *config)
{
	const struct timespec pause = {.tv_nsec = RETRY_NS};
	uint64_t end_ns = now_ns() + config->wait_ns;
	bool said = false;
	int err;

	while ((err = find_once(c, config->daemon, now_ns() < end_ns)) == -EAGAIN) {
		if (!said)
			msg_info("waiting for the guest to start its file system device (--daemon "
				 "%s)",
				 config->daemon);
		said = true;
		nanosleep(&pause, NULL);
	}
	return err;
}

static int choose_programs(struct capture *c)
{
	struct bpf_object *object = c->bpf->obj;

	for (size_t i = 0; i < nr_host_points; i++) {
		const struct host_point *point = &host_points[i];
		struct bpf_program *btf, *raw;

		btf = bpf_object__find_program_by_name(object, point->tp_btf_program);
		raw = bpf_object__find_program_by_name(object, point->raw_tp_program);
		if (!btf || !raw)
			return -EINVAL;
		bpf_program__set_autoload(btf, c->points[i].mechanism == ATTACH_TP_BTF);
		bpf_program__set_autoload(raw, c->points[i].mechanism == ATTACH_RAW_TP);
		msg_debug("probing %s by %s", point->tracepoint,
			  attach_mechanism_name(c->points[i].mechanism));
	}
	return 0;
}

static int prepare(struct capture *c, uint64_t bytes)
{
	int err;

	c->bpf = host_bpf__open();
	if (!c->bpf)
		return -errno;
	err = choose_programs(c);
	if (err)
		return err;
	bpf_map__set_max_entries(c->bpf->maps.events, (uint32_t)bytes);
	syscall_rules_fill((struct host_syscall_rule *)c->bpf->rodata->rules);
	c->bpf->rodata->wake_bytes = bytes / 4;
	c->bpf->rodata->aggregate = c->aggregate;
	if (c->aggregate)
		bpf_map__set_max_entries(c->bpf->maps.aggregates, AGGREGATE_MAX_COUNTS);
	return host_bpf__load(c->bpf);
}

static int check_points(const struct capture *c)
{
	const struct host_point *missing = host_points_missing(c->points);
	int err;

	if (!missing)
		return 0;
	err = c->points[missing - host_points].err;
	msg_error("cannot record here: no way to see '%s' (tracepoint %s): %s; 'vfscope probe' "
		  "tells what is missing",
		  missing->what, missing->tracepoint, attach_error_text(err));
	return err;
}

static int load(struct capture *c, uint64_t buffer_bytes)
{
	uint32_t tgid = (uint32_t)c->daemon.pid;
	uint64_t bytes;
	int err = bpf_util_ringbuf_bytes(buffer_bytes, &bytes);

	if (err)
		return err;
	host_points_choose(false, c->points);
	err = check_points(c);
	if (err)
		return err;
	err = prepare(c, bytes);
	if (!err)
		err = bpf_map__update_elem(c->bpf->maps.daemons, &tgid, sizeof(tgid), &c->layout,
					   sizeof(c->layout), BPF_ANY);
	if (err)
		bpf_util_explain("host probes", err);
	return err;
}

static void host_close(struct capture *c)
{
	if (!c)
		return;
	event_source_close(&c->source);
	host_bpf__destroy(c->bpf);
	if (c->pidfd >= 0)
		close(c->pidfd);
	if (c->stats_fd >= 0)
		close(c->stats_fd);
	daemon_free(&c->daemon);
	free(c);
}

static int host_open(struct capture **out, const struct capture_config *config)
{
	struct capture *c = calloc(1, sizeof(*c));
	int err;

	*out = NULL;
	if (!c)
		return -ENOMEM;
	c->pidfd = c->stats_fd = -1;
	c->aggregate = config->level == RECORD_AGGREGATE;
	bpf_util_begin();
	err = find_rings(c, config);
	if (err)
		goto out;
	c->pidfd = (int)syscall(SYS_pidfd_open, c->daemon.pid, 0);
	err = load(c, config->buffer_bytes);
out:
	if (err)
		host_close(c);
	else
		*out = c;
	return err;
}

static json_t *queues_json(const struct host_daemon *layout)
{
	json_t *array = json_array();

	for (uint32_t i = 0; array && i < layout->nr_queues; i++)
		json_array_append_new(array, json_pack("{s:i s:s s:i}", "index", (int)i, "role",
						       i ? "request" : "hiprio", "size",
						       (int)layout->queues[i].size));
	return array;
}

static json_t *memory_json(const struct host_daemon *layout)
{
	json_t *array = json_array();

	for (uint32_t i = 0; array && i < layout->nr_regions; i++)
		json_array_append_new(array, json_pack("{s:I s:I}", "guest_address",
						       (json_int_t)layout->regions[i].gpa, "bytes",
						       (json_int_t)layout->regions[i].size));
	return array;
}

static int host_describe(struct capture *c, json_t *header)
{
	if (json_object_set_new(header, "daemon", daemon_json(&c->daemon)) ||
	    json_object_set_new(header, "queues", queues_json(&c->layout)) ||
	    json_object_set_new(header, "guest_memory", memory_json(&c->layout)) ||
	    json_object_set_new(header, "points", host_points_json(c->points)))
		return -ENOMEM;
	return 0;
}

/* Tell the program which rings are empty now: see start_queue() there. */
static int note_idle_queues(struct capture *c)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < c->layout.nr_queues; i++) {
		const struct host_queue *queue = &c->layout.queues[i];
		uint32_t key = c->layout.slot * HOST_MAX_QUEUES + i;
		struct host_queue_state state = {};
		uint16_t avail, used;

		/* used first: if it equals a later avail, the ring was empty in between */
		if (proc_read_memory(c->daemon.pid, queue->used + 2, &used, 2) != 2 ||
		    proc_read_memory(c->daemon.pid, queue->avail + 2, &avail, 2) != 2 ||
		    used != avail)
			continue;
		state.idle_at = avail | HOST_POSITION_KNOWN;
		err = bpf_map__update_elem(c->bpf->maps.queue_states, &key, sizeof(key), &state,
					   sizeof(state), BPF_ANY);
	}
	return err;
}

static int host_start(struct capture *c, capture_event_fn emit, void *ctx)
{
	int aggregates = c->aggregate ? bpf_map__fd(c->bpf->maps.aggregates) : -1;
	int err = event_source_open(&c->source, "host ring buffer",
				    bpf_map__fd(c->bpf->maps.events), aggregates, emit, ctx);

	if (err)
		return err;
	c->stats_fd = bpf_util_count_costs();
	err = note_idle_queues(c);
	if (!err)
		err = host_bpf__attach(c->bpf);
	if (err)
		bpf_util_explain("host probes", err);
	return err;
}

static uint64_t host_cost_ns(struct capture *c)
{
	return bpf_util_run_time_ns(c->bpf->obj);
}

/* Said once. */
static bool daemon_gone(struct capture *c)
{
	struct pollfd fd = {.fd = c->pidfd, .events = POLLIN};

	if (!c->gone && c->pidfd >= 0 && poll(&fd, 1, 0) == 1) {
		c->gone = true;
		msg_warn("daemon %d has ended: the recording ends, too", (int)c->daemon.pid);
	}
	return c->gone;
}

static int host_poll(struct capture *c, int timeout_ms)
{
	/* Asked before fetching: what the daemon did until its end is fetched, too. */
	bool gone = daemon_gone(c);
	int err = event_source_poll(&c->source, timeout_ms);

	return err ? err : gone;
}

/* Runs that the kernel skipped because the program was already running on that CPU. */
static uint64_t count_missed(const struct bpf_program *prog)
{
	struct bpf_prog_info info = {};
	uint32_t len = sizeof(info);
	int fd = bpf_program__fd(prog);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len))
		return 0;
	return info.recursion_misses;
}

static int host_stop(struct capture *c)
{
	struct bpf_program *prog;

	if (!c->source.ring)
		return 0;
	host_bpf__detach(c->bpf);
	bpf_object__for_each_program(prog, c->bpf->obj) c->missed += count_missed(prog);
	return event_source_finish(&c->source);
}

static int read_state(struct capture *c, uint32_t queue, struct host_queue_state *state)
{
	uint32_t key = c->layout.slot * HOST_MAX_QUEUES + queue;

	return bpf_map__lookup_elem(c->bpf->maps.queue_states, &key, sizeof(key), state,
				    sizeof(*state), 0);
}

static int host_losses(struct capture *c, uint64_t *losses)
{
	struct host_queue_state state;

	for (uint32_t i = 0; i < c->layout.nr_queues; i++) {
		if (read_state(c, i, &state))
			continue;
		losses[LOSS_END_NO_START] += state.under_way_at_start;
		losses[LOSS_START_NO_END] += (uint16_t)(state.avail_next - state.used_next);
		losses[LOSS_HEADER] += state.nr_retries;
	}
	losses[LOSS_PROBE_MISSED] += c->missed;
	return bpf_util_sum_percpu(bpf_map__fd(c->bpf->maps.losses), NR_LOSS_CLASSES, losses);
}

/* "queues": what was seen of each, before any loss. "probe_cost": our own. */
static int host_summarize(struct capture *c, json_t *footer)
{
	json_t *array = json_array(), *cost = json_object();
	struct host_queue_state s;

	if (cost)
		bpf_util_add_costs(cost, c->bpf->obj);

	for (uint32_t i = 0; array && i < c->layout.nr_queues; i++) {
		if (read_state(c, i, &s))
			continue;
		json_array_append_new(
			array, json_pack("{s:i s:I s:I s:I s:I s:i}", "index", (int)i, "chains",
					 (json_int_t)s.chains, "used", (json_int_t)s.used,
					 "headers_unreadable_at_first", (json_int_t)s.unreadable,
					 "headers_read_later", (json_int_t)s.recovered,
					 "under_way_at_start", (int)s.under_way_at_start));
	}
	if (json_object_set_new(footer, "queues", array) ||
	    json_object_set_new(footer, "probe_cost", cost) ||
	    json_object_set_new(footer, "daemon_ended", json_boolean(c->gone)))
		return -ENOMEM;
	return 0;
}

const struct capture_ops host_capture_ops = {
	.kind = VFT_HOST,
	.request_event = EV_HOST_CHAIN,
	.open = host_open,
	.describe = host_describe,
	.start = host_start,
	.poll = host_poll,
	.cost_ns = host_cost_ns,
	.stop = host_stop,
	.losses = host_losses,
	.summarize = host_summarize,
	.close = host_close,
};
