/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a simulation in mode dax did to the window, and which of its costs were not measured.
 */
#ifndef VFSCOPE_MODELS_DAX_REPORT_H
#define VFSCOPE_MODELS_DAX_REPORT_H

#include <jansson.h>
#include <stdio.h>
#include "sim/sim.h"

/*
 * "dax.ept_fault, service.SETUPMAPPING": costs that this run needed and the model does not give, so
 * that a default or [service.default] stood in; "" if there are none, or the mode is another.
 */
const char *dax_stand_ins(const struct stack *stack, const struct dax_stats *stats, char *buf,
			  size_t len);

/* Both say nothing of other modes than dax; JSON is then NULL. Keys: docs/report-json.md. */
void dax_report_print(const struct stack *stack, const struct dax_stats *stats, FILE *out);
json_t *dax_report_json(const struct stack *stack, const struct dax_stats *stats);

#endif
