// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Packed events: every word comes back, whatever it holds, and streams that say anything else than
 * whole events are refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "bpf/events.h"
#include "lib/compiler.h"
#include "lib/rng.h"
#include "trace/event_pack.h"

struct packed {
	struct event_streams streams;
	size_t control_room, values_room;
	bool ok;
};

static void set_head(uint64_t *event, uint16_t type, uint16_t size, uint32_t cpu)
{
	struct event_header h = {.type = type, .size = size, .cpu = cpu};

	memcpy(event, &h, sizeof(uint64_t));
}

/* Of exactly the size that the bound and the slack give, so that sanitizers see what is beyond. */
static struct packed pack(const uint64_t *events, size_t bytes)
{
	struct packed p = {
		.control_room = event_pack_control_bound(bytes),
		.values_room = event_pack_values_bound(bytes),
	};

	p.streams.control = malloc(p.control_room + EVENT_PACK_SLACK_BYTES);
	p.streams.values = malloc(p.values_room + EVENT_PACK_SLACK_BYTES);
	p.ok = event_pack(&p.streams, events, bytes);
	return p;
}

static void drop(struct packed *p)
{
	free(p->streams.control);
	free(p->streams.values);
}

static void assert_comes_back(const uint64_t *events, size_t bytes)
{
	struct packed p = pack(events, bytes);
	uint64_t *back = malloc(bytes);

	assert_true(p.ok);
	assert_true(p.streams.control_bytes <= p.control_room);
	assert_true(p.streams.values_bytes <= p.values_room);
	assert_true(event_unpack(back, bytes, &p.streams));
	assert_memory_equal(back, events, bytes);
	free(back);
	drop(&p);
}

/* Words that differ by little, by all, not at all, and zeros where times are. */
static uint64_t next_word(struct rng *rng, uint64_t before)
{
	switch (rng_below(rng, 6)) {
	case 0:
		return before;
	case 1:
		return 0;
	case 2:
		return rng_next(rng);
	case 3:
		return UINT64_MAX;
	default:
		return before + rng_below(rng, 1000) - 500;
	}
}

static size_t make_events(struct rng *rng, uint64_t *to, unsigned int count)
{
	static const uint16_t types[] = {
		EV_GUEST_REQUEST, EV_GUEST_OP,	 EV_GUEST_WRITEBACK, EV_HOST_SYSCALL,
		EV_HOST_USED,	  EV_HOST_CHAIN, EV_AGGREGATE,	     0,
		UINT16_MAX};
	static const uint16_t words[] = {2, 3, 25, EVENT_PACK_MAX_WORDS};
	uint64_t last[EVENT_PACK_MAX_WORDS] = {0};
	size_t at = 0;

	while (count--) {
		uint16_t type = types[rng_below(rng, ARRAY_SIZE(types))];
		/* Types of 9 with 3 sizes: fewer than there may be shapes. */
		uint16_t n = words[(type % 3 + rng_below(rng, 3)) % ARRAY_SIZE(words)];

		for (unsigned int i = 1; i < n; i++)
			to[at + i] = last[i] = next_word(rng, last[i]);
		set_head(to + at, type, (uint16_t)(n * 8), (uint32_t)next_word(rng, 1));
		at += n;
	}
	return at * sizeof(*to);
}

static void test_whatever_they_hold(void **state)
{
	uint64_t *events = malloc(1000 * EVENT_PACK_MAX_WORDS * sizeof(*events));
	struct rng rng;

	rng_init(&rng, 1, 0);
	for (unsigned int count = 0; count < 1000; count += 1 + count / 2)
		assert_comes_back(events, make_events(&rng, events, count));
	free(events);
}

/* Reads one at a time, as a recorder sees them: what it is for. */
static void test_takes_little(void **state)
{
	enum {
		N = 1000
	};
	struct guest_request_event *events = calloc(N, sizeof(*events));
	struct packed p;
	uint64_t t = 1000000000000;

	for (unsigned int i = 0; i < N; i++) {
		struct guest_request_event *e = &events[i];

		e->h.type = EV_GUEST_REQUEST;
		e->h.size = sizeof(*e);
		e->unique = 2 * i;
		e->nodeid = 0x7f0000001234;
		e->offset_bytes = (uint64_t)(i * 7919 % 65536) * 4096;
		e->t_issue_ns = t += 3000 + i % 100;
		e->t_send_ns = e->t_queued_ns = t += 700;
		e->t_add_ns = t += 400;
		e->t_kick_ns = i % 3 ? t += 500 : 0;
		e->t_irq_ns = t += 100000;
		e->t_work_ns = t += 5000;
		e->t_complete_ns = t += 800;
		e->t_end_ns = e->h.ts_ns = t += 300;
		e->opcode = 15;
		e->size_bytes = 4096;
		e->avail_idx = (uint16_t)i;
	}
	assert_comes_back((uint64_t *)events, N * sizeof(*events));
	p = pack((uint64_t *)events, N * sizeof(*events));
	assert_true(p.streams.control_bytes + p.streams.values_bytes < N * sizeof(*events) / 4);
	drop(&p);
	free(events);
}

static void test_what_is_not_packed(void **state)
{
	uint64_t events[(EVENT_PACK_MAX_SHAPES + 1) * (EVENT_PACK_MAX_WORDS + 1)] = {0};
	struct packed p;

	set_head(events, 1, (EVENT_PACK_MAX_WORDS + 1) * 8, 0);
	p = pack(events, (EVENT_PACK_MAX_WORDS + 1) * 8);
	assert_false(p.ok); /* too long */
	drop(&p);
	set_head(events, 1, 24, 0);
	p = pack(events, 16);
	assert_false(p.ok); /* longer than what there is */
	drop(&p);
	set_head(events, 1, 20, 0);
	p = pack(events, 24);
	assert_false(p.ok); /* no whole words */
	drop(&p);
	for (uint16_t i = 0; i <= EVENT_PACK_MAX_SHAPES; i++)
		set_head(events + 2 * i, i, 16, 0);
	assert_comes_back(events, EVENT_PACK_MAX_SHAPES * 16);
	p = pack(events, (EVENT_PACK_MAX_SHAPES + 1) * 16);
	assert_false(p.ok); /* one shape too many */
	drop(&p);
}

/* A copy of its own size, so that sanitizers see a byte beyond the slack. */
static bool unpacks(const struct event_streams *s, size_t control_bytes, size_t values_bytes,
		    size_t bytes)
{
	struct event_streams cut = {
		.control = malloc(control_bytes + 1),
		.control_bytes = control_bytes,
		.values = calloc(1, values_bytes + EVENT_PACK_SLACK_BYTES),
		.values_bytes = values_bytes,
	};
	uint64_t *back = malloc(bytes + 1);
	bool ok;

	memcpy(cut.control, s->control, control_bytes);
	memcpy(cut.values, s->values, values_bytes);
	ok = event_unpack(back, bytes, &cut);
	free(back);
	free(cut.control);
	free(cut.values);
	return ok;
}

static void test_only_whole_streams(void **state)
{
	uint64_t *events = malloc(20 * EVENT_PACK_MAX_WORDS * sizeof(*events));
	struct packed p;
	struct rng rng;
	size_t bytes;

	rng_init(&rng, 2, 0);
	bytes = make_events(&rng, events, 20);
	p = pack(events, bytes);
	assert_true(unpacks(&p.streams, p.streams.control_bytes, p.streams.values_bytes, bytes));
	for (size_t i = 0; i < p.streams.control_bytes; i++)
		assert_false(unpacks(&p.streams, i, p.streams.values_bytes, bytes));
	for (size_t i = 0; i < p.streams.values_bytes; i++)
		assert_false(unpacks(&p.streams, p.streams.control_bytes, i, bytes));
	for (size_t i = 0; i < bytes; i++)
		assert_false(
			unpacks(&p.streams, p.streams.control_bytes, p.streams.values_bytes, i));
	assert_false(
		unpacks(&p.streams, p.streams.control_bytes, p.streams.values_bytes, bytes + 8));
	drop(&p);
	free(events);
}

/* Any byte of control changed to anything: refused, or other events, and nothing beyond the ends.
 */
static void test_hostile_control(void **state)
{
	uint64_t *events = malloc(6 * EVENT_PACK_MAX_WORDS * sizeof(*events));
	unsigned int refused = 0;
	struct packed p;
	struct rng rng;
	size_t bytes;

	rng_init(&rng, 3, 0);
	bytes = make_events(&rng, events, 6);
	p = pack(events, bytes);
	for (size_t i = 0; i < p.streams.control_bytes; i++) {
		uint8_t right = p.streams.control[i];

		for (unsigned int wrong = 0; wrong < 256; wrong++) {
			p.streams.control[i] = (uint8_t)wrong;
			refused += !unpacks(&p.streams, p.streams.control_bytes,
					    p.streams.values_bytes, bytes);
		}
		p.streams.control[i] = right;
	}
	assert_true(refused > 0);
	assert_true(unpacks(&p.streams, p.streams.control_bytes, p.streams.values_bytes, bytes));
	drop(&p);
	free(events);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whatever_they_hold),
		cmocka_unit_test(test_takes_little),
		cmocka_unit_test(test_what_is_not_packed),
		cmocka_unit_test(test_only_whole_streams),
		cmocka_unit_test(test_hostile_control),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
