/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What join found, for people: shared by "vfscope join" and "vfscope report GUEST HOST".
 */
#ifndef VFSCOPE_TRACE_CLI_JOIN_TEXT_H
#define VFSCOPE_TRACE_CLI_JOIN_TEXT_H

#include <stdio.h>
#include "trace/join_files.h"

/* Pairs, and halves without their other half; losses not included. */
void join_print_counts(FILE *out, const struct join_result *result);

/* Exit status for what join_files() or join_write() returned. */
int join_exit_status(int err, const struct join_result *result);

#endif
