/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A prediction from several runs of one job with independent seeds, over threads.
 *
 * Runs are merged in the order of their numbers, and whether they are enough is asked in that
 * order: the result does not depend on the number of threads. Run 0 has the seed given, run n > 0
 * one drawn from a stream of its own, so that no two seeds share runs.
 */
#ifndef VFSCOPE_MODELS_REPLICATE_H
#define VFSCOPE_MODELS_REPLICATE_H

#include "models/predict.h"

struct replicate_options {
	uint64_t seed;
	uint32_t runs; /* how many; with precision: at most */
	uint32_t threads; /* 0: one for each CPU that this process may use */
	double confidence; /* of the intervals: 0.99 */
	double precision; /* 0: all runs; else until all intervals are narrower than this part */
	FILE *requests; /* only with one run */
};

struct replicated {
	struct prediction p; /* all runs merged: counts and histograms added up */
	struct stat_runs *rows; /* by number of results row */
	size_t nr_rows;
	uint32_t runs;
	bool reached; /* the precision asked for */
	double confidence;
	double precision;
};

/* 0, or -errno after one message; *out is then empty. The caller frees. */
int replicate(struct replicated *out, const struct stack *stack, const char *job,
	      const struct replicate_options *options);
void replicated_free(struct replicated *r);

/* Of one row; false if it had no ops. */
bool replicated_result(const struct replicated *r, size_t row, struct stat_result *result);

void estimates_print(const struct replicated *r, FILE *out);
/* New reference, or NULL when out of memory. docs/report-json.md. */
json_t *estimates_json(const struct replicated *r);

#endif
