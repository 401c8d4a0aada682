// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names in the simulator, where one task with one script is not enough: several tasks on one
 * directory, long listings, failing ops, and random ops that meet in the same names.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "lib/compiler.h"
#include "lib/rng.h"
#include "sim_script.h"

#define TASKS 4

static void names_stack(struct stack *stack)
{
	stack_init(stack);
	stack->daemon.thread_pool_size = TASKS;
	stack->guest.vcpus = TASKS;
	dist_const(&stack->service_default.cpu, 100000);
}

/* Files of these names; a size makes them there. */
static struct workload *files_new(uint32_t nr_tasks, const char *const *names, uint32_t nr)
{
	struct workload *w = script_workload_new(nr_tasks, 4096);

	w->files = realloc(w->files, nr * sizeof(*w->files));
	memset(w->files, 0, nr * sizeof(*w->files));
	w->nr_files = nr;
	for (uint32_t i = 0; i < nr; i++) {
		strcpy(w->files[i].name, names[i]);
		w->files[i].size_bytes = 4096;
	}
	return w;
}

static uint32_t count(const struct record_sink *r, uint32_t opcode)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < r->nr_spans; i++)
		n += r->spans[i].opcode == opcode;
	return n;
}

static const struct span *find(const struct record_sink *r, uint32_t opcode, uint32_t nth)
{
	for (uint32_t i = 0; i < r->nr_spans; i++)
		if (r->spans[i].opcode == opcode && !nth--)
			return &r->spans[i];
	fail();
	return NULL;
}

/* Who comes while another looks a name up waits for its answer, for the directory and the file. */
static void test_same_name_at_once(void **state)
{
	static const char *const names[] = {"d/f"};
	static const struct workload_op ops[] = {{.type = OP_STAT}};
	struct workload *w = files_new(TASKS, names, 1);
	struct record_sink r = {0};
	struct sim_stats stats;
	struct stack stack;

	for (int i = 0; i < TASKS; i++)
		w->tasks[i].stream = script_stream_new(ops, 1);
	names_stack(&stack);
	assert_int_equal(record_run(&stack, w, 1, &r, &stats), 0);
	assert_int_equal(count(&r, FUSE_LOOKUP), 2);
	record_free(&r);
	workload_free(w);
}

/* Different names of one directory are looked up at once only with FUSE_PARALLEL_DIROPS. */
static void test_parallel_dirops(void **state)
{
	static const char *const names[] = {"a", "b"};
	static const struct workload_op ops[][1] = {{{.type = OP_STAT}},
						    {{.type = OP_STAT, .file = 1}}};

	for (int parallel = 0; parallel < 2; parallel++) {
		struct workload *w = files_new(2, names, 2);
		struct record_sink r = {0};
		const struct span *first, *second;
		struct sim_stats stats;
		struct stack stack;

		w->tasks[0].stream = script_stream_new(ops[0], 1);
		w->tasks[1].stream = script_stream_new(ops[1], 1);
		names_stack(&stack);
		stack.daemon.parallel_dirops = parallel;
		assert_int_equal(record_run(&stack, w, 1, &r, &stats), 0);
		assert_int_equal(count(&r, FUSE_LOOKUP), 2);
		first = find(&r, FUSE_LOOKUP, 0);
		second = find(&r, FUSE_LOOKUP, 1);
		assert_int_equal(second->t_issue_ns < first->t_issue_ns + span_latency_ns(first),
				 parallel);
		record_free(&r);
		workload_free(w);
	}
}

#define MANY 200
#define NAME_BYTES 8 /* of d/000, behind the slash: 3 */

/*
 * 6.1 has room for 4096 / 160 = 25 names in a READDIRPLUS and 4096 / 32 = 128 in a READDIR, "." and
 * ".." among them. What READDIRPLUS told of needs no LOOKUP, what READDIR did does.
 */
static void test_long_listing(void **state)
{
	static char text[MANY + 1][NAME_BYTES];
	static const char *names[MANY + 1] = {"d"};
	struct workload_op ops[2 + MANY] = {{.type = OP_READDIR}};
	struct record_sink r = {0};
	struct sim_stats stats;
	struct stack stack;
	struct workload *w;

	for (uint32_t i = 1; i <= MANY; i++) {
		snprintf(text[i], NAME_BYTES, "d/%03u", i % 1000);
		names[i] = text[i];
		ops[i] = (struct workload_op){.type = OP_LOOKUP, .file = i};
	}
	ops[MANY + 1] = (struct workload_op){.type = OP_READDIR};
	w = files_new(1, names, MANY + 1);
	w->files[0].type = FILE_DIRECTORY;
	w->tasks[0].stream = script_stream_new(ops, 2 + MANY);
	names_stack(&stack);
	dist_const(&stack.service_default.cpu, 1000);
	assert_int_equal(record_run(&stack, w, 1, &r, &stats), 0);
	/* The lookups advise READDIRPLUS, for the first request; then as before. */
	assert_int_equal(count(&r, FUSE_READDIRPLUS), 2);
	/* 25 by plus, 128, the other 49 and none. */
	assert_int_equal(count(&r, FUSE_READDIR), 6);
	assert_int_equal(find(&r, FUSE_READDIRPLUS, 0)->reply_bytes, 25 * 160);
	assert_int_equal(find(&r, FUSE_READDIR, 0)->offset_bytes, 25);
	assert_int_equal(find(&r, FUSE_READDIR, 0)->reply_bytes, 128 * 32);
	assert_int_equal(find(&r, FUSE_READDIR, 2)->reply_bytes, 0);
	assert_int_equal(count(&r, FUSE_LOOKUP), 1 + MANY - 23);
	record_free(&r);
	workload_free(w);
}

/*
 * FOPEN_CACHE_DIR: the guest lists again without asking, in several getdents64(2) too, until a name
 * comes or its pages go. With the C daemon they go at each OPENDIR.
 */
static void test_cached_listings(void **state)
{
	static const char *const names[] = {"d", "d/a", "d/b", "d/c"};
	static const struct workload_op ops[] = {
		{.type = OP_READDIR},
		{.type = OP_READDIR}, /* cached */
		{.type = OP_READDIR, .size_bytes = 64}, /* two names at once */
		{.type = OP_UTIMES},
		{.type = OP_READDIR}, /* another mtime */
		{.type = OP_UTIMES},
		{.type = OP_READDIR}, /* the same */
		{.type = OP_UNLINK, .file = 3},
		{.type = OP_READDIR}, /* changed */
		{.type = OP_OPEN, .file = 1},
		{.type = OP_DROP_CACHES},
		{.type = OP_READDIR}, /* pages are gone, though the inode is in use */
		{.type = OP_READDIR},
	};
	static const struct {
		enum daemon_kind kind;
		bool cache_dir;
		uint32_t listed; /* of the 8 */
	} cases[] = {{DAEMON_RUST, true, 4}, {DAEMON_C, true, 8}, {DAEMON_RUST, false, 8}};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct workload *w = files_new(1, names, ARRAY_SIZE(names));
		struct record_sink r = {0};
		struct sim_stats stats;
		struct stack stack;

		w->files[0].type = FILE_DIRECTORY;
		w->tasks[0].stream = script_stream_new(ops, ARRAY_SIZE(ops));
		names_stack(&stack);
		stack.daemon.kind = cases[i].kind;
		stack.daemon.cache_dir = cases[i].cache_dir;
		stack.daemon.attr_timeout_ns = stack.daemon.entry_timeout_ns = 86400 * NS_PER_SEC;
		assert_int_equal(record_run(&stack, w, 1, &r, &stats), 0);
		assert_int_equal(count(&r, FUSE_OPENDIR), 8);
		assert_int_equal(count(&r, FUSE_READDIRPLUS), cases[i].listed);
		/* The end is asked for once a listing; in buffers of two names more often. */
		assert_int_equal(count(&r, FUSE_READDIR),
				 cases[i].listed + 2 * (cases[i].listed == 8));
		record_free(&r);
		workload_free(w);
	}
}

/* FOPEN_KEEP_CACHE: what was read is still cached when the file is opened again. */
static void test_kept_pages(void **state)
{
	static const char *const names[] = {"a"};
	static const struct workload_op ops[] = {
		{.type = OP_OPEN}, {.type = OP_READ, .size_bytes = 4096}, {.type = OP_CLOSE},
		{.type = OP_OPEN}, {.type = OP_READ, .size_bytes = 4096}, {.type = OP_CLOSE},
	};

	for (int keep = 0; keep < 2; keep++) {
		struct workload *w = files_new(1, names, 1);
		struct record_sink r = {0};
		struct sim_stats stats;
		struct stack stack;

		w->tasks[0].stream = script_stream_new(ops, ARRAY_SIZE(ops));
		names_stack(&stack);
		stack.daemon.keep_cache = keep;
		assert_int_equal(record_run(&stack, w, 1, &r, &stats), 0);
		assert_int_equal(count(&r, FUSE_READ), keep ? 1 : 2);
		record_free(&r);
		workload_free(w);
	}
}

/* What cannot be done says so, and sends no more than what finds that out. */
static void test_failing_ops(void **state)
{
	static const char *const names[] = {"d", "d/f", "no/f", "f"};
	static const struct {
		struct workload_op op;
		int result;
	} cases[] = {
		{{.type = OP_STAT, .file = 2}, -ENOENT},
		{{.type = OP_UNLINK, .file = 0}, -EISDIR},
		{{.type = OP_RMDIR, .file = 1}, -ENOTDIR},
		{{.type = OP_RMDIR, .file = 0}, -ENOTEMPTY},
		{{.type = OP_MKDIR, .file = 3}, -EEXIST},
		{{.type = OP_READDIR, .file = 3}, -ENOTDIR},
		{{.type = OP_READLINK, .file = 3}, -EINVAL},
		{{.type = OP_RENAME, .file = 3, .file2 = 2}, -ENOENT},
		{{.type = OP_RENAME, .file = 0, .file2 = 1}, -EINVAL},
		{{.type = OP_RENAME, .file = 3, .file2 = 0}, -EISDIR},
		{{.type = OP_LINK, .file = 1, .file2 = 0}, -EPERM},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct workload *w = files_new(1, names, ARRAY_SIZE(names));
		struct record_sink r = {0};
		struct sim_stats stats;
		struct stack stack;

		w->files[0].type = FILE_DIRECTORY;
		w->files[2].size_bytes = 0;
		w->makes_directories = true;
		w->tasks[0].stream = script_stream_new(&cases[i].op, 1);
		names_stack(&stack);
		assert_int_equal(record_run(&stack, w, 1, &r, &stats), 0);
		assert_int_equal(r.ops[0].result, cases[i].result);
		record_free(&r);
		workload_free(w);
	}
}

#define RANDOM_OPS 402

/* Files that are made are closed at once, by whatever name they have then. */
static void random_ops(struct rng *rng, uint32_t nr_names, uint32_t nr_texts,
		       struct workload_op ops[RANDOM_OPS])
{
	static const enum op_type types[] = {OP_MKDIR, OP_RMDIR,   OP_RENAME, OP_UNLINK,
					     OP_LINK,  OP_CREATE,  OP_STAT,   OP_LOOKUP,
					     OP_CHMOD, OP_READDIR, OP_SYMLINK};

	for (int i = 0; i < RANDOM_OPS - 2; i += 2) {
		ops[i] = (struct workload_op){
			.type = types[rng_below(rng, ARRAY_SIZE(types))],
			.file = rng_below(rng, nr_names),
			.file2 = rng_below(rng, nr_names),
		};
		if (ops[i].type == OP_SYMLINK)
			ops[i].file2 = rng_below(rng, nr_texts);
		ops[i + 1] = ops[i];
		ops[i + 1].type = ops[i].type == OP_CREATE ? OP_CLOSE : OP_LOOKUP;
	}
	ops[RANDOM_OPS - 2] = (struct workload_op){.type = OP_LOOKUP, .think_ns = NS_PER_SEC};
	ops[RANDOM_OPS - 1] = (struct workload_op){.type = OP_DROP_CACHES};
}

/* Whatever tasks do to each other's names, no lock is left and all ops end. */
static void test_random_ops(void **state)
{
	static const char *const names[] = {"d",   "e", "d/a", "d/b",  "e/a",
					    "e/b", "a", "b",   "../e", "/d/a"};
	const uint32_t nr_texts = ARRAY_SIZE(names), nr_names = nr_texts - 2;

	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct workload *w = files_new(TASKS, names, ARRAY_SIZE(names));
		struct workload_op ops[TASKS][RANDOM_OPS];
		struct record_sink r = {0};
		struct sim_stats stats;
		struct stack stack;
		struct rng rng;

		rng_init(&rng, seed, 0);
		w->files[0].type = w->files[1].type = FILE_DIRECTORY;
		for (uint32_t i = nr_names; i < nr_texts; i++)
			w->files[i].size_bytes = 0;
		w->makes_directories = true;
		for (int t = 0; t < TASKS; t++) {
			random_ops(&rng, nr_names, nr_texts, ops[t]);
			w->tasks[t].stream = script_stream_new(ops[t], RANDOM_OPS);
		}
		names_stack(&stack);
		stack.daemon.mode = seed % 2 ? MODE_WRITEBACK : MODE_WRITETHROUGH;
		if (seed % 3 == 0)
			stack.daemon.attr_timeout_ns = stack.daemon.entry_timeout_ns = 0;
		assert_int_equal(record_run(&stack, w, seed, &r, &stats), 0);
		assert_int_equal(r.nr_ops, TASKS * RANDOM_OPS);
		assert_true(count(&r, FUSE_FORGET) > 0);
		record_free(&r);
		workload_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_name_at_once), cmocka_unit_test(test_parallel_dirops),
		cmocka_unit_test(test_cached_listings),	  cmocka_unit_test(test_kept_pages),
		cmocka_unit_test(test_long_listing),	  cmocka_unit_test(test_failing_ops),
		cmocka_unit_test(test_random_ops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
