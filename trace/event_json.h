/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Raw events as JSON objects: what `vfscope export --format raw` prints, one a line.
 *
 * Each object has "type" (request, op, chain, header, syscall, used; event if unknown) and "ts_ns".
 * Names follow the structures of bpf/events.h; opcodes and flags are given as words. A time that
 * was not seen is left out.
 */
#ifndef VFSCOPE_TRACE_EVENT_JSON_H
#define VFSCOPE_TRACE_EVENT_JSON_H

#include <jansson.h>
#include "bpf/events.h"

/* New reference; NULL when out of memory. */
json_t *event_json(const struct event_header *event);

#endif
