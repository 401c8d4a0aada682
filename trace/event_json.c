// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Raw events as JSON objects.
 */
#include "lib/compiler.h"
#include "lib/fuse_opcode.h"
#include "lib/hist.h"
#include "lib/op.h"
#include "lib/span.h"
#include "trace/event_json.h"
#include "trace/path_table.h"

static void set_int(json_t *o, const char *name, int64_t value)
{
	json_object_set_new(o, name, json_integer((json_int_t)value));
}

static void set_time(json_t *o, const char *name, uint64_t ns)
{
	if (ns)
		set_int(o, name, (int64_t)ns);
}

static void set_text(json_t *o, const char *name, const char *text)
{
	json_object_set_new(o, name, json_string(text));
}

/* words[i] names bit i; NULL ends the list. */
static void set_flags(json_t *o, uint32_t flags, const char *const *words)
{
	json_t *array = json_array();

	for (unsigned int bit = 0; words[bit]; bit++)
		if (flags & (1u << bit))
			json_array_append_new(array, json_string(words[bit]));
	json_object_set_new(o, "flags", array);
}

static json_t *new_object(const char *type, uint64_t ts_ns)
{
	json_t *o = json_object();

	set_text(o, "type", type);
	set_int(o, "ts_ns", (int64_t)ts_ns);
	return o;
}

static const char *const request_flags[] = {
	"background",  "kicked",      "kick_known", "forget",  "no_issue", "lockowner",
	"write_cache", "direct_file", "in_write",   "in_read", "aborted",  "dax_upgrade",
	"dax_worker",  "dax_evict",   "later",	    NULL,
};

static void set_request_times(json_t *o, const struct guest_request_event *ev)
{
	set_time(o, "t_issue_ns", ev->t_issue_ns);
	set_time(o, "t_send_ns", ev->t_send_ns);
	set_time(o, "t_queued_ns", ev->t_queued_ns);
	set_time(o, "t_add_ns", ev->t_add_ns);
	set_time(o, "t_kick_ns", ev->t_kick_ns);
	set_time(o, "doorbell_ns", ev->doorbell_ns);
	set_time(o, "t_irq_ns", ev->t_irq_ns);
	set_time(o, "t_work_ns", ev->t_work_ns);
	set_time(o, "t_complete_ns", ev->t_complete_ns);
	set_time(o, "t_end_ns", ev->t_end_ns);
	set_time(o, "t_wake_ns", ev->t_wake_ns);
}

static json_t *guest_request_json(const struct guest_request_event *ev)
{
	json_t *o = new_object("request", ev->h.ts_ns);

	set_text(o, "opcode", fuse_opcode_name(ev->opcode));
	set_int(o, "unique", (int64_t)ev->unique);
	set_int(o, "conn", ev->conn);
	set_int(o, "queue", ev->queue);
	set_int(o, "nodeid", (int64_t)ev->nodeid);
	set_int(o, "offset", (int64_t)ev->offset_bytes);
	set_int(o, "size", ev->size_bytes);
	set_int(o, "in_len", ev->in_len);
	set_int(o, "reply_bytes", ev->reply_bytes);
	set_int(o, "error", ev->error);
	set_int(o, "task", ev->task);
	set_int(o, "cpu", ev->h.cpu);
	set_int(o, "end_cpu", ev->end_cpu);
	set_int(o, "op_id", (int64_t)ev->op_id);
	set_int(o, "fuse_flags", ev->fuse_flags);
	if (ev->opcode == FUSE_SETUPMAPPING || ev->opcode == FUSE_REMOVEMAPPING)
		set_int(o, "window_range", ev->window_range);
	set_int(o, "sg_out", ev->sg_out);
	set_int(o, "sg_in", ev->sg_in);
	set_int(o, "inflight", ev->inflight);
	set_int(o, "ring_full_retries", ev->ring_full_retries);
	if (ev->avail_idx_known)
		set_int(o, "avail_idx", ev->avail_idx);
	set_flags(o, ev->flags, request_flags);
	set_request_times(o, ev);
	return o;
}

static const char *const op_flags[] = {
	"direct",  "async",	  "fopen_direct", "invalidate", "hint_random", "hint_sequential",
	"creates", "fault_write", "map_private",  "willneed",	"synced",      "required",
	"dax",	   "truncates",	  "size_known",	  NULL,
};

static json_t *guest_op_json(const struct guest_op_event *ev)
{
	json_t *o = new_object("op", ev->h.ts_ns);

	set_text(o, "op", op_type_name(ev->op_type));
	set_int(o, "op_id", (int64_t)ev->op_id);
	set_int(o, "conn", ev->conn);
	set_int(o, "nodeid", (int64_t)ev->nodeid);
	set_int(o, "offset", (int64_t)ev->offset_bytes);
	set_int(o, "size", ev->size_bytes);
	set_int(o, "result", ev->result);
	set_int(o, "task", ev->task);
	set_int(o, "nr_requests", ev->nr_requests);
	set_int(o, "t_start_ns", (int64_t)ev->t_start_ns);
	set_time(o, "range_wait_ns", ev->range_wait_ns);
	if (ev->flags & OP_PAGES_KNOWN)
		set_int(o, "pages_missed", ev->pages_missed);
	if (ev->dir_nodeid)
		set_int(o, "dir_nodeid", (int64_t)ev->dir_nodeid);
	if (ev->nr_throttled) {
		set_int(o, "nr_throttled", ev->nr_throttled);
		set_int(o, "throttled_ns", (int64_t)ev->throttled_ns);
	}
	set_flags(o, ev->flags, op_flags);
	return o;
}

static json_t *guest_writeback_json(const struct guest_writeback_event *ev)
{
	json_t *o = new_object("writeback", ev->h.ts_ns);

	set_int(o, "conn", ev->conn);
	set_int(o, "nodeid", (int64_t)ev->nodeid);
	set_int(o, "op_id", (int64_t)ev->op_id);
	set_int(o, "task", ev->task);
	set_int(o, "pages", ev->pages);
	set_int(o, "result", ev->result);
	json_object_set_new(o, "waits", json_boolean(ev->waits));
	set_int(o, "t_start_ns", (int64_t)ev->t_start_ns);
	return o;
}

static json_t *guest_path_json(const struct guest_path_event *ev)
{
	json_t *o = new_object("path", ev->h.ts_ns);
	char text[GUEST_PATH_BYTES + 8];

	path_text(ev, text, sizeof(text));
	set_int(o, "conn", ev->conn);
	set_int(o, "nodeid", (int64_t)ev->nodeid);
	set_text(o, "path", text);
	return o;
}

static json_t *host_chain_json(const char *type, const struct host_chain_event *ev)
{
	static const char *const words[] = {"no_header", NULL};
	json_t *o = new_object(type, ev->h.ts_ns);

	set_text(o, "opcode", fuse_opcode_name(ev->opcode));
	set_int(o, "unique", (int64_t)ev->unique);
	set_int(o, "queue", ev->queue);
	set_int(o, "nodeid", (int64_t)ev->nodeid);
	set_int(o, "offset", (int64_t)ev->offset_bytes);
	set_int(o, "size", ev->size_bytes);
	set_int(o, "in_len", ev->in_len);
	set_int(o, "head", ev->head);
	set_int(o, "avail_idx", ev->avail_idx);
	set_int(o, "data_addr", (int64_t)ev->data_addr);
	set_int(o, "daemon", ev->daemon);
	set_int(o, "tid", ev->tid);
	set_flags(o, ev->flags, words);
	return o;
}

static json_t *host_syscall_json(const struct host_syscall_event *ev)
{
	static const char *const classes[NR_SYSCALL_CLASSES] = {
		[SYSC_OTHER] = "other", [SYSC_DATA] = "data",	[SYSC_META] = "meta",
		[SYSC_WAIT] = "wait",	[SYSC_FUTEX] = "futex", [SYSC_KICK] = "kick",
		[SYSC_CALL] = "call",
	};
	json_t *o = new_object("syscall", ev->h.ts_ns);

	set_text(o, "class", ev->cls < NR_SYSCALL_CLASSES ? classes[ev->cls] : "?");
	set_int(o, "nr", ev->nr);
	set_int(o, "fd", ev->fd);
	set_int(o, "result", ev->result);
	set_int(o, "iov_base", (int64_t)ev->iov_base);
	set_int(o, "daemon", ev->daemon);
	set_int(o, "tid", ev->tid);
	set_int(o, "t_enter_ns", (int64_t)ev->t_enter_ns);
	set_time(o, "runnable_ns", ev->runnable_ns);
	return o;
}

static json_t *host_used_json(const struct host_used_event *ev)
{
	json_t *o = new_object("used", ev->h.ts_ns);

	set_int(o, "queue", ev->queue);
	set_int(o, "head", ev->head);
	set_int(o, "used_idx", ev->used_idx);
	set_int(o, "len", ev->len);
	set_int(o, "daemon", ev->daemon);
	set_int(o, "tid", ev->tid);
	return o;
}

static json_t *aggregate_json(const struct aggregate_event *ev)
{
	static const char *const words[NR_AGG_WHAT] = {
		[AGG_LATENCY] = "latency", [AGG_STAGE] = "stage",	[AGG_UNSPLIT] = "unsplit",
		[AGG_HOST_IO] = "host_io", [AGG_DEPTH] = "depth",	[AGG_COUNTER] = "counter",
		[AGG_OP] = "op",	   [AGG_OP_BYTES] = "op_bytes", [AGG_RANGES] = "ranges",
	};
	static const char *const counters[NR_AGG_COUNTERS] = {
		[AGG_ERRORS] = "errors",
		[AGG_BYTES] = "bytes",
		[AGG_RETRIES] = "ring_full_retries",
	};
	json_t *o = new_object("aggregate", ev->h.ts_ns);

	set_text(o, "what", ev->key.what < NR_AGG_WHAT ? words[ev->key.what] : "?");
	if (ev->key.what == AGG_DEPTH)
		set_int(o, "queue", ev->key.of);
	else if (ev->key.what == AGG_OP || ev->key.what == AGG_OP_BYTES)
		set_text(o, "op", op_type_name(ev->key.of));
	else
		set_text(o, "opcode", fuse_opcode_name(ev->key.of));
	if (ev->key.what == AGG_STAGE)
		set_text(o, "stage", stage_name(ev->key.part));
	else if (ev->key.what == AGG_LATENCY || ev->key.what == AGG_RANGES)
		set_text(o, "class", span_class_name(ev->key.part));
	else if (ev->key.what == AGG_COUNTER && ev->key.part < NR_AGG_COUNTERS)
		set_text(o, "counter", counters[ev->key.part]);
	else if (ev->key.what == AGG_OP)
		set_int(o, "flags", ev->key.part);
	if (ev->key.what != AGG_COUNTER && ev->key.what != AGG_OP_BYTES &&
	    ev->key.what != AGG_RANGES) {
		set_int(o, "from", (int64_t)hist_bucket_low(ev->key.bucket));
		set_int(o, "below", (int64_t)hist_bucket_high(ev->key.bucket));
	}
	set_int(o, "count", (int64_t)ev->added.count);
	set_int(o, "sum", (int64_t)ev->added.sum);
	return o;
}

json_t *event_json(const struct event_header *h)
{
	json_t *o;

	switch (h->type) {
	case EV_GUEST_REQUEST:
		return guest_request_json((const void *)h);
	case EV_GUEST_OP:
		return guest_op_json((const void *)h);
	case EV_GUEST_WRITEBACK:
		return guest_writeback_json((const void *)h);
	case EV_GUEST_PATH:
		return guest_path_json((const void *)h);
	case EV_AGGREGATE:
		return aggregate_json((const void *)h);
	case EV_HOST_CHAIN:
		return host_chain_json("chain", (const void *)h);
	case EV_HOST_HEADER:
		return host_chain_json("header", (const void *)h);
	case EV_HOST_SYSCALL:
		return host_syscall_json((const void *)h);
	case EV_HOST_USED:
		return host_used_json((const void *)h);
	default: /* of a newer vfscope */
		o = new_object("event", h->ts_ns);
		set_int(o, "event_type", h->type);
		return o;
	}
}
