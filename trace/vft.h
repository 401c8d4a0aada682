/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * .vft trace files: writer and salvaging reader. docs/vft-format.md describes every byte.
 *
 *	file header | header chunk (JSON) | data chunks ... | footer chunk (JSON)
 *
 * Each chunk is compressed and carries its length, record count and CRC32 of the payload; the file
 * header is fixed-size. A file without footer was interrupted: whole chunks are read, and the
 * reader says so. A reader never allocates more than a few times VFT_MAX_CHUNK_BYTES, whatever the
 * file claims.
 */
#ifndef VFSCOPE_TRACE_VFT_H
#define VFSCOPE_TRACE_VFT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "bpf/events.h"

#define VFT_VERSION 2
#define VFT_OLDEST_VERSION 1 /* that is read: has no packed events */
#define VFT_MAX_CHUNK_BYTES (4u << 20) /* uncompressed */

enum vft_kind {
	VFT_GUEST = 1, /* raw guest events */
	VFT_HOST = 2, /* raw host events */
	VFT_JOINED = 3, /* spans and ops */
};

enum vft_chunk_type {
	VFT_CHUNK_HEADER = 1, /* JSON: where, what, with which settings it was recorded */
	VFT_CHUNK_EVENTS = 2, /* events of bpf/events.h, back to back, in arrival order */
	VFT_CHUNK_SPANS = 3, /* array of struct span */
	VFT_CHUNK_OPS = 4, /* array of struct op_record */
	VFT_CHUNK_FOOTER = 5, /* JSON: totals, loss counters, end time */
};

const char *vft_kind_name(enum vft_kind kind); /* "guest", "host", "joined" */

/* As a path to write to: standard output. */
#define VFT_STDOUT "-"

struct vft_writer;

/*
 * Create path (mode 0600, truncating) and write the header, a JSON object that the writer does not
 * keep. Readers find in it at least: "kind", "start_ns" (CLOCK_MONOTONIC), "start_realtime_ns",
 * "hostname", "kernel", "arch", "vfscope_version". 0 or -errno; *out is NULL on error.
 */
int vft_writer_open(struct vft_writer **out, const char *path, enum vft_kind kind, json_t *header);

/* Append one record; buffered, a chunk is written and flushed to the kernel when full. 0 or -errno.
 */
int vft_write_event(struct vft_writer *w, const struct event_header *event);
struct span;
struct op_record;
int vft_write_span(struct vft_writer *w, const struct span *span);
int vft_write_op(struct vft_writer *w, const struct op_record *op);

/* Write out what is buffered as a chunk now (called about once a second, to bound what kill -9
 * loses). */
int vft_writer_flush(struct vft_writer *w);

/*
 * Write the footer and close. losses has NR_LOSS_CLASSES entries; extra (may be NULL, not kept) is
 * merged into the footer. The writer is freed whatever is returned. 0 or -errno of the first
 * failure.
 */
int vft_writer_close(struct vft_writer *w, const uint64_t *losses, json_t *extra);

/* Close without a footer, so that the file reads as interrupted. Frees the writer. */
void vft_writer_abandon(struct vft_writer *w);

uint64_t vft_writer_bytes(const struct vft_writer *w);
uint64_t vft_writer_records(const struct vft_writer *w); /* accepted */
uint64_t vft_writer_not_written(const struct vft_writer *w); /* of these; known after a flush */

struct vft_stall {
	uint64_t for_ns; /* since the reader took something last */
	uint64_t waited_ns, taken_bytes; /* in all: until it did, and what it took */
};

/*
 * Asked whenever the reader of a pipe, FIFO or socket leaves no room, and ten times a second while
 * it does. 0: wait on. -errno: give up; that is what the write fails with, and nothing more is
 * written, not even a footer. Without one, writes wait for ever.
 */
typedef int (*vft_stall_fn)(void *ctx, const struct vft_stall *stall);
void vft_writer_on_stall(struct vft_writer *w, vft_stall_fn stalled, void *ctx);

struct vft_reader;

enum vft_record_type {
	VFT_RECORD_END,
	VFT_RECORD_EVENT,
	VFT_RECORD_SPAN,
	VFT_RECORD_OP,
};

struct vft_record {
	enum vft_record_type type;
	union {
		const struct event_header
			*event; /* 8-aligned, h.size bytes, zero-extended to what we know */
		const struct span *span;
		const struct op_record *op;
	};
};

/*
 * Open and read the header. -EINVAL or -EBADMSG after a message that names the file and what is
 * wrong with it (empty, not a .vft file, newer version, damaged header); -errno of open otherwise.
 */
int vft_reader_open(struct vft_reader **out, const char *path);
void vft_reader_close(struct vft_reader *r);

/* No warnings from here on: for programs that read a file more than once. */
void vft_reader_set_quiet(struct vft_reader *r);

/*
 * Next record; valid until the next call. Damaged chunks are skipped and counted, a missing footer
 * ends the file (both said once, as a warning, when met). 0, or -errno if reading itself failed.
 */
int vft_read(struct vft_reader *r, struct vft_record *record);

enum vft_kind vft_reader_kind(const struct vft_reader *r);
const json_t *vft_reader_header(const struct vft_reader *r); /* borrowed */
const json_t *
vft_reader_footer(const struct vft_reader *r); /* borrowed; NULL before the end or if cut */
bool vft_reader_interrupted(
	const struct vft_reader *r); /* no footer; known after the last record */

/*
 * Loss counters: the footer's, plus LOSS_DAMAGED counted here. Complete after VFT_RECORD_END.
 */
const uint64_t *vft_reader_losses(const struct vft_reader *r);

#endif
