// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a replay makes of a guest's recorded ops: how large files were before, what cut them off,
 * and what the application advised.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "lib/compiler.h"
#include "lib/op.h"
#include "trace/vft.h"
#include "workloads/recorded_ops.h"

struct told {
	uint32_t type, nodeid, flags, size;
	uint64_t offset;
	uint32_t nr_requests;
};

#define COPIED_FROM 7

static struct workload *load(const struct told *ops, uint32_t nr)
{
	char path[] = "/tmp/vfscope-recorded.XXXXXX";
	uint64_t losses[NR_LOSS_CLASSES] = {0};
	int fd = mkstemp(path);
	struct vft_writer *writer;
	struct workload *w;

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(vft_writer_open(&writer, path, VFT_GUEST, NULL), 0);
	for (uint32_t i = 0; i < nr; i++) {
		struct guest_op_event ev = {
			.h = {.type = EV_GUEST_OP, .size = sizeof(ev), .ts_ns = i * 1000 + 500},
			.t_start_ns = i * 1000,
			.op_id = i + 1,
			.nodeid = ops[i].nodeid,
			.offset_bytes = ops[i].offset,
			.size_bytes = ops[i].size,
			.conn = 50,
			.task = 100,
			.op_type = ops[i].type,
			.flags = ops[i].flags,
			.nr_requests = ops[i].nr_requests,
			.dir_nodeid = ops[i].type == OP_COPY ? COPIED_FROM : 0,
		};

		assert_int_equal(vft_write_event(writer, &ev.h), 0);
	}
	assert_int_equal(vft_writer_close(writer, losses, NULL), 0);
	assert_int_equal(recorded_ops_load(path, &w), 0);
	unlink(path);
	return w;
}

static uint64_t size_of(const struct workload *w, const char *name)
{
	for (uint32_t i = 0; i < w->nr_files; i++)
		if (!strcmp(w->files[i].name, name))
			return w->files[i].size_bytes;
	fail_msg("no file %s", name);
	return 0;
}

/* By its first open, unless something was written before; else by what was done in it. */
static void test_sizes(void **state)
{
	static const struct told ops[] = {
		{OP_OPEN, 7, OP_SIZE_KNOWN, 0, 10000, 1},
		{OP_READ, 7, 0, 4096, 0, 1},
		{OP_WRITE, 7, 0, 4096, 10000, 1},
		{OP_OPEN, 7, OP_SIZE_KNOWN, 0, 14096, 1},
		{OP_OPEN, 8, OP_SIZE_KNOWN, 0, 0, 1},
		{OP_WRITE, 8, 0, 4096, 0, 1},
		{OP_OPEN, 9, 0, 0, 0, 1},
		{OP_READ, 9, 0, 4096, 8192, 1},
		{OP_WRITE, 10, 0, 4096, 0, 1},
		{OP_OPEN, 10, OP_SIZE_KNOWN, 0, 99999, 1},
	};
	struct workload *w = load(ops, ARRAY_SIZE(ops));

	assert_int_equal(size_of(w, "file-7"), 10000);
	assert_int_equal(size_of(w, "file-8"), 0);
	assert_int_equal(size_of(w, "file-9"), 12288);
	assert_int_equal(size_of(w, "file-10"), 4096);
	workload_free(w);
}

/* O_TRUNC comes with the open; what the kernel does besides sends nothing and is no op. */
static void test_truncates_and_advice(void **state)
{
	static const struct told ops[] = {
		{OP_OPEN, 7, OP_SIZE_KNOWN | OP_TRUNCATES, 0, 10000, 1},
		{OP_TRUNCATE, 7, 0, 0, 0, 0},
		{OP_FADVISE, 7, OP_HINT_SEQUENTIAL, 0, 0, 0},
		{OP_FADVISE, 7, OP_INVALIDATE, 8192, 4096, 0},
		{OP_TRUNCATE, 7, 0, 0, 5000, 1},
	};
	static const struct workload_op want[] = {
		{.type = OP_OPEN, .flags = OP_TRUNCATES},
		{.type = OP_FADVISE, .flags = OP_HINT_SEQUENTIAL},
		{.type = OP_FADVISE,
		 .flags = OP_INVALIDATE,
		 .offset_bytes = 4096,
		 .size_bytes = 8192},
		{.type = OP_TRUNCATE, .offset_bytes = 5000},
	};
	struct workload *w = load(ops, ARRAY_SIZE(ops));
	struct op_stream *stream = w->tasks[0].stream;
	struct workload_op op;

	for (uint32_t i = 0; i < ARRAY_SIZE(want); i++) {
		assert_int_equal(stream->next(stream, 0, &op), OP_STREAM_OP);
		assert_int_equal(op.type, want[i].type);
		assert_int_equal(op.flags, want[i].flags);
		assert_int_equal(op.offset_bytes, want[i].offset_bytes);
		assert_int_equal(op.size_bytes, want[i].size_bytes);
	}
	assert_int_equal(stream->next(stream, 0, &op), OP_STREAM_END);
	assert_int_equal(size_of(w, "file-7"), 10000);
	workload_free(w);
}

/* cp(1): what was copied is there to be read. */
static void test_copies(void **state)
{
	static const struct told ops[] = {
		{OP_OPEN, 7, OP_SIZE_KNOWN, 0, 10000, 1},
		{OP_OPEN, 8, OP_SIZE_KNOWN, 0, 0, 1},
		{OP_COPY, 8, 0, 10000, 0, 1},
	};
	struct workload *w = load(ops, ARRAY_SIZE(ops));
	struct op_stream *stream = w->tasks[0].stream;
	struct workload_op op;

	for (uint32_t i = 0; i < ARRAY_SIZE(ops); i++)
		assert_int_equal(stream->next(stream, 0, &op), OP_STREAM_OP);
	assert_int_equal(op.type, OP_COPY);
	assert_string_equal(w->files[op.file].name, "file-8");
	assert_string_equal(w->files[op.file2].name, "file-7");
	assert_int_equal(op.size_bytes, 10000);
	assert_true(op.flags & OP_COPIES_ALL);
	assert_int_equal(size_of(w, "file-8"), 0);
	workload_free(w);
}

/* As late as it can have been: before the close, for each open anew, else before the fault. */
static void test_mappings(void **state)
{
	static const struct told ops[] = {
		{OP_OPEN, 7, OP_SIZE_KNOWN, 0, 10000, 1},
		{OP_CLOSE, 7, 0, 0, 0, 1},
		{OP_MMAP_FAULT, 7, 0, 4096, 0, 1},
		{OP_MMAP_FAULT, 7, 0, 4096, 4096, 1},
		{OP_OPEN, 7, OP_SIZE_KNOWN, 0, 10000, 1},
		{OP_MMAP_FAULT, 7, OP_MAP_PRIVATE, 4096, 8192, 1},
		{OP_CLOSE, 7, 0, 0, 0, 1},
		{OP_OPEN, 7, OP_SIZE_KNOWN, 0, 10000, 1},
		{OP_CLOSE, 7, 0, 0, 0, 1},
	};
	static const enum op_type want[] = {OP_OPEN,	   OP_MMAP, OP_CLOSE, OP_MMAP_FAULT,
					    OP_MMAP_FAULT, OP_OPEN, OP_MMAP,  OP_MMAP_FAULT,
					    OP_CLOSE,	   OP_OPEN, OP_CLOSE};
	struct workload *w = load(ops, ARRAY_SIZE(ops));
	struct op_stream *stream = w->tasks[0].stream;
	struct workload_op op;

	for (uint32_t i = 0; i < ARRAY_SIZE(want); i++) {
		assert_int_equal(stream->next(stream, 0, &op), OP_STREAM_OP);
		assert_int_equal(op.type, want[i]);
		if (op.type != OP_MMAP)
			continue;
		assert_int_equal(op.size_bytes, 12288);
		assert_int_equal(op.flags & OP_MAP_PRIVATE, i > 1 ? OP_MAP_PRIVATE : 0);
	}
	assert_int_equal(stream->next(stream, 0, &op), OP_STREAM_END);
	workload_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_truncates_and_advice),
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_mappings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
