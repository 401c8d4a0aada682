/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names and meanings of the loss classes of bpf/events.h: the one table that files, reports and
 * docs use.
 */
#ifndef VFSCOPE_LIB_LOSS_H
#define VFSCOPE_LIB_LOSS_H

#include <stdint.h>
#include <stdio.h>
#include <jansson.h>

const char *loss_name(unsigned int loss_class); /* "ringbuf", ... "?" out of range */
const char *loss_meaning(unsigned int loss_class); /* for people */

/*
 * True if the class means that an event which happened is missing or wrong in the file, so that
 * --strict must fail. start_no_end and end_no_start only mean that recording began or ended in the
 * middle of a request: they are printed but not an error.
 */
int loss_is_data_loss(unsigned int loss_class);

/* losses has NR_LOSS_CLASSES counters. One line per class that is not zero, or "losses: none". */
void loss_print(const uint64_t *losses, FILE *out);

/* Object of every class by name. New reference, or NULL when out of memory. */
json_t *loss_json(const uint64_t *losses);

/* Sum of the classes that are data loss. */
uint64_t loss_total(const uint64_t *losses);

#endif
