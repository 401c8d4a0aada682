/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two aggregated recordings of the same time, one of the guest and one of its host. They have no
 * requests to join, but sums subtract: what a request takes in the guest less what its daemon takes
 * is what it spends between the two.
 */
#ifndef VFSCOPE_TRACE_CLI_AGGREGATE_PAIR_H
#define VFSCOPE_TRACE_CLI_AGGREGATE_PAIR_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include "trace-cli/trace_summary.h"

struct aggregate_pair {
	struct trace_summary guest, host;
};

/* Whether both files are aggregated recordings: 1 or 0; or -errno after a message. */
int aggregate_pair_is(const char *guest, const char *host);

/* 0 or -errno after a message; to be freed whatever it returns. */
int aggregate_pair_read(struct aggregate_pair *p, const char *guest, const char *host);

/* Counts and means of both sides by opcode, and the losses. */
void aggregate_pair_print_means(FILE *out, const struct aggregate_pair *p);

/* All of report. */
void aggregate_pair_print(FILE *out, const struct aggregate_pair *p);
json_t *aggregate_pair_json(const struct aggregate_pair *p);

/* EXIT_LOST after a message if strict and a side lost data or was interrupted; EXIT_DONE. */
int aggregate_pair_strict_status(bool strict, const struct aggregate_pair *p);

void aggregate_pair_free(struct aggregate_pair *p);

#endif
