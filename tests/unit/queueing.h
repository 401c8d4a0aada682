/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Helpers for tests of queueing truth: batch means of waiting and staying, in service times, held
 * against closed forms.
 */
#ifndef VFSCOPE_TESTS_QUEUEING_H
#define VFSCOPE_TESTS_QUEUEING_H

#include <math.h>
#include "sim/sim.h"

#define SERVICE_NS 10000.0
#define CROWD 10
#define NR_BATCHES 30
#define T_99_29 2.756 /* Student's t, 29 degrees of freedom, two-sided 99 % */

struct batches {
	uint64_t skip;
	uint64_t per_batch;
	uint64_t seen;
	double wait_sum[NR_BATCHES];
	double stay_sum[NR_BATCHES];
	double found_sum[NR_BATCHES]; /* in the system, as an arrival sees it, in service times */
	double crowded[NR_BATCHES]; /* arrivals that found CROWD or more */
	double stay_total; /* all, for Little's law */
};

static inline int add_span(void *ctx, const struct span *span, uint32_t task)
{
	struct batches *b = ctx;
	uint64_t nr = b->seen++;
	double stay = span_latency_ns(span);

	b->stay_total += stay;
	if (nr < b->skip || (nr -= b->skip) >= NR_BATCHES * b->per_batch)
		return 0;
	b->stay_sum[nr / b->per_batch] += stay;
	b->found_sum[nr / b->per_batch] += span->inflight * SERVICE_NS;
	b->crowded[nr / b->per_batch] += (span->inflight >= CROWD) * SERVICE_NS;
	b->wait_sum[nr / b->per_batch] += stay - span->stage_ns[STAGE_SERVICE];
	return 0;
}

static inline void assert_in_interval(const char *what, const double *sums, double per_batch,
				      double truth)
{
	double mean = 0, variance = 0, half;

	for (int i = 0; i < NR_BATCHES; i++)
		mean += sums[i] / per_batch / NR_BATCHES;
	for (int i = 0; i < NR_BATCHES; i++)
		variance += pow(sums[i] / per_batch - mean, 2) / (NR_BATCHES - 1);
	half = T_99_29 * sqrt(variance / NR_BATCHES);
	print_message("%s: %.5g +- %.2g service times, closed form %.5g\n", what, mean / SERVICE_NS,
		      half / SERVICE_NS, truth);
	assert_true(fabs(mean / SERVICE_NS - truth) <= half / SERVICE_NS);
	/* An interval so wide that it proves nothing is no pass. */
	assert_true(half / SERVICE_NS < 0.2 * truth);
}

static inline void ideal_stack(struct stack *stack, const char *service)
{
	char err[100];

	stack_init(stack);
	stack->guest.vcpus = 1024;
	stack->daemon.mode = MODE_DIRECT;
	stack->daemon.max_background = 65535;
	stack->transport.queue_size = 32768;
	assert_int_equal(dist_parse(&stack->service_default.cpu, service, err, sizeof(err)), 0);
}

#endif
