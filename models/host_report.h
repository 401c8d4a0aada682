/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a simulation's host had to do: its CPUs, its page cache, its storage device.
 */
#ifndef VFSCOPE_MODELS_HOST_REPORT_H
#define VFSCOPE_MODELS_HOST_REPORT_H

#include <jansson.h>
#include <stdio.h>
#include "sim/sim.h"

/* Nothing of what the stack leaves unlimited. */
void host_report_print(const struct stack *stack, const struct sim_stats *stats, FILE *out);
/* New reference; NULL without a device, or when out of memory. docs/report-json.md. */
json_t *storage_report_json(const struct stack *stack, const struct sim_stats *stats);

#endif
