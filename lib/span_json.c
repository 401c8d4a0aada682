// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Requests and ops as JSON lines. Written with fprintf: every string is a word of ours that needs
 * no escaping, and a simulation writes millions of lines. Read with jansson.
 */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>
#include "lib/compiler.h"
#include "lib/fuse_opcode.h"
#include "lib/span_json.h"

static const struct {
	uint32_t flag;
	const char *name;
} span_flag_names[] = {
	{SPAN_BACKGROUND, "background"}, {SPAN_KICKED, "kicked"},
	{SPAN_HAS_GUEST, "guest"},	 {SPAN_HAS_HOST, "host"},
	{SPAN_SKEWED, "skewed"},	 {SPAN_SIGNALLED, "signalled"},
	{SPAN_NO_REPLY, "no_reply"},	 {SPAN_ASYNC_DIO, "async_dio"},
	{SPAN_WRITABLE, "writable"},	 {SPAN_LATER, "later"},
};

static const struct {
	uint32_t flag;
	const char *name;
} op_flag_names[] = {
	{OP_DIRECT, "direct"},
	{OP_ASYNC, "async"},
	{OP_FOPEN_DIRECT, "fopen_direct"},
	{OP_INVALIDATE, "invalidate"},
	{OP_HINT_RANDOM, "hint_random"},
	{OP_HINT_SEQUENTIAL, "hint_sequential"},
	{OP_FAULT_WRITE, "fault_write"},
	{OP_MAP_PRIVATE, "map_private"},
	{OP_WILLNEED, "willneed"},
	{OP_TRUNCATES, "truncates"},
	{OP_SIZE_KNOWN, "size_known"},
	{OP_DAX, "dax"},
};

static void write_stages(FILE *out, const struct span *s)
{
	for (int i = 0; i < NR_STAGES; i++) {
		if (s->stages_known & 1u << i)
			fprintf(out, "%s\"%s\":%" PRIu64, i ? "," : "", stage_name(i),
				s->stage_ns[i]);
		else
			fprintf(out, "%s\"%s\":null", i ? "," : "", stage_name(i));
	}
}

static void write_mapping(FILE *out, const struct span *s)
{
	if (s->opcode != FUSE_SETUPMAPPING && s->opcode != FUSE_REMOVEMAPPING)
		return;
	fprintf(out, ",\"window_offset\":%" PRIu64 ",\"ranges\":%u",
		(uint64_t)s->window_range * FUSE_DAX_RANGE_BYTES,
		s->size_bytes / FUSE_DAX_RANGE_BYTES);
}

/* As all else in this file, but a name may hold anything. */
static void write_path(FILE *out, const char *path)
{
	fputs(",\"path\":\"", out);
	for (const unsigned char *c = (const unsigned char *)path; *c; c++) {
		if (*c == '"' || *c == '\\')
			fprintf(out, "\\%c", *c);
		else if (*c < 0x20 || *c == 0x7f)
			fprintf(out, "\\u%04x", *c);
		else
			fputc(*c, out);
	}
	fputc('"', out);
}

int span_json_write(FILE *out, const struct span *s)
{
	return span_json_write_named(out, s, NULL);
}

int span_json_write_named(FILE *out, const struct span *s, const char *path)
{
	const char *comma = "";

	fprintf(out,
		"{\"type\":\"request\",\"t_issue_ns\":%" PRIu64 ",\"conn\":%" PRIu32
		",\"queue\":%u,\"unique\":%" PRIu64 ",\"opcode\":\"%s\",\"opcode_nr\":%" PRIu32
		",\"nodeid\":%" PRIu64 ",\"offset\":%" PRIu64 ",\"size\":%" PRIu32
		",\"class\":\"%s\",\"sg_out\":%u,\"sg_in\":%u,\"reply_bytes\":%" PRIu32
		",\"error\":%" PRId32,
		s->t_issue_ns, s->conn, s->queue, s->unique, fuse_opcode_name(s->opcode), s->opcode,
		s->nodeid, s->offset_bytes, s->size_bytes, span_class_name(s->cls), s->sg_out,
		s->sg_in, s->reply_bytes, s->error);
	write_mapping(out, s);
	if (path)
		write_path(out, path);
	fprintf(out,
		",\"task\":%" PRIu32 ",\"cpu\":%" PRIu32 ",\"op_id\":%" PRIu64
		",\"inflight\":%u,\"ring_full_retries\":%u,\"flags\":[",
		s->task, s->cpu, s->op_id, s->inflight, s->ring_full_retries);
	for (size_t i = 0; i < ARRAY_SIZE(span_flag_names); i++)
		if (s->flags & span_flag_names[i].flag) {
			fprintf(out, "%s\"%s\"", comma, span_flag_names[i].name);
			comma = ",";
		}
	fprintf(out, "],\"latency_ns\":%" PRIu64 ",\"stages\":{", span_latency_ns(s));
	write_stages(out, s);
	fprintf(out,
		"},\"unsplit_ns\":%" PRIu64 ",\"host_io_ns\":%" PRIu64 ",\"doorbell_ns\":%" PRIu64,
		s->unsplit_ns, s->host_io_ns, s->doorbell_ns);
	if (s->cpu_wait_ns)
		fprintf(out, ",\"cpu_wait_ns\":%" PRIu64, s->cpu_wait_ns);
	fprintf(out, "}\n");
	return ferror(out) ? -EIO : 0;
}

int op_json_write(FILE *out, const struct op_record *op)
{
	return op_json_write_named(out, op, NULL);
}

int op_json_write_named(FILE *out, const struct op_record *op, const char *path)
{
	const char *comma = "";

	fprintf(out,
		"{\"type\":\"op\",\"op\":\"%s\",\"t_start_ns\":%" PRIu64 ",\"t_end_ns\":%" PRIu64
		",\"op_id\":%" PRIu64 ",\"conn\":%" PRIu32 ",\"nodeid\":%" PRIu64
		",\"offset\":%" PRIu64 ",\"size\":%" PRIu32 ",\"result\":%" PRId64
		",\"task\":%" PRIu32 ",\"nr_requests\":%" PRIu32 ",\"flags\":[",
		op_type_name(op->type), op->t_start_ns, op->t_end_ns, op->op_id, op->conn,
		op->nodeid, op->offset_bytes, op->size_bytes, op->result, op->task,
		op->nr_requests);
	for (size_t i = 0; i < ARRAY_SIZE(op_flag_names); i++)
		if (op->flags & op_flag_names[i].flag) {
			fprintf(out, "%s\"%s\"", comma, op_flag_names[i].name);
			comma = ",";
		}
	fprintf(out, "]");
	if (op->flags & OP_DAX)
		fprintf(out, ",\"range_wait_ns\":%" PRIu64, op->range_wait_ns);
	if (path)
		write_path(out, path);
	if (op->flags & OP_PAGES_KNOWN)
		fprintf(out, ",\"pages_missed\":%" PRIu32, op->pages_missed);
	if (op->dir_nodeid)
		fprintf(out, ",\"dir_nodeid\":%" PRIu64, op->dir_nodeid);
	if (op->nr_throttled)
		fprintf(out, ",\"nr_throttled\":%" PRIu32 ",\"throttled_ns\":%" PRIu64,
			op->nr_throttled, op->throttled_ns);
	fprintf(out, "}\n");
	return ferror(out) ? -EIO : 0;
}

/* Reads keys one by one and remembers the first that is missing or out of range. */
struct key_reader {
	json_t *object;
	const char *bad;
};

static int64_t get_int(struct key_reader *r, const char *key, int64_t low, int64_t high)
{
	json_t *value = json_object_get(r->object, key);

	if (!json_is_integer(value) || json_integer_value(value) < low ||
	    json_integer_value(value) > high) {
		if (!r->bad)
			r->bad = key;
		return 0;
	}
	return json_integer_value(value);
}

static uint64_t get_u64(struct key_reader *r, const char *key)
{
	return get_int(r, key, 0, INT64_MAX);
}

static uint32_t get_u32(struct key_reader *r, const char *key)
{
	return get_int(r, key, 0, UINT32_MAX);
}

static uint16_t get_u16(struct key_reader *r, const char *key)
{
	return get_int(r, key, 0, UINT16_MAX);
}

static const char *get_word(struct key_reader *r, const char *key)
{
	const char *word = json_string_value(json_object_get(r->object, key));

	if (!word && !r->bad)
		r->bad = key;
	return word ? word : "";
}

static uint16_t span_class(struct key_reader *r)
{
	const char *word = get_word(r, "class");

	for (int i = 0; i < NR_SPAN_CLASSES; i++)
		if (!strcmp(word, span_class_name(i)))
			return i;
	if (!r->bad)
		r->bad = "class";
	return SPAN_OTHER;
}

static void parse_stages(struct key_reader *r, struct span *span)
{
	struct key_reader stages = {.object = json_object_get(r->object, "stages")};

	for (int i = 0; i < NR_STAGES; i++) {
		if (json_is_null(json_object_get(stages.object, stage_name(i))))
			continue;
		span->stage_ns[i] = get_u64(&stages, stage_name(i));
		span->stages_known |= 1u << i;
	}
	if (stages.bad && !r->bad)
		r->bad = stages.bad;
}

static uint32_t window_range(struct key_reader *r)
{
	if (!json_object_get(r->object, "window_offset"))
		return 0;
	return get_int(r, "window_offset", 0, (int64_t)UINT32_MAX * FUSE_DAX_RANGE_BYTES) /
	       FUSE_DAX_RANGE_BYTES;
}

static void parse_request(struct key_reader *r, struct span *span)
{
	json_t *word;
	size_t i;

	*span = (struct span){
		.t_issue_ns = get_u64(r, "t_issue_ns"),
		.unique = get_u64(r, "unique"),
		.nodeid = get_u64(r, "nodeid"),
		.offset_bytes = get_u64(r, "offset"),
		.size_bytes = get_u32(r, "size"),
		.reply_bytes = get_u32(r, "reply_bytes"),
		.error = get_int(r, "error", INT32_MIN, INT32_MAX),
		.conn = get_u32(r, "conn"),
		.opcode = get_u32(r, "opcode_nr"),
		.task = get_u32(r, "task"),
		.cpu = get_u32(r, "cpu"),
		.queue = get_u16(r, "queue"),
		.cls = span_class(r),
		.ring_full_retries = get_u16(r, "ring_full_retries"),
		.sg_out = get_u16(r, "sg_out"),
		.sg_in = get_u16(r, "sg_in"),
		.inflight = get_u16(r, "inflight"),
		.window_range = window_range(r),
		.unsplit_ns = get_u64(r, "unsplit_ns"),
		.host_io_ns = get_u64(r, "host_io_ns"),
		.doorbell_ns = get_u64(r, "doorbell_ns"),
		.op_id = get_u64(r, "op_id"),
	};
	json_array_foreach(
		json_object_get(r->object, "flags"), i,
		word) for (size_t k = 0; k < ARRAY_SIZE(span_flag_names);
			   k++) if (json_is_string(word) &&
				    !strcmp(json_string_value(word), span_flag_names[k].name))
		span->flags |= span_flag_names[k].flag;
	parse_stages(r, span);
}

/* Keys that only some ops have. */
static void parse_optional(struct key_reader *r, struct op_record *op)
{
	if (json_object_get(r->object, "pages_missed")) {
		op->flags |= OP_PAGES_KNOWN;
		op->pages_missed = get_u32(r, "pages_missed");
	}
	if (json_object_get(r->object, "dir_nodeid"))
		op->dir_nodeid = get_u64(r, "dir_nodeid");
	if (json_object_get(r->object, "nr_throttled")) {
		op->nr_throttled = get_u32(r, "nr_throttled");
		op->throttled_ns = get_u64(r, "throttled_ns");
	}
}

static void parse_op(struct key_reader *r, struct op_record *op)
{
	int type = op_type_from_name(get_word(r, "op"));
	json_t *word;
	size_t i;

	*op = (struct op_record){
		.t_start_ns = get_u64(r, "t_start_ns"),
		.t_end_ns = get_u64(r, "t_end_ns"),
		.op_id = get_u64(r, "op_id"),
		.nodeid = get_u64(r, "nodeid"),
		.offset_bytes = get_u64(r, "offset"),
		.result = get_int(r, "result", INT64_MIN, INT64_MAX),
		.size_bytes = get_u32(r, "size"),
		.conn = get_u32(r, "conn"),
		.task = get_u32(r, "task"),
		.type = type < 0 ? 0 : type,
		.nr_requests = get_u32(r, "nr_requests"),
	};
	json_array_foreach(
		json_object_get(r->object, "flags"), i,
		word) for (size_t k = 0; k < ARRAY_SIZE(op_flag_names);
			   k++) if (json_is_string(word) &&
				    !strcmp(json_string_value(word), op_flag_names[k].name))
		op->flags |= op_flag_names[k].flag;
	if (op->flags & OP_DAX)
		op->range_wait_ns = get_u64(r, "range_wait_ns");
	parse_optional(r, op);
	if (type < 0 && !r->bad)
		r->bad = "op";
}

int span_json_parse(const char *line, struct span *span, struct op_record *op, char *err,
		    size_t err_len)
{
	json_error_t why;
	struct key_reader r = {.object = json_loads(line, 0, &why)};
	const char *type = json_string_value(json_object_get(r.object, "type"));
	int kind = -EINVAL;

	if (!r.object) {
		snprintf(err, err_len, "not JSON: %s", why.text);
		return -EINVAL;
	}
	if (type && !strcmp(type, "request")) {
		parse_request(&r, span);
		kind = SPAN_JSON_REQUEST;
	} else if (type && !strcmp(type, "op")) {
		parse_op(&r, op);
		kind = SPAN_JSON_OP;
	} else {
		r.bad = "type";
	}
	if (r.bad) {
		snprintf(err, err_len, "key '%s' is missing or has no valid value", r.bad);
		kind = -EINVAL;
	}
	json_decref(r.object);
	return kind;
}
