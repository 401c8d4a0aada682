// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The host's side of a recording: finds the daemons and their virtqueues, loads host.bpf.c, hands
 * its events to the session.
 *
 * Nothing is pinned: programs, maps and links live by our file descriptors, so that they are gone
 * however this process ends. The daemons are never stopped, only looked at.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "bpf/host_abi.h"
#include "lib/clock.h"
#include "lib/compiler.h"
#include "lib/msg.h"
#include "trace/aggregate_counts.h"
#include "trace/bpf_util.h"
#include "trace/event_source.h"
#include "trace/host_kvm.h"
#include "trace/host_points.h"
#include "trace/host_targets.h"
#include "trace/host_watch.h"
#include "trace/record_session.h"
#include "trace/syscall_rules.h"

/* The skeleton names its types after the file, not after our rules. */
#include "bpf/host.skel.h"

#define RETRY_NS (NS_PER_SEC / 20)

struct capture {
	struct host_bpf *bpf;
	struct event_source source;
	enum host_choice choice;
	struct host_targets targets;
	uint32_t nr_at_start; /* of targets: those that the header tells of */
	struct host_watch watch; /* finds the other targets */
	uint64_t grace_ns;
	bool said_waiting;
	struct host_point_choice points[HOST_POINTS_MAX];
	bool gone; /* no daemon is left, nor expected */
	uint64_t missed; /* probe runs; kept because stop() frees the programs' links */
	bool aggregate;
	unsigned int recorded; /* enum host_recorded */
	uint32_t max_inflight;
	int stats_fd; /* while open, the kernel counts what programs cost; -1 */
};

static void say_waiting(const struct string_list *daemons)
{
	char names[128] = "auto";
	size_t len = 0;

	for (uint32_t i = 0; i < daemons->count && len < sizeof(names); i++)
		len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", i ? ", " : "",
					daemons->items[i]);
	msg_info("waiting for the guest to start its file system device (--daemon %s)", names);
}

/* A guest that is still booting connects to the daemon and sets up its rings later. */
static int find_targets(struct capture *c, const struct capture_config *config)
{
	const struct timespec pause = {.tv_nsec = RETRY_NS};
	uint64_t end_ns = clock_ns(CLOCK_MONOTONIC) + config->wait_ns;
	bool said = false;
	int err;

	while ((err = host_targets_find(&c->targets, &config->daemons,
					clock_ns(CLOCK_MONOTONIC) < end_ns)) == -EAGAIN) {
		if (!said)
			say_waiting(&config->daemons);
		said = true;
		nanosleep(&pause, NULL);
	}
	c->nr_at_start = c->targets.count;
	return err;
}

/* -EINVAL: the program has no such name, which is our own mistake. */
static int set_autoload(const struct capture *c, const char *program, bool load)
{
	struct bpf_program *prog;

	if (!program)
		return 0;
	prog = bpf_object__find_program_by_name(c->bpf->obj, program);
	return prog ? bpf_program__set_autoload(prog, load) : -EINVAL;
}

static int choose_programs(struct capture *c)
{
	int err = 0;

	for (size_t i = 0; !err && i < nr_host_points; i++) {
		const struct host_point *point = &host_points[i];
		enum attach_mechanism mechanism = host_point_wanted(point, c->recorded)
							  ? c->points[i].mechanism
							  : ATTACH_NONE;

		err = set_autoload(c, point->tp_program, mechanism == ATTACH_TP);
		if (!err)
			err = set_autoload(c, point->tp_btf_program, mechanism == ATTACH_TP_BTF);
		if (!err)
			err = set_autoload(c, point->raw_tp_program, mechanism == ATTACH_RAW_TP);
		if (mechanism != ATTACH_NONE)
			msg_debug("probing %s by %s", point->tracepoint,
				  attach_mechanism_name(mechanism));
	}
	return err;
}

static void prepare_kvm(struct capture *c)
{
	struct host_kvm_fields fields = {};

	c->bpf->rodata->kvm = true;
	host_kvm_find_fields(c->points, &fields);
	memcpy((void *)&c->bpf->rodata->kvm_fields, &fields, sizeof(fields));
	bpf_map__set_max_entries(c->bpf->maps.kvm_vcpus, HOST_KVM_MAX_VCPUS);
	bpf_map__set_max_entries(c->bpf->maps.kvm_counts, HOST_KVM_MAX_COUNTS);
	bpf_map__set_max_entries(c->bpf->maps.kvm_doors, HOST_KVM_MAX_DOORS);
}

static int prepare(struct capture *c, uint64_t bytes)
{
	int err;

	c->bpf = host_bpf__open();
	if (!c->bpf)
		return -errno;
	if (c->recorded & HOST_KVM)
		prepare_kvm(c);
	err = choose_programs(c);
	if (err)
		return err;
	bpf_map__set_max_entries(c->bpf->maps.events, (uint32_t)bytes);
	syscall_rules_fill((struct host_syscall_rule *)c->bpf->rodata->rules);
	c->bpf->rodata->wake_bytes = bytes / 4;
	c->bpf->rodata->aggregate = c->aggregate;
	c->bpf->rodata->sched = c->recorded & HOST_SCHED;
	bpf_map__set_max_entries(c->bpf->maps.calls, c->max_inflight);
	bpf_map__set_max_entries(c->bpf->maps.aggregate_chains, c->max_inflight);
	if (c->aggregate)
		aggregate_counts_size(c->bpf->maps.aggregates,
				      c->bpf->maps.aggregate_cells);
	return host_bpf__load(c->bpf);
}

static int check_points(const struct capture *c)
{
	const struct host_point *missing = host_points_missing(c->points, c->recorded);
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
	uint64_t bytes;
	int err = bpf_util_ringbuf_bytes(buffer_bytes, &bytes);

	if (err)
		return err;
	host_points_choose(false, c->points);
	err = check_points(c);
	if (err)
		return err;
	err = prepare(c, bytes);
	if (err)
		bpf_util_explain("host probes", err);
	return err;
}

static void host_close(struct capture *c)
{
	if (!c)
		return;
	host_watch_stop(&c->watch);
	event_source_close(&c->source);
	host_bpf__destroy(c->bpf);
	bpf_util_end_costs(&c->stats_fd);
	host_targets_free(&c->targets);
	free(c);
}

static int host_open(struct capture **out, const struct capture_config *config)
{
	struct capture *c = calloc(1, sizeof(*c));
	int err;

	*out = NULL;
	if (!c)
		return -ENOMEM;
	c->stats_fd = -1;
	c->grace_ns = config->restart_wait_ns;
	c->recorded = HOST_BASE | (config->sched ? HOST_SCHED : 0) | (config->kvm ? HOST_KVM : 0);
	c->aggregate = config->level == RECORD_AGGREGATE;
	c->max_inflight = config->max_inflight;
	c->targets.max = config->max_shares;
	bpf_util_begin();
	err = host_choice_of(&config->daemons, &c->choice);
	if (!err)
		err = find_targets(c, config);
	if (!err && config->kvm)
		host_kvm_check(&c->targets);
	if (!err)
		err = load(c, config->buffer_bytes);
	if (err)
		host_close(c);
	else
		*out = c;
	return err;
}

static json_t *daemons_json_of(const struct capture *c)
{
	json_t *array = json_array(), *entry;

	for (uint32_t i = 0; array && i < c->targets.count; i++) {
		entry = json_pack("{s:i}", "slot", (int)i);
		if (!entry || host_target_describe(&c->targets.items[i], entry) ||
		    json_array_append_new(array, entry)) {
			json_decref(entry);
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

/* The first on top, where readers of one daemon look. */
static int host_describe(struct capture *c, json_t *header)
{
	if (host_target_describe(&c->targets.items[0], header) ||
	    json_object_set_new(header, "points", host_points_json(c->points, c->recorded)))
		return -ENOMEM;
	if (c->targets.count > 1 && json_object_set_new(header, "daemons", daemons_json_of(c)))
		return -ENOMEM;
	return 0;
}

static struct host_target_maps target_maps(const struct capture *c)
{
	return (struct host_target_maps){
		.daemons = bpf_map__fd(c->bpf->maps.daemons),
		.states = bpf_map__fd(c->bpf->maps.queue_states),
		.vmms = bpf_map__fd(c->bpf->maps.kvm_vmms),
		.controls = bpf_map__fd(c->bpf->maps.controls),
	};
}

static int enter_targets(struct capture *c)
{
	const struct host_target_maps maps = target_maps(c);
	int err = 0;

	for (uint32_t i = 0; !err && i < c->targets.count; i++)
		err = host_target_enter(&c->targets.items[i], &maps);
	return err;
}

static int start_watch(struct capture *c)
{
	const struct host_watch_config config = {
		.choice = c->choice,
		.grace_ns = c->grace_ns,
		.maps = target_maps(c),
	};

	return host_watch_start(&c->watch, &c->targets, &config);
}

static int host_start(struct capture *c, capture_event_fn emit, void *ctx)
{
	int err = event_source_open(&c->source, "host ring buffer",
				    bpf_map__fd(c->bpf->maps.events), emit, ctx);

	if (!err && c->aggregate)
		err = event_source_count(&c->source, c->bpf->maps.aggregates,
					 c->bpf->maps.aggregate_cells);
	if (!err)
		err = start_watch(c);
	if (err)
		return err;
	c->stats_fd = bpf_util_count_costs();
	err = enter_targets(c);
	if (!err)
		err = host_bpf__attach(c->bpf);
	if (err)
		bpf_util_explain("host probes", err);
	return err;
}

static struct bpf_cost host_cost(struct capture *c)
{
	struct bpf_cost cost = {0};

	bpf_util_sum_costs(&cost, c->bpf->obj);
	return cost;
}

static int host_end_costs(struct capture *c)
{
	bpf_util_end_costs(&c->stats_fd);
	return event_source_count_now(&c->source);
}

static bool has_ended(struct host_target *target)
{
	struct pollfd fd = {.fd = target->pidfd, .events = POLLIN};

	if (target->end_ns || (target->pidfd >= 0 && poll(&fd, 1, 0) != 1))
		return target->end_ns != 0;
	target->end_ns = clock_ns(CLOCK_MONOTONIC);
	msg_warn("daemon %d has ended", (int)target->daemon.pid);
	return true;
}

/*
 * Whether any daemon can still do something. Said once if not. Only the one who looks for others
 * knows whether there will be one.
 */
static bool nothing_left(struct capture *c)
{
	uint32_t live = 0;

	for (uint32_t i = 0; i < c->targets.count; i++)
		live += !has_ended(&c->targets.items[i]);
	if (!live && !c->watch.ended && !c->said_waiting)
		msg_info("waiting for a daemon that takes its place");
	c->said_waiting = !live;
	if (!live && c->watch.ended && !c->gone) {
		c->gone = true;
		msg_warn("no daemon has taken its place: the recording ends, too");
	}
	return c->gone;
}

static int host_poll(struct capture *c, int timeout_ms)
{
	/* Asked before fetching: what the daemons did until their end is fetched, too. */
	int err = host_watch_take(&c->watch, &c->targets);
	bool gone = nothing_left(c);

	if (!err)
		err = event_source_poll(&c->source, timeout_ms);

	return err ? err : gone;
}

/* Runs that the kernel skipped because the program was already running on that CPU. */
static uint64_t count_missed(const struct bpf_program *prog)
{
	struct bpf_prog_info info;

	return bpf_util_program_info(prog, &info) ? info.recursion_misses : 0;
}

static int host_stop(struct capture *c)
{
	struct bpf_program *prog;
	int err;

	if (!c->source.ring)
		return 0;
	host_bpf__detach(c->bpf);
	bpf_object__for_each_program(prog, c->bpf->obj) c->missed += count_missed(prog);
	err = host_watch_take(&c->watch, &c->targets);
	return err ? err : event_source_finish(&c->source);
}

static int read_state(struct capture *c, const struct host_target *target, uint32_t queue,
		      struct host_queue_state *state)
{
	uint32_t key = target->layout.slot * HOST_MAX_QUEUES + queue;

	return bpf_map__lookup_elem(c->bpf->maps.queue_states, &key, sizeof(key), state,
				    sizeof(*state), 0);
}

static int add_losses(struct capture *c, const struct host_target *target, uint64_t *losses)
{
	struct host_queue_state state;

	for (uint32_t i = 0; i < target->layout.nr_queues; i++) {
		int err = read_state(c, target, i, &state);

		if (err)
			return err;
		losses[LOSS_END_NO_START] += state.under_way_at_start;
		losses[LOSS_START_NO_END] += (uint16_t)(state.avail_next - state.used_next);
		losses[LOSS_HEADER] += state.nr_retries;
		losses[LOSS_RING_OVERRUN] += state.left;
		/* The daemon was idle when they were found, and has been since: nobody has looked. */
		if (target->layout.anew && !(state.avail_next & HOST_POSITION_KNOWN))
			losses[LOSS_RING_MOVED] += (uint16_t)state.idle_at;
	}
	return 0;
}

/* File system calls that have not returned. */
static uint64_t count_calls(struct capture *c)
{
	int fd = bpf_map__fd(c->bpf->maps.calls);
	struct host_thread_call call;
	uint32_t tid, *at = NULL;
	uint64_t count = 0;

	for (; !bpf_map_get_next_key(fd, at, &tid); at = &tid)
		if (!bpf_map_lookup_elem(fd, &tid, &call) && call.t_enter_ns)
			count += call.cls == SYSC_DATA || call.cls == SYSC_META;
	return count;
}

/* Set up anew, and not found again so far: whoever made requests in there is not known. */
static bool lacks_rings(struct capture *c, const struct host_target *target)
{
	uint32_t key = target->layout.control;
	struct host_control now;

	return !target->end_ns &&
	       !bpf_map__lookup_elem(c->bpf->maps.controls, &key, sizeof(key), &now, sizeof(now),
				     0) &&
	       now.messages != target->layout.messages && now.rings == HOST_RINGS_STARTED;
}

static int host_losses(struct capture *c, uint64_t *losses)
{
	int err = bpf_util_sum_percpu(bpf_map__fd(c->bpf->maps.losses), NR_LOSS_CLASSES, losses);

	/* What found no room was taken off, and has not ended. */
	if ((int64_t)losses[LOSS_END_NO_START] < 0)
		losses[LOSS_END_NO_START] = 0;
	for (uint32_t i = 0; !err && i < c->targets.count; i++) {
		err = add_losses(c, &c->targets.items[i], losses);
		losses[LOSS_RING_MOVED] += lacks_rings(c, &c->targets.items[i]);
	}
	if (!c->aggregate)
		losses[LOSS_START_NO_END] += count_calls(c);
	losses[LOSS_PROBE_MISSED] += c->missed;
	losses[LOSS_LEFT_OUT] += c->watch.left_out;
	return err;
}

/* What was seen of each queue, before any loss. */
static json_t *counts_json(struct capture *c, const struct host_target *target, uint64_t *requests)
{
	json_t *array = json_array();
	struct host_queue_state s;

	*requests = 0;
	for (uint32_t i = 0; array && i < target->layout.nr_queues; i++) {
		if (read_state(c, target, i, &s))
			continue;
		*requests += s.chains;
		json_array_append_new(
			array, json_pack("{s:i s:I s:I s:I s:I s:i}", "index", (int)i, "chains",
					 (json_int_t)s.chains, "used", (json_int_t)s.used,
					 "headers_unreadable_at_first", (json_int_t)s.unreadable,
					 "headers_read_later", (json_int_t)s.recovered,
					 "under_way_at_start", (int)s.under_way_at_start));
	}
	return array;
}

static void add_cpu_waits(struct capture *c, const struct host_target *target, json_t *entry)
{
	struct host_sched_total total = {};

	if (bpf_map__lookup_elem(c->bpf->maps.sched_totals, &target->layout.slot,
				 sizeof(target->layout.slot), &total, sizeof(total), 0))
		return;
	json_object_set_new(entry, "cpu_waits", json_integer((json_int_t)total.waits));
	json_object_set_new(entry, "cpu_wait_ns", json_integer((json_int_t)total.waited_ns));
}

/* Its daemon lives on, with other rings. */
static bool was_reset(const struct capture *c, const struct host_target *target)
{
	for (uint32_t i = 0; i < c->targets.count; i++)
		if (c->targets.items[i].follows == (int)target->layout.slot)
			return c->targets.items[i].daemon.pid == target->daemon.pid;
	return false;
}

static json_t *target_summary(struct capture *c, const struct host_target *target)
{
	json_t *entry = json_pack("{s:i s:i}", "slot", (int)target->layout.slot, "pid",
				  (int)target->daemon.pid);
	uint64_t requests;

	if (!entry)
		return NULL;
	if (target->layout.slot >= c->nr_at_start)
		host_target_describe(target, entry);
	if (target->follows >= 0)
		json_object_set_new(entry, "follows", json_integer(target->follows));
	if (target->start_ns)
		json_object_set_new(entry, "start_ns", json_integer((json_int_t)target->start_ns));
	if (target->end_ns)
		json_object_set_new(entry, "end_ns", json_integer((json_int_t)target->end_ns));
	if (was_reset(c, target))
		json_object_set_new(entry, "reset", json_true());
	json_object_set_new(entry, "queue_counts", counts_json(c, target, &requests));
	if (c->recorded & HOST_SCHED)
		add_cpu_waits(c, target, entry);
	json_object_set_new(entry, "requests", json_integer((json_int_t)requests));
	if (c->targets.count > 1)
		msg_info("daemon %d: %" PRIu64 " requests%s", (int)target->daemon.pid, requests,
			 was_reset(c, target) ? ", then the guest reset its device"
			 : target->end_ns     ? ", then it ended"
					      : "");
	return entry;
}

static json_t *kvm_json(struct capture *c)
{
	const struct host_kvm_maps maps = {
		.counts = bpf_map__fd(c->bpf->maps.kvm_counts),
		.doors = bpf_map__fd(c->bpf->maps.kvm_doors),
		.vcpus = bpf_map__fd(c->bpf->maps.kvm_vcpus),
	};

	return host_kvm_json(&maps, &c->targets);
}

/* "queues": of the first daemon, where readers of one daemon look. "probe_cost": our own. */
static int host_summarize(struct capture *c, json_t *footer)
{
	json_t *daemons = json_array(), *cost = json_object();
	uint64_t requests;

	if (cost)
		bpf_util_add_costs(cost, c->bpf->obj);
	for (uint32_t i = 0; daemons && i < c->targets.count; i++)
		json_array_append_new(daemons, target_summary(c, &c->targets.items[i]));
	if (json_object_set_new(footer, "queues",
				counts_json(c, &c->targets.items[0], &requests)) ||
	    json_object_set_new(footer, "daemons", daemons) ||
	    json_object_set_new(footer, "probe_cost", cost) ||
	    json_object_set_new(footer, "daemon_ended", json_boolean(c->gone)))
		return -ENOMEM;
	if (c->recorded & HOST_KVM && json_object_set_new(footer, "kvm", kvm_json(c)))
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
	.cost = host_cost,
	.end_costs = host_end_costs,
	.stop = host_stop,
	.losses = host_losses,
	.summarize = host_summarize,
	.close = host_close,
};
