/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a machine is, beyond its kernel's release: what its times depend on.
 */
#ifndef VFSCOPE_TRACE_MACHINE_H
#define VFSCOPE_TRACE_MACHINE_H

#include <jansson.h>
#include <stdbool.h>

/*
 * Sets "cpu_model", "memory_bytes", "page_bytes", "clocksource" and "preemption" (the kernel's mode
 * of preempting itself), as far as this machine tells.
 */
void machine_describe(json_t *object);

/*
 * Whether the kernel preempts its own code. Where debugfs does not tell the mode of a kernel that
 * has several, it may.
 */
bool machine_preempts(void);

#endif
