// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Joined traces as files: join_files() with a .vft writer as its sink, and its result as JSON.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include "lib/compiler.h"
#include "lib/loss.h"
#include "lib/msg.h"
#include "trace/join_files.h"
#include "trace/vft.h"

struct file_sink {
	const char *path;
	struct vft_writer *writer;
	bool failed;
};

static int begin(void *ctx, json_t *header)
{
	struct file_sink *sink = ctx;
	int err = vft_writer_open(&sink->writer, sink->path, VFT_JOINED, header);

	sink->failed = err;
	if (err)
		msg_error("cannot create %s: %s; choose another place with -o", sink->path,
			  strerror(-err));
	return err;
}

static int say_write_failed(struct file_sink *sink, int err)
{
	sink->failed = true;
	msg_error("cannot write the joined trace to %s: %s", sink->path, strerror(-err));
	return err;
}

static int put_span(void *ctx, const struct span *span)
{
	struct file_sink *sink = ctx;
	int err = vft_write_span(sink->writer, span);

	return err ? say_write_failed(sink, err) : 0;
}

static int put_op(void *ctx, const struct op_record *op)
{
	struct file_sink *sink = ctx;
	int err = vft_write_op(sink->writer, op);

	return err ? say_write_failed(sink, err) : 0;
}

static int put_event(void *ctx, const struct event_header *event)
{
	struct file_sink *sink = ctx;
	int err = vft_write_event(sink->writer, event);

	return err ? say_write_failed(sink, err) : 0;
}

json_t *clock_band_json(const struct clock_band *band)
{
	return json_pack("{s:I, s:I, s:f, s:f, s:f, s:I, s:I, s:f, s:I, s:I}", "t0_guest_ns",
			 (json_int_t)band->t0_guest_ns, "offset_ns", (json_int_t)band->offset_ns,
			 "drift", band->drift, "drift_min", band->drift_min, "drift_max",
			 band->drift_max, "width_ns", (json_int_t)band->width_ns,
			 "typical_width_ns", (json_int_t)band->typical_width_ns, "wander",
			 band->wander, "deviation_ns", (json_int_t)band->deviation_ns, "bounds",
			 (json_int_t)band->nr_bounds);
}

static json_t *unmatched_json(const struct unmatched *u)
{
	json_t *by_opcode = json_object();

	for (uint32_t i = 0; by_opcode && i < FUSE_OPCODE_LIMIT; i++)
		if (u->by_opcode[i])
			json_object_set_new(by_opcode, fuse_opcode_name(i),
					    json_integer((json_int_t)u->by_opcode[i]));
	return json_pack("{s:I, s:I, s:o}", "inside", (json_int_t)u->inside, "edge",
			 (json_int_t)u->edge, "inside_by_opcode", by_opcode);
}

static json_t *losses_json(const uint64_t *losses)
{
	json_t *object = json_object();

	for (unsigned int i = 0; object && i < NR_LOSS_CLASSES; i++)
		json_object_set_new(object, loss_name(i), json_integer((json_int_t)losses[i]));
	return object;
}

static json_t *assembled_json(const struct host_assembler_stats *s)
{
	const struct {
		const char *name;
		uint64_t count;
	} counts[] = {
		{"chains", s->chains},
		{"used", s->used},
		{"without_end", s->without_end},
		{"without_start", s->without_start},
		{"without_header", s->without_header},
		{"kicks", s->kicks},
		{"calls", s->calls},
		{"system_calls", s->system_calls},
		{"missing_chains", s->missing_chains},
		{"missing_used", s->missing_used},
		{"duplicates", s->duplicates},
		{"unattributed_calls", s->unattributed_calls},
	};
	json_t *object = json_object();

	for (size_t i = 0; object && i < ARRAY_SIZE(counts); i++)
		json_object_set_new(object, counts[i].name,
				    json_integer((json_int_t)counts[i].count));
	return object;
}

json_t *join_result_json(const struct join_result *r)
{
	return json_pack(
		"{s:I, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:b, "
		"s:b}",
		"connection", (json_int_t)r->conn, "daemon", (int)r->daemon, "joined",
		(json_int_t)r->joined, "joined_by_ring", (json_int_t)r->by_ring, "contradicting",
		(json_int_t)r->contradicting, "skewed", (json_int_t)r->skewed, "not_sent",
		(json_int_t)r->not_sent, "ops", (json_int_t)r->ops, "writeback_passes",
		(json_int_t)r->passes, "names", (json_int_t)r->names, "guest_without_host",
		unmatched_json(&r->guest), "host_without_guest", unmatched_json(&r->host),
		"host_assembly", assembled_json(&r->assembled), "guest_losses",
		losses_json(r->guest_losses), "host_losses", losses_json(r->host_losses),
		"guest_interrupted", r->guest_interrupted, "host_interrupted", r->host_interrupted);
}

static bool same_file(const char *a, const char *b)
{
	struct stat sa, sb;

	return !stat(a, &sa) && !stat(b, &sb) && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

static int close_file(struct file_sink *sink, const struct join_result *result)
{
	json_t *extra = json_pack("{s:o}", "join", join_result_json(result));
	int err = vft_writer_close(sink->writer, result->losses, extra);

	json_decref(extra);
	return err ? say_write_failed(sink, err) : 0;
}

int join_write(const struct join_config *config, const char *output, struct join_result *result)
{
	static const struct join_sink to_file = {
		.begin = begin, .span = put_span, .op = put_op, .event = put_event};
	struct file_sink sink = {.path = output};
	int err;

	if (same_file(output, config->guest) || same_file(output, config->host)) {
		msg_error("the output %s is one of the traces to join; choose another name",
			  output);
		return -EEXIST;
	}
	err = join_files(config, &to_file, &sink, result);
	if (!err)
		err = close_file(&sink, result);
	else if (sink.writer) /* not the whole join: leave the file without a footer */
		vft_writer_abandon(sink.writer);
	result->output_failed = sink.failed;
	return err;
}
