// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What changes files without writing to them: copies that the daemon makes, opens that cut off.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "lib/compiler.h"
#include "sim_script.h"

enum {
	FROM,
	TO,
	NR_FILES
};

/* "OPCODE offset+size": the data requests and what concerns them, in the order of their issue. */
static void requests_of(const struct workload_op *ops, uint32_t nr, enum io_mode mode,
			uint32_t kernel, char *text, size_t len)
{
	struct workload *w = script_workload_new(1, 10000);
	struct record_sink r = {0};
	struct sim_stats stats;
	struct stack stack;
	size_t used = 0;

	w->files = realloc(w->files, NR_FILES * sizeof(*w->files));
	memset(w->files, 0, NR_FILES * sizeof(*w->files));
	w->nr_files = NR_FILES;
	strcpy(w->files[FROM].name, "from");
	strcpy(w->files[TO].name, "to");
	w->files[FROM].size_bytes = 10000;
	w->files[TO].size_bytes = 20000;
	w->tasks[0].stream = script_stream_new(ops, nr);
	stack_init(&stack);
	stack.daemon.mode = mode;
	stack.guest.kernel = kernel;
	assert_int_equal(record_run(&stack, w, 1, &r, &stats), 0);
	*text = 0;
	for (uint32_t i = 0; i < r.nr_spans; i++) {
		const struct span *s = &r.spans[i];

		if (s->opcode == FUSE_READ || s->opcode == FUSE_WRITE)
			used += snprintf(text + used, len - used, "%c%lu:%lu+%u ",
					 s->opcode == FUSE_READ ? 'r' : 'w', s->nodeid - 1,
					 s->offset_bytes, s->size_bytes);
		else if (s->opcode == FUSE_COPY_FILE_RANGE)
			used += snprintf(text + used, len - used, "copy%lu ", s->nodeid - 1);
		else if (s->opcode == FUSE_COPY_FILE_RANGE_64)
			used += snprintf(text + used, len - used, "copy64 ");
		else if (s->opcode == FUSE_SETATTR)
			used += snprintf(text + used, len - used, "setattr%lu ", s->nodeid - 1);
	}
	record_free(&r);
	workload_free(w);
}

#define OPENS                                                                                      \
	{.type = OP_OPEN, .file = FROM},                                                           \
	{                                                                                          \
		.type = OP_OPEN, .file = TO                                                        \
	}

static void test_copy(void **state)
{
	static const struct workload_op ops[] = {
		OPENS,
		{.type = OP_WRITE, .file = FROM, .size_bytes = 4096},
		{.type = OP_WRITE, .file = TO, .offset_bytes = 12288, .size_bytes = 4096},
		{.type = OP_COPY, .file = TO, .file2 = FROM, .size_bytes = 1 << 20},
		/* The copied pages are gone, the one behind them is not. */
		{.type = OP_READ, .file = TO, .offset_bytes = 12288, .size_bytes = 4096},
		{.type = OP_READ, .file = TO, .size_bytes = 4096},
		/* Behind the end of what is copied from: nothing is asked. */
		{.type = OP_COPY,
		 .file = TO,
		 .file2 = FROM,
		 .offset_bytes = 10000,
		 .size_bytes = 1},
		{.type = OP_COPY, .file = TO, .file2 = FROM, .offset_bytes = 8192, .size_bytes = 1},
	};
	char text[512];

	requests_of(ops, ARRAY_SIZE(ops), MODE_WRITEBACK, KERNEL(6, 12), text, sizeof(text));
	assert_string_equal(text,
			    "w1:0+4096 w2:12288+4096 copy1 setattr2 r2:0+12288 copy1 setattr2 ");
	requests_of(ops, ARRAY_SIZE(ops), MODE_DIRECT, KERNEL(6, 18), text, sizeof(text));
	assert_string_equal(text,
			    "w1:0+4096 w2:12288+4096 copy64 copy1 r2:12288+4096 r2:0+4096 copy1 ");
}

/*
 * Recorded: cat(1) put all 10000 bytes behind 19000 that were there, so the file is read up to
 * 29000. The same of a script ends where the source does, and nothing is copied.
 */
static void test_copy_to_elsewhere(void **state)
{
	struct workload_op ops[] = {
		OPENS,
		{.type = OP_COPY,
		 .file = TO,
		 .file2 = FROM,
		 .offset_bytes = 19000,
		 .size_bytes = 10000,
		 .flags = OP_COPIES_ALL},
		{.type = OP_READ, .file = TO, .offset_bytes = 20480, .size_bytes = 20000},
	};
	char text[512];

	requests_of(ops, ARRAY_SIZE(ops), MODE_WRITETHROUGH, KERNEL(6, 12), text, sizeof(text));
	assert_string_equal(text, "copy1 r2:20480+12288 ");
	ops[2].flags = 0;
	requests_of(ops, ARRAY_SIZE(ops), MODE_WRITETHROUGH, KERNEL(6, 12), text, sizeof(text));
	assert_string_equal(text, "");
}

/* OPEN cuts the file off: no SETATTR of a size; what was dirty is gone, and nothing is read again.
 */
static void test_open_that_cuts_off(void **state)
{
	static const struct workload_op ops[] = {
		OPENS,
		{.type = OP_WRITE, .file = TO, .size_bytes = 4096},
		{.type = OP_OPEN, .file = TO, .flags = OP_TRUNCATES},
		{.type = OP_READ, .file = TO, .size_bytes = 4096},
		{.type = OP_WRITE, .file = TO, .offset_bytes = 100, .size_bytes = 50},
		{.type = OP_FSYNC, .file = TO},
	};
	char text[512];

	requests_of(ops, ARRAY_SIZE(ops), MODE_WRITEBACK, KERNEL(6, 1), text, sizeof(text));
	assert_string_equal(text, "w2:0+150 setattr2 ");
	requests_of(ops, ARRAY_SIZE(ops), MODE_WRITETHROUGH, KERNEL(6, 1), text, sizeof(text));
	assert_string_equal(text, "w2:0+4096 w2:100+50 ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_copy_to_elsewhere),
		cmocka_unit_test(test_open_that_cuts_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
