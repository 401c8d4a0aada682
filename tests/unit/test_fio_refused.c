// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fio job files: what is refused, and with which words; what is only warned of.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include "lib/compiler.h"
#include "tests/unit/stderr_of.h"
#include "workloads/fio_job.h"

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

static void warned_of_repeated_syncs(void **state)
{
	static const struct {
		const char *job;
		bool warned;
	} cases[] = {
		{"[a]\nioengine=io_uring\niodepth=4\nrw=write\nsize=1m\nfsync=8\n", true},
		{"[a]\nioengine=io_uring\nrw=write\nsize=1m\nfsync=8\n", false},
		{"[a]\nioengine=libaio\niodepth=4\nrw=write\nsize=1m\nfdatasync=8\n", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct stderr_of errors;
		struct workload *w;
		char said[1024];

		stderr_begin(&errors);
		assert_int_equal(fio_job_parse("job", cases[i].job, strlen(cases[i].job), 7, &w),
				 0);
		workload_free(w);
		stderr_end(&errors, said, sizeof(said));
		assert_int_equal(strstr(said, "job:1: job [a]: with ioengine=io_uring") != NULL,
				 cases[i].warned);
	}
}

static void refused_with_place(void **state)
{
	static const struct bad_case cases[] = {
		{"", "no job"},
		{"[global]\nsize=1m\n", "no job"},
		{"size=1m\n", "job:1: 'size=1m' stands before"},
		{"[a\nsize=1m\n", "job:1: '[a' is not a section"},
		{"[]\n", "job:1:"},
		{"[a]\nsize=1m\nioengine=splice\n", "job:3: ioengine=splice"},
		{"[a]\nsize=1m\nioengine=mmap\nbs=1k\ndirect=1\n", "blocks of whole pages"},
		{"[a]\nsize=1m\nioengine=mmap\nrw=write\nbs=6k\nfsync=1\n",
		 "blocks of whole pages"},
		{"[a]\nsize=1m\nioengine=mmap\nrw=write\ncreate_on_open=1\n", "SIGBUS"},
		{"[a]\nsize=1m\nioengine=mmap\nread_iolog=log\n", "read_iolog with ioengine=mmap"},
		{"[a]\nsize=1m\nioengine=mmap\nthp=1\n", "job:4: thp=1"},
		{"[a]\nsize=1m\nrw=trim\n", "job:3: rw=trim"},
		{"[a]\nsize=1m\nbs=4x\n", "job:3: bs=4x"},
		{"[a]\nsize=1m\nbs=-4k\n", "job:3: bs=-4k"},
		{"[a]\nsize=1m\nbs=0\n", "job [a]: bs must be"},
		{"[a]\nsize=1m\nbs=2m\n", "bs is larger than size"},
		{"[a]\nsize=99999999999999999999\n", "job:2: size="},
		{"[a]\nrw=read\n", "job:1: job [a]: no size"},
		{"[a]\nsize=1m\nsize=\n", "job:3: option 'size' needs a value"},
		{"[a]\nsize=1m\niodepth=0\n", "job:3: iodepth=0 is out of range"},
		{"[a]\nsize=1m\nnumjobs=99999999\n", "job:3: numjobs"},
		{"[a]\nsize=1m\ndirect=yes\n", "job:3: direct=yes"},
		{"[a]\nsize=1m\ntime_based\n", "time_based needs runtime"},
		{"[a]\nsize=1m\nruntime=-1\n", "job:3: runtime=-1"},
		{"[a]\nsize=1m\nruntime=99999d\n", "longer than 10 years"},
		{"[a]\nsize=1m\nrate_process=poisson\n", "needs rate_iops"},
		{"[a]\nsize=${SIZE}\n", "job:2: size=${SIZE}: variables"},
		{"[a]\nfilesize=1m\noffset=1m\n", "offset lies beyond"},
		{"[a]\ndirect=1\nbs=100\nsize=1m\n", "multiples of 512"},
		{"[a]\nsize=1m\n=5\n", "job:3: a value without"},
		{"[a]\ninclude other.fio\n", "job:2: include needs"},
		{"[a]\nsize=1m\nrw=read\nzonesize=4k\n", "job:4: option 'zonesize'"},
		{"[a]\nsize=1m\nnrfiles=0\n", "job:3: nrfiles=0 is out of range"},
		{"[a]\nsize=16k\nnrfiles=5\n", "bs is larger than size / nrfiles"},
		{"[a]\nsize=50%\n", "a percentage needs filesize="},
		{"[a]\nfilesize=1m\nsize=0%\n", "job:3: size=0%: not 1% to 100%"},
		{"[a]\nfilesize=1m\nsize=101%\n", "job:3: size=101%: not 1% to 100%"},
		{"[a]\nfilesize=1m\nsize=5%x\n", "job:3: size=5%x: not 1% to 100%"},
		{"[a]\nfilesize=8k-32k\n", "job:2: filesize=8k-32k"},
		{"[a]\nsize=1m\nfilename=a::b\n", "filename has an empty name"},
		{"[a]\nsize=1m\nfilename=a\\:b\n", "job:3: filename=a\\:b: backslashes"},
		{"[a]\nsize=1m\ndirectory=a:b\n", "job:3: directory=a:b: several directories"},
		{"[a]\nsize=1m\nbssplit=4k/60:8k/50\n",
		 "job:3: bssplit=4k/60:8k/50: the percentages"},
		{"[a]\nsize=1m\nbssplit=4k/120\n", "job:3: bssplit=4k/120: a percentage is not"},
		{"[a]\nsize=1m\nbssplit=4k/x\n", "job:3: bssplit=4k/x: a percentage is not"},
		{"[a]\nsize=1m\nbssplit=0/50:4k/50\n", "job:3: bssplit=0/50:4k/50: not a list"},
		{"[a]\nsize=1m\nbsrange=4k\n", "job:3: bsrange=4k: not a range"},
		{"[a]\nsize=1m\nbsrange=0-4k\n", "job:3: bsrange=0-4k: a block size is 0"},
		{"[a]\nsize=1m\nbsrange=1-2,3-4,5-6,7-8\n", "more than three values"},
		{"[a]\nsize=1m\ndirect=1\nbssplit=100/50:4k/50\n", "multiples of 512"},
		{"[a]\nsize=1m\nrandom_distribution=zipf:1\n", "theta must be above 0"},
		{"[a]\nsize=1m\nrandom_distribution=zipf:x\n", "not a number behind the colon"},
		{"[a]\nsize=1m\nrandom_distribution=pareto:1.5\n", "above 0 and below 1"},
		{"[a]\nsize=1m\nrandom_distribution=normal:100\n", "deviation must be"},
		{"[a]\nsize=1m\nrandom_distribution=zoned:50/5:50/95\n",
		 "job:3: random_distribution=zoned:50/5:50/95 is not modelled"},
		{"[a]\nsize=1m\nfile_service_type=zipf\n",
		 "file_service_type=zipf is not modelled"},
		{"[a]\nsize=1m\nfile_service_type=roundrobin:0\n", "not a number of I/Os"},
		{"[a]\nsize=1m\nnrfiles=65536\nnumjobs=8\nbs=1\n", "more than 262144 files"},
		{"[a]\nrw=randread\nsize=1024t\nbsrange=4k-8k\n", "set norandommap=1"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		expect_refused(cases[i].job, strlen(cases[i].job), cases[i].message);
	expect_refused("[a]\nsize=1m\0x", 13, "NUL");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(warned_of_repeated_syncs),
		cmocka_unit_test(refused_with_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
