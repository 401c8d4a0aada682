/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The attach points of a recording as a table, for probe and for record --dry-run.
 */
#ifndef VFSCOPE_TRACE_CLI_POINTS_TEXT_H
#define VFSCOPE_TRACE_CLI_POINTS_TEXT_H

#include <jansson.h>
#include <stdio.h>

/* points: what guest_points_json() or host_points_json() made. */
void points_print(FILE *out, const json_t *points);

#endif
