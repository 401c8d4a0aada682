// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reads hostile .vft files and takes their records as far as report does.
 *
 * First byte of the input: even, the rest is a file as it is; odd, the rest is a recipe for a file
 * with right checksums, so that mutations reach behind them: kind, then chunks of type (1 byte),
 * records (1), length (2, little-endian), payload.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "lib/msg.h"
#include "lib/op.h"
#include "lib/summary.h"
#include "tests/fuzz/fuzz.h"
#include "trace/join.h"
#include "trace/vft.h"
#include "trace/vft_format.h"

static void put(int fd, const void *data, size_t len)
{
	if (write(fd, data, len) != (ssize_t)len)
		abort();
}

static void put_chunk(int fd, uint32_t sequence, uint16_t type, uint32_t records, const void *raw,
		      uint32_t len)
{
	struct vft_chunk_header h = {
		.magic = VFT_CHUNK_MAGIC,
		.type = type,
		.encoding = VFT_ENCODING_RAW,
		.sequence = sequence,
		.stored_bytes = len,
		.raw_bytes = len,
		.records = records,
		.payload_crc = vft_crc(raw, len),
	};

	h.crc = vft_crc(&h, offsetof(struct vft_chunk_header, crc));
	put(fd, &h, sizeof(h));
	put(fd, raw, len);
}

static void cook(int fd, const uint8_t *data, size_t size)
{
	struct vft_file_header file = {.version = VFT_VERSION};
	uint32_t sequence = 0;

	file.kind = size ? 1 + data[0] % 3 : 1;
	memcpy(file.magic, VFT_MAGIC, VFT_MAGIC_BYTES);
	file.crc = vft_crc(&file, offsetof(struct vft_file_header, crc));
	put(fd, &file, sizeof(file));
	put_chunk(fd, sequence++, VFT_CHUNK_HEADER, 0, "{}", 2);
	for (size_t at = 1; at + 4 <= size;) {
		uint32_t len = data[at + 2] | (uint32_t)data[at + 3] << 8;

		if (len > size - at - 4)
			len = (uint32_t)(size - at - 4);
		put_chunk(fd, sequence++, data[at], data[at + 1], data + at + 4, len);
		at += 4 + len;
	}
}

static int take_half(void *ctx, const struct host_half *half)
{
	struct span span;

	span_from_host(&span, half);
	return summary_add_span(ctx, &span);
}

static void take_event(struct summary *s, struct host_assembler *a, const struct event_header *e)
{
	struct op_record op;
	struct span span;

	host_assembler_add(a, e);
	if (e->type == EV_GUEST_REQUEST) {
		span_from_guest(&span, (const struct guest_request_event *)e);
		summary_add_span(s, &span);
	} else if (e->type == EV_GUEST_OP) {
		op_from_event(&op, (const struct guest_op_event *)e);
		summary_add_op(s, &op);
	}
}

static void read_all(const char *path)
{
	struct summary *s = summary_new();
	struct host_assembler *a;
	struct vft_record record;
	struct vft_reader *r;

	if (!s || host_assembler_new(&a, take_half, s))
		abort();
	if (!vft_reader_open(&r, path)) {
		while (!vft_read(r, &record) && record.type != VFT_RECORD_END) {
			if (record.type == VFT_RECORD_EVENT)
				take_event(s, a, record.event);
			else if (record.type == VFT_RECORD_SPAN)
				summary_add_span(s, record.span);
			else
				summary_add_op(s, record.op);
		}
		vft_reader_close(r);
	}
	host_assembler_finish(a);
	json_decref(summary_json(s));
	host_assembler_free(a);
	summary_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	char path[64];

	if (fd < 0)
		abort();
	msg_set_level(MSG_ERROR);
	if (size && data[0] % 2)
		cook(fd, data + 1, size - 1);
	else if (size)
		put(fd, data + 1, size - 1);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	read_all(path);
	close(fd);
	return 0;
}
