/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events without what repeats: as differences from the one before of the same type, and times from
 * the time before, with as many bytes as they need. docs/vft-format.md describes every byte.
 *
 * What comes out are two streams: control, which says which words differ and how many bytes that
 * takes, and is much the same for each event; and values, those bytes, in which little repeats.
 *
 * A read with its op, 312 bytes, becomes 17 bytes of control, which zstd makes 2 of, and 40 of
 * values. zstd alone makes 54 of it, for four times the instructions (docs/guest-tracing.md).
 */
#ifndef VFSCOPE_TRACE_EVENT_PACK_H
#define VFSCOPE_TRACE_EVENT_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of an event; longer ones are not packed. */
#define EVENT_PACK_MAX_WORDS 64
/* Of type and size, in one block of events. */
#define EVENT_PACK_MAX_SHAPES 32
/* What may be read behind the values, and written: they are moved in words. */
#define EVENT_PACK_SLACK_BYTES 8

struct event_streams {
	uint8_t *control;
	size_t control_bytes;
	uint8_t *values;
	size_t values_bytes;
};

/* What the streams of len bytes of events may take; the slack is not in it. */
static inline size_t event_pack_control_bound(size_t len)
{
	return len / 4 + EVENT_PACK_MAX_SHAPES * 12;
}

static inline size_t event_pack_values_bound(size_t len)
{
	return len;
}

/*
 * Packs len bytes of whole events, 8-aligned, into the streams, which have room for that and whose
 * sizes it sets. False if there is one that is not packed, or too many shapes.
 */
bool event_pack(struct event_streams *to, const void *events, size_t len);

/* The reverse; false if the streams do not give len bytes of events exactly. */
bool event_unpack(void *events, size_t len, const struct event_streams *from);

#endif
