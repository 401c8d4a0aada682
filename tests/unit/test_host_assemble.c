// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Host halves from made-up event lists: daemons that serve inline and with a pool, batches, replies
 * out of order, calls suppressed, headers that came late, and events that never came.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <linux/fuse.h>
#include <string.h>
#include <sys/syscall.h>
#include "lib/compiler.h"
#include "trace/event_sort.h"
#include "trace/halves.h"

#define MAX_HALVES 300

struct bench {
	struct host_assembler *a;
	struct host_half halves[MAX_HALVES];
	size_t count;
};

static int keep(void *ctx, const struct host_half *half)
{
	struct bench *b = ctx;

	assert_true(b->count < MAX_HALVES);
	b->halves[b->count++] = *half;
	return 0;
}

static int set_up(void **state)
{
	static struct bench bench;

	memset(&bench, 0, sizeof(bench));
	*state = &bench;
	return host_assembler_new(&bench.a, keep, &bench);
}

static int tear_down(void **state)
{
	host_assembler_free(((struct bench *)*state)->a);
	return 0;
}

static void add(struct bench *b, union host_event *event, uint16_t type, size_t size, uint64_t ts)
{
	event->h = (struct event_header){.type = type, .size = (uint16_t)size, .ts_ns = ts};
	assert_int_equal(host_assembler_add(b->a, &event->h), 0);
}

/* tid 0 in the lists below: whoever it is does not matter. */
static void chain(struct bench *b, uint64_t ts, uint16_t idx, uint16_t head, uint32_t opcode,
		  uint32_t tid, uint64_t data)
{
	union host_event e = {.chain = {.unique = 2ULL * idx + 2,
					.opcode = opcode,
					.data_addr = data,
					.tid = tid,
					.queue = 1,
					.head = head,
					.avail_idx = idx}};

	add(b, &e, EV_HOST_CHAIN, sizeof(e.chain), ts);
}

static void used(struct bench *b, uint64_t ts, uint16_t idx, uint16_t head, uint32_t tid,
		 uint64_t absent)
{
	union host_event e = {.used = {.tid = tid,
				       .len = 100u + head,
				       .queue = 1,
				       .head = head,
				       .used_idx = idx,
				       .t_absent_ns = absent}};

	add(b, &e, EV_HOST_USED, sizeof(e.used), ts);
}

static void call(struct bench *b, uint64_t enter, uint64_t ts, uint32_t tid, int nr,
		 enum syscall_class cls, uint64_t base)
{
	union host_event e = {.call = {.t_enter_ns = enter,
				       .iov_base = base,
				       .tid = tid,
				       .nr = (uint16_t)nr,
				       .cls = (uint16_t)cls}};

	add(b, &e, EV_HOST_SYSCALL, sizeof(e.call), ts);
}

static void wait_and_kick(struct bench *b, uint64_t enter, uint64_t woken, uint32_t tid)
{
	call(b, enter, woken, tid, SYS_ppoll, SYSC_WAIT, 0);
	call(b, woken + 4, woken + 6, tid, SYS_read, SYSC_KICK, 0);
}

static const struct host_half *half_of(const struct bench *b, uint16_t avail_idx)
{
	for (size_t i = 0; i < b->count; i++)
		if (b->halves[i].avail_idx == avail_idx)
			return &b->halves[i];
	fail_msg("no half of avail_idx %u", avail_idx);
	return NULL;
}

static void finish(struct bench *b)
{
	assert_int_equal(host_assembler_finish(b->a), 0);
	for (size_t i = 0; i < b->count; i++) {
		const struct host_half *h = &b->halves[i];

		assert_true(h->t_visible_ns <= h->t_taken_ns);
		assert_true(h->t_taken_ns <= h->t_start_ns);
		assert_true(h->t_start_ns <= h->t_used_ns);
		assert_true(h->t_io_end_ns <= h->t_used_ns);
	}
}

/* One request of an idle inline daemon: every mark is where the daemon did it. */
static void test_inline_single(void **state)
{
	struct bench *b = *state;
	const struct host_half *h;

	call(b, 900, 1000, 7, SYS_ppoll, SYSC_WAIT, 0);
	chain(b, 1001, 5, 3, FUSE_READ, 7, 0xabc000);
	call(b, 1004, 1006, 7, SYS_read, SYSC_KICK, 0);
	call(b, 1020, 1100, 7, SYS_preadv, SYSC_DATA, 0xabc000);
	call(b, 1105, 1110, 7, SYS_preadv, SYSC_DATA, 0xabc800); /* the rest of a short read */
	used(b, 1115, 5, 3, 7, 1111);
	call(b, 1116, 1130, 7, SYS_write, SYSC_CALL, 0);
	finish(b);

	assert_int_equal(b->count, 1);
	h = &b->halves[0];
	assert_int_equal(h->t_visible_ns, 1001);
	assert_int_equal(h->t_taken_ns, 1006);
	assert_int_equal(h->t_start_ns, 1006);
	assert_int_equal(h->t_io_end_ns, 1111);
	assert_int_equal(h->t_used_ns, 1115);
	assert_int_equal(h->t_call_ns, 1116);
	assert_int_equal(h->host_io_ns, 85);
	assert_int_equal(h->nr_io_calls, 2);
	assert_int_equal(h->unique, 12);
	assert_int_equal(h->reply_len, 103);
	assert_int_equal(h->tid, 7);
	assert_int_equal(h->flags, HHALF_SIGNALLED);
	assert_int_equal(host_assembler_stats(b->a)->kicks, 1);
	assert_int_equal(host_assembler_stats(b->a)->calls, 1);
}

/* Three popped at once, served one by one; only the last is signalled; the middle makes no call. */
static void test_inline_batch(void **state)
{
	struct bench *b = *state;

	call(b, 900, 1000, 7, SYS_ppoll, SYSC_WAIT, 0);
	chain(b, 1001, 0, 0, FUSE_GETATTR, 7, 0);
	chain(b, 1001, 1, 1, FUSE_GETXATTR, 7, 0);
	chain(b, 1001, 2, 2, FUSE_GETATTR, 7, 0);
	call(b, 1004, 1006, 7, SYS_read, SYSC_KICK, 0);
	call(b, 1010, 1020, 7, SYS_newfstatat, SYSC_META, 0);
	used(b, 1030, 0, 0, 7, 1021);
	used(b, 1030, 1, 1, 7, 1021);
	call(b, 1031, 1041, 7, SYS_newfstatat, SYSC_META, 0);
	used(b, 1050, 2, 2, 7, 1042);
	call(b, 1051, 1060, 7, SYS_write, SYSC_CALL, 0);
	finish(b);

	assert_int_equal(b->count, 3);
	assert_int_equal(half_of(b, 0)->t_taken_ns, 1006);
	assert_int_equal(half_of(b, 0)->host_io_ns, 10);
	assert_int_equal(half_of(b, 0)->flags, 0);
	assert_int_equal(half_of(b, 1)->t_taken_ns, 1030);
	assert_int_equal(half_of(b, 1)->nr_io_calls, 0);
	/* what is known is that it was not there at 1021, whenever it was started */
	assert_int_equal(half_of(b, 1)->t_io_end_ns, 1021);
	assert_int_equal(half_of(b, 2)->t_taken_ns, 1030);
	assert_int_equal(half_of(b, 2)->host_io_ns, 10);
	assert_int_equal(half_of(b, 2)->flags, HHALF_SIGNALLED);
	assert_int_equal(half_of(b, 2)->t_call_ns, 1051);
}

/* A request cannot be started before the daemon is back from calling the guest for the last one. */
static void test_inline_call_delays_next(void **state)
{
	struct bench *b = *state;

	wait_and_kick(b, 900, 1000, 7);
	chain(b, 1010, 0, 0, FUSE_GETATTR, 7, 0);
	chain(b, 1010, 1, 1, FUSE_GETATTR, 7, 0);
	call(b, 1020, 1030, 7, SYS_newfstatat, SYSC_META, 0);
	used(b, 1040, 0, 0, 7, 1031);
	call(b, 1041, 1060, 7, SYS_write, SYSC_CALL, 0);
	call(b, 1070, 1080, 7, SYS_newfstatat, SYSC_META, 0);
	used(b, 1090, 1, 1, 7, 1081);
	finish(b);
	assert_int_equal(half_of(b, 1)->t_taken_ns, 1060);
}

/* hiprio has its own thread, which sees the other queue's ring, too: nothing of it is mixed up. */
static void test_two_queue_threads(void **state)
{
	struct bench *b = *state;

	for (uint16_t i = 0; i < 50; i++) {
		uint64_t t = 10000u + 1000u * i;

		call(b, t - 500, t, 7, SYS_ppoll, SYSC_WAIT, 0);
		chain(b, t + 1, i, 0, FUSE_GETATTR, i % 5 == 4 ? 6 : 7, 0);
		call(b, t + 4, t + 6, 7, SYS_read, SYSC_KICK, 0);
		if (i % 5 == 4) /* thread 6 closes for a FORGET of its own queue meanwhile */
			call(b, t + 7, t + 15, 6, SYS_close, SYSC_META, 0);
		call(b, t + 10, t + 20, 7, SYS_newfstatat, SYSC_META, 0);
		used(b, t + 30, i, 0, i % 5 == 4 ? 6 : 7, t + 21);
		call(b, t + 31, t + 40, 7, SYS_write, SYSC_CALL, 0);
		if (i % 5 == 4)
			wait_and_kick(b, t + 41, t + 50, 6);
	}
	finish(b);
	assert_int_equal(b->count, 50);
	for (uint16_t i = 0; i < 50; i++) {
		assert_int_equal(half_of(b, i)->tid, 7);
		assert_int_equal(half_of(b, i)->nr_io_calls, 1);
		assert_int_equal(half_of(b, i)->flags, HHALF_SIGNALLED);
	}
	assert_int_equal(host_assembler_stats(b->a)->unattributed_calls, 10);
}

/* Pool: queue thread 7 hands on; workers 8 and 9 answer out of order, seen by anyone. */
static void test_pool_out_of_order(void **state)
{
	struct bench *b = *state;

	call(b, 900, 1000, 7, SYS_ppoll, SYSC_WAIT, 0);
	chain(b, 1001, 0, 10, FUSE_READ, 7, 0xa000);
	chain(b, 1001, 1, 11, FUSE_READ, 7, 0xb000);
	call(b, 1004, 1006, 7, SYS_read, SYSC_KICK, 0);
	call(b, 1010, 1012, 7, SYS_futex, SYSC_FUTEX, 0);
	call(b, 500, 1020, 8, SYS_futex, SYSC_FUTEX, 0);
	call(b, 500, 1025, 9, SYS_futex, SYSC_FUTEX, 0);
	call(b, 1026, 1056, 9, SYS_preadv, SYSC_DATA, 0xb000);
	used(b, 1060, 0, 11, 9, 1057);
	call(b, 1061, 1070, 9, SYS_write, SYSC_CALL, 0);
	call(b, 1022, 1090, 8, SYS_preadv, SYSC_DATA, 0xa000);
	used(b, 1095, 1, 10, 9, 1091); /* thread 9 sees what thread 8 has published */
	call(b, 1097, 1099, 8, SYS_write, SYSC_CALL, 0);
	finish(b);

	assert_int_equal(b->count, 2);
	for (uint16_t i = 0; i < 2; i++) {
		const struct host_half *h = half_of(b, i);

		assert_int_equal(h->t_taken_ns, 1006);
		assert_int_equal(h->t_start_ns, i ? 1025 : 1020);
		assert_int_equal(h->tid, i ? 9 : 8);
		assert_int_equal(h->host_io_ns, i ? 30 : 68);
		assert_int_equal(h->t_call_ns, i ? 1061 : 1097);
		assert_int_equal(h->flags, HHALF_POOL | HHALF_SIGNALLED);
	}
}

/* Requests without data are told apart by what their opcode can begin with. */
static void test_pool_by_opcode(void **state)
{
	struct bench *b = *state;

	call(b, 900, 1000, 7, SYS_ppoll, SYSC_WAIT, 0);
	chain(b, 1001, 0, 0, FUSE_LOOKUP, 7, 0);
	chain(b, 1001, 1, 1, FUSE_FSYNC, 7, 0);
	chain(b, 1001, 2, 2, FUSE_RELEASE, 7, 0);
	call(b, 1004, 1006, 7, SYS_read, SYSC_KICK, 0);
	call(b, 500, 1008, 8, SYS_futex, SYSC_FUTEX, 0);
	call(b, 500, 1009, 9, SYS_futex, SYSC_FUTEX, 0);
	call(b, 1012, 1016, 9, SYS_openat, SYSC_META, 0);
	call(b, 1017, 1019, 9, SYS_statx, SYSC_META, 0);
	call(b, 1010, 1040, 8, SYS_fsync, SYSC_META, 0);
	used(b, 1050, 0, 1, 9, 1020); /* FSYNC, seen by the thread that did the LOOKUP */
	used(b, 1051, 1, 0, 9, 1020);
	call(b, 1052, 1060, 9, SYS_close, SYSC_META, 0); /* RELEASE by the same worker */
	used(b, 1065, 2, 2, 9, 1061);
	call(b, 1066, 1070, 9, SYS_write, SYSC_CALL, 0);
	finish(b);

	assert_int_equal(half_of(b, 0)->tid, 9);
	assert_int_equal(half_of(b, 0)->nr_io_calls, 2);
	assert_int_equal(half_of(b, 1)->tid, 8);
	assert_int_equal(half_of(b, 1)->host_io_ns, 30);
	assert_int_equal(half_of(b, 2)->tid, 9);
	assert_int_equal(half_of(b, 2)->host_io_ns, 8);
	assert_int_equal(half_of(b, 2)->t_start_ns, 1051);
	assert_int_equal(half_of(b, 2)->flags, HHALF_POOL | HHALF_SIGNALLED);
	assert_int_equal(half_of(b, 0)->flags, HHALF_POOL);
}

/*
 * Two workers stat for two requests. By order the calls of the first are taken for the request that
 * the second has served, which then reads for a READ.
 */
static void stat_twice_and_read(struct bench *b)
{
	wait_and_kick(b, 800, 990, 1);
	call(b, 900, 1000, 1, SYS_ppoll, SYSC_WAIT, 0);
	chain(b, 1001, 0, 0, FUSE_GETATTR, 1, 0);
	chain(b, 1001, 1, 1, FUSE_GETATTR, 1, 0);
	call(b, 1004, 1006, 1, SYS_read, SYSC_KICK, 0);
	call(b, 1010, 1020, 7, SYS_newfstatat, SYSC_META, 0);
	call(b, 1012, 1025, 8, SYS_newfstatat, SYSC_META, 0);
	used(b, 1030, 0, 1, 1, 1026);
	chain(b, 1031, 2, 2, FUSE_READ, 1, 0xabc000);
	call(b, 1040, 1052, 8, SYS_preadv, SYSC_DATA, 0xabc000);
}

/* What is left with the second worker is not in the way of its READ. */
static void test_pool_read_after_mistaken(void **state)
{
	struct bench *b = *state;
	const struct host_half *h;

	stat_twice_and_read(b);
	used(b, 1060, 1, 2, 1, 1055);
	used(b, 1070, 2, 0, 1, 1065);
	finish(b);

	h = half_of(b, 2);
	assert_int_equal(h->tid, 8);
	assert_int_equal(h->nr_io_calls, 1);
	assert_int_equal(h->host_io_ns, 12);
	assert_int_equal(h->t_start_ns, 1031);
	assert_int_equal(host_assembler_stats(b->a)->unattributed_calls, 1);
}

/* The request that it has served is answered only after its READ was read. */
static void test_pool_answer_after_next_read(void **state)
{
	struct bench *b = *state;

	stat_twice_and_read(b);
	chain(b, 1001, 3, 3, FUSE_GETXATTR, 1, 0);
	used(b, 1055, 1, 0, 1, 1053);
	used(b, 1056, 2, 3, 8, 1053); /* answered without a call */
	used(b, 1060, 3, 2, 8, 1057);
	finish(b);

	assert_int_equal(half_of(b, 0)->tid, 8);
	assert_int_equal(half_of(b, 0)->nr_io_calls, 1);
	assert_int_equal(half_of(b, 0)->host_io_ns, 13);
	assert_int_equal(half_of(b, 3)->nr_io_calls, 0);
	assert_int_equal(half_of(b, 2)->tid, 8);
	assert_int_equal(half_of(b, 2)->nr_io_calls, 1);
	assert_int_equal(half_of(b, 2)->host_io_ns, 12);
	assert_int_equal(host_assembler_stats(b->a)->unattributed_calls, 0);
}

/* A request that came while the queue thread was about to wait is taken after that wait. */
static void test_seen_at_wait(void **state)
{
	struct bench *b = *state;
	union host_event e = {
		.chain = {.opcode = FUSE_GETATTR, .tid = 7, .queue = 1, .flags = HCHAIN_AT_WAIT}};

	add(b, &e, EV_HOST_CHAIN, sizeof(e.chain), 990);
	wait_and_kick(b, 991, 1000, 7);
	call(b, 1010, 1020, 7, SYS_newfstatat, SYSC_META, 0);
	used(b, 1030, 0, 0, 7, 1021);
	finish(b);
	assert_int_equal(b->halves[0].t_taken_ns, 1006);
}

/*
 * Two daemons with the same queues, heads, ring indices, addresses and thread ids (one may have
 * followed the other) at the same time: nothing of one is taken for the other's.
 */
static void test_daemons_apart(void **state)
{
	struct bench *b = *state;

	for (uint16_t slot = 0; slot < 3; slot++) {
		uint64_t t = 1000 + 10u * slot;
		union host_event e = {.chain = {.unique = slot + 1u,
						.opcode = FUSE_READ,
						.data_addr = 0xa000,
						.queue = 1,
						.daemon = slot}};

		add(b, &e, EV_HOST_CHAIN, sizeof(e.chain), t);
		e = (union host_event){.call = {.t_enter_ns = t + 1,
						.iov_base = 0xa000,
						.tid = 7,
						.nr = SYS_preadv,
						.cls = SYSC_DATA,
						.daemon = slot}};
		add(b, &e, EV_HOST_SYSCALL, sizeof(e.call), t + 100 * (3 - slot));
		if (slot == 2)
			continue; /* it died */
		e = (union host_event){.used = {.tid = 7, .queue = 1, .len = 5, .daemon = slot}};
		add(b, &e, EV_HOST_USED, sizeof(e.used), t + 500);
	}
	finish(b);
	assert_int_equal(b->count, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(b->halves[i].unique, b->halves[i].daemon + 1);
		assert_int_equal(b->halves[i].nr_io_calls, 1);
		assert_int_equal(b->halves[i].host_io_ns, 100 * (3 - b->halves[i].daemon) - 1);
	}
	assert_int_not_equal(b->halves[0].daemon, b->halves[1].daemon);
	assert_int_equal(host_assembler_stats(b->a)->duplicates, 0);
	assert_int_equal(host_assembler_stats(b->a)->without_end, 1);
	assert_int_equal(host_assembler_stats(b->a)->without_start, 0);
}

/* Woken, but without a CPU for 40: of the request it was woken for, not of the one after. */
static void test_cpu_wait(void **state)
{
	struct bench *b = *state;
	union host_event e = {.call = {.t_enter_ns = 900,
				       .tid = 7,
				       .nr = SYS_ppoll,
				       .cls = SYSC_WAIT,
				       .runnable_ns = 40}};

	add(b, &e, EV_HOST_SYSCALL, sizeof(e.call), 1000);
	chain(b, 1001, 0, 0, FUSE_GETATTR, 7, 0);
	e.call = (struct host_syscall_event){
		.t_enter_ns = 1004, .tid = 7, .nr = SYS_read, .cls = SYSC_KICK, .runnable_ns = 3};
	add(b, &e, EV_HOST_SYSCALL, sizeof(e.call), 1006);
	chain(b, 1010, 1, 1, FUSE_GETATTR, 7, 0);
	call(b, 1011, 1020, 7, SYS_newfstatat, SYSC_META, 0);
	used(b, 1030, 0, 0, 7, 1021);
	call(b, 1031, 1040, 7, SYS_newfstatat, SYSC_META, 0);
	used(b, 1050, 1, 1, 7, 1041);
	finish(b);
	assert_int_equal(half_of(b, 0)->cpu_wait_ns, 43);
	assert_int_equal(half_of(b, 1)->cpu_wait_ns, 0);
}

/* A slot that no recorder gives is damage: left out, not looked up. */
static void test_slot_out_of_range(void **state)
{
	struct bench *b = *state;
	union host_event e = {.chain = {.queue = 1, .daemon = MAX_DAEMONS_OF_FILE}};

	add(b, &e, EV_HOST_CHAIN, sizeof(e.chain), 1000);
	finish(b);
	assert_int_equal(host_assembler_stats(b->a)->chains, 0);
}

/* Header read later, and header never read. */
static void test_headers(void **state)
{
	struct bench *b = *state;
	union host_event e = {.chain = {.queue = 1, .flags = HCHAIN_NO_HEADER}};

	add(b, &e, EV_HOST_CHAIN, sizeof(e.chain), 1000);
	e.chain.head = e.chain.avail_idx = 1;
	add(b, &e, EV_HOST_CHAIN, sizeof(e.chain), 1000);
	e.chain = (struct host_chain_event){.queue = 1, .unique = 42, .opcode = FUSE_LOOKUP};
	add(b, &e, EV_HOST_HEADER, sizeof(e.chain), 1010);
	used(b, 1030, 0, 0, 7, 1021);
	used(b, 1040, 1, 1, 7, 1031);
	finish(b);
	assert_int_equal(half_of(b, 0)->unique, 42);
	assert_int_equal(half_of(b, 0)->flags & HHALF_NO_HEADER, 0);
	assert_int_equal(half_of(b, 1)->flags & HHALF_NO_HEADER, HHALF_NO_HEADER);
	assert_int_equal(host_assembler_stats(b->a)->without_header, 1);
}

/* Whatever is missing or twice is counted. */
static void test_losses_are_counted(void **state)
{
	struct bench *b = *state;
	const struct host_assembler_stats *s = host_assembler_stats(b->a);

	used(b, 900, 9, 77, 7, 890); /* under way when recording began */
	chain(b, 1000, 10, 0, FUSE_GETATTR, 7, 0);
	chain(b, 1000, 10, 0, FUSE_GETATTR, 7, 0); /* twice */
	used(b, 1100, 10, 0, 7, 1050);
	chain(b, 1200, 13, 1, FUSE_GETATTR, 7, 0); /* 11 and 12 were lost */
	used(b, 1300, 13, 1, 7, 1250); /* and so was their end */
	chain(b, 1400, 14, 2, FUSE_GETATTR, 7, 0); /* never ends */
	chain(b, 1500, 15, 3, FUSE_GETATTR, 7, 0);
	chain(b, 1600, 16, 3, FUSE_GETATTR, 7, 0); /* so the end of 15 was lost */
	finish(b);
	assert_int_equal(b->count, 2);
	assert_int_equal(s->chains, 5);
	assert_int_equal(s->used, 3);
	assert_int_equal(s->duplicates, 1);
	assert_int_equal(s->missing_chains, 2);
	assert_int_equal(s->missing_used, 2);
	assert_int_equal(s->without_start, 1);
	assert_int_equal(s->without_end, 3);
}

/* Ring indices wrap at 2^16, heads are used again: each request comes out once, whatever the order
 * in which two CPUs' events arrive. */
/* The guest used a head again before the daemon's next system call, which saw the new chain first.
 */
static void test_head_used_again_at_once(void **state)
{
	struct bench *b = *state;
	const struct host_assembler_stats *s = host_assembler_stats(b->a);

	chain(b, 1000, 0, 5, FUSE_GETATTR, 7, 0);
	chain(b, 2000, 1, 5, FUSE_GETATTR, 7, 0);
	used(b, 2010, 0, 5, 7, 1900);
	used(b, 3000, 1, 5, 7, 2900);
	finish(b);
	assert_int_equal(b->count, 2);
	assert_int_equal(half_of(b, 0)->t_used_ns, 2010);
	assert_int_equal(half_of(b, 1)->t_used_ns, 3000);
	assert_int_equal(s->without_end + s->without_start, 0);
}

/* The same, but the first end's event was lost: the next one is not mistaken for it. */
static void test_lost_end_before_reuse(void **state)
{
	struct bench *b = *state;
	const struct host_assembler_stats *s = host_assembler_stats(b->a);

	chain(b, 1000, 0, 5, FUSE_GETATTR, 7, 0);
	chain(b, 2000, 1, 5, FUSE_GETATTR, 7, 0);
	used(b, 3000, 1, 5, 7, 2900);
	chain(b, 4000, 2, 5, FUSE_GETATTR, 7, 0);
	used(b, 5000, 2, 5, 7, 4900);
	finish(b);
	assert_int_equal(b->count, 2);
	assert_int_equal(half_of(b, 1)->t_used_ns, 3000);
	assert_int_equal(half_of(b, 2)->t_used_ns, 5000);
	assert_int_equal(s->without_end, 1);
	assert_int_equal(s->without_start, 0);
}

static void test_wrap_and_disorder(void **state)
{
	struct bench *b = *state;
	const struct host_assembler_stats *s = host_assembler_stats(b->a);

	for (uint32_t i = 0; i < 250; i++) {
		uint64_t t = 100000u + 100u * i;
		uint16_t idx = (uint16_t)(65500u + i);

		/* arrives in the wrong order, its times are right */
		used(b, t + 50, idx, i % 3, 7, t + 41);
		call(b, t + 51, t + 60, 7, SYS_write, SYSC_CALL, 0);
		call(b, t + 10, t + 40, 7, SYS_newfstatat, SYSC_META, 0);
		chain(b, t, idx, i % 3, FUSE_GETATTR, 7, 0);
	}
	finish(b);
	assert_int_equal(b->count, 250);
	for (uint32_t i = 0; i < 250; i++) {
		const struct host_half *h = half_of(b, (uint16_t)(65500u + i));

		assert_int_equal(h->t_visible_ns, 100000u + 100u * i);
		assert_int_equal(h->host_io_ns, 30);
	}
	assert_int_equal(s->missing_chains + s->missing_used + s->duplicates + s->without_end +
				 s->without_start,
			 0);
}

/* A reader's non-zero return ends the work with that value. */
static int refuse(void *ctx, const struct host_half *half)
{
	return -7;
}

static void test_emit_error(void **state)
{
	struct bench b = {};

	assert_int_equal(host_assembler_new(&b.a, refuse, NULL), 0);
	chain(&b, 1000, 0, 0, FUSE_GETATTR, 7, 0);
	used(&b, 1100, 0, 0, 7, 1050);
	assert_int_equal(host_assembler_finish(b.a), -7);
	host_assembler_free(b.a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_inline_single, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_inline_batch, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_inline_call_delays_next, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_two_queue_threads, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_pool_out_of_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_pool_by_opcode, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_pool_read_after_mistaken, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_pool_answer_after_next_read, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_seen_at_wait, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_daemons_apart, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cpu_wait, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_slot_out_of_range, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_headers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_losses_are_counted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_head_used_again_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_lost_end_before_reuse, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wrap_and_disorder, set_up, tear_down),
		cmocka_unit_test(test_emit_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
