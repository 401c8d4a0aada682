// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reads .vft files, whole or damaged: every length is checked against the file and the format's
 * limits before it is believed, and what is not whole is counted and left out.
 *
 * The file is read once, front to back, so that pipes work too. A chunk whose header is damaged is
 * skipped by searching for the next header with a right checksum.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>
#include "lib/compiler.h"
#include "lib/loss.h"
#include "lib/msg.h"
#include "lib/op.h"
#include "lib/span.h"
#include "trace/event_size.h"
#include "trace/vft.h"
#include "trace/vft_format.h"
#include "trace/vft_input.h"
#include "trace/vft_packed.h"

/* Largest record that is handed out zero-extended. */
union known_record {
	struct event_header event;
	struct guest_request_event guest_request;
	struct guest_op_event guest_op;
	struct guest_writeback_event guest_writeback;
	struct guest_path_event guest_path;
	struct aggregate_event aggregate;
	struct host_chain_event host_chain;
	struct host_syscall_event host_syscall;
	struct host_used_event host_used;
	struct span span;
	struct op_record op;
};

struct vft_reader {
	struct vft_input input;
	int error; /* reading failed, -errno */
	enum vft_kind kind;
	ZSTD_DCtx *zstd;
	uint8_t *payload;
	size_t payload_size;
	struct vft_streams streams;
	uint8_t *raw; /* the current chunk; 8-aligned */
	size_t raw_size;
	struct vft_chunk_header chunk;
	uint32_t at; /* offset in raw of the next record */
	uint32_t left; /* records of the chunk not yet handed out */
	uint32_t stride; /* bytes of a span or op as the writer knew it */
	uint32_t next_sequence;
	bool ended, is_damaged, quiet;
	uint64_t delivered;
	uint64_t damaged; /* records known to be lost */
	json_t *header, *footer;
	uint64_t losses[NR_LOSS_CLASSES];
	union known_record extended;
};

/* Bytes read (less than len only at the end of the file), or -errno after a message. */
static ssize_t read_bytes(struct vft_reader *r, void *into, size_t len)
{
	ssize_t n = vft_input_read(&r->input, into, len);

	if (n < 0)
		r->error = (int)n;
	return n;
}

static RARE void note_damage(struct vft_reader *r, uint64_t records, const char *what)
{
	/* Once per file: a trace with many damaged chunks must not flood the terminal. */
	if (!r->is_damaged && !r->quiet)
		msg_warn("%s: %s near byte %" PRIu64 "; what is damaged is left out", r->input.path,
			 what, r->input.offset);
	r->is_damaged = true;
	r->damaged += records;
}

static bool header_is_right(const struct vft_chunk_header *h)
{
	return h->magic == VFT_CHUNK_MAGIC &&
	       h->crc == vft_crc(h, offsetof(struct vft_chunk_header, crc));
}

/* 1: found one; 0: end of file; -errno. */
static int next_chunk_header(struct vft_reader *r)
{
	uint8_t *bytes = (uint8_t *)&r->chunk;
	ssize_t n = read_bytes(r, bytes, sizeof(r->chunk));

	if (n <= 0)
		return (int)n;
	if (n < (ssize_t)sizeof(r->chunk))
		return 0; /* cut off: the missing footer tells */
	while (!header_is_right(&r->chunk)) {
		note_damage(r, 0, "damaged chunk");
		memmove(bytes, bytes + 1, sizeof(r->chunk) - 1);
		n = read_bytes(r, bytes + sizeof(r->chunk) - 1, 1);
		if (n <= 0)
			return (int)n;
	}
	return 1;
}

static int skip_bytes(struct vft_reader *r, uint64_t len)
{
	uint8_t scrap[4096];

	while (len) {
		ssize_t n = read_bytes(r, scrap, min_u64(len, sizeof(scrap)));

		if (n <= 0)
			return (int)n;
		len -= n;
	}
	return 1;
}

static uint32_t raw_limit(const struct vft_chunk_header *h)
{
	return h->type == VFT_CHUNK_HEADER || h->type == VFT_CHUNK_FOOTER ? VFT_MAX_JSON_BYTES
									  : VFT_MAX_CHUNK_BYTES;
}

static bool sizes_are_sane(const struct vft_reader *r)
{
	const struct vft_chunk_header *h = &r->chunk;

	if (h->raw_bytes > raw_limit(h) || h->stored_bytes > ZSTD_compressBound(raw_limit(h)))
		return false;
	if (h->encoding == VFT_ENCODING_RAW && h->stored_bytes != h->raw_bytes)
		return false;
	/* Every record holds at least an event_header. */
	return h->records <= h->raw_bytes / sizeof(struct event_header);
}

/* 0, -EBADMSG, or -ENOMEM. */
static int unpack(struct vft_reader *r)
{
	const struct vft_chunk_header *h = &r->chunk;
	size_t got = SIZE_MAX;

	if (vft_crc(r->payload, h->stored_bytes) != h->payload_crc)
		return -EBADMSG;
	if (h->encoding == VFT_ENCODING_PACKED)
		return vft_unpack(&r->streams, r->zstd, r->raw, h->raw_bytes, r->payload,
				  h->stored_bytes);
	if (h->encoding == VFT_ENCODING_ZSTD)
		got = ZSTD_decompressDCtx(r->zstd, r->raw, h->raw_bytes, r->payload,
					  h->stored_bytes);
	if (h->encoding == VFT_ENCODING_RAW) {
		got = h->stored_bytes; /* as many as raw_bytes: see sizes_are_sane() */
		memcpy(r->raw, r->payload, got);
	}
	return got == h->raw_bytes ? 0 : -EBADMSG;
}

/* Reads the payload of r->chunk into r->raw. 1: whole; 0: left out, and counted; -errno. */
static int read_payload(struct vft_reader *r)
{
	const struct vft_chunk_header *h = &r->chunk;
	ssize_t n;
	int err;

	if (!sizes_are_sane(r)) {
		note_damage(r, 1, "chunk with impossible sizes");
		return skip_bytes(r, h->stored_bytes) < 0 ? r->error : 0;
	}
	/* A cut file must not make us allocate what it only claims to hold. */
	if (r->input.offset + h->stored_bytes > r->input.file_bytes) {
		note_damage(r, h->records, "chunk cut off");
		return skip_bytes(r, h->stored_bytes) < 0 ? r->error : 0;
	}
	if (vft_reserve(&r->payload, &r->payload_size, h->stored_bytes) ||
	    vft_reserve(&r->raw, &r->raw_size, h->raw_bytes))
		return r->error = -ENOMEM;
	n = read_bytes(r, r->payload, h->stored_bytes);
	if (n < 0)
		return (int)n;
	if (n < (ssize_t)h->stored_bytes) {
		note_damage(r, h->records, "chunk cut off");
		return 0;
	}
	err = unpack(r);
	if (err == -ENOMEM)
		return r->error = err;
	if (err) {
		note_damage(r, h->records, "chunk whose checksum does not match");
		return 0;
	}
	return 1;
}

/* Next whole chunk into r->chunk and r->raw. 1, 0 at the end of the file, or -errno. */
static int next_chunk(struct vft_reader *r)
{
	int got;

	for (;;) {
		got = next_chunk_header(r);
		if (got <= 0)
			return got;
		if (r->chunk.sequence != r->next_sequence) {
			note_damage(r, 0, "chunks missing or out of order");
		}
		r->next_sequence = r->chunk.sequence + 1;
		got = read_payload(r);
		if (got)
			return got;
	}
}

static json_t *parse_json_chunk(const struct vft_reader *r)
{
	json_t *object = json_loadb((const char *)r->raw, r->chunk.raw_bytes, 0, NULL);

	if (json_is_object(object))
		return object;
	json_decref(object);
	return NULL;
}

static int check_file_header(struct vft_reader *r)
{
	struct vft_file_header h;
	ssize_t n = read_bytes(r, &h, sizeof(h));

	if (n < 0)
		return (int)n;
	if (!n) {
		msg_error("%s is empty: it was never written to, record again", r->input.path);
		return -EBADMSG;
	}
	if (memcmp(h.magic, VFT_MAGIC, min_u64(n, VFT_MAGIC_BYTES))) {
		msg_error(
			"%s is not a .vft trace (wrong first bytes); 'vfscope record' writes them",
			r->input.path);
		return -EINVAL;
	}
	if (n < (ssize_t)sizeof(h)) {
		msg_error("%s is cut off after %zd bytes, within its file header; nothing can be "
			  "read from it",
			  r->input.path, n);
		return -EBADMSG;
	}
	if (h.crc != vft_crc(&h, offsetof(struct vft_file_header, crc))) {
		msg_error("%s has a damaged file header (checksum does not match); take another "
			  "copy or record again",
			  r->input.path);
		return -EBADMSG;
	}
	if (h.version < VFT_OLDEST_VERSION || h.version > VFT_VERSION) {
		msg_error("%s has format version %" PRIu32
			  ", this vfscope reads versions %d to %d; "
			  "use the vfscope that wrote it, or a newer one",
			  r->input.path, h.version, VFT_OLDEST_VERSION, VFT_VERSION);
		return -EINVAL;
	}
	if (h.kind < VFT_GUEST || h.kind > VFT_JOINED) {
		msg_error("%s holds an unknown kind of trace (%" PRIu32 ")", r->input.path, h.kind);
		return -EINVAL;
	}
	r->kind = h.kind;
	return 0;
}

static int read_header_chunk(struct vft_reader *r)
{
	int got = next_chunk(r);

	if (got < 0)
		return got;
	if (got && r->chunk.type == VFT_CHUNK_HEADER && r->chunk.sequence == 0)
		r->header = parse_json_chunk(r);
	if (r->header)
		return 0;
	msg_error("%s: the header chunk, which says what was recorded, is damaged or missing; take "
		  "another copy or record again",
		  r->input.path);
	return -EBADMSG;
}

int vft_reader_open(struct vft_reader **out, const char *path)
{
	struct vft_reader *r = calloc(1, sizeof(*r));
	int err = -ENOMEM;

	*out = NULL;
	if (!r)
		return -ENOMEM;
	r->input.fd = -1;
	r->zstd = ZSTD_createDCtx();
	if (!r->zstd)
		goto out;
	err = vft_input_open(&r->input, path);
	if (!err)
		err = check_file_header(r);
	if (!err)
		err = read_header_chunk(r);
out:
	if (err) {
		vft_reader_close(r);
		return err;
	}
	*out = r;
	return 0;
}

void vft_reader_close(struct vft_reader *r)
{
	if (!r)
		return;
	json_decref(r->header);
	json_decref(r->footer);
	ZSTD_freeDCtx(r->zstd);
	vft_streams_free(&r->streams);
	free(r->payload);
	free(r->raw);
	vft_input_close(&r->input);
	free(r);
}

void vft_reader_set_quiet(struct vft_reader *r)
{
	r->quiet = true;
}

static uint64_t footer_number(const json_t *object, const char *key)
{
	json_int_t value = json_integer_value(json_object_get(object, key));

	return value > 0 ? (uint64_t)value : 0;
}

static uint64_t add_saturated(uint64_t a, uint64_t b)
{
	return a + b < a ? UINT64_MAX : a + b;
}

/* What the footer promises and was not delivered is lost, whether or not a damaged chunk showed. */
static void account_footer(struct vft_reader *r)
{
	const json_t *by_name = json_object_get(r->footer, "losses");
	uint64_t promised = 0, not_written = footer_number(r->footer, "not_written");

	promised = add_saturated(promised, footer_number(r->footer, "events"));
	promised = add_saturated(promised, footer_number(r->footer, "spans"));
	promised = add_saturated(promised, footer_number(r->footer, "ops"));
	for (unsigned int i = 0; i < NR_LOSS_CLASSES; i++)
		r->losses[i] = footer_number(by_name, loss_name(i));
	if (promised != add_saturated(r->delivered, r->damaged))
		note_damage(r, 0, "record count differs from the footer's");
	if (promised > r->delivered)
		r->damaged = max_u64(r->damaged, promised - r->delivered);
	if (not_written && !r->quiet)
		msg_warn("%s: the recorder could not write %" PRIu64 " records (%s)", r->input.path,
			 not_written,
			 json_string_value(json_object_get(r->footer, "write_error"))
				 ?: "no reason given");
	r->damaged = add_saturated(r->damaged, not_written);
}

/* Everything was read, or nothing more can be. */
static void end_of_file(struct vft_reader *r)
{
	r->ended = true;
	if (r->footer) {
		uint8_t byte;

		account_footer(r);
		if (read_bytes(r, &byte, 1) > 0)
			note_damage(r, 1, "bytes after the footer");
	} else if (!r->error && !r->quiet) {
		msg_warn("%s has no footer: the recording was interrupted or the file is cut off; "
			 "read up to the last whole chunk, loss counters are unknown",
			 r->input.path);
	}
	/* Damage is never reported as zero, also where its size is not known. */
	if (r->is_damaged && !r->damaged)
		r->damaged = 1;
	r->losses[LOSS_DAMAGED] = add_saturated(r->losses[LOSS_DAMAGED], r->damaged);
}

static uint32_t record_bytes_known(uint16_t chunk_type)
{
	return chunk_type == VFT_CHUNK_SPANS ? sizeof(struct span) : sizeof(struct op_record);
}

/* Prepares handing out records of the chunk just read. */
static void enter_chunk(struct vft_reader *r)
{
	const struct vft_chunk_header *h = &r->chunk;

	r->at = 0;
	r->left = 0;
	switch (h->type) {
	case VFT_CHUNK_EVENTS:
		r->left = h->records;
		if (!h->records && h->raw_bytes)
			note_damage(r, 1, "chunk with a wrong record count");
		return;
	case VFT_CHUNK_SPANS:
	case VFT_CHUNK_OPS:
		r->stride = h->records ? h->raw_bytes / h->records : 0;
		if (r->stride % 8 || (uint64_t)r->stride * h->records != h->raw_bytes)
			note_damage(r, h->records ?: 1, "chunk with a wrong record count");
		else
			r->left = h->records;
		return;
	case VFT_CHUNK_FOOTER:
		r->footer = parse_json_chunk(r);
		if (!r->footer)
			note_damage(r, 1, "footer that is not JSON");
		return;
	default:
		/* A later version may add chunk types; they cannot change what the others mean. */
		msg_debug("%s: skipping a chunk of unknown type %u", r->input.path, h->type);
		return;
	}
}

/* A record shorter than the structure we know gets zeros for the fields it does not have. */
static const void *extend(struct vft_reader *r, const void *record, uint32_t size, uint32_t known)
{
	if (size >= known)
		return record;
	memcpy(&r->extended, record, size);
	memset((uint8_t *)&r->extended + size, 0, known - size);
	return &r->extended;
}

static bool take_event(struct vft_reader *r, struct vft_record *record)
{
	const uint8_t *at = r->raw + r->at;
	const struct event_header *h = (const struct event_header *)at;
	uint32_t room = r->chunk.raw_bytes - r->at;

	if (room < sizeof(*h) || h->size < sizeof(*h) || h->size % 8 || h->size > room) {
		note_damage(r, r->left, "event with an impossible size");
		r->left = 0;
		return false;
	}
	record->type = VFT_RECORD_EVENT;
	record->event = extend(r, at, h->size, event_known_size(h->type));
	r->at += h->size;
	r->left--;
	if (!r->left && r->at != r->chunk.raw_bytes)
		note_damage(r, 1, "chunk with a wrong record count");
	return true;
}

static bool take_fixed(struct vft_reader *r, struct vft_record *record)
{
	const void *data = extend(r, r->raw + r->at, r->stride, record_bytes_known(r->chunk.type));

	if (r->chunk.type == VFT_CHUNK_SPANS) {
		record->type = VFT_RECORD_SPAN;
		record->span = data;
	} else {
		record->type = VFT_RECORD_OP;
		record->op = data;
	}
	r->at += r->stride;
	r->left--;
	return true;
}

/* On to records, of this chunk or a later one. False at the end, and if reading failed. */
static RARE bool find_records(struct vft_reader *r)
{
	while (!r->left && !r->ended && !r->error) {
		int got = r->footer ? 1 : next_chunk(r);

		if (got > 0 && !r->footer)
			enter_chunk(r);
		else if (got >= 0)
			end_of_file(r);
	}
	return r->left;
}

int vft_read(struct vft_reader *r, struct vft_record *record)
{
	bool taken = false;

	while (!taken && (r->left || find_records(r)))
		taken = r->chunk.type == VFT_CHUNK_EVENTS ? take_event(r, record)
							  : take_fixed(r, record);
	if (!taken)
		record->type = VFT_RECORD_END;
	r->delivered += taken;
	return r->error;
}

enum vft_kind vft_reader_kind(const struct vft_reader *r)
{
	return r->kind;
}

const json_t *vft_reader_header(const struct vft_reader *r)
{
	return r->header;
}

const json_t *vft_reader_footer(const struct vft_reader *r)
{
	return r->footer;
}

bool vft_reader_interrupted(const struct vft_reader *r)
{
	return r->ended && !r->footer;
}

const uint64_t *vft_reader_losses(const struct vft_reader *r)
{
	return r->losses;
}
