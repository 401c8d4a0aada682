// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fio job files: what is accepted, what is refused and how, and the order of ops. Expected orders
 * are those that fio 3.33 wrote with write_iolog for the same job files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/compiler.h"
#include "lib/rng.h"
#include "tests/unit/stderr_of.h"
#include "workloads/fio_job.h"
#include "workloads/permutation.h"

static struct workload *load(const char *text)
{
	struct workload *w;

	assert_int_equal(fio_job_parse("job", text, strlen(text), 7, &w), 0);
	return w;
}

/* "r0 w4 s" ...: type and offset in KiB of each op, as many as fit. */
static void trace_ops(struct workload *w, uint32_t task, char *out, size_t len)
{
	struct op_stream *s = w->tasks[task].stream;
	struct workload_op op;
	size_t used = 0;
	uint64_t now = 0;

	*out = '\0';
	while (used + 24 < len && s->next(s, now, &op) == OP_STREAM_OP) {
		now += 1000000 + op.think_ns;
		if (op.not_before_ns > now)
			now = op.not_before_ns;
		if (op.type == OP_READ || op.type == OP_WRITE)
			used += snprintf(out + used, len - used, "%c%llu ",
					 op.type == OP_READ ? 'r' : 'w',
					 (unsigned long long)op.offset_bytes >> 10);
		else
			used += snprintf(out + used, len - used, "%s ",
					 op.type == OP_OPEN    ? "open"
					 : op.type == OP_CLOSE ? "close"
					 : op.type == OP_FSYNC ? "fsync"
							       : "fdatasync");
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
		{"[a]\nrw=write\nsize=14k\nend_fsync=1\n", "open w0 w4 w8 fsync close"},
		{"[a]\nrw=write\nsize=16k\nfsync=2\n", "open w0 w4 fsync w8 w12 close"},
		{"[a]\nrw=write\nsize=12k\nfdatasync=1\n",
		 "open w0 fdatasync w4 fdatasync w8 close"},
		{"[a]\nrw=read\nsize=12k\nnumber_ios=4\nio_size=200k\n",
		 "open r0 r4 r8 close open r0 close"},
		{"[a]\nrw=write\nsize=8k\nloops=2\nend_fsync=1\n",
		 "open w0 w4 close open fsync close open w0 w4 fsync close"},
		{"[a]\nrw=read\nsize=8k\ntime_based\nruntime=1\nrate_iops=4\n",
		 "open r0 r4 r0 r4 close"},
		{"[a]\nrw=randread\nsize=4k\nio_size=12k\nnorandommap\n", "open r0 r0 r0 close"},
		{"[a]\nrw=randread\nsize=4k\nend_fsync=1\nloops=3\n",
		 "open r0 close open r0 close open r0 close"},
	};
	char ops[512];

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

struct bad_case {
	const char *job;
	const char *message; /* part of it */
};

static void expect_refused(const char *job, size_t len, const char *message)
{
	struct stderr_of errors;
	struct workload *w;
	char said[1024];
	int err;

	stderr_begin(&errors);
	err = fio_job_parse("job", job, len, 1, &w);
	stderr_end(&errors, said, sizeof(said));
	assert_int_equal(err, -EINVAL);
	assert_null(w);
	if (!strstr(said, message))
		fail_msg("for job:\n%s\nexpected '%s' in '%s'", job, message, said);
	/* One message, no more. */
	assert_string_equal(strchr(said, '\n'), "\n");
}

static void refused_with_place(void **state)
{
	static const struct bad_case cases[] = {
		{"", "no job"},
		{"[global]\nsize=1m\n", "no job"},
		{"size=1m\n", "job:1: 'size=1m' stands before"},
		{"[a\nsize=1m\n", "job:1: '[a' is not a section"},
		{"[]\n", "job:1:"},
		{"[a]\nsize=1m\nrw=read\nbssplit=4k/50\n", "job:4: option 'bssplit'"},
		{"[a]\nsize=1m\nnrfiles=4\n", "job:3: nrfiles=4 is not modelled"},
		{"[a]\nsize=1m\nioengine=mmap\n", "job:3: ioengine=mmap"},
		{"[a]\nsize=1m\nrw=trim\n", "job:3: rw=trim"},
		{"[a]\nsize=1m\nbs=4x\n", "job:3: bs=4x"},
		{"[a]\nsize=1m\nbs=-4k\n", "job:3: bs=-4k"},
		{"[a]\nsize=1m\nbs=0\n", "job [a]: bs must be"},
		{"[a]\nsize=1m\nbs=2m\n", "bs is larger than size"},
		{"[a]\nsize=99999999999999999999\n", "job:2: size="},
		{"[a]\nsize=50%\n", "job:2: size=50%"},
		{"[a]\nrw=read\n", "job:1: job [a]: no size"},
		{"[a]\nsize=1m\nsize=\n", "job:3: option 'size' needs a value"},
		{"[a]\nsize=1m\niodepth=0\n", "job:3: iodepth=0 is out of range"},
		{"[a]\nsize=1m\nnumjobs=99999999\n", "job:3: numjobs"},
		{"[a]\nsize=1m\ndirect=yes\n", "job:3: direct=yes"},
		{"[a]\nsize=1m\ntime_based\n", "time_based needs runtime"},
		{"[a]\nsize=1m\nruntime=-1\n", "job:3: runtime=-1"},
		{"[a]\nsize=1m\nruntime=99999d\n", "longer than 10 years"},
		{"[a]\nsize=1m\nrate_process=poisson\n", "needs rate_iops"},
		{"[a]\nsize=1m\nfilename=a:b\n", "job:3: filename=a:b"},
		{"[a]\nsize=${SIZE}\n", "job:2: size=${SIZE}: variables"},
		{"[a]\nfilesize=1m\noffset=1m\n", "offset lies beyond"},
		{"[a]\ndirect=1\nbs=100\nsize=1m\n", "multiples of 512"},
		{"[a]\nsize=1m\n=5\n", "job:3: a value without"},
		{"[a]\ninclude other.fio\n", "job:2: include needs"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		expect_refused(cases[i].job, strlen(cases[i].job), cases[i].message);
	expect_refused("[a]\nsize=1m\0x", 13, "NUL");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order_as_fio),
		cmocka_unit_test(sync_after_read_in_mix),
		cmocka_unit_test(random_map_covers_each_block_once),
		cmocka_unit_test(permutation_is_one),
		cmocka_unit_test(huge_file_takes_no_memory),
		cmocka_unit_test(same_seed_same_ops),
		cmocka_unit_test(sections_and_files),
		cmocka_unit_test(rates_and_think_time),
		cmocka_unit_test(poisson_rate_has_its_mean),
		cmocka_unit_test(refused_with_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
