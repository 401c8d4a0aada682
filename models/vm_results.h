/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What each of several VMs on one host got: a line per VM beside the rows of the jobs, which add
 * all VMs up.
 */
#ifndef VFSCOPE_MODELS_VM_RESULTS_H
#define VFSCOPE_MODELS_VM_RESULTS_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include "lib/hist.h"
#include "lib/op.h"
#include "lib/span.h"

struct vm_results;

struct vm_results *vm_results_new(uint32_t nr_vms); /* NULL: out of memory */
void vm_results_free(struct vm_results *r); /* NULL is fine */

void vm_results_add_request(struct vm_results *r, const struct span *span);
/* An op that the jobs' rows count. */
void vm_results_add_op(struct vm_results *r, const struct op_record *op);
/* Another run with as many VMs. */
void vm_results_merge(struct vm_results *into, const struct vm_results *from);

void vm_results_print(const struct vm_results *r, FILE *out);
/* New reference, or NULL when out of memory. docs/report-json.md. */
json_t *vm_results_json(const struct vm_results *r);

#endif
