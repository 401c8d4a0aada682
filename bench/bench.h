/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the benchmarks share: a clock, the best of several runs, one line per figure.
 */
#ifndef VFSCOPE_BENCH_BENCH_H
#define VFSCOPE_BENCH_BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define REPEATS 3

static inline double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

/* The least of REPEATS evaluations: what else the machine does only ever adds. */
#define BEST(var, expr)                                                                            \
	do {                                                                                       \
		var = expr;                                                                        \
		for (int repeat_ = 1; repeat_ < REPEATS; repeat_++) {                              \
			double again_ = expr;                                                      \
			if (again_ < var)                                                          \
				var = again_;                                                      \
		}                                                                                  \
	} while (0)

/* limit: the bare loop's figure to compare with; 0: this is one. */
static inline void print_ns(const char *name, double ns, const char *unit, double limit)
{
	printf("%-46s %7.1f ns/%-7s %7.1f M/s", name, ns, unit, 1e3 / ns);
	if (limit > 0)
		printf("  %5.2f x limit", ns / limit);
	printf("\n");
	fflush(stdout);
}

#endif
