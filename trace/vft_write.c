// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Writes .vft files: records gather in one buffer per chunk type and leave as compressed chunks.
 *
 * Whatever happens, the file on disk ends with a whole chunk or a cut one, never with half-updated
 * earlier bytes: nothing is ever rewritten. When the disk is full the cut chunk is removed, so that
 * there is room again for the footer, which then says how many records are missing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#include <zstd.h>
#include "lib/clock.h"
#include "lib/compiler.h"
#include "lib/loss.h"
#include "lib/op.h"
#include "lib/span.h"
#include "lib/version.h"
#include "trace/vft.h"
#include "trace/vft_format.h"
#include "trace/vft_output.h"
#include "trace/vft_packed.h"

/* Big enough to compress well, small enough that a few in memory do not matter. */
#define CHUNK_FILL_BYTES (1u << 20)
/* Level 1 keeps up with a recorder on one core; higher levels gain little on these records. */
#define COMPRESSION_LEVEL 1

_Static_assert(CHUNK_FILL_BYTES + UINT16_MAX <= VFT_MAX_CHUNK_BYTES, "chunk limit");

struct chunk_buffer {
	uint8_t *data; /* CHUNK_FILL_BYTES, allocated with the first record */
	uint32_t len;
	uint32_t records;
	uint64_t total; /* records ever written to the file */
};

struct vft_writer {
	struct vft_output output;
	int error; /* first failure, -errno; nothing is written after it but the footer */
	uint32_t sequence;
	uint64_t bytes;
	uint64_t records; /* accepted from the caller */
	uint64_t not_written; /* accepted, but never reached the file */
	ZSTD_CCtx *zstd;
	uint8_t *packed;
	size_t packed_size;
	struct vft_streams streams;
	bool compress_values; /* of packed events */
	struct chunk_buffer events, spans, ops;
};

const char *vft_kind_name(enum vft_kind kind)
{
	switch (kind) {
	case VFT_GUEST:
		return "guest";
	case VFT_HOST:
		return "host";
	case VFT_JOINED:
		return "joined";
	}
	return "?";
}

/* header.stored_bytes of data follow in memory right after the header: one write, one chunk. */
static int write_bytes(struct vft_writer *w, const void *data, size_t len)
{
	int err = vft_output_write(&w->output, data, len);

	/* Back to the last whole chunk; if that fails the reader copes with the cut one. */
	if (err)
		vft_output_cut(&w->output, w->bytes);
	else
		w->bytes += len;
	return err;
}

/* Bytes of the payload or -errno. Events that cannot be packed are compressed as they are. */
static int64_t encode(struct vft_writer *w, enum vft_chunk_type type, uint8_t *payload,
		      const void *raw, uint32_t raw_bytes, enum vft_encoding *encoding)
{
	size_t stored;

	if (type == VFT_CHUNK_EVENTS) {
		int64_t packed = vft_pack(&w->streams, w->zstd, COMPRESSION_LEVEL,
					  w->compress_values, payload, raw, raw_bytes);

		*encoding = VFT_ENCODING_PACKED;
		if (packed)
			return packed;
	}
	*encoding = VFT_ENCODING_ZSTD;
	stored = ZSTD_compressCCtx(w->zstd, payload,
				   w->packed_size - sizeof(struct vft_chunk_header), raw, raw_bytes,
				   COMPRESSION_LEVEL);
	/* The output buffer fits by construction. */
	return ZSTD_isError(stored) ? -ENOMEM : (int64_t)stored;
}

static int write_chunk(struct vft_writer *w, enum vft_chunk_type type, const void *raw,
		       uint32_t raw_bytes, uint32_t records)
{
	struct vft_chunk_header *header = (struct vft_chunk_header *)w->packed;
	uint8_t *payload = w->packed + sizeof(*header);
	enum vft_encoding encoding;
	int64_t stored = encode(w, type, payload, raw, raw_bytes, &encoding);
	int err;

	if (stored < 0)
		return (int)stored;
	*header = (struct vft_chunk_header){
		.magic = VFT_CHUNK_MAGIC,
		.type = type,
		.encoding = encoding,
		.sequence = w->sequence,
		.stored_bytes = (uint32_t)stored,
		.raw_bytes = raw_bytes,
		.records = records,
		.payload_crc = vft_crc(payload, stored),
	};
	header->crc = vft_crc(header, offsetof(struct vft_chunk_header, crc));
	err = write_bytes(w, header, sizeof(*header) + (size_t)stored);
	if (!err)
		w->sequence++;
	return err;
}

static int write_json_chunk(struct vft_writer *w, enum vft_chunk_type type, json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
	size_t len;
	int err;

	if (!text)
		return -ENOMEM;
	len = strlen(text);
	err = len > VFT_MAX_JSON_BYTES ? -E2BIG : write_chunk(w, type, text, (uint32_t)len, 0);
	free(text);
	return err;
}

static void set_default(json_t *object, const char *key, json_t *value)
{
	if (json_object_get(object, key))
		json_decref(value);
	else
		json_object_set_new(object, key, value);
}

static int write_header(struct vft_writer *w, enum vft_kind kind, json_t *caller)
{
	struct vft_file_header file = {
		.version = VFT_VERSION,
		.kind = kind,
		.max_chunk_bytes = VFT_MAX_CHUNK_BYTES,
	};
	json_t *header = caller ? json_copy(caller) : json_object();
	struct utsname uts;
	int err;

	if (!header)
		return -ENOMEM;
	memcpy(file.magic, VFT_MAGIC, VFT_MAGIC_BYTES);
	file.crc = vft_crc(&file, offsetof(struct vft_file_header, crc));
	json_object_set_new(header, "kind", json_string(vft_kind_name(kind)));
	set_default(header, "vfscope_version", json_string(VFSCOPE_VERSION));
	set_default(header, "start_ns", json_integer((json_int_t)clock_ns(CLOCK_MONOTONIC)));
	set_default(header, "start_realtime_ns",
		    json_integer((json_int_t)clock_ns(CLOCK_REALTIME)));
	if (!uname(&uts)) {
		set_default(header, "hostname", json_string(uts.nodename));
		set_default(header, "kernel", json_string(uts.release));
		set_default(header, "arch", json_string(uts.machine));
	}
	err = write_bytes(w, &file, sizeof(file));
	if (!err)
		err = write_json_chunk(w, VFT_CHUNK_HEADER, header);
	json_decref(header);
	return err;
}

static void free_writer(struct vft_writer *w)
{
	ZSTD_freeCCtx(w->zstd);
	vft_streams_free(&w->streams);
	free(w->packed);
	free(w->events.data);
	free(w->spans.data);
	free(w->ops.data);
	free(w);
}

int vft_writer_open(struct vft_writer **out, const char *path, enum vft_kind kind, json_t *header)
{
	struct vft_writer *w = calloc(1, sizeof(*w));
	int err = -ENOMEM;

	*out = NULL;
	if (!w)
		return -ENOMEM;
	w->output.fd = -1;
	/* A guest's events are packed for what it costs the guest; the values are half of it. */
	w->compress_values = kind != VFT_GUEST;
	w->packed_size =
		sizeof(struct vft_chunk_header) + vft_packed_bound(CHUNK_FILL_BYTES + UINT16_MAX);
	w->packed = malloc(w->packed_size);
	w->zstd = ZSTD_createCCtx();
	if (!w->packed || !w->zstd)
		goto out;
	err = vft_output_open(&w->output, path);
	if (!err)
		err = write_header(w, kind, header);
out:
	if (err) {
		if (w->output.fd >= 0)
			close(w->output.fd);
		free_writer(w);
		return err;
	}
	*out = w;
	return 0;
}

static int flush_buffer(struct vft_writer *w, struct chunk_buffer *b, enum vft_chunk_type type)
{
	int err;

	if (!b->len)
		return 0;
	err = w->error ? w->error : write_chunk(w, type, b->data, b->len, b->records);
	if (err)
		w->not_written += b->records;
	else
		b->total += b->records;
	if (err && !w->error)
		w->error = err;
	b->len = 0;
	b->records = 0;
	return err;
}

static int append(struct vft_writer *w, struct chunk_buffer *b, enum vft_chunk_type type,
		  const void *record, uint32_t size)
{
	int err = 0;

	w->records++;
	if (!w->error && !b->data) {
		b->data = malloc(CHUNK_FILL_BYTES + UINT16_MAX);
		if (!b->data)
			w->error = -ENOMEM;
	}
	if (w->error) {
		w->not_written++;
		return w->error;
	}
	memcpy(b->data + b->len, record, size);
	b->len += size;
	b->records++;
	if (b->len < CHUNK_FILL_BYTES)
		return 0;
	/* A file's name, an event, is to be read before what tells of the file. */
	if (b != &w->events)
		err = flush_buffer(w, &w->events, VFT_CHUNK_EVENTS);
	return err ? err : flush_buffer(w, b, type);
}

int vft_write_event(struct vft_writer *w, const struct event_header *event)
{
	if (event->size < sizeof(*event) || event->size % 8)
		return -EINVAL;
	return append(w, &w->events, VFT_CHUNK_EVENTS, event, event->size);
}

int vft_write_span(struct vft_writer *w, const struct span *span)
{
	return append(w, &w->spans, VFT_CHUNK_SPANS, span, sizeof(*span));
}

int vft_write_op(struct vft_writer *w, const struct op_record *op)
{
	return append(w, &w->ops, VFT_CHUNK_OPS, op, sizeof(*op));
}

int vft_writer_flush(struct vft_writer *w)
{
	flush_buffer(w, &w->events, VFT_CHUNK_EVENTS);
	flush_buffer(w, &w->spans, VFT_CHUNK_SPANS);
	flush_buffer(w, &w->ops, VFT_CHUNK_OPS);
	return w->error;
}

static json_t *footer_json(const struct vft_writer *w, const uint64_t *losses, json_t *extra)
{
	json_t *footer = json_object(), *by_name = json_object();

	if (!footer || !by_name) {
		json_decref(footer);
		json_decref(by_name);
		return NULL;
	}
	if (extra)
		json_object_update(footer, extra);
	for (unsigned int i = 0; losses && i < NR_LOSS_CLASSES; i++)
		json_object_set_new(by_name, loss_name(i), json_integer((json_int_t)losses[i]));
	json_object_set_new(footer, "losses", by_name);
	set_default(footer, "end_ns", json_integer((json_int_t)clock_ns(CLOCK_MONOTONIC)));
	json_object_set_new(footer, "events", json_integer((json_int_t)w->events.total));
	json_object_set_new(footer, "spans", json_integer((json_int_t)w->spans.total));
	json_object_set_new(footer, "ops", json_integer((json_int_t)w->ops.total));
	json_object_set_new(footer, "not_written", json_integer((json_int_t)w->not_written));
	if (w->error)
		json_object_set_new(footer, "write_error", json_string(strerror(-w->error)));
	return footer;
}

int vft_writer_close(struct vft_writer *w, const uint64_t *losses, json_t *extra)
{
	json_t *footer;
	int err, first;

	vft_writer_flush(w);
	first = w->error;
	/* A reader that has a cut chunk, has gone or takes nothing, cannot use a footer. */
	if (!first || !w->output.may_stall) {
		footer = footer_json(w, losses, extra);
		err = footer ? write_json_chunk(w, VFT_CHUNK_FOOTER, footer) : -ENOMEM;
		json_decref(footer);
		if (!first)
			first = err;
	}
	/* Network file systems report a full disk only here. */
	if (close(w->output.fd) && !first)
		first = -errno;
	free_writer(w);
	return first;
}

void vft_writer_abandon(struct vft_writer *w)
{
	close(w->output.fd);
	free_writer(w);
}

uint64_t vft_writer_bytes(const struct vft_writer *w)
{
	return w->bytes;
}

uint64_t vft_writer_records(const struct vft_writer *w)
{
	return w->records;
}

uint64_t vft_writer_not_written(const struct vft_writer *w)
{
	return w->not_written;
}

void vft_writer_on_stall(struct vft_writer *w, vft_stall_fn stalled, void *ctx)
{
	w->output.stalled = stalled;
	w->output.stalled_ctx = ctx;
}
