// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Summaries: nothing is lost in folding, stages sum to latency exactly, merging equals adding, and
 * both printed forms hold what was folded. Of DAX and the page cache: test_summary_cache.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "lib/compiler.h"
#include "lib/rng.h"
#include "lib/summary.h"
#include "tests/unit/summary_of.h"

#define ALL_STAGES ((1u << NR_STAGES) - 1)

static struct span make_span(struct rng *rng, uint64_t i)
{
	static const uint32_t opcodes[] = {FUSE_READ, FUSE_READ, FUSE_WRITE, FUSE_GETATTR, 4711};
	struct span span = {
		.t_issue_ns = 1000 + i * 50000,
		.unique = 2 * i,
		.opcode = opcodes[i % ARRAY_SIZE(opcodes)],
		.size_bytes = 4096,
		.reply_bytes = 4096,
		.queue = (uint16_t)(i % 3),
		.cls = SPAN_DIRECT,
		.flags = SPAN_HAS_GUEST | SPAN_HAS_HOST | (i % 2 ? SPAN_KICKED : 0),
		.inflight = (uint16_t)(i % 7),
		.stages_known = ALL_STAGES,
	};

	for (int s = 0; s < NR_STAGES; s++)
		if (s != STAGE_POOL)
			span.stage_ns[s] = (uint64_t)(rng_exp(rng) * 10000);
	span.host_io_ns = span.stage_ns[STAGE_SERVICE] / 2;
	if (span.opcode == FUSE_GETATTR)
		span.cls = SPAN_OTHER;
	return span;
}

static struct op_record make_op(uint64_t i)
{
	return (struct op_record){
		.t_start_ns = 500 + i * 50000,
		.t_end_ns = 500 + i * 50000 + 40000,
		.op_id = i + 1,
		.result = 4096,
		.size_bytes = 4096,
		.type = i % 2 ? OP_READ : OP_WRITE,
		.nr_requests = i % 4 ? 1 : 0,
	};
}

static struct summary *fold(uint64_t from, uint64_t to, uint64_t step)
{
	struct summary *s = summary_new();
	struct rng rng;

	for (uint64_t i = from; i < to; i += step) {
		struct span span;
		struct op_record op = make_op(i);

		rng_init(&rng, 1, i);
		span = make_span(&rng, i);
		assert_int_equal(summary_add_span(s, &span), 0);
		assert_int_equal(summary_add_op(s, &op), 0);
	}
	return s;
}

static void check_sums(json_t *json)
{
	const char *name;
	json_t *opcode;

	json_object_foreach(get(json, "opcodes"), name, opcode)
	{
		uint64_t sum = get_u64(opcode, "unsplit_ns/sum");

		for (int s = 0; s < NR_STAGES; s++)
			sum += get_u64(json_object_get(get(opcode, "stages_ns"), stage_name(s)),
				       "sum");
		assert_int_equal(sum, get_u64(opcode, "latency_ns/sum"));
		assert_int_equal(get_u64(opcode, "latency_ns/count"), get_u64(opcode, "count"));
	}
}

static void test_stages_sum_to_latency(void **state)
{
	struct summary *s = fold(0, 10007, 1);
	json_t *json = summary_json(s);
	char *text;

	print_to(s, &text);
	check_sums(json);
	/* The report says so too: latency and sum of stages print the same mean. */
	assert_true(strstr(text, "  sum ") && strstr(strstr(text, "  sum "), "100.0 %"));
	json_decref(json);
	free(text);
	summary_free(s);
}

/* Halves: stages that are not known, with and without time booked under them. */
static void test_unknown_stages(void **state)
{
	struct summary *s = summary_new();
	struct span guest = {
		.t_issue_ns = 100,
		.opcode = FUSE_READ,
		.flags = SPAN_HAS_GUEST,
		.stages_known = 1u << STAGE_BG_WAIT | 1u << STAGE_WAKEUP,
		.unsplit_ns = 5000,
	};
	struct span host = {
		.t_issue_ns = 100,
		.opcode = FUSE_READ,
		.flags = SPAN_HAS_HOST,
		.stages_known = 1u << STAGE_SERVICE,
		.queue = 5,
	};
	json_t *json;
	char *text;

	guest.stage_ns[STAGE_WAKEUP] = 300;
	guest.stage_ns[STAGE_NOTIFY] = 7; /* booked, though not known */
	host.stage_ns[STAGE_SERVICE] = 1000;
	host.host_io_ns = 600;
	summary_add_span(s, &guest);
	summary_add_span(s, &host);
	json = summary_json(s);
	check_sums(json);
	assert_int_equal(get_u64(json, "guest_only"), 1);
	assert_int_equal(get_u64(json, "host_only"), 1);
	assert_int_equal(get_u64(json, "both_sides"), 0);
	assert_int_equal(get_u64(json, "kicks_suppressed"), 1);
	assert_int_equal(get_u64(json, "opcodes/READ/all_stages_known"), 0);
	assert_int_equal(get_u64(json, "opcodes/READ/unsplit_ns/sum"), 5007);
	assert_int_equal(get_u64(json, "opcodes/READ/host_io_ns/count"), 1);
	/* The host cannot know the guest's queue depth. */
	assert_null(json_object_get(get(json, "queues"), "5"));
	print_to(s, &text);
	assert_non_null(strstr(text, "1 in the guest only, 1 on the host only"));
	assert_non_null(strstr(text, "unsplit"));
	assert_non_null(strstr(text, "not known: "));
	free(text);
	json_decref(json);
	summary_free(s);
}

static void test_merge_equals_adding(void **state)
{
	struct summary *whole = fold(0, 3000, 1), *parts = summary_new();

	for (uint64_t p = 0; p < 3; p++) {
		struct summary *part = fold(p, 3000, 3);

		assert_int_equal(summary_merge(parts, part), 0);
		summary_free(part);
	}
	{
		json_t *a = summary_json(whole), *b = summary_json(parts);
		char *ta, *tb;

		print_to(whole, &ta);
		print_to(parts, &tb);
		assert_true(json_equal(a, b));
		assert_string_equal(ta, tb);
		free(ta);
		free(tb);
		json_decref(a);
		json_decref(b);
	}
	summary_free(whole);
	summary_free(parts);
}

static void test_counts(void **state)
{
	struct summary *s = summary_new();
	struct span span = {
		.t_issue_ns = 1000000000,
		.opcode = FUSE_READ,
		.size_bytes = 8192,
		.reply_bytes = 100,
		.cls = SPAN_READAHEAD,
		.flags = SPAN_HAS_GUEST | SPAN_HAS_HOST | SPAN_KICKED | SPAN_SIGNALLED,
		.queue = 1,
		.inflight = 3,
		.ring_full_retries = 2,
		.stages_known = ALL_STAGES,
	};
	json_t *json;

	span.stage_ns[STAGE_SERVICE] = 500000000;
	summary_add_span(s, &span);
	span.error = -5; /* no data moved */
	summary_add_span(s, &span);
	span.error = 0;
	span.opcode = FUSE_WRITE;
	span.cls = SPAN_WRITEBACK;
	span.t_issue_ns += 500000000;
	summary_add_span(s, &span);
	span.opcode = FUSE_GETATTR;
	span.cls = SPAN_OTHER;
	summary_add_span(s, &span);
	json = summary_json(s);
	assert_int_equal(get_u64(json, "requests"), 4);
	assert_int_equal(get_u64(json, "duration_ns"), 1000000000);
	assert_true(json_real_value(get(json, "requests_per_s")) == 4);
	assert_int_equal(get_u64(json, "opcodes/READ/bytes"), 100);
	assert_int_equal(get_u64(json, "opcodes/READ/errors"), 1);
	assert_int_equal(get_u64(json, "opcodes/READ/classes/readahead"), 2);
	assert_int_equal(get_u64(json, "opcodes/WRITE/bytes"), 8192);
	assert_int_equal(get_u64(json, "opcodes/GETATTR/bytes"), 0);
	assert_int_equal(get_u64(json, "opcodes/READ/latency_ns/percentiles/99.9"), 500000000);
	assert_int_equal(get_u64(json, "queues/1/inflight/max"), 3);
	assert_int_equal(get_u64(json, "kicks"), 4);
	assert_int_equal(get_u64(json, "calls"), 4);
	assert_int_equal(get_u64(json, "ring_full_retries"), 8);
	json_decref(json);
	summary_free(s);
}

static void add_bucket(struct summary *s, struct aggregate_key key, const struct hist *h, bool host)
{
	for (unsigned int i = 0; i < HIST_NR_BUCKETS; i++) {
		/* As if all values lay at the lower bound of their bucket. */
		struct aggregate_count added = {h->bucket[i], h->bucket[i] * hist_bucket_low(i)};

		key.bucket = i;
		if (added.count)
			assert_int_equal(summary_add_aggregate(s, 7000, &key, &added, host), 0);
	}
}

static void count(struct summary *s, struct aggregate_key key, uint64_t value, uint64_t n)
{
	struct aggregate_count added = {n, value * n};

	key.bucket = hist_bucket(value);
	assert_int_equal(summary_add_aggregate(s, 7000, &key, &added, false), 0);
}

static void test_aggregated_ops_and_ranges(void **state)
{
	struct summary *s = summary_new();
	json_t *json;

	count(s, (struct aggregate_key){.what = AGG_OP, .of = OP_READ}, 9000, 2);
	count(s, (struct aggregate_key){.what = AGG_OP, .of = OP_READ, .part = AGG_OP_NO_REQUEST},
	      100, 3);
	count(s, (struct aggregate_key){.what = AGG_OP_BYTES, .of = OP_READ}, 4096, 5);
	count(s, (struct aggregate_key){.what = AGG_OP, .of = OP_WRITE, .part = AGG_OP_DAX}, 500,
	      1);
	count(s,
	      (struct aggregate_key){.what = AGG_OP,
				     .of = OP_MMAP_FAULT,
				     .part = AGG_OP_DAX | AGG_OP_HUGE | AGG_OP_WRITE_FAULT},
	      700, 4);
	count(s,
	      (struct aggregate_key){
		      .what = AGG_LATENCY, .of = FUSE_SETUPMAPPING, .part = SPAN_UPGRADE},
	      60000, 6);
	count(s,
	      (struct aggregate_key){
		      .what = AGG_LATENCY, .of = FUSE_REMOVEMAPPING, .part = SPAN_EVICT},
	      80000, 7);
	count(s,
	      (struct aggregate_key){
		      .what = AGG_RANGES, .of = FUSE_REMOVEMAPPING, .part = SPAN_EVICT},
	      3, 7);
	/* Of a newer vfscope. */
	count(s, (struct aggregate_key){.what = AGG_OP, .of = NR_OP_TYPES}, 1, 1);
	count(s, (struct aggregate_key){.what = NR_AGG_WHAT}, 1, 1);
	json = summary_json(s);
	assert_int_equal(get_u64(json, "ops/read/count"), 5);
	assert_int_equal(get_u64(json, "ops/read/bytes"), 5 * 4096);
	assert_int_equal(get_u64(json, "ops/read/without_request"), 3);
	assert_int_equal(get_u64(json, "ops/read/latency_ns/sum"), 2 * 9000 + 3 * 100);
	assert_int_equal(get_u64(json, "ops/write/count"), 1);
	assert_int_equal(get_u64(json, "dax/writes"), 1);
	assert_int_equal(get_u64(json, "dax/reads"), 0);
	assert_int_equal(get_u64(json, "dax/write_faults"), 4);
	assert_int_equal(get_u64(json, "dax/upgrade/latency_ns/count"), 6);
	assert_int_equal(get_u64(json, "dax/evict/latency_ns/sum"), 7 * 80000);
	assert_int_equal(get_u64(json, "dax/evict/ranges"), 21);
	json_decref(json);
	summary_free(s);
}

/* Counted in BPF or folded here, the same requests have the same counts and quantiles. */
static void test_aggregates(void **state)
{
	struct summary *folded = fold(0, 5000, 1), *counted = summary_new();
	const struct opcode_summary *o = folded->opcode[FUSE_READ];
	const struct aggregate_count moved = {o->count, o->bytes}, errors = {3, 3};
	struct aggregate_key key = {.what = AGG_LATENCY, .part = SPAN_DIRECT, .of = FUSE_READ};
	const struct opcode_summary *c;

	add_bucket(counted, key, &o->latency, false);
	key = (struct aggregate_key){.what = AGG_STAGE, .part = STAGE_WAKEUP, .of = FUSE_READ};
	add_bucket(counted, key, &o->stage[STAGE_WAKEUP], false);
	key = (struct aggregate_key){.what = AGG_COUNTER, .part = AGG_BYTES, .of = FUSE_READ};
	assert_int_equal(summary_add_aggregate(counted, 9000, &key, &moved, false), 0);
	key.part = AGG_ERRORS;
	assert_int_equal(summary_add_aggregate(counted, 9000, &key, &errors, false), 0);
	c = counted->opcode[FUSE_READ];
	assert_int_equal(c->count, o->count);
	assert_int_equal(c->bytes, o->bytes);
	assert_int_equal(c->errors, 3);
	assert_int_equal(c->class_count[SPAN_DIRECT], o->count);
	assert_int_equal(counted->nr_guest_only, o->count);
	assert_int_equal(counted->first_ns, 7000);
	assert_int_equal(counted->last_ns, 9000);
	for (double q = 0.05; q < 1; q += 0.05) {
		assert_int_equal(hist_quantile(&c->latency, q), hist_quantile(&o->latency, q));
		assert_int_equal(hist_quantile(&c->stage[STAGE_WAKEUP], q),
				 hist_quantile(&o->stage[STAGE_WAKEUP], q));
	}
	/* What no table knows, as a damaged or newer file may say, is harmless. */
	key = (struct aggregate_key){.what = 200, .part = 200, .of = 65535, .bucket = UINT32_MAX};
	for (key.what = 0; key.what < 250; key.what++)
		assert_int_equal(summary_add_aggregate(counted, 1, &key, &moved, true), 0);
	summary_free(folded);
	summary_free(counted);
}

static void test_ops(void **state)
{
	struct summary *s = summary_new();
	struct op_record read = make_op(1), hit = make_op(1), failed = make_op(1),
			 async = make_op(1);
	struct op_record unknown = {.type = NR_OP_TYPES + 3};
	json_t *json;

	hit.nr_requests = 0;
	failed.result = -5;
	async.result = -529;
	async.flags = OP_ASYNC;
	summary_add_op(s, &read);
	summary_add_op(s, &hit);
	summary_add_op(s, &failed);
	summary_add_op(s, &async);
	assert_int_equal(summary_add_op(s, &unknown), 0);
	json = summary_json(s);
	assert_int_equal(get_u64(json, "ops/read/count"), 4);
	assert_int_equal(get_u64(json, "ops/read/bytes"), 3 * 4096);
	assert_int_equal(get_u64(json, "ops/read/without_request"), 1);
	assert_int_equal(get_u64(json, "ops/read/latency_ns/max"), 40000);
	json_decref(json);
	summary_free(s);
}

/* Nothing, and the largest of everything: both print, under 100 columns. */
static void test_extremes(void **state)
{
	struct summary *s = summary_new();
	json_t *json = summary_json(s);
	char *text;

	print_to(s, &text);
	assert_string_equal(text, "0 requests.\n");
	assert_int_equal(get_u64(json, "duration_ns"), 0);
	assert_int_equal(json_object_size(get(json, "opcodes")), 0);
	free(text);
	json_decref(json);
	for (uint32_t opcode = 0; opcode < 70; opcode++) {
		for (int cls = 0; cls < NR_SPAN_CLASSES + 1; cls++) {
			struct span span = {
				.t_issue_ns = 1ull << 50,
				.opcode = opcode,
				.cls = (uint16_t)cls,
				.queue = (uint16_t)(opcode * 900),
				.size_bytes = UINT32_MAX,
				.reply_bytes = UINT32_MAX,
				.flags = UINT16_MAX,
				.stages_known = UINT16_MAX,
				.inflight = UINT16_MAX,
				.ring_full_retries = UINT16_MAX,
				.host_io_ns = 999999999999,
			};

			for (int st = 0; st < NR_STAGES; st++)
				span.stage_ns[st] = 999999999999;
			summary_add_span(s, &span);
			s->opcode[opcode < 64 ? opcode : 0]->count += 999999;
		}
	}
	print_to(s, &text);
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		if (strlen(line) >= 100)
			fail_msg("%zu columns: %s", strlen(line), line);
	free(text);
	summary_free(s);
}

static void test_report_reads_well(void **state)
{
	static const char *const wanted[] = {
		"10007 requests in 500 ms (20.0k/s), ",
		" read, ",
		" written;\n10007 seen on both sides.",
		"\nopcode ",
		"req/s",
		"\nREAD ",
		"\nREAD: where the time goes\n",
		"of it host_io",
		"always 0: pool",
		"classes of requests",
		"READ: direct 4004",
		"kicks 5003, suppressed 5004",
		"0 hiprio",
		"1 request",
		"no req",
	};
	struct summary *s = fold(0, 10007, 1);
	char *text;

	print_to(s, &text);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		if (!strstr(text, wanted[i]))
			fail_msg("no '%s' in:\n%s", wanted[i], text);
	assert_true(strstr(text, "\nREAD: where") < strstr(text, "\nGETATTR: where"));
	free(text);
	/* Simulated requests have no sides from which they could be missing. */
	s->simulated = true;
	print_to(s, &text);
	assert_true(strstr(text, "10007 simulated requests in 500 ms") == text);
	assert_null(strstr(text, "both sides"));
	free(text);
	summary_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stages_sum_to_latency),
		cmocka_unit_test(test_unknown_stages),
		cmocka_unit_test(test_merge_equals_adding),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_ops),
		cmocka_unit_test(test_aggregates),
		cmocka_unit_test(test_aggregated_ops_and_ranges),
		cmocka_unit_test(test_extremes),
		cmocka_unit_test(test_report_reads_well),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
