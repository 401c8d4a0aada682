/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The payload of a chunk of packed events (VFT_ENCODING_PACKED): both streams of event_pack.h, each
 * as it is or as a zstd frame. For the writer and the reader of .vft files.
 */
#ifndef VFSCOPE_TRACE_VFT_PACKED_H
#define VFSCOPE_TRACE_VFT_PACKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zstd.h>
#include "trace/event_pack.h"

/*
 * Grows a buffer to that many bytes, and some that unpacking may touch behind them; its size is
 * never zero. 0 or -ENOMEM, which leaves it as it is.
 */
int vft_reserve(uint8_t **buffer, size_t *size, size_t bytes);

/* Memory for the streams, kept from chunk to chunk. All zero: none yet. */
struct vft_streams {
	uint8_t *control, *values;
	size_t control_size, values_size;
};

void vft_streams_free(struct vft_streams *s);

/* Bytes that the payload of len bytes of events may take. */
size_t vft_packed_bound(size_t len);

/*
 * Packs len bytes of whole events, 8-aligned, into to, which has room for vft_packed_bound(len).
 * Control is always compressed, values if wanted. Bytes of the payload; 0 if these events cannot be
 * packed (see event_pack()) or -ENOMEM or -EIO.
 */
int64_t vft_pack(struct vft_streams *s, ZSTD_CCtx *zstd, int level, bool compress_values,
		 uint8_t *to, const void *events, size_t len);

/* Gives len bytes of events. 0, -EBADMSG if the payload does not, or -ENOMEM. */
int vft_unpack(struct vft_streams *s, ZSTD_DCtx *zstd, void *events, size_t len,
	       const uint8_t *payload, size_t payload_len);

#endif
