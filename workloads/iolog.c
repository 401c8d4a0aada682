// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * I/O logs as workloads: one pass that checks everything and learns the files, then streams.
 *
 * Times follow fio 3.33's replay: an op of a version 3 log starts no sooner after the start of the
 * one before than the log says, and as soon as that one has ended if it took longer.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lib/array.h"
#include "lib/compiler.h"
#include "lib/msg.h"
#include "workloads/file_extent.h"
#include "workloads/file_table.h"
#include "workloads/iolog_line.h"

struct iolog {
	uint32_t users;
	struct iolog_source source;
	char *memory;
	struct workload files; /* no tasks */
	struct file_table table;
};

/* A file during the check. */
struct file_state {
	bool is_open;
	struct file_extent extent;
};

struct checker {
	struct iolog *log;
	struct iolog_reader reader;
	struct file_state *state; /* of each file */
	uint64_t last_us;
	bool has_op;
};

void iolog_put(struct iolog *log)
{
	if (!log || --log->users)
		return;
	if (log->source.fd >= 0)
		close(log->source.fd);
	free(log->source.name);
	free(log->memory);
	free(log->files.files);
	file_table_free(&log->table);
	free(log);
}

uint32_t iolog_nr_files(const struct iolog *log)
{
	return log->files.nr_files;
}

const struct workload_file *iolog_file(const struct iolog *log, uint32_t index)
{
	return &log->files.files[index];
}

static int check_add(struct checker *c, const char *name)
{
	uint32_t index, before = c->log->files.nr_files;
	int err = array_grow((void **)&c->state, before, sizeof(*c->state));

	if (!err)
		err = file_table_find(&c->log->table, &c->log->files, name, &index);
	if (err == -ENAMETOOLONG)
		return iolog_refuse(&c->reader, "the file name is too long");
	if (err == -E2BIG)
		return iolog_refuse(&c->reader, "more than 262144 files");
	if (err)
		return err;
	if (index < before)
		return iolog_refuse(&c->reader, "this file was added before");
	c->state[index] = (struct file_state){0};
	return 0;
}

/* The file of a line, or -ENOENT. */
static int64_t find_file(struct iolog *log, const char *name)
{
	uint32_t index;

	/* Nothing is appended: a name that is not there was refused, or is refused now. */
	if (!file_table_has(&log->table, &log->files, name, &index))
		return -ENOENT;
	return index;
}

static int check_line(struct checker *c, const struct iolog_line *line)
{
	struct file_state *state;
	int64_t index;

	if (line->time_us < c->last_us)
		return iolog_refuse(&c->reader, "time goes backwards");
	c->last_us = line->time_us;
	if (line->action == IOLOG_ADD)
		return check_add(c, line->file);
	index = find_file(c->log, line->file);
	if (index < 0)
		return iolog_refuse(&c->reader, "this file was not added: write 'FILE add' first");
	state = &c->state[index];
	if (line->action == IOLOG_WAIT)
		return 0;
	if (line->action == IOLOG_OPEN && state->is_open)
		return iolog_refuse(&c->reader, "this file is open already");
	if (line->action != IOLOG_OPEN && !state->is_open)
		return iolog_refuse(&c->reader, "this file is not open");
	c->has_op = true;
	if (line->action == IOLOG_OPEN || line->action == IOLOG_CLOSE)
		state->is_open = line->action == IOLOG_OPEN;
	else if (line->action == IOLOG_READ)
		file_extent_read(&state->extent, line->offset, line->bytes);
	else if (line->action == IOLOG_WRITE)
		file_extent_write(&state->extent, line->offset, line->bytes);
	return 0;
}

static int check(struct iolog *log)
{
	struct checker *c = calloc(1, sizeof(*c));
	struct iolog_line line;
	int rc;

	if (!c)
		return -ENOMEM;
	c->log = log;
	iolog_reader_init(&c->reader, &log->source);
	while ((rc = iolog_read_line(&c->reader, &line)) > 0) {
		rc = check_line(c, &line);
		if (rc)
			break;
	}
	if (!rc && !c->has_op) {
		msg_error("%s: an I/O log without any op", log->source.name);
		rc = -EINVAL;
	}
	for (uint32_t i = 0; !rc && i < log->files.nr_files; i++)
		log->files.files[i].size_bytes = file_extent_before(&c->state[i].extent);
	free(c->state);
	free(c);
	return rc;
}

static struct iolog *new_log(const char *name)
{
	struct iolog *log = calloc(1, sizeof(*log));

	if (!log)
		return NULL;
	log->users = 1;
	log->source.fd = -1;
	log->source.name = strdup(name);
	if (log->source.name)
		return log;
	iolog_put(log);
	return NULL;
}

static int check_new(struct iolog **out, struct iolog *log)
{
	int err = check(log);

	if (err)
		iolog_put(log);
	else
		*out = log;
	return err;
}

int iolog_open(struct iolog **out, const char *path)
{
	struct iolog *log = new_log(path);
	int err;

	*out = NULL;
	if (!log)
		return -ENOMEM;
	log->source.fd = open(path, O_RDONLY | O_CLOEXEC);
	if (log->source.fd < 0) {
		err = -errno;
		msg_error("cannot open I/O log '%s': %s", path, strerror(errno));
		iolog_put(log);
		return err;
	}
	return check_new(out, log);
}

int iolog_parse(struct iolog **out, const char *name, const char *text, size_t len)
{
	struct iolog *log = new_log(name);

	*out = NULL;
	if (!log)
		return -ENOMEM;
	log->memory = malloc(len ? len : 1);
	if (!log->memory) {
		iolog_put(log);
		return -ENOMEM;
	}
	memcpy(log->memory, text, len);
	log->source.data = log->memory;
	log->source.len = len;
	return check_new(out, log);
}

struct iolog_stream {
	struct op_stream base;
	struct iolog *log;
	struct iolog_replay replay;
	uint32_t *files;
	bool *is_open; /* of each file of the log */
	uint32_t closing; /* after the end of the log: the next file to look at */
	bool at_end;
	uint64_t last_us; /* time of the line before */
	uint64_t last_start_ns; /* of the op before, in time since the task started */
	struct iolog_reader reader;
};

static enum op_type op_of(enum iolog_action action)
{
	static const enum op_type types[NR_IOLOG_ACTIONS] = {
		[IOLOG_OPEN] = OP_OPEN,	  [IOLOG_CLOSE] = OP_CLOSE, [IOLOG_READ] = OP_READ,
		[IOLOG_WRITE] = OP_WRITE, [IOLOG_SYNC] = OP_FSYNC,  [IOLOG_DATASYNC] = OP_FDATASYNC,
	};

	return types[action];
}

/* How long after the line before this one is due. */
static uint64_t delay_ns(struct iolog_stream *s, const struct iolog_line *line)
{
	uint64_t us = s->last_us ? line->time_us - min_u64(s->last_us, line->time_us) : 0;

	s->last_us = line->time_us;
	if (s->replay.no_stall)
		return 0;
	return (uint64_t)(us * NS_PER_US * 100.0 / s->replay.time_scale_percent);
}

static int emit(struct iolog_stream *s, struct workload_op *op, uint32_t file, enum op_type type)
{
	op->type = type;
	op->file = s->files[file];
	op->flags =
		(s->replay.direct ? OP_DIRECT : 0) | (type == OP_OPEN ? s->replay.open_flags : 0);
	if (type == OP_OPEN || type == OP_CLOSE)
		s->is_open[file] = type == OP_OPEN;
	return OP_STREAM_OP;
}

/* fio closes what the log left open. */
static int emit_rest(struct iolog_stream *s, struct workload_op *op)
{
	s->at_end = true;
	for (; s->closing < iolog_nr_files(s->log); s->closing++)
		if (s->is_open[s->closing])
			return emit(s, op, s->closing, OP_CLOSE);
	return OP_STREAM_END;
}

static int stream_next(struct op_stream *stream, uint64_t now_ns, struct workload_op *op)
{
	struct iolog_stream *s = (struct iolog_stream *)stream;
	uint64_t due_ns = s->last_start_ns;
	struct iolog_line line;

	*op = (struct workload_op){0};
	if (s->at_end || (s->replay.end_ns && now_ns >= s->replay.end_ns))
		return emit_rest(s, op);
	for (;;) {
		int64_t file;
		int rc = iolog_read_line(&s->reader, &line);

		if (rc < 0)
			return rc;
		if (!rc)
			return emit_rest(s, op);
		due_ns += delay_ns(s, &line);
		if (line.action == IOLOG_WAIT && !s->replay.no_stall)
			due_ns = max_u64(due_ns,
					 s->replay.start_delay_ns + line.offset * 1000 * NS_PER_US);
		if (line.action == IOLOG_ADD || line.action == IOLOG_WAIT)
			continue;
		file = find_file(s->log, line.file);
		if (file < 0) /* the log was changed meanwhile */
			return iolog_refuse(&s->reader, "this file was not there before: the log "
							"changed while it was replayed");
		if (due_ns > now_ns)
			op->not_before_ns = due_ns;
		s->last_start_ns = max_u64(now_ns, due_ns);
		op->offset_bytes = line.offset;
		op->size_bytes = line.bytes;
		return emit(s, op, file, op_of(line.action));
	}
}

static void stream_free(struct op_stream *stream)
{
	struct iolog_stream *s = (struct iolog_stream *)stream;

	iolog_put(s->log);
	free(s->files);
	free(s->is_open);
	free(s);
}

struct op_stream *iolog_stream_new(struct iolog *log, const struct iolog_replay *replay)
{
	struct iolog_stream *s = calloc(1, sizeof(*s));
	uint32_t nr = iolog_nr_files(log);

	if (!s)
		return NULL;
	s->base.next = stream_next;
	s->base.free = stream_free;
	s->log = log;
	log->users++;
	s->replay = *replay;
	s->replay.files = NULL;
	s->files = calloc(nr, sizeof(*s->files));
	s->is_open = calloc(nr, sizeof(*s->is_open));
	if (!s->files || !s->is_open) {
		stream_free(&s->base);
		return NULL;
	}
	memcpy(s->files, replay->files, nr * sizeof(*s->files));
	s->last_start_ns = replay->start_delay_ns;
	iolog_reader_init(&s->reader, &log->source);
	return &s->base;
}
