/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a recording would do, for record --dry-run: of one side, or of both.
 */
#ifndef VFSCOPE_TRACE_CLI_PLAN_TEXT_H
#define VFSCOPE_TRACE_CLI_PLAN_TEXT_H

#include <jansson.h>
#include <stdio.h>
#include "trace/record_session.h"

void plan_print_output(FILE *out, const char *path);

/* Until when, with which buffer. */
void plan_print_settings(FILE *out, const struct record_config *config);

/* What would be its file's header. Not const: its date, of nothing recorded, is taken out. */
void plan_print_side(FILE *out, enum vft_kind kind, json_t *header);

void plan_print_end(FILE *out);

#endif
