// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Mapped files: which requests faults, msync, munmap and the task's end send; and ftruncate().
 *
 * What is expected of single faults was recorded on kernels 6.1 and 7.2 ("mmap read fault @1M" and
 * the steps behind it); sequences follow from mm/filemap.c and mm/readahead.c of these kernels.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "sim_script.h"

#define K 1024u
#define M (1024u * 1024u)
#define TEXT_SIZE 65536

#define OPEN                                                                                       \
	{                                                                                          \
		.type = OP_OPEN                                                                    \
	}
#define CLOSE                                                                                      \
	{                                                                                          \
		.type = OP_CLOSE                                                                   \
	}
#define MMAP                                                                                       \
	{                                                                                          \
		.type = OP_MMAP                                                                    \
	}
#define MUNMAP                                                                                     \
	{                                                                                          \
		.type = OP_MUNMAP                                                                  \
	}
#define MSYNC                                                                                      \
	{                                                                                          \
		.type = OP_MSYNC                                                                   \
	}
#define PRIVATE                                                                                    \
	{                                                                                          \
		.type = OP_MMAP, .flags = OP_MAP_PRIVATE                                           \
	}
#define READ_AT(at, size)                                                                          \
	{                                                                                          \
		.type = OP_READ, .offset_bytes = at, .size_bytes = size                            \
	}
#define WRITE_AT(at, size)                                                                         \
	{                                                                                          \
		.type = OP_WRITE, .offset_bytes = at, .size_bytes = size                           \
	}
#define TOUCH(at, size)                                                                            \
	{                                                                                          \
		.type = OP_MMAP_FAULT, .offset_bytes = at, .size_bytes = size                      \
	}
#define STORE(at, size)                                                                            \
	{                                                                                          \
		.type = OP_MMAP_FAULT, .offset_bytes = at, .size_bytes = size,                     \
		.flags = OP_FAULT_WRITE                                                            \
	}
#define TRUNCATE(size)                                                                             \
	{                                                                                          \
		.type = OP_TRUNCATE, .offset_bytes = size                                          \
	}
#define ADVISE(hint)                                                                               \
	{                                                                                          \
		.type = OP_MADVISE, .flags = hint                                                  \
	}

struct run {
	struct record_sink r;
	char text[TEXT_SIZE];
};

static int by_unique(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	return x->unique < y->unique ? -1 : x->unique > y->unique;
}

/* Path walks and attributes are left out. */
static void write_text(struct run *run)
{
	struct record_sink *r = &run->r;
	size_t len = 0;

	qsort(r->spans, r->nr_spans, sizeof(*r->spans), by_unique);
	run->text[0] = 0;
	for (uint32_t i = 0; i < r->nr_spans; i++) {
		const struct span *s = &r->spans[i];
		const char *space = len ? " " : "";

		if (s->opcode == FUSE_LOOKUP || s->opcode == FUSE_GETATTR ||
		    s->opcode == FUSE_GETXATTR)
			continue;
		if (s->opcode == FUSE_READ || s->opcode == FUSE_WRITE)
			len += snprintf(run->text + len, TEXT_SIZE - len, "%s%c%lluk+%uk", space,
					s->opcode == FUSE_READ ? 'R' : 'W',
					(unsigned long long)s->offset_bytes / K, s->size_bytes / K);
		else
			len += snprintf(run->text + len, TEXT_SIZE - len, "%s%s", space,
					fuse_opcode_name(s->opcode));
	}
}

static struct run *simulate(enum io_mode mode, uint32_t kernel, const struct workload_op *ops,
			    uint32_t nr_ops)
{
	struct workload *w = script_workload_new(1, 2 * M);
	struct run *run = calloc(1, sizeof(*run));
	struct sim_stats stats;
	struct stack stack;

	stack_init(&stack);
	stack.guest.kernel = kernel;
	stack.daemon.mode = mode;
	if (mode == MODE_DIRECT)
		stack.daemon.attr_timeout_ns = stack.daemon.entry_timeout_ns = 0;
	dist_const(&stack.service_default.cpu, 20000);
	dist_const(&stack.cost[COST_SYSCALL], 1000);
	w->tasks[0].stream = script_stream_new(ops, nr_ops);
	assert_int_equal(record_run(&stack, w, 1, &run->r, &stats), 0);
	write_text(run);
	workload_free(w);
	return run;
}

static void run_free(struct run *run)
{
	record_free(&run->r);
	free(run);
}

struct mmap_case {
	const char *name;
	enum io_mode mode;
	uint32_t kernel;
	const char *expected;
	uint32_t nr_ops;
	struct workload_op ops[16];
};

#define V61 KERNEL(6, 1)
#define V72 KERNEL(7, 2)

static const struct mmap_case cases[] = {
	{"read and write fault, msync, munmap",
	 MODE_WRITETHROUGH,
	 V61,
	 "OPEN R960k+128k W1024k+4k FSYNC FLUSH RELEASE",
	 7,
	 {OPEN, MMAP, TOUCH(M, 1), STORE(M, 1), MSYNC, MUNMAP, CLOSE}},
	{"the same with the writeback cache",
	 MODE_WRITEBACK,
	 V72,
	 "OPEN R960k+128k W1024k+4k SETATTR FSYNC FLUSH RELEASE",
	 7,
	 {OPEN, MMAP, TOUCH(M, 1), STORE(M, 1), MSYNC, MUNMAP, CLOSE}},
	{"munmap writes back",
	 MODE_WRITETHROUGH,
	 V61,
	 "OPEN R0k+128k W8k+4k FLUSH RELEASE",
	 5,
	 {OPEN, MMAP, STORE(8 * K, 8), MUNMAP, CLOSE}},
	{"close writes back, RELEASE waits for munmap",
	 MODE_WRITETHROUGH,
	 V61,
	 "OPEN R0k+128k W8k+8k FLUSH R1008k+128k RELEASE",
	 6,
	 {OPEN, MMAP, STORE(8 * K, 8 * K), CLOSE, TOUCH(1072 * K, 1), MUNMAP}},
	{"the task's end unmaps",
	 MODE_WRITETHROUGH,
	 V61,
	 "OPEN R0k+128k FLUSH W8k+4k RELEASE",
	 5,
	 {OPEN, MMAP, TOUCH(0, 1), CLOSE, STORE(8 * K, 1)}},
	{"opened again while mapped: two RELEASEs",
	 MODE_WRITETHROUGH,
	 V61,
	 "OPEN R0k+128k FLUSH OPEN FLUSH RELEASE RELEASE",
	 6,
	 {OPEN, MMAP, TOUCH(0, 1), CLOSE, OPEN, CLOSE}},
	{"read-ahead goes on at the marker",
	 MODE_WRITETHROUGH,
	 V61,
	 "OPEN R0k+128k R128k+128k FLUSH RELEASE",
	 5,
	 {OPEN, MMAP, TOUCH(0, 100 * K), MUNMAP, CLOSE}},
	{"what a fault maps around needs no other",
	 MODE_WRITETHROUGH,
	 V61,
	 "OPEN R960k+128k FLUSH RELEASE",
	 7,
	 {OPEN, MMAP, TOUCH(M, 1), TOUCH(M + 28 * K, 4 * K), TOUCH(960 * K, 64 * K), MUNMAP,
	  CLOSE}},
	{"random: single pages",
	 MODE_WRITETHROUGH,
	 V61,
	 "OPEN R1024k+4k R1028k+4k R512k+4k FLUSH RELEASE",
	 7,
	 {OPEN, MMAP, ADVISE(OP_HINT_RANDOM), TOUCH(M, 8 * K), TOUCH(512 * K, 1), MUNMAP, CLOSE}},
	{"sequential: from the page on",
	 MODE_WRITETHROUGH,
	 V61,
	 "OPEN R1024k+128k FLUSH RELEASE",
	 6,
	 {OPEN, MMAP, ADVISE(OP_HINT_SEQUENTIAL), TOUCH(M, 1), MUNMAP, CLOSE}},
	{"willneed: one window",
	 MODE_WRITETHROUGH,
	 V61,
	 "OPEN R0k+128k FLUSH RELEASE",
	 5,
	 {OPEN, MMAP, ADVISE(OP_WILLNEED), MUNMAP, CLOSE}},
	{"dontneed: pages stay cached",
	 MODE_WRITETHROUGH,
	 V61,
	 "OPEN R960k+128k FLUSH RELEASE",
	 7,
	 {OPEN, MMAP, TOUCH(M, 1), ADVISE(OP_INVALIDATE), TOUCH(M, 1), MUNMAP, CLOSE}},
	{"fadvise dontneed keeps what is mapped",
	 MODE_WRITETHROUGH,
	 V61,
	 "OPEN R960k+128k R1100k+4k FLUSH RELEASE",
	 7,
	 {OPEN,
	  MMAP,
	  TOUCH(M, 1),
	  {.type = OP_FADVISE, .flags = OP_INVALIDATE},
	  READ_AT(M, 4 * K),
	  READ_AT(1100 * K, 4 * K),
	  CLOSE}},
	{"a private copy is written nowhere",
	 MODE_WRITETHROUGH,
	 V61,
	 "OPEN R960k+128k FLUSH RELEASE",
	 7,
	 {OPEN, PRIVATE, TOUCH(M, 1), STORE(M, 8 * K), MSYNC, MUNMAP, CLOSE}},
	{"a store to what is clean again makes it dirty again",
	 MODE_WRITETHROUGH,
	 V72,
	 "OPEN R0k+128k W0k+4k FSYNC W0k+4k FSYNC FSYNC FLUSH RELEASE",
	 9,
	 {OPEN, MMAP, STORE(0, 1), MSYNC, STORE(0, 1), MSYNC, MSYNC, MUNMAP, CLOSE}},
	{"msync of a range leaves the rest",
	 MODE_WRITETHROUGH,
	 V61,
	 "OPEN R0k+128k W4k+4k FSYNC W0k+4k FLUSH RELEASE",
	 6,
	 {OPEN,
	  MMAP,
	  STORE(0, 8 * K),
	  {.type = OP_MSYNC, .offset_bytes = 4 * K, .size_bytes = 1},
	  MUNMAP,
	  CLOSE}},
	{"opening launders dirty pages one by one",
	 MODE_WRITETHROUGH,
	 V61,
	 "OPEN R0k+128k OPEN W0k+4k W4k+4k FLUSH RELEASE",
	 5,
	 {OPEN, MMAP, STORE(0, 8 * K), OPEN, CLOSE}},
	{"no MAP_SHARED on FOPEN_DIRECT_IO",
	 MODE_DIRECT,
	 V61,
	 "OPEN FLUSH RELEASE FORGET",
	 7,
	 {OPEN, MMAP, TOUCH(0, 1), STORE(0, 1), MSYNC, MUNMAP, CLOSE}},
	{"MAP_PRIVATE is cached there too",
	 MODE_DIRECT,
	 V72,
	 "OPEN R0k+128k FLUSH RELEASE FORGET",
	 5,
	 {OPEN, PRIVATE, TOUCH(0, 8 * K), MUNMAP, CLOSE}},
	/* Recorded on 6.1: ftruncate() to 8 KiB, to 64 KiB, to the same, to 10000 bytes, to 4 KiB
	 */
	{"truncate with the writeback cache",
	 MODE_WRITEBACK,
	 V61,
	 "OPEN SETATTR W0k+4k W4k+4k R0k+8k SETATTR W4k+4k R0k+64k SETATTR SETATTR R0k+12k "
	 "SETATTR W0k+4k SETATTR FLUSH RELEASE",
	 14,
	 {OPEN, WRITE_AT(0, 16 * K), TRUNCATE(8 * K), READ_AT(0, 4 * K), WRITE_AT(4 * K, 4 * K),
	  TRUNCATE(64 * K), READ_AT(0, 64 * K), TRUNCATE(64 * K), TRUNCATE(10000),
	  READ_AT(0, 64 * K), MMAP, STORE(0, 8 * K), TRUNCATE(4 * K), CLOSE}},
	{"truncate in write-through",
	 MODE_WRITETHROUGH,
	 V61,
	 "OPEN W0k+16k SETATTR R0k+8k W4k+4k SETATTR R0k+64k SETATTR SETATTR R0k+12k SETATTR "
	 "W0k+4k FLUSH RELEASE",
	 15,
	 {OPEN, WRITE_AT(0, 16 * K), TRUNCATE(8 * K), READ_AT(0, 4 * K), WRITE_AT(4 * K, 4 * K),
	  TRUNCATE(64 * K), READ_AT(0, 64 * K), TRUNCATE(64 * K), TRUNCATE(10000),
	  READ_AT(0, 64 * K), MMAP, STORE(0, 8 * K), TRUNCATE(4 * K), MUNMAP, CLOSE}},
	{"a write through a mapping's pages",
	 MODE_WRITETHROUGH,
	 V61,
	 "OPEN R0k+128k W0k+4k W0k+4k FLUSH RELEASE",
	 6,
	 {OPEN, MMAP, STORE(0, 1), WRITE_AT(0, 4 * K), MUNMAP, CLOSE}},
};

static void test_cases(void **state)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct mmap_case *c = &cases[i];
		struct run *run = simulate(c->mode, c->kernel, c->ops, c->nr_ops);

		if (strcmp(run->text, c->expected))
			print_message("case '%s'\n", c->name);
		assert_string_equal(run->text, c->expected);
		run_free(run);
	}
}

static void test_refused(void **state)
{
	static const struct workload_op ops[] = {OPEN, MMAP, TOUCH(0, 1), MUNMAP, CLOSE};
	struct run *run = simulate(MODE_DIRECT, V61, ops, 5);

	assert_int_equal(run->r.ops[1].result, -ENODEV);
	assert_int_equal(run->r.ops[2].result, -EFAULT);
	assert_int_equal(run->r.ops[3].result, -EINVAL);
	run_free(run);
	/* SIGBUS */
	run = simulate(MODE_WRITETHROUGH, V61,
		       (struct workload_op[]){OPEN,
					      {.type = OP_MMAP, .size_bytes = 4 * M},
					      TOUCH(2 * M - 4 * K, 8 * K)},
		       3);
	assert_int_equal(run->r.ops[2].result, -EFAULT);
	assert_string_equal(run->text, "OPEN R1980k+68k");
	run_free(run);
}

/*
 * Stores at random places: each that misses counts, until after a hundred nothing is read around.
 * Reads map what is around them, which takes back misses for each page on 6.1, for one on 7.2.
 */
static uint32_t count_read_around(uint32_t kernel, uint32_t flags)
{
	struct workload_op ops[242] = {OPEN, {.type = OP_MMAP, .size_bytes = 256 * M}};
	struct workload *w = script_workload_new(1, 256ULL * M);
	struct record_sink r = {0};
	struct sim_stats stats;
	struct stack stack;
	uint32_t around = 0;

	for (uint32_t i = 2; i < 242; i++)
		ops[i] = (struct workload_op){.type = OP_MMAP_FAULT,
					      .offset_bytes = (uint64_t)i * M,
					      .size_bytes = 1,
					      .flags = flags};
	stack_init(&stack);
	stack.guest.kernel = kernel;
	stack.daemon.mode = MODE_WRITETHROUGH;
	w->tasks[0].stream = script_stream_new(ops, 242);
	assert_int_equal(record_run(&stack, w, 1, &r, &stats), 0);
	for (uint32_t i = 0; i < r.nr_spans; i++)
		if (r.spans[i].opcode == FUSE_READ)
			around += r.spans[i].size_bytes > 4 * K;
	record_free(&r);
	workload_free(w);
	return around;
}

static void test_misses(void **state)
{
	assert_int_equal(count_read_around(V61, OP_FAULT_WRITE), 100);
	assert_int_equal(count_read_around(V72, OP_FAULT_WRITE), 100);
	assert_int_equal(count_read_around(V61, 0), 240);
	assert_int_equal(count_read_around(V72, 0), 100);
}

static uint64_t span_end(const struct span *s)
{
	return s->t_issue_ns + span_latency_ns(s);
}

/* Is the op done before a WRITE that carries an older copy of one of its pages? */
static bool overtakes(const struct op_record *op, const struct span *s)
{
	return s->opcode == FUSE_WRITE && s->t_issue_ns < op->t_start_ns &&
	       op->t_end_ns < span_end(s) && op->offset_bytes < s->offset_bytes + s->size_bytes &&
	       s->offset_bytes < op->offset_bytes + op->size_bytes;
}

/* Writes of pages that the flusher has under way: how many do not wait. */
static uint32_t count_overtaking(uint32_t kernel, enum op_type type)
{
	struct workload_op ops[1002] = {OPEN, MMAP};
	struct workload *w = script_workload_new(1, M);
	struct record_sink r = {0};
	struct sim_stats stats;
	struct stack stack;
	uint32_t nr = 0;

	for (uint32_t i = 2; i < 1002; i++)
		ops[i] = (struct workload_op){.type = type,
					      .flags = type == OP_WRITE ? 0 : OP_FAULT_WRITE,
					      .offset_bytes = i * 7 % 32 * 4 * K,
					      .size_bytes = 4 * K};
	stack_init(&stack);
	stack.guest.kernel = kernel;
	stack.guest.memory_bytes = 64 * M;
	stack.daemon.mode = MODE_WRITEBACK;
	dist_const(&stack.service_default.cpu, 50000000);
	dist_const(&stack.cost[COST_SYSCALL], 20000);
	w->tasks[0].stream = script_stream_new(ops, 1002);
	assert_int_equal(record_run(&stack, w, 1, &r, &stats), 0);
	for (uint32_t i = 0; i < r.nr_ops; i++)
		for (uint32_t k = 0; k < r.nr_spans && r.ops[i].type == type; k++)
			nr += overtakes(&r.ops[i], &r.spans[k]);
	record_free(&r);
	workload_free(w);
	return nr;
}

/* So 6.1 never has two copies of a page to write (fuse_writepage_add()). */
static void test_no_page_is_dirty_in_flight(void **state)
{
	assert_int_equal(count_overtaking(V61, OP_WRITE), 0);
	assert_int_equal(count_overtaking(V61, OP_MMAP_FAULT), 0);
	assert_int_equal(count_overtaking(V72, OP_MMAP_FAULT), 0);
	assert_true(count_overtaking(V72, OP_WRITE) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_misses),
		cmocka_unit_test(test_no_page_is_dirty_in_flight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
