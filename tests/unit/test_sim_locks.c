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
#include "lib/compiler.h"
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

static uint64_t nth_service_of(const struct record_sink *r, uint32_t opcode, uint32_t nth)
{
	for (uint32_t i = 0; i < r->nr_spans; i++)
		if (r->spans[i].opcode == opcode && !nth--)
			return r->spans[i].stage_ns[STAGE_SERVICE];
	fail_msg("no request with opcode %u", opcode);
	return 0;
}

static uint64_t service_of(const struct record_sink *r, uint32_t opcode)
{
	return nth_service_of(r, opcode, 0);
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

enum {
	PATH_FILE,
	PATH_NEW,
	PATH_OTHER,
	PATH_DIR,
	NR_PATHS
};

/* A file and another in the root, and a name that is not there. */
static struct workload *names_with(const struct workload_op *ops, uint32_t nr)
{
	static const char *const names[NR_PATHS] = {"file", "new", "other", "dir"};
	struct workload *w = script_workload_new(1, MIB);

	w->files = realloc(w->files, NR_PATHS * sizeof(*w->files));
	memset(w->files, 0, NR_PATHS * sizeof(*w->files));
	w->nr_files = NR_PATHS;
	for (uint32_t i = 0; i < NR_PATHS; i++) {
		strcpy(w->files[i].name, names[i]);
		w->files[i].size_bytes = i == PATH_NEW || i == PATH_DIR ? 0 : MIB;
	}
	w->tasks[0].stream = script_stream_new(ops, nr);
	return w;
}

/*
 * How often each opcode takes the daemon's locks, as counted in passthrough_ll.c of QEMU 7.2 and
 * mod.rs of virtiofsd 1.13.2: its service takes 10 us more each time. The first request of an
 * opcode counts unless a case says which; of FORGETs the last, which no GETATTR meets.
 */
static void test_takes_of_each_opcode(void **state)
{
	static const struct workload_op ops[] = {
		{.type = OP_LOOKUP, .file = PATH_NEW}, /* not there */
		{.type = OP_LOOKUP, .file = PATH_FILE}, /* new to the daemon, */
		{.type = OP_OPEN, .file = PATH_FILE}, /* pinned, so known to it from now on */
		{.type = OP_LOOKUP, .file = PATH_FILE},
		{.type = OP_READ, .file = PATH_FILE, .size_bytes = 4096},
		{.type = OP_FSYNC, .file = PATH_FILE},
		{.type = OP_TRUNCATE, .file = PATH_FILE, .offset_bytes = 4096},
		{.type = OP_CHMOD, .file = PATH_FILE},
		{.type = OP_CLOSE, .file = PATH_FILE},
		{.type = OP_MKDIR, .file = PATH_DIR},
		{.type = OP_LINK, .file = PATH_NEW, .file2 = PATH_OTHER},
		{.type = OP_RENAME, .file = PATH_NEW, .file2 = PATH_FILE},
		{.type = OP_UNLINK, .file = PATH_OTHER},
		{.type = OP_RENAME, .file = PATH_FILE, .file2 = PATH_NEW},
	};
	static const struct {
		uint32_t opcode, nth, c, rust;
	} cases[] = {
		{FUSE_LOOKUP, 0, 1, 1},	 {FUSE_LOOKUP, 1, 3, 3},  {FUSE_OPEN, 0, 2, 2},
		{FUSE_LOOKUP, 3, 2, 2},	 {FUSE_READ, 0, 1, 1},	  {FUSE_FSYNC, 0, 2, 1},
		{FUSE_SETATTR, 0, 3, 3}, {FUSE_SETATTR, 1, 2, 2}, {FUSE_FLUSH, 0, 2, 1},
		{FUSE_RELEASE, 0, 1, 1}, {FUSE_MKDIR, 0, 4, 4},	  {FUSE_LINK, 0, 3, 4},
		{FUSE_UNLINK, 0, 4, 3},	 {FUSE_RENAME, 0, 8, 4},  {FUSE_RENAME, 1, 6, 2},
		{FUSE_GETATTR, 0, 1, 1}, {FUSE_FORGET, 7, 2, 1},
	};

	for (enum daemon_kind kind = DAEMON_C; kind <= DAEMON_RUST; kind++) {
		struct record_sink r = {0};
		struct sim_stats stats;
		struct stack stack;

		stack_of(&stack, kind, 0);
		dist_const(&stack.daemon.lock_hold, 10 * US);
		record(&stack, names_with(ops, ARRAY_SIZE(ops)), &r, &stats);
		for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
			assert_int_equal(nth_service_of(&r, cases[i].opcode, cases[i].nth),
					 (kind == DAEMON_C ? cases[i].c : cases[i].rust) * 10 * US);
		record_free(&r);
	}
}

/* Each name of a READDIRPLUS is looked up: 3 looks at the tables if it is new, else 2. */
static void test_readdirplus_looks_names_up(void **state)
{
	static const struct workload_op ops[] = {
		{.type = OP_OPEN, .file = PATH_FILE},
		{.type = OP_READDIR, .file = PATH_DIR},
	};

	for (enum daemon_kind kind = DAEMON_C; kind <= DAEMON_RUST; kind++) {
		struct workload *w = names_with(ops, ARRAY_SIZE(ops));
		struct record_sink r = {0};
		struct sim_stats stats;
		struct stack stack;

		strcpy(w->files[PATH_DIR].name, ".");
		stack_of(&stack, kind, 0);
		stack.daemon.readdirplus = READDIRPLUS_YES;
		dist_const(&stack.daemon.lock_hold, 10 * US);
		record(&stack, w, &r, &stats);
		/* lo_inode(), lo_dirp(); find_handle() */
		assert_int_equal(nth_service_of(&r, FUSE_READDIRPLUS, 0),
				 ((kind == DAEMON_C ? 2 : 1) + 2 + 3) * 10 * US);
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
		cmocka_unit_test(test_takes_of_each_opcode),
		cmocka_unit_test(test_readdirplus_looks_names_up),
		cmocka_unit_test(test_file_handles),
		cmocka_unit_test(test_the_c_daemon_has_no_file_handles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
