/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this machine offers for recording, as a guest and as a host: found by trying, with programs
 * that do nothing and are gone at once. Nothing else is changed.
 *
 * The result is JSON, which `vfscope probe` prints, or tells in
 * words.
 */
#ifndef VFSCOPE_TRACE_PROBE_H
#define VFSCOPE_TRACE_PROBE_H

#include <jansson.h>
#include <stdbool.h>

/* A new object, or NULL when out of memory. */
json_t *probe_machine(void);

/*
 * Whether each side may be recorded is in "possible", what stands in the way in "problems", each
 * with its remedy; whether there is anything of virtio-fs to record in "present".
 */
json_t *probe_guest(void);
json_t *probe_host(void);

#endif
