// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Locks inside the daemons and the cost of file handles: runs whose times are reckoned by hand.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "sim_script.h"
#include "stderr_of.h"

#define MIB (1ULL << 20)
#define US 1000

static void stack_of(struct stack *stack, enum daemon_kind kind, uint32_t pool)
{
	stack_init(stack);
	stack->guest.vcpus = 64;
	stack->daemon.mode = MODE_DIRECT;
	stack->daemon.max_background = 65535;
	stack->daemon.kind = kind;
	stack->daemon.thread_pool_size = pool;
	stack->daemon.attr_timeout_ns = stack->daemon.entry_timeout_ns = 0;
	stack->storage.channels = 0;
}

static struct workload *tasks_with(uint32_t nr_tasks, const struct workload_op *ops, uint32_t nr,
				   bool async)
{
	struct workload *w = script_workload_new(nr_tasks, MIB);

	for (uint32_t i = 0; i < nr_tasks; i++) {
		w->tasks[i].stream = script_stream_new(ops, nr);
		w->tasks[i].iodepth = async ? 16 : 1;
		w->tasks[i].async = async;
	}
	return w;
}

static void record(const struct stack *stack, struct workload *w, struct record_sink *r,
		   struct sim_stats *stats)
{
	assert_int_equal(record_run(stack, w, 1, r, stats), 0);
	workload_free(w);
}

static uint64_t service_of(const struct record_sink *r, uint32_t opcode)
{
	for (uint32_t i = 0; i < r->nr_spans; i++)
		if (r->spans[i].opcode == opcode)
			return r->spans[i].stage_ns[STAGE_SERVICE];
	fail_msg("no request with opcode %u", opcode);
	return 0;
}

/* FSYNC takes 10 us, and 100 us more if it must wait for the READs of its handle. */
static void test_fsync_waits_for_reads_of_its_handle(void **state)
{
	static const struct {
		enum daemon_kind kind;
		bool locks;
		uint64_t fsync_ns;
	} cases[] = {
		{DAEMON_RUST, true, 115 * US},
		{DAEMON_RUST, false, 10 * US},
		{DAEMON_C, true, 10 * US},
	};
	struct workload_op ops[] = {
		{.type = OP_READ, .size_bytes = 4096, .flags = OP_DIRECT},
		{.type = OP_READ, .size_bytes = 4096, .flags = OP_DIRECT},
		{.type = OP_FSYNC},
		{.type = OP_READ, .size_bytes = 4096, .flags = OP_DIRECT},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct record_sink r = {0};
		struct sim_stats stats;
		struct stack stack;

		stack_of(&stack, cases[i].kind, 8);
		stack.daemon.locks = cases[i].locks;
		stack.service[FUSE_READ].known = stack.service[FUSE_FSYNC].known = true;
		dist_const(&stack.service[FUSE_READ].host_io, 100 * US);
		dist_const(&stack.service[FUSE_READ].cpu, 0);
		dist_const(&stack.service[FUSE_FSYNC].host_io, 10 * US);
		dist_const(&stack.service[FUSE_FSYNC].cpu, 0);
		dist_const(&stack.daemon.lock_wakeup, 5 * US);
		record(&stack, tasks_with(1, ops, 4, true), &r, &stats);
		assert_int_equal(service_of(&r, FUSE_FSYNC), cases[i].fsync_ns);
		/* READs share the lock: both were served at once. */
		assert_int_equal(stats.end_ns, cases[i].fsync_ns + 100 * US);
		record_free(&r);
	}
}

/* Each task has a handle of its own, and waits for nobody's READs but its own. */
static void test_handles_are_apart(void **state)
{
	struct workload_op reads[] = {{.type = OP_READ, .size_bytes = 4096, .flags = OP_DIRECT}};
	struct workload_op sync[] = {{.type = OP_FSYNC}};
	struct workload *w = tasks_with(2, reads, 1, false);
	struct record_sink r = {0};
	struct sim_stats stats;
	struct stack stack;

	w->tasks[1].stream->free(w->tasks[1].stream);
	w->tasks[1].stream = script_stream_new(sync, 1);
	stack_of(&stack, DAEMON_RUST, 8);
	dist_const(&stack.service_default.host_io, 100 * US);
	record(&stack, w, &r, &stats);
	assert_int_equal(service_of(&r, FUSE_FSYNC), 100 * US);
	record_free(&r);
}

/* lo->mutex is one for all; Rust's tables are read by many at once. */
static void test_table_locks(void **state)
{
	static const struct {
		enum daemon_kind kind;
		uint32_t pool;
		bool locks;
		uint64_t end_us;
	} cases[] = {
		{DAEMON_C, 8, true, 8 * 100 * 10},    {DAEMON_C, 8, false, 0},
		{DAEMON_C, 0, true, 8 * 100 * 10},    {DAEMON_RUST, 8, true, 100 * 10},
		{DAEMON_RUST, 0, true, 8 * 100 * 10},
	};
	struct workload_op ops[100];

	for (int i = 0; i < 100; i++)
		ops[i] = (struct workload_op){
			.type = OP_READ, .size_bytes = 4096, .flags = OP_DIRECT};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct record_sink r = {0};
		struct sim_stats stats;
		struct stack stack;

		stack_of(&stack, cases[i].kind, cases[i].pool);
		stack.daemon.locks = cases[i].locks;
		dist_const(&stack.daemon.lock_hold, 10 * US);
		record(&stack, tasks_with(8, ops, 100, false), &r, &stats);
		assert_int_equal(stats.end_ns, cases[i].end_us * US);
		record_free(&r);
	}
}

static void test_file_handles(void **state)
{
	struct workload_op ops[] = {
		{.type = OP_OPEN},
		{.type = OP_STAT},
		{.type = OP_READ, .size_bytes = 4096, .flags = OP_DIRECT},
		{.type = OP_CLOSE},
		{.type = OP_DROP_CACHES},
	};

	for (enum file_handles mode = FILE_HANDLES_NEVER; mode <= FILE_HANDLES_MANDATORY; mode++) {
		uint64_t open = mode == FILE_HANDLES_NEVER ? 0 : 3 * US;
		uint64_t name = mode == FILE_HANDLES_NEVER ? 0 : 1 * US;
		struct record_sink r = {0};
		struct sim_stats stats;
		struct stack stack;

		stack_of(&stack, DAEMON_RUST, 0);
		stack.daemon.inode_file_handles = mode;
		dist_const(&stack.service_default.host_io, 10 * US);
		dist_const(&stack.daemon.handle_open, 3 * US);
		dist_const(&stack.daemon.handle_name, 1 * US);
		record(&stack, tasks_with(1, ops, 5, false), &r, &stats);
		assert_int_equal(service_of(&r, FUSE_LOOKUP), 10 * US + open + name);
		assert_int_equal(service_of(&r, FUSE_GETATTR), 10 * US + open);
		assert_int_equal(service_of(&r, FUSE_OPEN), 10 * US);
		assert_int_equal(service_of(&r, FUSE_READ), 10 * US);
		assert_int_equal(service_of(&r, FUSE_RELEASE), 10 * US);
		assert_int_equal(service_of(&r, FUSE_FORGET), 10 * US);
		record_free(&r);
	}
}

static void test_the_c_daemon_has_no_file_handles(void **state)
{
	struct workload_op ops[] = {{.type = OP_STAT}};
	struct workload *w = tasks_with(1, ops, 1, false);
	struct sim_options options = {.seed = 1};
	struct sim_sink sink = {0};
	struct sim_stats stats;
	struct stack stack;
	struct stderr_of err;
	char said[300];

	stack_of(&stack, DAEMON_C, 0);
	stack.daemon.inode_file_handles = FILE_HANDLES_PREFER;
	stderr_begin(&err);
	assert_int_equal(sim_run(&stack, w, &options, &sink, &stats), -EINVAL);
	stderr_end(&err, said, sizeof(said));
	assert_non_null(strstr(said, "daemon.inode_file_handles=never"));
	workload_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fsync_waits_for_reads_of_its_handle),
		cmocka_unit_test(test_handles_are_apart),
		cmocka_unit_test(test_table_locks),
		cmocka_unit_test(test_file_handles),
		cmocka_unit_test(test_the_c_daemon_has_no_file_handles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
