// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The guest's side of a recording: loads guest.bpf.c, hands its events to the session.
 *
 * Nothing is pinned: programs, maps and links live by our file descriptors, so that they are gone
 * however this process ends.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "bpf/guest_abi.h"
#include "bpf/guest_chain.h"
#include "lib/compiler.h"
#include "lib/msg.h"
#include "trace/aggregate_counts.h"
#include "trace/bpf_util.h"
#include "trace/event_source.h"
#include "trace/guest_context.h"
#include "trace/guest_devices.h"
#include "trace/guest_mounts.h"
#include "trace/guest_probes.h"
#include "trace/guest_slots.h"
#include "trace/guest_under_way.h"
#include "trace/guest_wait.h"
#include "trace/record_session.h"

/* The skeleton names its types after the file, not after our rules. */
#include "bpf/guest.skel.h"

/* Of the requests that can be in flight, those that can end while their kick has not returned. */
#define ENDED_EARLY_SHARE 16

struct capture {
	struct guest_probes probes;
	struct guest_bpf *bpf; /* of probes: maps and settings */
	struct event_source source;
	struct guest_mounts mounts; /* those that are recorded */
	uint64_t missed; /* probe runs that the kernel skipped */
	uint64_t unfinished; /* requests and ops in flight at the end */
	uint64_t under_way; /* ops and passes that began before recording did */
	uint32_t max_shares;
	json_t *described; /* connections in the header */
	int stats_fd; /* while open, the kernel counts what programs cost; -1 */
};

static int no_such_mount(const char *path, const struct guest_mounts *all)
{
	msg_error("--mount %s is not on a virtio-fs mount; %s%s", path,
		  all->count ? "one is " : "there is none on this machine",
		  all->count ? all->mount[0].path : "");
	return -EINVAL;
}

/* Keep only the mounts that the user named. */
static int choose_mounts(struct capture *c, const struct string_list *wanted)
{
	struct guest_mounts kept = {};
	int err = 0;

	for (uint32_t i = 0; !err && i < wanted->count; i++) {
		int64_t conn = guest_path_conn(wanted->items[i]);
		const struct guest_mount *mount;

		if (conn < 0 && conn != -ENODEV) {
			msg_error("cannot look at --mount %s: %s", wanted->items[i],
				  strerror((int)-conn));
			err = (int)conn;
			break;
		}
		mount = conn < 0 ? NULL : guest_mounts_find(&c->mounts, (uint32_t)conn);
		if (!mount)
			err = no_such_mount(wanted->items[i], &c->mounts);
		else if (!guest_mounts_find(&kept, mount->conn))
			err = guest_mounts_add(&kept, mount);
	}
	guest_mounts_free(&c->mounts);
	c->mounts = kept;
	return err;
}

static int check_output(const struct capture *c, const char *path)
{
	char *copy = strdup(path);
	const struct guest_mount *mount;
	int64_t conn;

	if (!copy)
		return -ENOMEM;
	conn = guest_path_conn(dirname(copy));
	free(copy);
	if (conn < 0) /* not virtio-fs; what else is wrong, opening it will tell */
		return 0;
	mount = guest_mounts_find(&c->mounts, (uint32_t)conn);
	if (!mount)
		return 0;
	msg_error("cannot write the trace to %s: it lies on %s, which is being recorded, so the "
		  "recording would record itself; choose another place with -o, or name the mounts "
		  "to record with --mount",
		  path, mount->path);
	return -EINVAL;
}

static int find_mounts(struct capture *c, const struct capture_config *config)
{
	int err = guest_mounts_read(&c->mounts, "/proc/self/mountinfo");

	if (err) {
		msg_error("cannot read /proc/self/mountinfo: %s", strerror(-err));
		return err;
	}
	if (config->mounts.count)
		err = choose_mounts(c, &config->mounts);
	return err ? err : check_output(c, config->output);
}

/* Tell the programs which connections to record. */
static int filter_mounts(struct capture *c)
{
	int fd = bpf_map__fd(c->bpf->maps.mount_filter), err = 0;

	for (size_t i = 0; !err && i < c->mounts.count; i++) {
		uint32_t conn = c->mounts.mount[i].conn, at = conn / GUEST_FILTER_BITS;
		uint64_t word = 0;

		err = bpf_map_lookup_elem(fd, &at, &word);
		word |= 1ull << conn % GUEST_FILTER_BITS;
		if (!err)
			err = bpf_map_update_elem(fd, &at, &word, BPF_ANY);
	}
	if (err)
		msg_error("cannot choose the mounts to record: %s; name fewer with --mount",
			  strerror(-err));
	return err;
}

static uint32_t max_shares(const struct capture_config *config)
{
	return config->max_shares ?: GUEST_MAX_CONNS;
}

/* Not more than it was made for: fewer are in there at once than are in flight. */
static void set_limit(struct bpf_map *map, uint32_t entries)
{
	if (entries < bpf_map__max_entries(map))
		bpf_map__set_max_entries(map, entries ?: 1);
}

static int load(struct capture *c, const struct capture_config *config)
{
	struct guest_recorded what = {
		.level = config->level,
		.dax = guest_mounts_may_use_dax(&c->mounts),
		.aggregate_ops = config->aggregate_ops,
	};
	uint64_t bytes;
	int err = bpf_util_ringbuf_bytes(config->buffer_bytes, &bytes);

	if (err)
		return err;
	err = guest_probes_open(&c->probes, &what, config->mechanism);
	if (err)
		return err;
	c->bpf = c->probes.bpf;
	c->bpf->rodata->record_dax = what.dax;
	c->bpf->rodata->record_ops = what.level == RECORD_OPS || what.aggregate_ops;
	c->bpf->rodata->record_doorbell = guest_probes_has(&c->probes, GUEST_POINT_DOORBELL);
	c->bpf->rodata->record_pages = guest_probes_has(&c->probes, GUEST_POINT_PAGES);
	c->bpf->rodata->record_paths = config->paths;
	c->bpf->rodata->filter_mounts = config->mounts.count > 0;
	c->bpf->rodata->flag_o_direct = O_DIRECT;
	c->bpf->rodata->flag_o_creat = O_CREAT;
	c->bpf->rodata->flag_o_trunc = O_TRUNC;
	c->bpf->rodata->wakeup_bytes = bytes / 4;
	c->bpf->rodata->aggregate = config->level == RECORD_AGGREGATE;
	bpf_map__set_max_entries(c->bpf->maps.events, (uint32_t)bytes);
	guest_slots_limit(c->bpf->maps.requests_slots, c->bpf->maps.requests, config->max_inflight);
	guest_slots_limit(c->bpf->maps.issues_slots, c->bpf->maps.issues, config->max_inflight);
	guest_slots_limit(c->bpf->maps.ops_slots, c->bpf->maps.ops, config->max_inflight);
	set_limit(c->bpf->maps.ended_early, config->max_inflight / ENDED_EARLY_SHARE);
	set_limit(c->bpf->maps.enqueues_slots, config->max_inflight);
	set_limit(c->bpf->maps.enqueues, config->max_inflight);
	set_limit(c->bpf->maps.passes, config->max_inflight);
	bpf_map__set_max_entries(c->bpf->maps.connections, max_shares(config));
	if (config->level == RECORD_AGGREGATE)
		aggregate_counts_size(c->bpf->maps.aggregates, c->bpf->maps.aggregate_cells);
	err = guest_probes_load(&c->probes);
	if (err)
		return err;
	return config->mounts.count ? filter_mounts(c) : 0;
}

static void guest_close(struct capture *c)
{
	if (!c)
		return;
	event_source_close(&c->source);
	guest_probes_close(&c->probes);
	guest_mounts_free(&c->mounts);
	json_decref(c->described);
	bpf_util_end_costs(&c->stats_fd);
	free(c);
}

static int guest_open(struct capture **out, const struct capture_config *config)
{
	struct capture *c = calloc(1, sizeof(*c));
	int err;

	*out = NULL;
	if (!c)
		return -ENOMEM;
	c->stats_fd = -1;
	c->max_shares = max_shares(config);
	c->probes.kretprobes.fd = -1;
	bpf_util_begin();
	if (config->wait_ns)
		guest_wait(&config->mounts, config->wait_ns);
	err = find_mounts(c, config);
	if (!err)
		err = load(c, config);
	if (err)
		guest_close(c);
	else
		*out = c;
	return err;
}

static int guest_describe(struct capture *c, json_t *header)
{
	json_decref(c->described);
	c->described = guest_connections_read(&c->mounts, c->max_shares);
	if (json_object_set_new(header, "mounts", guest_mounts_json(&c->mounts)) ||
	    json_object_set_new(header, "points",
				guest_points_json(c->probes.choices, &c->probes.what)) ||
	    json_object_set(header, "connections", c->described) ||
	    json_object_set_new(header, "devices", guest_devices_json()))
		return -ENOMEM;
	return 0;
}

static void note_under_way(struct capture *c)
{
	const struct guest_under_way_maps maps = {
		.ops_slots = c->bpf->maps.ops_slots,
		.ops = c->bpf->maps.ops,
		.passes = c->bpf->maps.passes,
	};
	int64_t found;

	if (!c->bpf->rodata->record_ops)
		return;
	found = guest_count_under_way(c->probes.choices, &c->probes.what, &maps);
	if (found == -EOPNOTSUPP)
		msg_info("the ops that are under way are not counted: with kprobes, reading the "
			 "stacks of tasks makes the kernel complain");
	else if (found < 0)
		msg_info("cannot count the ops that are under way: reading the stacks of tasks: "
			 "%s; it "
			 "takes CAP_SYS_ADMIN",
			 strerror((int)-found));
	else
		c->under_way = (uint64_t)found;
}

static int guest_start(struct capture *c, capture_event_fn emit, void *ctx)
{
	int err = event_source_open(&c->source, "guest ring buffer",
				    bpf_map__fd(c->bpf->maps.events), emit, ctx);

	if (!err && c->probes.what.level == RECORD_AGGREGATE)
		err = event_source_count(&c->source, c->bpf->maps.aggregates,
					 c->bpf->maps.aggregate_cells);
	if (err)
		return err;
	c->stats_fd = bpf_util_count_costs();
	err = guest_probes_attach(&c->probes);
	if (err)
		return err;
	c->bpf->bss->enabled = true;
	note_under_way(c);
	return 0;
}

static int guest_poll(struct capture *c, int timeout_ms)
{
	return event_source_poll(&c->source, timeout_ms);
}

static struct bpf_cost guest_cost(struct capture *c)
{
	return guest_probes_cost_of_all(&c->probes);
}

static int guest_end_costs(struct capture *c)
{
	bpf_util_end_costs(&c->stats_fd);
	return event_source_count_now(&c->source);
}

static int emit_entry(struct capture *c, struct guest_request_entry *entry)
{
	entry->ev.h.ts_ns = entry->ev.t_wake_ns ? entry->ev.t_wake_ns : entry->ev.t_end_ns;
	return c->source.emit(c->source.ctx, &entry->ev.h);
}

static int emit_op(struct capture *c, const struct guest_op_event *op)
{
	struct aggregate_event event = {
		.h = {.type = EV_AGGREGATE, .size = sizeof(event), .ts_ns = op->h.ts_ns},
		.key = guest_op_key(op),
		.added = {.count = 1, .sum = op->h.ts_ns - op->t_start_ns},
	};
	const struct event_header *h = c->probes.what.level == RECORD_AGGREGATE ? &event.h : &op->h;

	return c->source.emit(c->source.ctx, h);
}

/* Faults that the kernel did not go on with, and whose tasks did nothing since
 * (guest_faults.bpf.h). Other ops have not returned. */
static int drain_op(void *ctx, void *entry)
{
	struct guest_op_entry *op = entry;
	struct capture *c = ctx;

	if (!op->t_pending_ns) {
		c->unfinished++;
		return 0;
	}
	op->ev.h.ts_ns = op->t_pending_ns;
	return emit_op(c, &op->ev);
}

/* Nothing is attached any more: issues that are left were not sent. */
static int count_issue(void *ctx, void *entry)
{
	struct capture *c = ctx;

	(void)entry;
	c->unfinished++;
	return 0;
}

/* A background request whose completion was seen has ended, even if that was not. */
static int drain_request(void *ctx, void *entry)
{
	struct guest_request_entry *req = entry;
	struct capture *c = ctx;

	if (!req->ev.t_end_ns && (req->ev.flags & GREQ_BACKGROUND))
		req->ev.t_end_ns = req->ev.t_complete_ns;
	if (req->ev.t_end_ns)
		return emit_entry(c, req);
	c->unfinished++;
	return 0;
}

static int drain_ended_early(struct capture *c)
{
	int fd = bpf_map__fd(c->bpf->maps.ended_early), err = 0;
	struct guest_request_name name, *at = NULL;
	struct guest_request_entry entry;

	while (!err && !bpf_map_get_next_key(fd, at, &name)) {
		at = &name;
		if (!bpf_map_lookup_elem(fd, &name, &entry))
			err = emit_entry(c, &entry);
		else
			c->unfinished++;
	}
	return err;
}

/* Nothing is attached any more: they have not returned. */
static uint64_t count_passes(const struct capture *c)
{
	int fd = bpf_map__fd(c->bpf->maps.passes);
	uint32_t task, *at = NULL;
	uint64_t count = 0;

	for (; !bpf_map_get_next_key(fd, at, &task); at = &task)
		count++;
	return count;
}

/* What has ended, but the probe that would have handed it over was skipped; and what has not. */
static int drain(struct capture *c)
{
	int err = drain_ended_early(c);

	if (!err)
		err = guest_slots_each(c->bpf->maps.requests_slots, c->bpf->maps.requests,
				       drain_request, c);
	if (!err)
		err = guest_slots_each(c->bpf->maps.ops_slots, c->bpf->maps.ops, drain_op, c);
	if (!err)
		err = guest_slots_each(c->bpf->maps.issues_slots, c->bpf->maps.issues, count_issue,
				       c);
	return err;
}

static int guest_stop(struct capture *c)
{
	int err;

	if (!c->source.ring)
		return 0;
	c->bpf->bss->enabled = false;
	guest_probes_detach(&c->probes);
	c->missed = guest_probes_missed(&c->probes);
	c->unfinished += count_passes(c);
	err = event_source_finish(&c->source);
	return err ? err : drain(c);
}

static bool is_described(const struct capture *c, uint32_t conn)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(c->described, i, entry)
	{
		if (json_integer_value(json_object_get(entry, "conn")) == conn)
			return true;
	}
	return false;
}

static uint64_t count_left_out(const struct capture *c)
{
	int fd = bpf_map__fd(c->bpf->maps.left_out);
	uint32_t conn, *at = NULL;
	uint64_t count = 0;

	for (; !bpf_map_get_next_key(fd, at, &conn); at = &conn)
		count += !is_described(c, conn);
	return count;
}

static int guest_losses(struct capture *c, uint64_t *losses)
{
	int err = bpf_util_sum_percpu(bpf_map__fd(c->bpf->maps.losses), NR_LOSS_CLASSES, losses);

	/* See begin_lost(). */
	if ((int64_t)losses[LOSS_END_NO_START] < 0)
		losses[LOSS_END_NO_START] = 0;
	losses[LOSS_END_NO_START] += c->under_way;
	losses[LOSS_START_NO_END] += c->unfinished;
	losses[LOSS_PROBE_MISSED] += c->missed;
	losses[LOSS_LEFT_OUT] += count_left_out(c);
	return err;
}

/* "connections": what each mount negotiated, as the kernel knows it. "probe_cost": our own. */
static int guest_summarize(struct capture *c, json_t *footer)
{
	int fd = bpf_map__fd(c->bpf->maps.connections);
	json_t *array = json_array();
	struct guest_connection n;
	uint32_t key, next;
	void *at = NULL;
	int err = 0;

	while (array && !err && !bpf_map_get_next_key(fd, at, &next)) {
		key = next;
		at = &key;
		if (!bpf_map_lookup_elem(fd, &key, &n))
			err = json_array_append_new(array, guest_connection_json(&n));
	}
	if (json_object_set_new(footer, "connections", array) || err)
		return -ENOMEM;
	if (c->probes.fell_back &&
	    json_object_set_new(footer, "points",
				guest_points_json(c->probes.choices, &c->probes.what)))
		return -ENOMEM;
	if (json_object_set_new(footer, "probe_cost", guest_probes_cost(&c->probes)))
		return -ENOMEM;
	return 0;
}

const struct capture_ops guest_capture_ops = {
	.kind = VFT_GUEST,
	.request_event = EV_GUEST_REQUEST,
	.open = guest_open,
	.describe = guest_describe,
	.start = guest_start,
	.poll = guest_poll,
	.cost = guest_cost,
	.end_costs = guest_end_costs,
	.stop = guest_stop,
	.losses = guest_losses,
	.summarize = guest_summarize,
	.close = guest_close,
};
