/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Size of each event as this build knows it; files may hold shorter (older) or longer (newer) ones.
 */
#ifndef VFSCOPE_TRACE_EVENT_SIZE_H
#define VFSCOPE_TRACE_EVENT_SIZE_H

#include <stdint.h>

/* Bytes of the structure of bpf/events.h for this enum event_type; 0 for an unknown type. */
uint32_t event_known_size(uint16_t type);

#endif
