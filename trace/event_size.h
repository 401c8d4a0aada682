/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Size of each event as this build knows it; files may hold shorter (older) or longer (newer) ones.
 * The one table of event sizes, for all who read events; inline, since it is asked for each.
 */
#ifndef VFSCOPE_TRACE_EVENT_SIZE_H
#define VFSCOPE_TRACE_EVENT_SIZE_H

#include <stdint.h>
#include "bpf/events.h"

/* Bytes of the structure of bpf/events.h for this enum event_type; 0 for an unknown type. */
static inline uint32_t event_known_size(uint16_t type)
{
	switch (type) {
	case EV_GUEST_REQUEST:
		return sizeof(struct guest_request_event);
	case EV_GUEST_OP:
		return sizeof(struct guest_op_event);
	case EV_GUEST_WRITEBACK:
		return sizeof(struct guest_writeback_event);
	case EV_GUEST_PATH:
		return sizeof(struct guest_path_event);
	case EV_AGGREGATE:
		return sizeof(struct aggregate_event);
	case EV_HOST_CHAIN:
	case EV_HOST_HEADER:
		return sizeof(struct host_chain_event);
	case EV_HOST_SYSCALL:
		return sizeof(struct host_syscall_event);
	case EV_HOST_USED:
		return sizeof(struct host_used_event);
	default:
		return 0;
	}
}

#endif
