/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records of .vft files as JSON objects: what `vfscope export` prints, one a line.
 *
 * Each object has "type" (request, op, chain, header, syscall, used, span, event) and "ts_ns".
 * Names follow the C structures (bpf/events.h, lib/span.h, lib/op.h); numbers that are names
 * (opcode, stage, flag) are given as words. A time that was not seen is left out.
 */
#ifndef VFSCOPE_TRACE_RECORD_JSON_H
#define VFSCOPE_TRACE_RECORD_JSON_H

#include <jansson.h>
#include "trace/vft.h"

/* New reference; NULL when out of memory. Not for VFT_RECORD_END. */
json_t *record_json(const struct vft_record *record);

#endif
