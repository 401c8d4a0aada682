/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which system calls a daemon begins to serve an opcode with: tells apart what the worker threads
 * of a pool do. From the virtiofsd sources and traces (C 7.2; Rust 1.13, 1.14),
 * docs/host-tracing.md.
 */
#ifndef VFSCOPE_TRACE_OPCODE_CALLS_H
#define VFSCOPE_TRACE_OPCODE_CALLS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * False only if no daemon begins to serve the opcode with this system call. Opcode 0 (unknown) and
 * opcodes without an entry may begin with anything.
 */
bool opcode_may_begin_with(uint32_t opcode, uint16_t nr);

#endif
