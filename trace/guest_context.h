/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the guest's mounts negotiated with their daemons, and what the guest is: for a file's header
 * and for `vfscope probe`.
 */
#ifndef VFSCOPE_TRACE_GUEST_CONTEXT_H
#define VFSCOPE_TRACE_GUEST_CONTEXT_H

#include <jansson.h>
#include "bpf/guest_abi.h"
#include "trace/guest_mounts.h"

/* A new object, or NULL. */
json_t *guest_connection_json(const struct guest_connection *connection);

/*
 * Array of the connections of these mounts, read from the kernel by a BPF iterator: no request is
 * made and nothing is attached. Those that cannot be read are left out, and why is a debug message;
 * empty without privileges. NULL: out of memory.
 */
json_t *guest_connections_read(const struct guest_mounts *mounts, uint32_t max);

#endif
