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

struct queue {
	const char *name;
	const char *job; /* text of a fio job */
	const char *settings[3];
	double mean_ns; /* 0: not known in closed form */
	double rate;
};

#define OPEN_JOB(rate, bytes)                                                                      \
	"[open]\nioengine=libaio\niodepth=4096\ndirect=1\nrw=randread\nnorandommap\nsize=64m\n"    \
	"io_size=" bytes "\nrate_process=poisson\nrate_iops=" rate "\n"
#define CLOSED_JOB(jobs, engine, runtime)                                                          \
	"[closed]\ndirect=1\nrw=randread\nnorandommap\nsize=64m\ntime_based\nnumjobs=" jobs        \
	"\nioengine=" engine "\nruntime=" runtime "\n"

/* Values of tests/models/closed-forms.csv, with a mean service of 100 us. */
static const struct queue queues[] = {
	{"M/M/1 0.5", OPEN_JOB("5000", "200m"), {NULL}, 200000, 5000},
	{"M/D/1 0.5", OPEN_JOB("5000", "200m"), {"service.READ.host_io=const 100us"}, 150000, 5000},
	{"M/M/2 0.7", OPEN_JOB("14000", "600m"), {"daemon.thread_pool_size=2"}, 196078.431, 14000},
	{"M/M/1//8",
	 CLOSED_JOB("8", "psync", "5"),
	 {"costs.syscall=exp 400us"},
	 425099.577,
	 9695.79942},
	{"M/M/1/5 0.8",
	 CLOSED_JOB("1", "libaio\niodepth=5", "5"),
	 {"costs.syscall=exp 125us"},
	 0,
	 7289.44401},
	{"cycle of 32",
	 CLOSED_JOB("32", "psync", "700ms"),
	 {"costs.complete=exp 10us", "daemon.thread_pool_size=8"},
	 400193.537,
	 79961.3114},
	{"tandem 0.5",
	 OPEN_JOB("5000", "200m"),
	 {"costs.complete=exp 50us"},
	 200000 + 50000 / 0.75,
	 5000},
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

			stat_series_result(p.series[0], confidences[c], &r);
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
		for (int s = 0; s < 3 && queues[i].settings[s]; s++)
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
