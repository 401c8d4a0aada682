/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A histogram as every command prints it to programs: "Distribution" of docs/report-json.md.
 */
#ifndef VFSCOPE_LIB_HIST_JSON_H
#define VFSCOPE_LIB_HIST_JSON_H

#include <jansson.h>
#include "lib/hist.h"

/* A new object, or NULL. */
json_t *hist_to_json(const struct hist *h);

#endif
