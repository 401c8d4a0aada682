/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What join found, for people: shared by "vfscope join", "vfscope record --vm" and "vfscope report
 * GUEST HOST".
 */
#ifndef VFSCOPE_TRACE_CLI_JOIN_TEXT_H
#define VFSCOPE_TRACE_CLI_JOIN_TEXT_H

#include <stdbool.h>
#include <stdio.h>
#include "trace/join_files.h"

/* Pairs, and halves without their other half; losses not included. */
void join_print_counts(FILE *out, const struct join_result *result);

/* Also the clocks and the losses. */
void join_print_result(FILE *out, const struct join_result *result);

/* Exit status for what join_files() or join_write() returned. */
int join_exit_status(int err, const struct join_result *result);

/* EXIT_LOST after a message if strict and data was lost or an input interrupted; EXIT_DONE. */
int join_strict_status(bool strict, const struct join_result *result);

#endif
