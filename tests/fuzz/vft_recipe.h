/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Recipes for .vft files with right checksums, so that mutations reach behind them: chunks of type
 * (1 byte), records (1), length (2, little-endian), payload. The first one may be the header's,
 * which is empty otherwise. With the highest bit of the type they are packed events, of as many bytes
 * as the first two of the payload say. Included by the fuzz targets that read such files.
 */
#ifndef VFSCOPE_TESTS_FUZZ_VFT_RECIPE_H
#define VFSCOPE_TESTS_FUZZ_VFT_RECIPE_H

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "trace/vft.h"
#include "trace/vft_format.h"

static void put_bytes(int fd, const void *data, size_t len)
{
	if (write(fd, data, len) != (ssize_t)len)
		abort();
}

#define RECIPE_PACKED 0x80

static void put_chunk(int fd, uint32_t sequence, uint16_t type, uint32_t records,
		      const uint8_t *payload, uint32_t len)
{
	struct vft_chunk_header h = {
		.magic = VFT_CHUNK_MAGIC,
		.type = type,
		.encoding = VFT_ENCODING_RAW,
		.sequence = sequence,
		.raw_bytes = len,
		.records = records,
	};

	if (type & RECIPE_PACKED && len >= 2) {
		h.type = type & ~RECIPE_PACKED;
		h.encoding = VFT_ENCODING_PACKED;
		h.raw_bytes = payload[0] | (uint32_t)payload[1] << 8;
		payload += 2;
		len -= 2;
	}
	h.stored_bytes = len;
	h.payload_crc = vft_crc(payload, len);
	h.crc = vft_crc(&h, offsetof(struct vft_chunk_header, crc));
	put_bytes(fd, &h, sizeof(h));
	put_bytes(fd, payload, len);
}

static void cook_vft(int fd, uint32_t kind, const uint8_t *data, size_t size)
{
	struct vft_file_header file = {.version = VFT_VERSION, .kind = kind};
	uint32_t sequence = 0;

	memcpy(file.magic, VFT_MAGIC, VFT_MAGIC_BYTES);
	file.crc = vft_crc(&file, offsetof(struct vft_file_header, crc));
	put_bytes(fd, &file, sizeof(file));
	if (size < 4 || data[0] != VFT_CHUNK_HEADER)
		put_chunk(fd, sequence++, VFT_CHUNK_HEADER, 0, (const uint8_t *)"{}", 2);
	for (size_t at = 0; at + 4 <= size;) {
		uint32_t len = data[at + 2] | (uint32_t)data[at + 3] << 8;

		if (len > size - at - 4)
			len = (uint32_t)(size - at - 4);
		put_chunk(fd, sequence++, data[at], data[at + 1], data + at + 4, len);
		at += 4 + len;
	}
}

#endif
