// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fio job files: what is accepted, and the order of ops. Expected orders are those that fio 3.33
 * wrote with write_iolog for the same job files. What is refused: test_fio_refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/compiler.h"
#include "lib/rng.h"
#include "workloads/block_map.h"
#include "workloads/fio_job.h"
#include "workloads/permutation.h"

static struct workload *load(const char *text)
{
	struct workload *w;

	assert_int_equal(fio_job_parse("job", text, strlen(text), 7, &w), 0);
	return w;
}

/*
 * "r0 w4 fsync" ...: type and offset in KiB of each op, as many as fit; ":N" in front where there
 * are several files, "+K" behind where the size is not 4 KiB, "!" where cached pages are dropped.
 */
static void trace_ops(struct workload *w, uint32_t task, char *out, size_t len)
{
	static const char *const names[NR_OP_TYPES] = {"r",
						       "w",
						       "fsync",
						       "fdatasync",
						       "open",
						       "close",
						       [OP_MMAP] = "mmap",
						       [OP_MUNMAP] = "munmap",
						       [OP_MSYNC] = "msync"};
	struct op_stream *s = w->tasks[task].stream;
	struct workload_op op;
	size_t used = 0;
	uint64_t now = 0;

	*out = '\0';
	while (used + 48 < len && s->next(s, now, &op) == OP_STREAM_OP) {
		bool is_data =
			op.type == OP_READ || op.type == OP_WRITE || op.type == OP_MMAP_FAULT;

		now += 1000000 + op.think_ns;
		if (op.not_before_ns > now)
			now = op.not_before_ns;
		if (w->nr_files > 1)
			used += snprintf(out + used, len - used, "%u:", op.file);
		if (op.type == OP_MMAP_FAULT)
			used += snprintf(out + used, len - used, "%s%s",
					 op.flags & OP_SYNCED ? "s" : "",
					 op.flags & OP_FAULT_WRITE ? "mw" : "mr");
		else
			used += snprintf(out + used, len - used, "%s", names[op.type]);
		if (is_data)
			used += snprintf(out + used, len - used, "%llu",
					 (unsigned long long)op.offset_bytes >> 10);
		if (is_data && op.size_bytes != 4096)
			used += snprintf(out + used, len - used, "+%u", op.size_bytes >> 10);
		used += snprintf(out + used, len - used, "%s ",
				 is_data && op.flags & OP_INVALIDATE ? "!" : "");
	}
	if (used)
		out[used - 1] = '\0';
}

struct order_case {
	const char *job;
	const char *ops;
};

static void order_as_fio(void **state)
{
	static const struct order_case cases[] = {
		{"[a]\nrw=read\nsize=16k\n", "open r0 r4 r8 r12 close"},
		{"[a]\nrw=read\nsize=14k\n", "open r0 r4 r8 close"},
		{"[a]\nrw=read\nfilesize=128k\nsize=16k\noffset=8k\n", "open r8 r12 r16 r20 close"},
		{"[a]\nrw=write\nsize=16k\nfsync=2\nend_fsync=1\n",
		 "open w0 w4 fsync w8 w12 fsync close"},
		{"[a]\nrw=write\nsize=14k\nend_fsync=1\n", "open w0 w4 w8 close open fsync close"},
		{"[a]\nrw=write\nsize=16k\nfsync=2\n", "open w0 w4 fsync w8 w12 close"},
		{"[a]\nrw=write\nsize=12k\nfdatasync=1\n",
		 "open w0 fdatasync w4 fdatasync w8 close"},
		{"[a]\nrw=read\nsize=12k\nnumber_ios=4\nio_size=200k\n",
		 "open r0 r4 r8 close open r0 close"},
		{"[a]\nrw=write\nsize=8k\nloops=2\nend_fsync=1\n",
		 "open w0 w4 close open fsync close open w0 w4 fsync close"},
		{"[a]\nrw=read\nsize=8k\ntime_based\nruntime=1\nrate_iops=4\n",
		 "open r0 r4 r0! r4 close"},
		{"[a]\nrw=randread\nsize=4k\nio_size=12k\nnorandommap\n", "open r0 r0 r0 close"},
		{"[a]\nrw=randread\nsize=4k\nend_fsync=1\nloops=3\n",
		 "open r0 close open r0 close open r0 close"},
		{"[a]\nrw=write\nsize=24k\nend_fsync=1\nio_size=40k\n",
		 "open w0 w4 w8 w12 w16 w20 close open fsync close open w0 w4 w8 w12 fsync close"},
		{"[a]\nrw=read\nsize=16k\nnrfiles=2\n",
		 "0:open 0:r0 1:open 1:r0 0:r4 1:r4 0:close 1:close"},
		{"[a]\nrw=read\nsize=16k\nnrfiles=2\nfile_service_type=sequential\n",
		 "0:open 0:r0 0:r4 0:close 1:open 1:r0 1:r4 1:close"},
		{"[a]\nrw=read\nsize=32k\nnrfiles=2\nfile_service_type=roundrobin:2\n",
		 "0:open 0:r0 0:r4 1:open 1:r0 1:r4 0:r8 0:r12 1:r8 1:r12 0:close 1:close"},
		{"[a]\nrw=read\nsize=36k\nnrfiles=3\nopenfiles=2\n",
		 "0:open 0:r0 1:open 1:r0 0:r4 1:r4 0:r8 1:r8 0:close 1:close 2:open 2:r0 2:r4 "
		 "2:r8 "
		 "2:close"},
		{"[a]\nrw=read\nsize=16k\nfilename=x:y\nloops=2\n",
		 "0:open 0:r0 1:open 1:r0 0:r4 1:r4 0:close 1:close 0:open 0:r0 1:open 1:r0 0:r4 "
		 "1:r4 "
		 "0:close 1:close"},
		{"[a]\nrw=write\nsize=28k\nend_fsync=1\nnrfiles=2\n",
		 "0:open 0:w0 1:open 1:w0 0:w4 1:w4 0:w8 1:w8 0:close 1:close 0:open 0:fsync "
		 "0:close "
		 "1:open 1:fsync 1:close"},
		{"[a]\nrw=write\nsize=16k\nnrfiles=2\nfsync=3\n",
		 "0:open 0:w0 1:open 1:w0 0:w4 1:fsync 0:close 1:w4 1:close"},
		{"[a]\nrw=read\nsize=16k\nnrfiles=2\ntime_based\nruntime=1\nrate_iops=6\n",
		 "0:open 0:r0 1:open 1:r0 0:r4 1:r4 0:close 1:close 0:open 0:r0 1:open 1:r0 "
		 "0:close "
		 "1:close"},
		{"[a]\nrw=read\nsize=50%\nfilesize=32k\noffset=25%\n", "open r8 r12 r16 r20 close"},
		{"[a]\nrw=read\nsize=16k\nio_size=50%\n", "open r0 r4 close"},
		{"[a]\nrw=read\nsize=60k\nbssplit=16k/100\n", "open r0+16 r16+16 r32+16 close"},
		{"[a]\nrw=read\nsize=24k\nbssplit=,4k/50:8k/50\nbs=8k\n",
		 "open r0+8 r8+8 r16+8 close"},
		{"[a]\nrw=read\nsize=16k\nbsrange=8k-8k\n", "open r0+8 r8+8 close"},
		{"[a]\nioengine=mmap\nrw=read\nsize=12k\n", "open mmap mr0 mr4 mr8 close"},
		{"[a]\nioengine=mmap\nrw=write\nsize=16k\nfsync=2\nloops=2\n",
		 "open mmap mw0 mw4 msync mw8 mw12 msync close open mmap msync mw0 mw4 msync mw8 "
		 "mw12 close"},
		{"[a]\nioengine=mmap\nrw=write\nsize=6k\nend_fsync=1\n",
		 "open mmap mw0 close open mmap msync close"},
		{"[a]\nioengine=mmap\nrw=write\nsize=8k\ndirect=1\n", "open mmap smw0 smw4 close"},
		{"[a]\nioengine=mmap\nrw=read\nsize=8k\ndirect=1\n", "open mmap mr0 mr4 close"},
		/* The offset is added once and taken off twice. */
		{"[a]\nioengine=mmap\nrw=read\nfilesize=64k\noffset=8k\nsize=16k\n",
		 "open mmap mr0 mr4 munmap mmap mr8 munmap mmap mr12 close"},
		{"[a]\nioengine=mmap\nrw=read\nsize=16k\nnrfiles=2\n",
		 "0:open 0:mmap 0:mr0 1:open 1:mmap 1:mr0 0:mr4 1:mr4 0:close 1:close"},
	};
	char ops[1024];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct workload *w = load(cases[i].job);

		trace_ops(w, 0, ops, sizeof(ops));
		assert_string_equal(ops, cases[i].ops);
		workload_free(w);
	}
}

/* fio syncs again after a read if the number of writes is still a multiple of N. */
static void sync_after_read_in_mix(void **state)
{
	struct workload *w = load("[a]\nrw=rw\nsize=256k\nfsync=1\nrwmixread=50\n");
	struct op_stream *s = w->tasks[0].stream;
	struct workload_op op;
	bool written = false, sync_expected = false, seen = false;

	while (s->next(s, 0, &op) == OP_STREAM_OP && op.type != OP_CLOSE) {
		if (op.type == OP_OPEN)
			continue;
		assert_int_equal(op.type == OP_FSYNC, sync_expected);
		seen |= op.type == OP_FSYNC;
		written |= op.type == OP_WRITE;
		sync_expected = written && op.type != OP_FSYNC;
	}
	assert_true(seen);
	workload_free(w);
}

static void random_map_covers_each_block_once(void **state)
{
	static const char *const jobs[] = {
		"[a]\nrw=randread\nsize=4004k\n",
		"[a]\nrw=randrw\nsize=4004k\n",
		"[a]\nrw=randwrite\nsize=4k\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(jobs); i++) {
		struct workload *w = load(jobs[i]);
		struct op_stream *s = w->tasks[0].stream;
		struct workload_op op;
		uint8_t seen[1001] = {0};
		unsigned int count = 0;

		while (s->next(s, 0, &op) == OP_STREAM_OP)
			if (op.type == OP_READ || op.type == OP_WRITE) {
				assert_int_equal(op.offset_bytes % 4096, 0);
				assert_int_equal(seen[op.offset_bytes / 4096]++, 0);
				count++;
			}
		assert_int_equal(count, i == 2 ? 1 : 1001);
		workload_free(w);
	}
}

/* Bytes of each 512-byte sector touched by a job, at most once each; the sum is returned. */
static uint64_t cover(const char *job, bool once)
{
	static uint8_t seen[1 << 17];
	struct workload *w = load(job);
	struct op_stream *s = w->tasks[0].stream;
	struct workload_op op;
	uint64_t sum = 0;

	memset(seen, 0, sizeof(seen));
	while (s->next(s, 0, &op) == OP_STREAM_OP) {
		if (op.type != OP_READ && op.type != OP_WRITE)
			continue;
		assert_true(op.size_bytes > 0);
		sum += op.size_bytes;
		for (uint64_t b = op.offset_bytes; b < op.offset_bytes + op.size_bytes; b += 512)
			assert_false(seen[b / 512]++ && once);
	}
	workload_free(w);
	return sum;
}

static void mixed_sizes_fill_the_file(void **state)
{
	static const char *const jobs[] = {
		"[a]\nrw=write\nsize=60004k\nbssplit=4k/30:16k/30:64k/40\n",
		"[a]\nrw=randwrite\nsize=60004k\nbssplit=4k/30:16k/30:64k/40\n",
		"[a]\nrw=randread\nsize=60004k\nbsrange=4k-128k\n",
		"[a]\nrw=randrw\nsize=60004k\nbsrange=4k-128k\n",
		"[a]\nrw=randread\nsize=60004k\nbsrange=4k-128k\nnrfiles=1\ndirect=1\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(jobs); i++)
		assert_int_equal(cover(jobs[i], true), 60004 << 10);
	assert_int_equal(cover("[a]\nrw=randread\nsize=4m\nbsrange=4k-64k\nnorandommap\n"
			       "io_size=8m\n",
			       false) >>
				 23,
			 1);
}

static void sizes_come_as_often_as_asked(void **state)
{
	struct workload *w = load("[a]\nrw=randread\nsize=64m\nnorandommap\nnumber_ios=10000\n"
				  "io_size=100g\nbssplit=4k/10:16k/30:64k/60\n");
	struct op_stream *s = w->tasks[0].stream;
	unsigned int count[3] = {0};
	struct workload_op op;

	while (s->next(s, 0, &op) == OP_STREAM_OP)
		if (op.type == OP_READ)
			count[op.size_bytes == 4096 ? 0 : op.size_bytes == 16384 ? 1 : 2]++;
	assert_int_equal(count[0] + count[1] + count[2], 10000);
	/* Five standard deviations. */
	assert_in_range(count[0], 850, 1150);
	assert_in_range(count[1], 2770, 3230);
	workload_free(w);
}

static int descending(const void *a, const void *b)
{
	return *(const int *)b - *(const int *)a;
}

struct skew_case {
	const char *distribution;
	double top_three; /* share of the three most popular of 256 blocks: fio 3.33, 10240 I/Os */
};

static void skew_is_that_of_fio(void **state)
{
	static const struct skew_case cases[] = {
		{"zipf:1.2", 0.452},	{"zipf:0.8", 0.198},   {"pareto:0.2", 0.543},
		{"pareto:0.4", 0.0913}, {"normal:20", 0.0521},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int count[256] = {0};
		struct workload *w;
		struct op_stream *s;
		struct workload_op op;
		char job[256];
		double share;

		snprintf(job, sizeof(job),
			 "[a]\nrw=randread\nsize=1m\nio_size=40m\nrandom_distribution=%s\n",
			 cases[i].distribution);
		w = load(job);
		s = w->tasks[0].stream;
		while (s->next(s, 0, &op) == OP_STREAM_OP)
			if (op.type == OP_READ)
				count[op.offset_bytes / 4096]++;
		workload_free(w);
		qsort(count, 256, sizeof(*count), descending);
		share = (count[0] + count[1] + count[2]) / 10240.0;
		assert_true(share > 0.8 * cases[i].top_three && share < 1.25 * cases[i].top_three);
	}
}

static void block_map_finds_what_is_left(void **state)
{
	for (uint64_t n = 1; n < 9000; n = n * 3 + 1) {
		struct block_map *map = block_map_new(n);
		struct rng rng;

		rng_init(&rng, n, 1);
		for (uint64_t left = n; left > 0;) {
			uint64_t at = rng_below(&rng, n), next = block_map_next(map, at), used;

			assert_true(next < n);
			used = block_map_use(map, next, 1 + rng_below(&rng, 5));
			assert_in_range(used, 1, left);
			assert_int_equal(block_map_use(map, next, 1), 0);
			left -= used;
		}
		assert_int_equal(block_map_next(map, 0), BLOCK_MAP_NONE);
		block_map_clear(map);
		assert_int_equal(block_map_next(map, n - 1), n - 1);
		assert_int_equal(block_map_use(map, 0, n + 9), n);
		block_map_free(map);
	}
}

static void pauses_by_time(void **state)
{
	struct workload *w = load("[a]\nrw=read\nsize=40k\nthinktime=7000\n"
				  "thinktime_iotime=2500\n");
	static const uint64_t think[] = {0, 0, 0, 7000000, 0, 0, 7000000, 0, 0, 7000000};
	struct op_stream *s = w->tasks[0].stream;
	struct workload_op op;
	uint64_t now = 0;

	assert_int_equal(s->next(s, 0, &op), OP_STREAM_OP);
	for (uint64_t i = 0; i < ARRAY_SIZE(think); i++) {
		assert_int_equal(s->next(s, now, &op), OP_STREAM_OP);
		assert_int_equal(op.think_ns, think[i]);
		now += 1000000 + op.think_ns;
	}
	workload_free(w);
}

static void permutation_is_one(void **state)
{
	struct rng rng;

	rng_init(&rng, 1, 2);
	for (uint64_t n = 1; n < 300; n++) {
		struct permutation p;
		uint8_t seen[300] = {0};

		permutation_init(&p, n, &rng);
		for (uint64_t i = 0; i < n; i++) {
			uint64_t at = permutation_at(&p, i);

			assert_true(at < n);
			assert_int_equal(seen[at]++, 0);
		}
	}
}

static void huge_file_takes_no_memory(void **state)
{
	struct workload *w = load("[a]\nrw=randread\nsize=1024t\nnumber_ios=100\n");
	struct op_stream *s = w->tasks[0].stream;
	struct workload_op op;
	unsigned int count = 0;

	while (s->next(s, 0, &op) == OP_STREAM_OP)
		count += op.type == OP_READ;
	assert_int_equal(count, 100);
	workload_free(w);
}

static void same_seed_same_ops(void **state)
{
	static const char job[] = "[a]\nrw=randrw\nsize=1m\nfsync=3\n";
	static char a[8192], b[8192], c[8192];
	struct workload *w = load(job);

	trace_ops(w, 0, a, sizeof(a));
	workload_free(w);
	w = load(job);
	trace_ops(w, 0, b, sizeof(b));
	workload_free(w);
	assert_int_equal(fio_job_parse("job", job, strlen(job), 8, &w), 0);
	trace_ops(w, 0, c, sizeof(c));
	workload_free(w);
	assert_string_equal(a, b);
	assert_string_not_equal(a, c);
}

static void sections_and_files(void **state)
{
	struct workload *w = load("; comment\n[global]\nsize = 1m # trailing\nrw=read\n"
				  "directory=d\n[a]\nnumjobs=2\n[b]\nstonewall\nfilename=shared\n"
				  "[global]\nrw=write\nfallocate=none\n[c]\nfilename=shared\n"
				  "size=2m\n[d]\nwait_for_previous\nioengine=libaio\niodepth=8\n"
				  "direct=1\n");
	struct workload_op op;

	assert_int_equal(w->nr_tasks, 5);
	assert_int_equal(w->nr_files, 4);
	assert_string_equal(w->files[0].name, "d/a.0.0");
	assert_string_equal(w->files[1].name, "d/a.1.0");
	assert_string_equal(w->files[2].name, "d/shared");
	/* Only read and preallocated files exist before: c's larger size is grown by writing. */
	assert_int_equal(w->files[2].size_bytes, 1 << 20);
	assert_int_equal(w->files[3].size_bytes, 0);
	assert_int_equal(w->tasks[1].group, 0);
	assert_int_equal(w->tasks[2].group, 1);
	assert_int_equal(w->tasks[3].group, 1);
	assert_int_equal(w->tasks[4].group, 2);
	assert_int_equal(w->tasks[4].iodepth, 8);
	assert_true(w->tasks[4].async);
	assert_int_equal(w->tasks[4].stream->next(w->tasks[4].stream, 0, &op), OP_STREAM_OP);
	assert_int_equal(op.type, OP_OPEN);
	assert_true(op.flags & OP_DIRECT);
	assert_true(op.flags & OP_INVALIDATE);
	assert_true(op.flags & OP_HINT_SEQUENTIAL);
	workload_free(w);
}

/* As strace of fio 3.33 shows it: aligned from the first direct job of an engine on. */
static void buffers_are_aligned_by_engine(void **state)
{
	static const bool aligned[] = {false, true, true, false, true};
	struct workload *w =
		load("[global]\nsize=64k\nrw=read\n[a]\n[b]\ndirect=1\n[c]\ndirect=0\n"
		     "[d]\nioengine=libaio\ndirect=0\n[e]\nioengine=psync\nstonewall\n");

	for (uint32_t i = 0; i < ARRAY_SIZE(aligned); i++) {
		struct workload_op op;

		do
			assert_int_equal(w->tasks[i].stream->next(w->tasks[i].stream, 0, &op),
					 OP_STREAM_OP);
		while (op.type != OP_READ);
		assert_int_equal(!op.buffer_offset, aligned[i]);
	}
	workload_free(w);
}

static void rates_and_think_time(void **state)
{
	struct workload *w = load("[a]\nrw=read\nsize=16k\nrate_iops=1000\nthinktime=50\n"
				  "thinktime_blocks=2\nstart_delay=1\n");
	struct op_stream *s = w->tasks[0].stream;
	static const uint64_t think[] = {0, 0, 50000, 0};
	struct workload_op op;

	assert_int_equal(s->next(s, 0, &op), OP_STREAM_OP);
	assert_int_equal(op.think_ns, NS_PER_SEC);
	for (uint64_t i = 0; i < 4; i++) {
		assert_int_equal(s->next(s, 0, &op), OP_STREAM_OP);
		assert_int_equal(op.not_before_ns, NS_PER_SEC + i * 1000000);
		assert_int_equal(op.think_ns, think[i]);
	}
	workload_free(w);
}

static void poisson_rate_has_its_mean(void **state)
{
	struct workload *w = load("[a]\nrw=read\nsize=4k\nloops=40000\nrate_iops=1000\n"
				  "rate_process=poisson\n");
	struct op_stream *s = w->tasks[0].stream;
	struct workload_op op;
	uint64_t last = 0;

	while (s->next(s, 0, &op) == OP_STREAM_OP)
		if (op.type == OP_READ)
			last = op.not_before_ns;
	/* 40 s of arrivals; the sum's standard deviation is 0.2 s. */
	assert_in_range(last, 39 * NS_PER_SEC, 41 * NS_PER_SEC);
	workload_free(w);
}

/* What is common to absolute directories is where the share is mounted. */
static void names_in_the_share(void **state)
{
	static const struct {
		const char *text, *names[3];
	} cases[] = {
		{"[a]\ndirectory=/mnt/vfs\nfilename=d/f\nsize=4k\n", {"d/f"}},
		{"[a]\nfilename=/mnt/vfs/f\nsize=4k\n", {"f"}},
		{"[a]\nfilename=/mnt/vfs/f:/mnt/vfs/d/g\nsize=8k\n", {"f", "d/g"}},
		{"[a]\nfilename=/mnt/v1/f:/mnt/v2/f\nsize=8k\n", {"v1/f", "v2/f"}},
		{"[a]\nfilename=/mnt/v/f:/mnt/v2/f\nsize=8k\n", {"v/f", "v2/f"}},
		{"[global]\nsize=4k\n[a]\ndirectory=/s/x\n[b]\ndirectory=/s/y/\n",
		 {"x/a.0.0", "y//b.0.0"}},
		{"[a]\ndirectory=/s\nfilename_format=$jobname$clientuid/$jobnum/x$filenum\n"
		 "nrfiles=2\nsize=8k\n",
		 {"a/0/x0", "a/0/x1"}},
		{"[a]\nfilename=/f\nsize=4k\n", {"f"}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct workload *w = load(cases[i].text);

		for (uint32_t k = 0; k < w->nr_files; k++)
			assert_string_equal(w->files[k].name, cases[i].names[k]);
		workload_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order_as_fio),
		cmocka_unit_test(names_in_the_share),
		cmocka_unit_test(sync_after_read_in_mix),
		cmocka_unit_test(random_map_covers_each_block_once),
		cmocka_unit_test(mixed_sizes_fill_the_file),
		cmocka_unit_test(sizes_come_as_often_as_asked),
		cmocka_unit_test(skew_is_that_of_fio),
		cmocka_unit_test(block_map_finds_what_is_left),
		cmocka_unit_test(pauses_by_time),
		cmocka_unit_test(permutation_is_one),
		cmocka_unit_test(huge_file_takes_no_memory),
		cmocka_unit_test(same_seed_same_ops),
		cmocka_unit_test(sections_and_files),
		cmocka_unit_test(buffers_are_aligned_by_engine),
		cmocka_unit_test(rates_and_think_time),
		cmocka_unit_test(poisson_rate_has_its_mean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
