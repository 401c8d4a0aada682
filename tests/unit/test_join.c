// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Halves become spans whose stages sum to the latency, in the class that the flags tell; pairing
 * finds what belongs together.
 */
#include <errno.h>
#include <linux/fuse.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "lib/compiler.h"
#include "lib/fuse_opcode.h"
#include "trace/join.h"
#include "trace/pairing.h"
#include "trace/span_order.h"

/* The host's clock is 1 s ahead, known to +-100 ns. */
static const struct clock_band band = {.offset_ns = 1000000000, .width_ns = 200};
#define HOST(t) ((t) + 1000000000)

static struct guest_request_event guest_half(void)
{
	return (struct guest_request_event){
		.h = {.type = EV_GUEST_REQUEST, .ts_ns = 20000, .cpu = 3},
		.unique = 8,
		.nodeid = 5,
		.opcode = FUSE_READ,
		.flags = GREQ_LOCKOWNER | GREQ_KICKED,
		.t_issue_ns = 10000,
		.t_send_ns = 10100,
		.t_queued_ns = 10300,
		.t_add_ns = 10350,
		.t_irq_ns = 16000,
		.t_work_ns = 16600,
		.t_complete_ns = 17000,
		.t_end_ns = 17500,
		.t_wake_ns = 20000,
		.doorbell_ns = 77,
	};
}

static struct host_half host_half(void)
{
	return (struct host_half){
		.unique = 8,
		.nodeid = 5,
		.opcode = FUSE_READ,
		.flags = HHALF_SIGNALLED,
		.t_visible_ns = HOST(11000),
		.t_taken_ns = HOST(12000),
		.t_start_ns = HOST(12500),
		.t_io_end_ns = HOST(14000),
		.t_used_ns = HOST(15000),
		.host_io_ns = 900,
		.reply_len = 4112,
	};
}

static void assert_stages(const struct span *span, const uint64_t want[NR_STAGES])
{
	uint64_t sum = span->unsplit_ns;

	for (int i = 0; i < NR_STAGES; i++) {
		assert_int_equal(span->stage_ns[i], want[i]);
		sum += want[i];
	}
	assert_int_equal(span_latency_ns(span), sum);
}

static void test_both(void **state)
{
	struct guest_request_event g = guest_half();
	struct host_half h = host_half();
	struct span span;

	h.cpu_wait_ns = 300;
	span_from_both(&span, &g, &h, &band);
	assert_int_equal(span.cpu_wait_ns, 300);
	/* The thread was waiting already when this request came. */
	h.cpu_wait_ns = 5000;
	span_from_both(&span, &g, &h, &band);
	assert_int_equal(span.cpu_wait_ns, 1700);
	assert_stages(&span, (const uint64_t[]){100, 200, 1700, 500, 2500, 1000, 1500, 2500});
	assert_int_equal(span_latency_ns(&span), 10000);
	assert_int_equal(span.unsplit_ns, 0);
	assert_int_equal(span.stages_known, 0xff);
	assert_int_equal(span.flags, SPAN_HAS_GUEST | SPAN_HAS_HOST | SPAN_KICKED | SPAN_SIGNALLED);
	assert_int_equal(span.cls, SPAN_DIRECT);
	assert_int_equal(span.host_io_ns, 900);
	assert_int_equal(span.doorbell_ns, 77);
	assert_int_equal(span.enqueue_ns, 50);
	assert_int_equal(span.kworker_ns, 600);
	assert_int_equal(span.drain_ns, 400);
	assert_int_equal(span.cpu, 3);
}

/* What the host did keeps its length where the error bar leaves room for it. */
static void test_moving(void **state)
{
	const struct clock_band wide = {.offset_ns = 1000000000, .width_ns = 11998};
	struct guest_request_event g = guest_half();
	struct host_half h = host_half();
	struct span span;

	/* All of it before the request was queued; after the reply was taken; beyond the error bar.
	 */
	const struct {
		int64_t ns;
		uint64_t stages[NR_STAGES];
	} moves[] = {
		{-4800, {100, 200, 0, 500, 2500, 2700, 1500, 2500}},
		{4000, {100, 200, 4700, 500, 1500, 0, 500, 2500}},
		{-7800, {100, 200, 0, 400, 2500, 2800, 1500, 2500}},
	};
	for (size_t i = 0; i < ARRAY_SIZE(moves); i++) {
		h = host_half();
		h.t_visible_ns += (uint64_t)moves[i].ns;
		h.t_taken_ns += (uint64_t)moves[i].ns;
		h.t_start_ns += (uint64_t)moves[i].ns;
		h.t_io_end_ns += (uint64_t)moves[i].ns;
		h.t_used_ns += (uint64_t)moves[i].ns;
		span_from_both(&span, &g, &h, &wide);
		assert_stages(&span, moves[i].stages);
		assert_int_equal(span.host_io_ns, 900);
	}
}

/* A completion work that was running already drains the reply: no interrupt of its own. */
static void test_no_own_interrupt(void **state)
{
	struct guest_request_event g = guest_half();
	struct host_half h = host_half();
	struct span span;

	g.t_irq_ns = 9000;
	g.t_work_ns = 9500;
	span_from_both(&span, &g, &h, &band);
	assert_stages(&span, (const uint64_t[]){100, 200, 1700, 500, 2500, 0, 2500, 2500});
	assert_int_equal(span.kworker_ns, 0);
	assert_int_equal(span.drain_ns, 2000);
}

static void test_clamping(void **state)
{
	struct guest_request_event g = guest_half();
	struct host_half h = host_half();
	struct span span;

	/* Within the error bar: moved, but nothing is wrong. */
	h.t_visible_ns = h.t_taken_ns = h.t_start_ns = HOST(10280);
	span_from_both(&span, &g, &h, &band);
	assert_int_equal(span.stage_ns[STAGE_NOTIFY], 0);
	assert_int_equal(span_latency_ns(&span), 10000);
	assert_false(span.flags & SPAN_SKEWED);

	/* Seen by the daemon before the guest put it there. */
	h.t_visible_ns = h.t_taken_ns = h.t_start_ns = HOST(10000);
	span_from_both(&span, &g, &h, &band);
	assert_int_equal(span_latency_ns(&span), 10000);
	assert_true(span.flags & SPAN_SKEWED);

	/* The used element may be noticed late, so that alone is not skew. */
	h = host_half();
	h.t_used_ns = HOST(19000);
	span_from_both(&span, &g, &h, &band);
	assert_int_equal(span.stage_ns[STAGE_SERVICE], 4500);
	assert_int_equal(span_latency_ns(&span), 10000);
	assert_false(span.flags & SPAN_SKEWED);

	/* But work for it cannot end after the guest has the reply. */
	h.t_io_end_ns = HOST(17500);
	span_from_both(&span, &g, &h, &band);
	assert_true(span.flags & SPAN_SKEWED);
	h.t_io_end_ns = 0; /* no bound known */
	span_from_both(&span, &g, &h, &band);
	assert_false(span.flags & SPAN_SKEWED);
}

/* Any times whatever: the sum is the time from issue to the end, and no stage wraps. */
static void test_sum_for_any_times(void **state)
{
	for (int round = 0; round < 20000; round++) {
		struct guest_request_event g = guest_half();
		struct host_half h = host_half();
		uint64_t *guest[] = {&g.t_issue_ns, &g.t_send_ns,     &g.t_queued_ns,
				     &g.t_add_ns,   &g.t_irq_ns,      &g.t_work_ns,
				     &g.t_end_ns,   &g.t_complete_ns, &g.t_wake_ns};
		uint64_t *host[] = {&h.t_visible_ns, &h.t_taken_ns, &h.t_start_ns, &h.t_io_end_ns,
				    &h.t_used_ns};
		struct span spans[3];

		for (size_t i = 0; i < ARRAY_SIZE(guest); i++)
			*guest[i] = rand() % 8 ? 10000 + rand() % 1000 : 0;
		for (size_t i = 0; i < ARRAY_SIZE(host); i++)
			*host[i] = HOST(10000 + rand() % 1000);
		g.flags = rand() & 0x7ff;
		span_from_both(&spans[0], &g, &h, &band);
		span_from_guest(&spans[1], &g);
		span_from_host(&spans[2], &h);
		for (int i = 0; i < 3; i++) {
			assert_true(span_latency_ns(&spans[i]) <= 21000);
			for (int s = 0; s < NR_STAGES; s++)
				assert_true(spans[i].stage_ns[s] <= 21000);
			assert_true(spans[i].enqueue_ns <= spans[i].stage_ns[STAGE_NOTIFY]);
			assert_true(spans[i].kworker_ns + spans[i].drain_ns <=
				    spans[i].stage_ns[STAGE_COMPLETION]);
		}
		assert_int_equal(span_latency_ns(&spans[0]), span_latency_ns(&spans[1]));
		assert_int_equal(spans[0].t_issue_ns, spans[1].t_issue_ns);
	}
}

static void test_guest_alone(void **state)
{
	struct guest_request_event g = guest_half();
	struct span span;

	span_from_guest(&span, &g);
	assert_stages(&span, (const uint64_t[]){100, 200, 0, 0, 0, 0, 1500, 2500});
	assert_int_equal(span.unsplit_ns, 5700);
	assert_int_equal(span.stages_known, 1u << STAGE_BG_WAIT | 1u << STAGE_RING_WAIT |
						    1u << STAGE_COMPLETION | 1u << STAGE_WAKEUP);
	g.t_irq_ns = 10200; /* before it was queued: not for this request */
	span_from_guest(&span, &g);
	assert_int_equal(span.unsplit_ns, 7200);
	assert_false(span.stages_known & 1u << STAGE_COMPLETION);

	g = (struct guest_request_event){.h.ts_ns = 500, .t_issue_ns = 100, .flags = GREQ_ABORTED};
	span_from_guest(&span, &g);
	assert_int_equal(span_latency_ns(&span), 400);
	assert_int_equal(span.unsplit_ns, 400);
}

static void test_host_alone(void **state)
{
	struct host_half h = host_half();
	struct span span;

	span_from_host(&span, &h);
	assert_stages(&span, (const uint64_t[]){0, 0, 1000, 500, 2500, 0, 0, 0});
	assert_int_equal(span.t_issue_ns, HOST(11000));
	assert_int_equal(span.reply_bytes, 4096);
	assert_int_equal(span.cls, SPAN_OTHER);
	h.opcode = FUSE_FORGET;
	h.reply_len = 0;
	span_from_host(&span, &h);
	assert_int_equal(span.reply_bytes, 0);
	assert_true(span.flags & SPAN_NO_REPLY);
}

static void test_classes(void **state)
{
	static const struct {
		uint32_t opcode, flags;
		enum span_class cls;
		uint16_t span_flags;
	} cases[] = {
		{FUSE_READ, GREQ_LOCKOWNER, SPAN_DIRECT, 0},
		{FUSE_READ, GREQ_LOCKOWNER | GREQ_BACKGROUND, SPAN_DIRECT,
		 SPAN_BACKGROUND | SPAN_ASYNC_DIO},
		{FUSE_READ, GREQ_BACKGROUND | GREQ_IN_READ_OP, SPAN_READAHEAD, SPAN_BACKGROUND},
		{FUSE_READ, GREQ_BACKGROUND | GREQ_IN_WRITE_OP, SPAN_READAHEAD, SPAN_BACKGROUND},
		{FUSE_READ, GREQ_IN_READ_OP, SPAN_READAHEAD, 0},
		{FUSE_READ, GREQ_IN_WRITE_OP, SPAN_READ_MODIFY, 0},
		{FUSE_WRITE, GREQ_WRITE_CACHE | GREQ_BACKGROUND, SPAN_WRITEBACK, SPAN_BACKGROUND},
		{FUSE_WRITE, GREQ_LOCKOWNER | GREQ_IN_WRITE_OP, SPAN_DIRECT, 0},
		{FUSE_WRITE, GREQ_IN_WRITE_OP, SPAN_WRITETHROUGH, 0},
		{FUSE_FORGET, GREQ_FORGET, SPAN_FORGET, SPAN_NO_REPLY},
		{FUSE_BATCH_FORGET, 0, SPAN_FORGET, SPAN_NO_REPLY},
		{FUSE_LOOKUP, GREQ_IN_READ_OP, SPAN_OTHER, 0},
		{FUSE_SETUPMAPPING, GREQ_IN_READ_OP, SPAN_SETUP, 0},
		{FUSE_SETUPMAPPING, GREQ_DAX_UPGRADE, SPAN_UPGRADE, 0},
		{FUSE_REMOVEMAPPING, GREQ_IN_READ_OP, SPAN_INLINE_RECLAIM, 0},
		{FUSE_REMOVEMAPPING, GREQ_DAX_WORKER, SPAN_RECLAIM, 0},
		{FUSE_REMOVEMAPPING, GREQ_DAX_EVICT, SPAN_EVICT, 0},
		{FUSE_REMOVEMAPPING, GREQ_DAX_EVICT | GREQ_DAX_WORKER, SPAN_EVICT, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct guest_request_event g = guest_half();
		struct span span;

		g.opcode = cases[i].opcode;
		g.flags = cases[i].flags;
		g.size_bytes = FUSE_DAX_RANGE_BYTES;
		span_from_guest(&span, &g);
		assert_int_equal(span.cls, cases[i].cls);
		assert_int_equal(span.flags, cases[i].span_flags | SPAN_HAS_GUEST);
		if (g.flags & GREQ_BACKGROUND)
			assert_int_equal(span.stage_ns[STAGE_WAKEUP], 0);
	}
}

static void test_mappings(void **state)
{
	struct guest_request_event g = guest_half();
	struct span span;

	g.opcode = FUSE_SETUPMAPPING;
	g.size_bytes = FUSE_DAX_RANGE_BYTES;
	g.offset_bytes = 3 * FUSE_DAX_RANGE_BYTES;
	g.window_range = 7;
	g.fuse_flags = FUSE_SETUPMAPPING_FLAG_READ;
	span_from_guest(&span, &g);
	assert_int_equal(span.window_range, 7);
	assert_int_equal(span.offset_bytes, 3 * FUSE_DAX_RANGE_BYTES);
	assert_false(span.flags & SPAN_WRITABLE);
	g.fuse_flags |= FUSE_SETUPMAPPING_FLAG_WRITE;
	span_from_guest(&span, &g);
	assert_true(span.flags & SPAN_WRITABLE);
	/* Recorded without the probes of the window: not described, so no class is made up. */
	g.size_bytes = 0;
	span_from_guest(&span, &g);
	assert_int_equal(span.cls, SPAN_OTHER);
}

struct seen {
	uint64_t both, guest, host;
	uint64_t unique_sum;
};

static int see_pair(void *ctx, const struct guest_request_event *g, const struct host_half *h)
{
	struct seen *seen = ctx;

	seen->both += g && h;
	seen->guest += g && !h;
	seen->host += !g && h;
	if (g && h)
		seen->unique_sum += g->unique;
	return g && g->unique == 667 ? -ECANCELED : 0;
}

static bool always(void *ctx, const struct guest_request_event *g, const struct host_half *h)
{
	return true;
}

static void add_pair(struct pairing *p, uint64_t unique, bool with_guest, bool with_host)
{
	struct guest_request_event g = {.unique = unique, .opcode = 15, .avail_idx_known = 1};
	struct host_half h = {.unique = unique, .opcode = 15};

	if (with_guest)
		assert_int_equal(pairing_add_guest(p, &g), 0);
	if (with_host)
		assert_int_equal(pairing_add_host(p, &h), 0);
}

static void test_pairing(void **state)
{
	static const struct pairing_ops ops = {.emit = see_pair};
	struct seen seen = {0};
	struct pairing *p;

	assert_int_equal(pairing_new(&p, &ops, &seen), 0);
	add_pair(p, 2, true, false);
	assert_false(pairing_wants_guest(p));
	for (uint64_t u = 4; u < 2000; u += 2)
		add_pair(p, u, u % 10 != 0, u % 14 != 0);
	add_pair(p, 2, false, true); /* late, but not too late */
	assert_int_equal(pairing_stats(p)->by_unique, seen.both);
	assert_int_equal(seen.guest + seen.host, 0);
	assert_int_equal(pairing_finish(p), 0);
	/* Of 999 uniques, 199 lack the guest half, 142 the host half, 28 of these both. */
	assert_int_equal(seen.host, 199 - 28);
	assert_int_equal(seen.guest, 142 - 28);
	assert_int_equal(seen.both, 999 - 199 - 142 + 28);
	pairing_free(p);
}

static void test_pairing_gives_up(void **state)
{
	static const struct pairing_ops ops = {.emit = see_pair};
	struct seen seen = {0};
	struct pairing *p;

	assert_int_equal(pairing_new(&p, &ops, &seen), 0);
	add_pair(p, 2, true, false);
	for (uint64_t u = 4; u < 2 * PAIRING_PATIENCE; u += 2)
		add_pair(p, u, true, true);
	assert_int_equal(seen.guest, 1);
	add_pair(p, 2, false, true);
	assert_int_equal(pairing_finish(p), 0);
	assert_int_equal(seen.host, 1);
	pairing_free(p);
}

static void test_pairing_contradiction_and_ring(void **state)
{
	static const struct pairing_ops ops = {.emit = see_pair, .plausible = always};
	struct guest_request_event g = {
		.unique = 2, .opcode = 15, .nodeid = 3, .queue = 1, .avail_idx_known = 1};
	struct host_half wrong = {.unique = 2, .opcode = 15, .nodeid = 4};
	struct host_half headless = {.flags = HHALF_NO_HEADER, .queue = 1};
	struct seen seen = {0};
	struct pairing *p;

	assert_int_equal(pairing_new(&p, &ops, &seen), 0);
	g.avail_idx = headless.avail_idx = 17;
	assert_int_equal(pairing_add_guest(p, &g), 0);
	assert_int_equal(pairing_add_host(p, &wrong), 0);
	assert_int_equal(pairing_stats(p)->contradicting, 1);
	assert_int_equal(seen.both, 0);
	assert_int_equal(pairing_add_host(p, &headless), 0);
	assert_int_equal(pairing_stats(p)->by_ring, 1);
	/* In the other order too; another queue is another ring. */
	headless.avail_idx = 18;
	assert_int_equal(pairing_add_host(p, &headless), 0);
	g.avail_idx = 18;
	g.queue = 2;
	assert_int_equal(pairing_add_guest(p, &g), 0);
	assert_int_equal(pairing_stats(p)->by_ring, 1);
	g.queue = 1;
	assert_int_equal(pairing_add_guest(p, &g), 0);
	assert_int_equal(pairing_stats(p)->by_ring, 2);
	/* What emit returns stops. */
	g.unique = 667;
	g.avail_idx = 99;
	assert_int_equal(pairing_add_guest(p, &g), 0);
	assert_int_equal(pairing_finish(p), -ECANCELED);
	pairing_free(p);
}

struct ordered {
	uint64_t last, count;
};

static int see_span(void *ctx, const struct span *span)
{
	struct ordered *o = ctx;

	assert_true(span->t_issue_ns >= o->last);
	o->last = span->t_issue_ns;
	o->count++;
	return 0;
}

static void test_span_order(void **state)
{
	struct ordered seen = {0};
	struct span_order *o = span_order_new(see_span, &seen);

	for (uint64_t i = 0; i < 5000; i++) {
		struct span span = {.t_issue_ns = 1000 + i * 10 - rand() % 500};

		assert_int_equal(span_order_add(o, &span), 0);
		assert_int_equal(span_order_advance(o, 1000 + i * 10 - 500), 0);
		/* No more is held back than may still be preceded. */
		assert_true(i + 1 - seen.count <= 51);
	}
	assert_int_equal(span_order_finish(o), 0);
	assert_int_equal(seen.count, 5000);
	span_order_free(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both),
		cmocka_unit_test(test_moving),
		cmocka_unit_test(test_no_own_interrupt),
		cmocka_unit_test(test_clamping),
		cmocka_unit_test(test_sum_for_any_times),
		cmocka_unit_test(test_guest_alone),
		cmocka_unit_test(test_host_alone),
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_mappings),
		cmocka_unit_test(test_pairing),
		cmocka_unit_test(test_pairing_gives_up),
		cmocka_unit_test(test_pairing_contradiction_and_ring),
		cmocka_unit_test(test_span_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
