/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Columns that all tables of a printed summary have.
 */
#ifndef VFSCOPE_LIB_SUMMARY_TABLE_H
#define VFSCOPE_LIB_SUMMARY_TABLE_H

#include <stdio.h>
#include "lib/hist.h"

#define SUMMARY_QUANTILE_HEADER "     p50     p90     p99   p99.9     max\n"

/* A column of 8 characters. */
void summary_print_ns(FILE *out, double ns);
/* p50 to p99.9 and the maximum, and the end of the line. */
void summary_print_quantiles(FILE *out, const struct hist *h);

#endif
