/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files of tracefs, and what its format files say of an event's records.
 */
#ifndef VFSCOPE_TRACE_TRACEFS_H
#define VFSCOPE_TRACE_TRACEFS_H

#include <stdint.h>

/* A file of tracefs by its path in there, wherever that is mounted. Descriptor or -errno. */
int tracefs_open(const char *name, int flags);

/* event: "kvm/kvm_exit". Its number for perf_event_open(2), or -errno. */
int tracefs_event_id(const char *event);
/*
 * Where in the event's records a field is, in bytes. -errno: -ENOENT if there is no such field,
 * -EPROTO if it has another size.
 */
int tracefs_event_field(const char *event, const char *field, uint32_t size);
/* The same in the text of a format file. */
int tracefs_find_field(const char *format, const char *field, uint32_t size);

#endif
