/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtio-fs devices of this machine: features, queues, and the CPUs that serve them.
 */
#ifndef VFSCOPE_TRACE_GUEST_DEVICES_H
#define VFSCOPE_TRACE_GUEST_DEVICES_H

#include <jansson.h>
#include <stdbool.h>

/*
 * A new array for the file's header; NULL when out of memory. Of each device: name, features, and
 * queues with "irq" and "interrupt_cpus" (which CPUs its interrupt goes to), if it has one of its
 * own; from 6.12 on also the device's "tag", and "submit_cpus" of each queue: who puts requests
 * there.
 */
json_t *guest_devices_json(void);

/* True if one of them has a DAX window. */
bool guest_devices_have_dax_window(void);

#endif
