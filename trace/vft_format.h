/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes of a .vft file, shared by the writer and the reader only. docs/vft-format.md is the same in
 * words; tests/unit/test_vft.c holds the two together.
 *
 * Everything is little-endian, and records are stored as they are in memory: the structures of
 * bpf/events.h, lib/span.h and lib/op.h have no implicit padding and the same layout on every
 * 64-bit little-endian machine.
 */
#ifndef VFSCOPE_TRACE_VFT_FORMAT_H
#define VFSCOPE_TRACE_VFT_FORMAT_H

#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error ".vft files are little-endian and their records are not converted: this machine is not"
#endif

/* First bytes of the file. The line ends are there to break when a transfer mangles them. */
#define VFT_MAGIC "\x89VFT\r\n\x1a\n"
#define VFT_MAGIC_BYTES 8

#define VFT_CHUNK_MAGIC 0x4b434656u /* "VFCK" */

/* Parsed JSON takes up to 50 times its text: a smaller limit than for records bounds that. */
#define VFT_MAX_JSON_BYTES (512u << 10)

struct vft_file_header {
	uint8_t magic[VFT_MAGIC_BYTES];
	uint32_t version;
	uint32_t kind; /* enum vft_kind */
	uint32_t max_chunk_bytes; /* the writer's limit, informative */
	uint32_t reserved[2]; /* zero */
	uint32_t crc; /* of the bytes before it */
};

struct vft_chunk_header {
	uint32_t magic;
	uint16_t type; /* enum vft_chunk_type */
	uint16_t encoding; /* enum vft_encoding */
	uint32_t sequence; /* 0 for the header chunk, then one more for each */
	uint32_t stored_bytes; /* that follow this header */
	uint32_t raw_bytes; /* after decompression */
	uint32_t records; /* 0 in JSON chunks */
	uint32_t payload_crc; /* of the stored bytes */
	uint32_t crc; /* of the bytes of this header before it */
};

enum vft_encoding {
	VFT_ENCODING_RAW = 0,
	VFT_ENCODING_ZSTD = 1, /* one zstd frame */
	VFT_ENCODING_PACKED = 2, /* events: struct vft_packed_header and two streams */
};

/* Each stream is one zstd frame if fewer bytes are stored than it has, else as it is. */
struct vft_packed_header {
	uint32_t control_bytes; /* of the first stream */
	uint32_t control_stored; /* that it takes after this header */
	uint32_t values_bytes; /* of the second */
	uint32_t values_stored; /* to the end of the payload */
};

_Static_assert(sizeof(struct vft_file_header) == 32, "file header");
_Static_assert(sizeof(struct vft_chunk_header) == 32, "chunk header");
_Static_assert(sizeof(struct vft_packed_header) == 16, "packed header");

/* CRC-32 of ISO 3309, as zlib's crc32() and gzip. */
static inline uint32_t vft_crc(const void *data, size_t len)
{
	return (uint32_t)crc32_z(0, data, len);
}

#endif
