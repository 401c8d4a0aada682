// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Do the intervals that simulate prints contain the truth as often as they claim? The shipped jobs
 * on the ideal model are queues with closed forms (docs/queueing.md), each simulated under 200
 * seeds. Run from the top of the tree, as tests/run does.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "lib/compiler.h"
#include "models/model_file.h"
#include "models/predict.h"

#ifdef __SANITIZE_ADDRESS__
#define NR_SEEDS 20 /* ten times slower; the bounds follow */
#else
#define NR_SEEDS 200
#endif
/* Of each of the two tails of the binomial distribution: seeds are fixed, so nothing flickers. */
#define TAIL 0.002

static const double confidences[] = {0.9, 0.99};

#define MAX_SETTINGS 6

struct queue {
	const char *name;
	const char *job; /* text of a fio job */
	const char *settings[MAX_SETTINGS];
	double mean_ns; /* 0: not known in closed form */
	double rate;
	uint32_t job_number; /* from 0 */
};

#define OPEN_JOB(name, rate, bytes)                                                                \
	"[" name                                                                                   \
	"]\nioengine=libaio\niodepth=4096\ndirect=1\nrw=randread\nnorandommap\nsize=64m\n"         \
	"io_size=" bytes "\nrate_process=poisson\nrate_iops=" rate "\n"
#define CLOSED_JOB(jobs, engine, runtime)                                                          \
	"[closed]\ndirect=1\nrw=randread\nnorandommap\nsize=64m\ntime_based\nnumjobs=" jobs        \
	"\nioengine=" engine "\nruntime=" runtime "\n"

/* Values of tests/models/closed-forms.csv, with a mean service of 100 us. */
static const struct queue queues[] = {
	{.name = "M/M/1 0.5",
	 .job = OPEN_JOB("open", "5000", "200m"),
	 .mean_ns = 200000,
	 .rate = 5000},
	{.name = "M/D/1 0.5",
	 .job = OPEN_JOB("open", "5000", "200m"),
	 .settings = {"service.READ.host_io=const 100us"},
	 .mean_ns = 150000,
	 .rate = 5000},
	{.name = "M/M/2 0.7",
	 .job = OPEN_JOB("open", "14000", "600m"),
	 .settings = {"daemon.thread_pool_size=2"},
	 .mean_ns = 196078.431,
	 .rate = 14000},
	{.name = "M/M/1//8",
	 .job = CLOSED_JOB("8", "psync", "5"),
	 .settings = {"costs.syscall=exp 400us"},
	 .mean_ns = 425099.577,
	 .rate = 9695.79942},
	{.name = "M/M/1/5 0.8",
	 .job = CLOSED_JOB("1", "libaio\niodepth=5", "5"),
	 .settings = {"costs.syscall=exp 125us"},
	 .rate = 7289.44401},
	{.name = "cycle of 32",
	 .job = CLOSED_JOB("32", "psync", "700ms"),
	 .settings = {"costs.complete=exp 10us", "daemon.thread_pool_size=8"},
	 .mean_ns = 400193.537,
	 .rate = 79961.3114},
	{.name = "tandem 0.5",
	 .job = OPEN_JOB("open", "5000", "200m"),
	 .settings = {"costs.complete=exp 50us"},
	 .mean_ns = 200000 + 50000 / 0.75,
	 .rate = 5000},
	{.name = "set-up time",
	 .job = OPEN_JOB("open", "5000", "200m"),
	 .settings = {"costs.kick=exp 200us"},
	 .mean_ns = 400000,
	 .rate = 5000},
	{.name = "priority, second class",
	 .job = OPEN_JOB("first", "3000", "200m") OPEN_JOB("second", "3000", "200m"),
	 .settings = {"daemon.kind=rust", "daemon.queue_order=priority", "guest.kernel=6.12",
		      "guest.vcpus=2", "transport.request_queues=2"},
	 .mean_ns = 314285.714,
	 .rate = 3000,
	 .job_number = 1},
};

/* The smallest and the largest number of hits that are not in a tail. */
static void binomial_bounds(double p, int *low, int *high)
{
	double log_mass = NR_SEEDS * log(1 - p), below = 0;

	*low = -1;
	*high = -1;
	for (int k = 0; k <= NR_SEEDS; k++) {
		below += exp(log_mass);
		if (*low < 0 && below > TAIL)
			*low = k;
		if (*high < 0 && below >= 1 - TAIL)
			*high = k;
		log_mass += log((double)(NR_SEEDS - k) / (k + 1) * p / (1 - p));
	}
}

static void check_hits(const char *queue, const char *what, const int *hits)
{
	for (size_t c = 0; c < ARRAY_SIZE(confidences); c++) {
		int low, high;

		binomial_bounds(confidences[c], &low, &high);
		print_message("%s: %s in %d %% intervals: %d of %d, %d to %d expected\n", queue,
			      what, (int)(confidences[c] * 100), hits[c], NR_SEEDS, low, high);
		assert_in_range(hits[c], low, high);
	}
}

static bool holds(const struct stat_interval *interval, double truth)
{
	assert_true(interval->known && interval->half < 0.3 * truth);
	return fabs(interval->value - truth) <= interval->half;
}

static void check_queue(const struct queue *q, const char *path, const struct stack *stack)
{
	int mean_hits[ARRAY_SIZE(confidences)] = {0}, rate_hits[ARRAY_SIZE(confidences)] = {0};

	for (int seed = 1; seed <= NR_SEEDS; seed++) {
		struct prediction p;

		assert_int_equal(predict(&p, stack, path, seed, NULL), 0);
		for (size_t c = 0; c < ARRAY_SIZE(confidences); c++) {
			struct stat_result r;

			stat_series_result(p.series[q->job_number * NR_FIO_ROWS], confidences[c],
					   &r);
			mean_hits[c] += q->mean_ns > 0 && holds(&r.mean_ns, q->mean_ns);
			rate_hits[c] += holds(&r.rate, q->rate);
		}
		prediction_free(&p);
	}
	if (q->mean_ns > 0)
		check_hits(q->name, "mean", mean_hits);
	check_hits(q->name, "rate", rate_hits);
}

static void test_coverage(void **state)
{
	char path[] = "/tmp/vfscope-coverage.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	for (size_t i = 0; i < ARRAY_SIZE(queues); i++) {
		struct stack stack;

		assert_int_equal(ftruncate(fd, 0), 0);
		assert_true(pwrite(fd, queues[i].job, strlen(queues[i].job), 0) > 0);
		assert_int_equal(model_read(&stack, "models/ideal.model"), 0);
		for (int s = 0; s < MAX_SETTINGS && queues[i].settings[s]; s++)
			assert_int_equal(model_set(&stack, queues[i].settings[s]), 0);
		check_queue(&queues[i], path, &stack);
	}
	close(fd);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_coverage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
