/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Wait for what a guest's recording needs and is not there yet: the virtio-fs driver, which may be
 * a module that loads later (types and functions of a module are not known before), and mounts.
 */
#ifndef VFSCOPE_TRACE_GUEST_WAIT_H
#define VFSCOPE_TRACE_GUEST_WAIT_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/option.h"

/* True once the driver is in the kernel, with all its functions. */
bool guest_has_driver(void);

/*
 * Return once the driver is there and each path lies on a virtio-fs mount, or wait_ns have passed:
 * what is then still missing, the next step will tell. Says once what it waits for.
 */
void guest_wait(const struct string_list *mounts, uint64_t wait_ns);

#endif
