// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Chunks of packed events; see vft_packed.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "trace/vft_format.h"
#include "trace/vft_packed.h"

void vft_streams_free(struct vft_streams *s)
{
	free(s->control);
	free(s->values);
	*s = (struct vft_streams){0};
}

int vft_reserve(uint8_t **buffer, size_t *size, size_t bytes)
{
	uint8_t *grown;

	bytes += EVENT_PACK_SLACK_BYTES;
	if (bytes <= *size)
		return 0;
	grown = realloc(*buffer, bytes);
	if (!grown)
		return -ENOMEM;
	*buffer = grown;
	*size = bytes;
	return 0;
}

size_t vft_packed_bound(size_t len)
{
	return sizeof(struct vft_packed_header) +
	       ZSTD_compressBound(event_pack_control_bound(len)) +
	       ZSTD_compressBound(event_pack_values_bound(len));
}

/* Bytes stored: fewer than there are if compressed. */
static int64_t store(ZSTD_CCtx *zstd, int level, uint8_t *to, const uint8_t *from, size_t bytes)
{
	size_t stored = bytes;

	if (zstd)
		stored = ZSTD_compressCCtx(zstd, to, ZSTD_compressBound(bytes), from, bytes, level);
	if (ZSTD_isError(stored))
		return -EIO; /* the output fits by construction */
	if (!zstd || stored >= bytes) {
		memcpy(to, from, bytes);
		stored = bytes;
	}
	return (int64_t)stored;
}

int64_t vft_pack(struct vft_streams *s, ZSTD_CCtx *zstd, int level, bool compress_values,
		 uint8_t *to, const void *events, size_t len)
{
	struct vft_packed_header header = {0};
	struct event_streams streams;
	uint8_t *at = to + sizeof(header);
	int64_t stored;

	if (vft_reserve(&s->control, &s->control_size, event_pack_control_bound(len)) ||
	    vft_reserve(&s->values, &s->values_size, event_pack_values_bound(len)))
		return -ENOMEM;
	streams.control = s->control;
	streams.values = s->values;
	if (!event_pack(&streams, events, len))
		return 0;
	stored = store(zstd, level, at, streams.control, streams.control_bytes);
	if (stored < 0)
		return stored;
	header.control_bytes = (uint32_t)streams.control_bytes;
	header.control_stored = (uint32_t)stored;
	at += stored;
	stored = store(compress_values ? zstd : NULL, level, at, streams.values,
		       streams.values_bytes);
	if (stored < 0)
		return stored;
	header.values_bytes = (uint32_t)streams.values_bytes;
	header.values_stored = (uint32_t)stored;
	memcpy(to, &header, sizeof(header));
	return at + stored - to;
}

/* A stream's bytes: in the payload, or in buffer. */
static int load(ZSTD_DCtx *zstd, uint8_t **stream, const uint8_t *from, size_t stored, size_t bytes,
		uint8_t **buffer, size_t *size)
{
	*stream = (uint8_t *)from;
	if (stored == bytes)
		return 0;
	if (vft_reserve(buffer, size, bytes))
		return -ENOMEM;
	*stream = *buffer;
	return ZSTD_decompressDCtx(zstd, *buffer, bytes, from, stored) == bytes ? 0 : -EBADMSG;
}

int vft_unpack(struct vft_streams *s, ZSTD_DCtx *zstd, void *events, size_t len,
	       const uint8_t *payload, size_t payload_len)
{
	struct vft_packed_header header;
	struct event_streams streams;
	int err;

	if (payload_len < sizeof(header))
		return -EBADMSG;
	memcpy(&header, payload, sizeof(header));
	payload += sizeof(header);
	if (header.control_bytes > event_pack_control_bound(len) ||
	    header.values_bytes > event_pack_values_bound(len) ||
	    payload_len - sizeof(header) != (uint64_t)header.control_stored + header.values_stored)
		return -EBADMSG;
	streams.control_bytes = header.control_bytes;
	streams.values_bytes = header.values_bytes;
	err = load(zstd, &streams.control, payload, header.control_stored, header.control_bytes,
		   &s->control, &s->control_size);
	if (!err)
		err = load(zstd, &streams.values, payload + header.control_stored,
			   header.values_stored, header.values_bytes, &s->values, &s->values_size);
	if (err)
		return err;
	return event_unpack(events, len, &streams) ? 0 : -EBADMSG;
}
