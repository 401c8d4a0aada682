// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Summaries for programs: the JSON of docs/report-json.md. Times are whole ns, sums are exact.
 *
 * A failed allocation in the middle makes json_object_set_new() of its parent fail, which put()
 * remembers; the half-made tree is then dropped at the top.
 */
#include <stdbool.h>
#include <stdio.h>
#include "lib/compiler.h"
#include "lib/hist_json.h"
#include "lib/summary.h"

static void put(bool *failed, json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value))
		*failed = true;
}

static void put_u64(bool *failed, json_t *object, const char *key, uint64_t value)
{
	put(failed, object, key, json_integer((json_int_t)value));
}

static json_t *hist_json(bool *failed, const struct hist *h)
{
	json_t *object = hist_to_json(h);

	if (!object)
		*failed = true;
	return object;
}

static double per_second(const struct summary *s, uint64_t count)
{
	if (s->last_ns <= s->first_ns)
		return 0;
	return (double)count * NS_PER_SEC / (double)(s->last_ns - s->first_ns);
}

static json_t *opcode_json(bool *failed, const struct summary *s, const struct opcode_summary *o)
{
	json_t *object = json_object(), *classes = json_object(), *stages = json_object();

	put_u64(failed, object, "count", o->count);
	put(failed, object, "rate_per_s", json_real(per_second(s, o->count)));
	put_u64(failed, object, "bytes", o->bytes);
	put_u64(failed, object, "errors", o->errors);
	put_u64(failed, object, "all_stages_known", o->full_stages);
	for (int i = 0; i < NR_SPAN_CLASSES; i++)
		if (o->class_count[i])
			put_u64(failed, classes, span_class_name(i), o->class_count[i]);
	put(failed, object, "classes", classes);
	put(failed, object, "latency_ns", hist_json(failed, &o->latency));
	for (int i = 0; i < NR_STAGES; i++)
		put(failed, stages, stage_name(i), hist_json(failed, &o->stage[i]));
	put(failed, object, "stages_ns", stages);
	put(failed, object, "host_io_ns", hist_json(failed, &o->host_io));
	if (o->cpu_wait.max)
		put(failed, object, "cpu_wait_ns", hist_json(failed, &o->cpu_wait));
	put(failed, object, "unsplit_ns", hist_json(failed, &o->unsplit));
	return object;
}

static json_t *opcodes_json(bool *failed, const struct summary *s)
{
	json_t *object = json_object();
	char unknown[] = "?";

	for (unsigned int i = 0; i < FUSE_OPCODE_LIMIT; i++) {
		const char *name = fuse_opcode_name(i);
		char number[16];

		if (!s->opcode[i])
			continue;
		/* Numbers without a name must not share one key. */
		snprintf(number, sizeof(number), "%u", i);
		if (name[0] == unknown[0])
			name = i ? number : unknown;
		put(failed, object, name, opcode_json(failed, s, s->opcode[i]));
	}
	return object;
}

static json_t *queues_json(bool *failed, const struct summary *s)
{
	json_t *object = json_object();

	for (unsigned int i = 0; i < SUMMARY_MAX_QUEUES; i++) {
		char number[16];
		json_t *queue;

		if (!s->depth[i])
			continue;
		snprintf(number, sizeof(number), "%u", i);
		queue = json_object();
		put(failed, queue, "inflight", hist_json(failed, s->depth[i]));
		put(failed, object, number, queue);
	}
	return object;
}

static json_t *ops_json(bool *failed, const struct summary *s)
{
	json_t *object = json_object();

	for (int i = 0; i < NR_OP_TYPES; i++) {
		const struct op_summary *o = s->op[i];
		json_t *op;

		if (!o)
			continue;
		op = json_object();
		put_u64(failed, op, "count", o->count);
		put(failed, op, "rate_per_s", json_real(per_second(s, o->count)));
		put_u64(failed, op, "bytes", o->bytes);
		put_u64(failed, op, "without_request", o->without_request);
		put(failed, op, "latency_ns", hist_json(failed, &o->latency));
		put(failed, object, op_type_name(i), op);
	}
	return object;
}

static json_t *dax_json(bool *failed, const struct dax_summary *d)
{
	json_t *object = json_object();

	put_u64(failed, object, "reads", d->reads);
	put_u64(failed, object, "writes", d->writes);
	put_u64(failed, object, "write_faults", d->write_faults);
	for (int i = 0; i < DAX_NR_REASONS; i++) {
		json_t *reason = json_object();

		put_u64(failed, reason, "ranges", d->reason[i].ranges);
		put(failed, reason, "latency_ns", hist_json(failed, &d->reason[i].latency));
		put(failed, object, span_class_name(SPAN_SETUP + i), reason);
	}
	put(failed, object, "range_wait_ns", hist_json(failed, &d->range_waits));
	put(failed, object, "page_fault_ns", hist_json(failed, &d->page_faults));
	put(failed, object, "huge_fault_ns", hist_json(failed, &d->huge_faults));
	return object;
}

static json_t *cache_json(bool *failed, const struct cache_summary *c)
{
	json_t *object = json_object();

	put_u64(failed, object, "reads", c->reads);
	put_u64(failed, object, "cached_reads", c->cached_reads);
	put_u64(failed, object, "read_pages", c->read_pages);
	put_u64(failed, object, "read_pages_missed", c->read_missed);
	put_u64(failed, object, "faults", c->faults);
	put_u64(failed, object, "cached_faults", c->cached_faults);
	put_u64(failed, object, "pauses", c->pauses);
	put(failed, object, "throttled_ns", hist_json(failed, &c->throttled));
	put_u64(failed, object, "later_writes_linked", c->later_linked);
	put_u64(failed, object, "later_writes_unlinked", c->later_unlinked);
	put_u64(failed, object, "writeback_pages", c->pass_pages);
	put_u64(failed, object, "writeback_passes_in_ops", c->passes_in_ops);
	put(failed, object, "writeback_pass_ns", hist_json(failed, &c->passes));
	return object;
}

json_t *summary_json(const struct summary *s)
{
	bool any = s->last_ns >= s->first_ns, failed = false;
	json_t *object = json_object();

	put_u64(&failed, object, "first_ns", any ? s->first_ns : 0);
	put_u64(&failed, object, "last_ns", any ? s->last_ns : 0);
	put_u64(&failed, object, "duration_ns", any ? s->last_ns - s->first_ns : 0);
	put_u64(&failed, object, "requests", s->nr_spans);
	put(&failed, object, "requests_per_s", json_real(per_second(s, s->nr_spans)));
	put_u64(&failed, object, "both_sides", s->nr_both);
	put_u64(&failed, object, "guest_only", s->nr_guest_only);
	put_u64(&failed, object, "host_only", s->nr_host_only);
	put_u64(&failed, object, "kicks", s->kicks);
	put_u64(&failed, object, "kicks_suppressed", s->kicks_suppressed);
	put_u64(&failed, object, "calls", s->signals);
	put_u64(&failed, object, "ring_full_retries", s->ring_full_retries);
	put(&failed, object, "opcodes", opcodes_json(&failed, s));
	put(&failed, object, "queues", queues_json(&failed, s));
	put(&failed, object, "ops", ops_json(&failed, s));
	if (s->cache && !s->simulated)
		put(&failed, object, "page_cache", cache_json(&failed, s->cache));
	if (s->dax)
		put(&failed, object, "dax", dax_json(&failed, s->dax));
	if (failed) {
		json_decref(object);
		return NULL;
	}
	return object;
}
