/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every command that reads a trace prints about it: where it comes from and what it lost.
 */
#ifndef VFSCOPE_TRACE_CLI_TRACE_TEXT_H
#define VFSCOPE_TRACE_CLI_TRACE_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "trace/vft.h"

/*
 * Machine, kernel, mount, daemon, mode and, of a joined trace, the clocks' error bar. footer may be
 * NULL.
 */
void trace_print_context(FILE *out, enum vft_kind kind, const json_t *header, const json_t *footer);

/*
 * A string of an object that comes from a file or another program, cut to fit and safe to print:
 * control bytes could drive a terminal. "?" if there is none.
 */
const char *trace_text_of(const json_t *object, const char *key, char *buf, size_t len);

/* The nonzero counters with their meanings, or that there are none. */
void trace_print_losses(FILE *out, const uint64_t *losses, bool interrupted);
json_t *trace_losses_json(const uint64_t *losses); /* New reference or NULL. */

/* Was this recording, or a joined one's input, interrupted? Known after the last record. */
bool trace_was_interrupted(const struct vft_reader *r);

/* Is an event that happened missing or wrong? What --strict asks. */
bool trace_lost_data(const uint64_t *losses, bool interrupted);

#endif
