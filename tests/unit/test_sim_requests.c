// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Request fidelity: what a simulated guest sends for given ops must be what real guests sent.
 *
 * The expected lists are extracts of recordings of Debian kernels 6.1 and 7.2 under QEMU with a
 * ring of 128 descriptors (daemon cache modes auto, never and writeback). Path walks (LOOKUP, the
 * root's GETATTR) are compared in cases of their own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "sim_script.h"

#define K 1024u
#define M (1024u * 1024u)
#define TEXT_SIZE 65536

struct request_case {
	const char *name;
	enum io_mode mode;
	uint32_t kernel;
	uint64_t file_bytes;
	bool path_walk; /* also LOOKUP and GETATTR of the root */
	const struct workload_op *ops;
	uint32_t nr_ops;
	const char *expected;
};

static bool is_path_walk(const struct span *span)
{
	return span->opcode == FUSE_LOOKUP || (span->opcode == FUSE_GETATTR && span->nodeid == 1);
}

static int by_unique(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	return x->unique < y->unique ? -1 : x->unique > y->unique;
}

static void write_text(char *text, struct record_sink *r, bool path_walk)
{
	size_t len = 0;

	qsort(r->spans, r->nr_spans, sizeof(*r->spans), by_unique);
	text[0] = 0;
	for (uint32_t i = 0; i < r->nr_spans; i++) {
		const struct span *s = &r->spans[i];

		if (is_path_walk(s) && !path_walk)
			continue;
		len += snprintf(text + len, TEXT_SIZE - len, "%s", fuse_opcode_name(s->opcode));
		if (s->opcode == FUSE_READ || s->opcode == FUSE_WRITE)
			len += snprintf(text + len, TEXT_SIZE - len, " %llu %u %u+%u",
					(unsigned long long)s->offset_bytes, s->size_bytes,
					s->sg_out, s->sg_in);
		len += snprintf(text + len, TEXT_SIZE - len, "\n");
	}
}

static void run_case(const struct request_case *c)
{
	struct workload *w = script_workload_new(1, c->file_bytes);
	struct record_sink r = {0};
	struct sim_stats stats;
	struct stack stack;
	char *text = malloc(TEXT_SIZE);

	stack_init(&stack);
	stack.guest.kernel = c->kernel;
	stack.daemon.mode = c->mode;
	if (c->mode == MODE_DIRECT)
		stack.daemon.attr_timeout_ns = stack.daemon.entry_timeout_ns = 0;
	/* Some time passes in the daemon, so that order is decided as in life. */
	dist_const(&stack.service_default.cpu, 20000);
	dist_const(&stack.cost[COST_KICK], 10000);
	dist_const(&stack.cost[COST_WAKEUP], 5000);
	w->tasks[0].stream = script_stream_new(c->ops, c->nr_ops);
	assert_int_equal(record_run(&stack, w, 1, &r, &stats), 0);
	write_text(text, &r, c->path_walk);
	if (strcmp(text, c->expected))
		print_message("case '%s'\n", c->name);
	assert_string_equal(text, c->expected);
	record_free(&r);
	workload_free(w);
	free(text);
}

#define OPS(list) .ops = list, .nr_ops = sizeof(list) / sizeof(list[0])

static const struct workload_op write_new_file[] = {
	{.type = OP_OPEN},
	{.type = OP_WRITE, .offset_bytes = 0, .size_bytes = 128 * K},
	{.type = OP_WRITE, .offset_bytes = 128 * K, .size_bytes = 128 * K},
	{.type = OP_WRITE, .offset_bytes = 1 * M, .size_bytes = 1 * M},
	{.type = OP_FSYNC},
	{.type = OP_CLOSE},
};
static const struct workload_op random_reads[] = {
	{.type = OP_OPEN},
	{.type = OP_READ, .offset_bytes = 300 * K, .size_bytes = 4 * K},
	{.type = OP_READ, .offset_bytes = 700 * K, .size_bytes = 16 * K},
	{.type = OP_CLOSE},
};
static const struct workload_op partial_writes[] = {
	{.type = OP_OPEN},
	{.type = OP_WRITE, .offset_bytes = 500 * K + 10, .size_bytes = 100},
	{.type = OP_WRITE, .offset_bytes = 900000, .size_bytes = 300000},
	{.type = OP_WRITE, .offset_bytes = 500 * K + 20, .size_bytes = 100},
	{.type = OP_READ, .offset_bytes = 900 * K, .size_bytes = 4 * K},
	{.type = OP_CLOSE},
};
static const struct workload_op o_direct[] = {
	{.type = OP_OPEN, .flags = OP_DIRECT},
	{.type = OP_READ, .flags = OP_DIRECT, .size_bytes = 2 * M},
	{.type = OP_WRITE, .flags = OP_DIRECT, .size_bytes = 1 * M},
	{.type = OP_CLOSE},
};
static const struct workload_op write_and_sync[] = {
	{.type = OP_OPEN},  {.type = OP_WRITE, .offset_bytes = 1 * M, .size_bytes = 4 * K},
	{.type = OP_FSYNC}, {.type = OP_FSYNC},
	{.type = OP_CLOSE},
};
static const struct workload_op open_close[] = {
	{.type = OP_OPEN},
	{.type = OP_CLOSE},
};
static const struct workload_op create_twice[] = {
	{.type = OP_OPEN},
	{.type = OP_CLOSE},
	{.type = OP_OPEN},
	{.type = OP_CLOSE},
};
static const struct workload_op past_the_end[] = {
	{.type = OP_OPEN},
	{.type = OP_READ, .offset_bytes = 60 * K, .size_bytes = 16 * K},
	{.type = OP_READ, .offset_bytes = 64 * K, .size_bytes = 16 * K},
	{.type = OP_CLOSE},
};

/* "write 8x128K" (two of them), "write 1M @1M", "fsync", "close" */
#define WRITE_THROUGH_NEW                                                                          \
	"WRITE 0 131072 34+2\n"                                                                    \
	"WRITE 131072 131072 34+2\n"                                                               \
	"WRITE 1048576 507904 126+2\n"                                                             \
	"WRITE 1556480 507904 126+2\n"                                                             \
	"WRITE 2064384 32768 10+2\n"                                                               \
	"FSYNC\nFLUSH\nRELEASE\n"

#define O_DIRECT_PARTS                                                                             \
	"READ 0 507904 2+125\n"                                                                    \
	"READ 507904 507904 2+125\n"                                                               \
	"READ 1015808 507904 2+125\n"                                                              \
	"READ 1523712 507904 2+125\n"                                                              \
	"READ 2031616 65536 2+17\n"

#define O_DIRECT_WRITE_PARTS                                                                       \
	"WRITE 0 507904 126+2\n"                                                                   \
	"WRITE 507904 507904 126+2\n"                                                              \
	"WRITE 1015808 32768 10+2\n"

static const struct request_case cases[] = {
	{"auto: new file", MODE_WRITETHROUGH, KERNEL(6, 1), 0, false, OPS(write_new_file),
	 "CREATE\nGETXATTR\n" WRITE_THROUGH_NEW},
	{"never: new file", MODE_DIRECT, KERNEL(6, 1), 0, false, OPS(write_new_file),
	 "CREATE\nGETATTR\n" WRITE_THROUGH_NEW "FORGET\n"},
	{"auto: random reads", MODE_WRITETHROUGH, KERNEL(6, 1), 2 * M, false, OPS(random_reads),
	 "OPEN\nREAD 307200 4096 2+2\nREAD 716800 16384 2+5\nFLUSH\nRELEASE\n"},
	{"never: random reads", MODE_DIRECT, KERNEL(6, 1), 2 * M, false, OPS(random_reads),
	 "GETATTR\nOPEN\nREAD 307200 4096 2+2\nREAD 716800 16384 2+5\nFLUSH\nRELEASE\nFORGET\n"},
	{"auto: partial writes", MODE_WRITETHROUGH, KERNEL(6, 1), 2 * M, false, OPS(partial_writes),
	 "OPEN\nGETXATTR\n"
	 "WRITE 512010 100 3+2\n"
	 "WRITE 900000 1120 3+2\nWRITE 901120 298880 75+2\n"
	 "WRITE 512020 100 3+2\n"
	 "GETATTR\nREAD 921600 4096 2+2\n"
	 "FLUSH\nRELEASE\n"},
	{"never: partial writes", MODE_DIRECT, KERNEL(6, 1), 2 * M, false, OPS(partial_writes),
	 "GETATTR\nOPEN\n"
	 "WRITE 512010 100 3+2\nWRITE 900000 300000 76+2\nWRITE 512020 100 3+2\n"
	 "READ 921600 4096 2+2\n"
	 "FLUSH\nRELEASE\nFORGET\n"},
	{"writeback: partial writes", MODE_WRITEBACK, KERNEL(7, 2), 2 * M, false,
	 OPS(partial_writes),
	 "OPEN\nGETXATTR\n"
	 "READ 512000 4096 2+2\n"
	 "READ 897024 4096 2+2\nREAD 1196032 4096 2+2\n"
	 "WRITE 512000 4096 3+2\nWRITE 897024 303104 76+2\n"
	 "SETATTR\nFLUSH\nRELEASE\n"},
	/* "msync": WRITE, SETATTR of the times, FSYNC */
	{"writeback: write and sync", MODE_WRITEBACK, KERNEL(6, 1), 2 * M, false,
	 OPS(write_and_sync),
	 "OPEN\nGETXATTR\nWRITE 1048576 4096 3+2\nSETATTR\nFSYNC\nFSYNC\nFLUSH\nRELEASE\n"},
	{"auto: write and sync", MODE_WRITETHROUGH, KERNEL(6, 1), 2 * M, false, OPS(write_and_sync),
	 "OPEN\nGETXATTR\nWRITE 1048576 4096 3+2\nFSYNC\nFSYNC\nFLUSH\nRELEASE\n"},
	{"auto: O_DIRECT", MODE_WRITETHROUGH, KERNEL(6, 1), 2 * M, false, OPS(o_direct),
	 "OPEN\n" O_DIRECT_PARTS "GETXATTR\n" O_DIRECT_WRITE_PARTS "FLUSH\nRELEASE\n"},
	{"never: O_DIRECT", MODE_DIRECT, KERNEL(7, 2), 2 * M, false, OPS(o_direct),
	 "GETATTR\nOPEN\n" O_DIRECT_PARTS O_DIRECT_WRITE_PARTS "FLUSH\nRELEASE\nFORGET\n"},
	{"writeback: O_DIRECT", MODE_WRITEBACK, KERNEL(6, 1), 2 * M, false, OPS(o_direct),
	 "OPEN\n" O_DIRECT_PARTS "GETXATTR\n" O_DIRECT_WRITE_PARTS "SETATTR\nFLUSH\nRELEASE\n"},
	{"auto: path walk", MODE_WRITETHROUGH, KERNEL(6, 1), 2 * M, true, OPS(open_close),
	 "GETATTR\nLOOKUP\nOPEN\nFLUSH\nRELEASE\n"},
	{"never: path walk", MODE_DIRECT, KERNEL(6, 1), 2 * M, true, OPS(open_close),
	 "GETATTR\nLOOKUP\nGETATTR\nOPEN\nFLUSH\nRELEASE\nFORGET\n"},
	{"auto: create on 6.1", MODE_WRITETHROUGH, KERNEL(6, 1), 0, true, OPS(create_twice),
	 "GETATTR\nLOOKUP\nCREATE\nFLUSH\nRELEASE\nGETATTR\nOPEN\nFLUSH\nRELEASE\n"},
	{"auto: create on 7.2", MODE_WRITETHROUGH, KERNEL(7, 2), 0, true, OPS(create_twice),
	 "GETATTR\nLOOKUP\nCREATE\nFLUSH\nRELEASE\nOPEN\nFLUSH\nRELEASE\n"},
	{"never: create", MODE_DIRECT, KERNEL(6, 1), 0, true, OPS(open_close),
	 "GETATTR\nGETATTR\nLOOKUP\nCREATE\nGETATTR\nFLUSH\nRELEASE\nFORGET\n"},
	{"auto: end of file", MODE_WRITETHROUGH, KERNEL(6, 1), 64 * K, false, OPS(past_the_end),
	 "OPEN\nREAD 61440 4096 2+2\nFLUSH\nRELEASE\n"},
};

static void test_cases(void **state)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		run_case(&cases[i]);
}

/* "seq read 4K x 64", "read 1M @1M", "reread 4K (hit)" */
static void test_read_ahead(void **state)
{
	struct workload_op ops[68] = {{.type = OP_OPEN}};
	struct request_case c = {
		"read-ahead",
		MODE_WRITETHROUGH,
		KERNEL(6, 1),
		2 * M,
		false,
		OPS(ops),
		"OPEN\n"
		"READ 0 16384 2+5\nREAD 16384 32768 2+9\nREAD 49152 65536 2+17\n"
		"READ 114688 131072 2+33\nREAD 245760 131072 2+33\nREAD 376832 131072 2+33\n"
		"READ 1048576 131072 2+33\nREAD 1179648 131072 2+33\nREAD 1310720 131072 2+33\n"
		"READ 1441792 131072 2+33\nREAD 1572864 131072 2+33\nREAD 1703936 131072 2+33\n"
		"READ 1835008 131072 2+33\nREAD 1966080 131072 2+33\n"
		"FLUSH\nRELEASE\n"};
	const uint32_t kernels[] = {KERNEL(6, 1), KERNEL(7, 2)};

	for (int i = 0; i < 64; i++)
		ops[1 + i] = (struct workload_op){
			.type = OP_READ, .offset_bytes = i * 4096, .size_bytes = 4096};
	ops[65] = (struct workload_op){.type = OP_READ, .offset_bytes = M, .size_bytes = M};
	ops[66] = (struct workload_op){.type = OP_READ, .size_bytes = 4096};
	ops[67] = (struct workload_op){.type = OP_CLOSE};
	for (int i = 0; i < 2; i++) {
		c.kernel = kernels[i];
		run_case(&c);
		c.mode = MODE_WRITEBACK;
		run_case(&c);
	}
}

/* Everything written back by fsync and close is written exactly once, in the order of the file. */
static void test_writeback_total(void **state)
{
	static const struct workload_op ops[] = {
		{.type = OP_OPEN},
		{.type = OP_WRITE, .offset_bytes = 0, .size_bytes = 1 * M},
		{.type = OP_WRITE, .offset_bytes = 1 * M, .size_bytes = 1 * M},
		{.type = OP_FSYNC},
		{.type = OP_CLOSE},
	};
	struct workload *w = script_workload_new(1, 0);
	struct record_sink r = {0};
	struct sim_stats stats;
	struct stack stack;
	uint64_t bytes = 0;
	bool fsynced = false;

	stack_init(&stack);
	stack.daemon.mode = MODE_WRITEBACK;
	dist_const(&stack.service_default.cpu, 20000);
	w->tasks[0].stream = script_stream_new(ops, 5);
	assert_int_equal(record_run(&stack, w, 1, &r, &stats), 0);
	qsort(r.spans, r.nr_spans, sizeof(*r.spans), by_unique);
	for (uint32_t i = 0; i < r.nr_spans; i++) {
		fsynced |= r.spans[i].opcode == FUSE_FSYNC;
		if (r.spans[i].opcode != FUSE_WRITE)
			continue;
		assert_false(fsynced);
		assert_int_equal(r.spans[i].cls, SPAN_WRITEBACK);
		assert_int_equal(r.spans[i].offset_bytes, bytes);
		assert_true(r.spans[i].size_bytes <= 507904);
		bytes += r.spans[i].size_bytes;
	}
	/* 6.1 starts with the device's share of the limit at zero: the first batch is 128 KiB. */
	assert_int_equal(bytes, 2 * M);
	record_free(&r);
	workload_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_read_ahead),
		cmocka_unit_test(test_writeback_total),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
