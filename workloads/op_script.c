// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The op script parser.
 *
 * A script that could not be performed (reading a file that is not open, opening one that is not
 * there) is refused here, so that simulation and real run cannot differ by an error.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/array.h"
#include "lib/compiler.h"
#include "lib/msg.h"
#include "lib/text_file.h"
#include "lib/units.h"
#include "workloads/op_script_parser.h"

#define MAX_OP_BYTES (32ULL << 20)
#define PAGE 4096u

int script_bad(const struct parser *p, const char *why)
{
	msg_error("%s:%u: %s", p->name, p->number, why);
	return -EINVAL;
}

static struct held *held(struct parser *p, const struct workload_op *op)
{
	return &p->held[p->task][op->file];
}

static int parse_open(struct parser *p, struct workload_op *op)
{
	bool create = false;
	uint32_t real;
	int err = script_follow(p, op->file, true, &real);

	if (err)
		return err;
	for (int i = 2; i < p->nr_words; i++) {
		if (!strcmp(p->word[i], "direct"))
			op->flags |= OP_DIRECT;
		else if (!strcmp(p->word[i], "create"))
			create = true;
		else if (!strcmp(p->word[i], "trunc"))
			op->flags |= OP_TRUNCATES;
		else
			return script_bad(p, "want: open NAME [create] [trunc] [direct]");
	}
	if (held(p, op)->is_open)
		return script_bad(p, "the file is open already");
	if (held(p, op)->is_mapped)
		return script_bad(p, "the file is mapped still: munmap it first");
	if (p->state[real].kind == SCRIPT_DIRECTORY)
		return script_bad(p, "only regular files can be opened");
	if (!script_has_parent(p, p->script->files[real].name))
		return script_bad(p, "its directory is not there");
	if (create != !p->state[real].kind)
		return script_bad(p, create ? "the file is there already: open it without 'create'"
					    : "the file is not there: open it with 'create'");
	if (create && script_in_use(p, real))
		return script_bad(p, "the file was removed but is open or mapped still");
	if (create)
		op->flags |= OP_CREATES;
	if (op->flags & (OP_CREATES | OP_TRUNCATES))
		p->state[real].size_bytes = 0;
	p->state[op->file].size_bytes = p->state[real].size_bytes;
	held(p, op)->real = real;
	held(p, op)->by_link = p->by_link;
	held(p, op)->flags = op->flags & OP_DIRECT;
	held(p, op)->is_open = true;
	if (create)
		p->state[real].inode = ++p->nr_inodes;
	p->state[real].kind = SCRIPT_FILE;
	return 0;
}

/* Words 2 and 3: offset and size. */
static int parse_range(const struct parser *p, struct workload_op *op)
{
	uint64_t size;

	if (parse_size(p->word[2], &op->offset_bytes) ||
	    op->offset_bytes > SCRIPT_MAX_FILE_BYTES - MAX_OP_BYTES)
		return script_bad(p, "the offset is not one below 1T, like 64k");
	if (parse_size(p->word[3], &size) || !size || size > MAX_OP_BYTES)
		return script_bad(p, "the size is not one from 1 to 32M, like 4k");
	op->size_bytes = (uint32_t)size;
	return 0;
}

static int parse_io(struct parser *p, struct workload_op *op)
{
	uint64_t buffer = 0;
	int err;

	if (p->nr_words < 4 || p->nr_words > 5)
		return script_bad(p, "want: read|write NAME OFFSET SIZE [buffer=BYTES]");
	err = parse_range(p, op);
	if (err)
		return err;
	if (p->nr_words == 5 && (strncmp(p->word[4], "buffer=", 7) ||
				 parse_size(p->word[4] + 7, &buffer) || buffer > 4095))
		return script_bad(p, "want buffer=BYTES, from 0 to 4095");
	op->flags |= held(p, op)->flags;
	op->buffer_offset = (uint32_t)buffer;
	if (op->type == OP_WRITE &&
	    op->offset_bytes + op->size_bytes > p->state[op->file].size_bytes)
		p->state[op->file].size_bytes = op->offset_bytes + op->size_bytes;
	return 0;
}

static int parse_mmap(struct parser *p, struct workload_op *op)
{
	uint64_t size = p->state[op->file].size_bytes;
	int err;

	if (p->nr_words > 2 && !strcmp(p->word[p->nr_words - 1], "private")) {
		op->flags |= OP_MAP_PRIVATE;
		p->nr_words--;
	}
	if (p->nr_words != 2 && p->nr_words != 4)
		return script_bad(p, "want: mmap NAME [OFFSET SIZE] [private]");
	if (held(p, op)->is_mapped)
		return script_bad(p, "the file is mapped already: munmap it first");
	if (p->nr_words == 4) {
		err = parse_range(p, op);
		if (err)
			return err;
		size = op->size_bytes;
	}
	if (op->offset_bytes % PAGE || !size || size > UINT32_MAX)
		return script_bad(
			p, "a mapping begins at a multiple of 4k and is 1 byte to 4 GiB long");
	op->size_bytes = (uint32_t)size;
	held(p, op)->is_mapped = true;
	held(p, op)->map_is_private = op->flags & OP_MAP_PRIVATE;
	held(p, op)->map_start = op->offset_bytes;
	held(p, op)->map_end = (op->offset_bytes + size + PAGE - 1) / PAGE * PAGE;
	return 0;
}

/* Memory beyond the page in which the file ends cannot be touched (SIGBUS). */
static int parse_access(struct parser *p, struct workload_op *op)
{
	uint64_t end = (p->state[op->file].size_bytes + PAGE - 1) / PAGE * PAGE;
	int err = p->nr_words == 4 ? parse_range(p, op)
				   : script_bad(p, "want: mread|mwrite NAME OFFSET SIZE");

	if (err)
		return err;
	if (held(p, op)->map_end < end)
		end = held(p, op)->map_end;
	if (op->offset_bytes < held(p, op)->map_start || op->offset_bytes + op->size_bytes > end)
		return script_bad(p,
				  "this memory is not mapped, or lies beyond the end of the file");
	return 0;
}

static int parse_msync(struct parser *p, struct workload_op *op)
{
	int err = 0;

	if (p->nr_words != 2 && p->nr_words != 4)
		return script_bad(p, "want: msync NAME [OFFSET SIZE]");
	if (p->nr_words == 4)
		err = parse_range(p, op);
	if (err)
		return err;
	if (op->offset_bytes % PAGE || op->offset_bytes + op->size_bytes > held(p, op)->map_end ||
	    (op->size_bytes && op->offset_bytes < held(p, op)->map_start))
		return script_bad(p, "want a range of the mapping that begins at a multiple of 4k");
	return 0;
}

static int parse_truncate(struct parser *p, struct workload_op *op)
{
	if (p->nr_words != 3 || parse_size(p->word[2], &op->offset_bytes) ||
	    op->offset_bytes > INT64_MAX / 2)
		return script_bad(p, "want: truncate NAME SIZE");
	p->state[op->file].size_bytes = op->offset_bytes;
	p->state[held(p, op)->real].size_bytes = op->offset_bytes;
	return 0;
}

/* copy FROM TO OFFSET SIZE: the op's file is the target. */
static int parse_copy(struct parser *p, struct workload_op *op)
{
	uint64_t size;

	op->file2 = op->file;
	if (p->nr_words != 5 || parse_size(p->word[3], &op->offset_bytes) ||
	    op->offset_bytes > SCRIPT_MAX_FILE_BYTES - MAX_OP_BYTES ||
	    parse_size(p->word[4], &size) || !size || size > MAX_OP_BYTES)
		return script_bad(p, "want: copy FROM TO OFFSET SIZE");
	op->size_bytes = (uint32_t)size;
	if (script_path(p, p->word[2], &op->file))
		return -EINVAL;
	if (op->file == op->file2 || !held(p, op)->is_open)
		return script_bad(p, "want another file as target, which is open");
	if (op->offset_bytes < p->state[op->file2].size_bytes)
		p->state[op->file].size_bytes =
			max_u64(p->state[op->file].size_bytes,
				min_u64(op->offset_bytes + size, p->state[op->file2].size_bytes));
	return 0;
}

static int parse_advice(struct parser *p, struct workload_op *op)
{
	static const struct {
		const char *name;
		uint32_t flags;
	} advice[] = {
		{"normal", 0},
		{"random", OP_HINT_RANDOM},
		{"sequential", OP_HINT_SEQUENTIAL},
		{"dontneed", OP_INVALIDATE},
		{"willneed", OP_WILLNEED},
	};

	for (size_t i = 0; p->nr_words == 3 && i < ARRAY_SIZE(advice); i++) {
		if (strcmp(p->word[2], advice[i].name))
			continue;
		op->flags |= advice[i].flags;
		return 0;
	}
	return script_bad(p,
			  "want: fadvise|madvise NAME normal|random|sequential|dontneed|willneed");
}

static const struct verb {
	const char *name;
	enum op_type type;
	bool needs_open;
	bool needs_mapping;
	bool whole_share; /* takes no name */
	uint32_t flags;
} verbs[] = {
	{.name = "open", .type = OP_OPEN},
	{"read", OP_READ, .needs_open = true},
	{"write", OP_WRITE, .needs_open = true},
	{"fsync", OP_FSYNC, .needs_open = true},
	{"fdatasync", OP_FDATASYNC, .needs_open = true},
	{"fadvise", OP_FADVISE, .needs_open = true},
	{"truncate", OP_TRUNCATE, .needs_open = true},
	{"copy", OP_COPY, .needs_open = true},
	{"close", OP_CLOSE, .needs_open = true},
	{"mmap", OP_MMAP, .needs_open = true},
	{"mread", OP_MMAP_FAULT, .needs_mapping = true},
	{"mwrite", OP_MMAP_FAULT, .needs_mapping = true, .flags = OP_FAULT_WRITE},
	{"madvise", OP_MADVISE, .needs_mapping = true},
	{"msync", OP_MSYNC, .needs_mapping = true},
	{"munmap", OP_MUNMAP, .needs_mapping = true},
	{.name = "stat", .type = OP_STAT},
	{.name = "lookup", .type = OP_LOOKUP},
	{.name = "statfs", .type = OP_STATFS},
	{.name = "readlink", .type = OP_READLINK},
	{.name = "chmod", .type = OP_CHMOD},
	{.name = "utimes", .type = OP_UTIMES},
	{.name = "readdir", .type = OP_READDIR},
	{.name = "mkdir", .type = OP_MKDIR},
	{.name = "symlink", .type = OP_SYMLINK},
	{.name = "rmdir", .type = OP_RMDIR},
	{.name = "unlink", .type = OP_UNLINK},
	{.name = "rename", .type = OP_RENAME},
	{.name = "link", .type = OP_LINK},
	{"sync", OP_SYNC, .whole_share = true},
	{"dropcaches", OP_DROP_CACHES, .whole_share = true},
	{"mount", OP_MOUNT, .whole_share = true},
	{"umount", OP_UMOUNT, .whole_share = true},
};

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

/* Ops that take a file and nothing else. */
static int parse_plain(struct parser *p, struct workload_op *op)
{
	if (p->nr_words != 2)
		return script_bad(p, "this op takes a file's name and nothing else");
	if (op->type == OP_CLOSE)
		held(p, op)->is_open = false;
	if (op->type == OP_MUNMAP)
		held(p, op)->is_mapped = false;
	return 0;
}

static int parse_op(struct parser *p, const struct verb *verb, struct workload_op *op)
{
	int err;

	op->type = verb->type;
	if (verb->whole_share)
		return script_parse_share(p, op);
	if (p->is_unmounted)
		return script_bad(p, "the share is not mounted");
	err = p->nr_words > 1 ? script_path(p, p->word[1], &op->file)
			      : script_bad(p, "which file?");
	if (err)
		return err;
	if (verb->needs_open && !held(p, op)->is_open)
		return script_bad(p, "the file is not open");
	if (verb->needs_mapping && !held(p, op)->is_mapped)
		return script_bad(p, "the file is not mapped");
	op->flags = verb->flags;
	switch (op->type) {
	case OP_OPEN:
		return parse_open(p, op);
	case OP_READ:
	case OP_WRITE:
		return parse_io(p, op);
	case OP_TRUNCATE:
		return parse_truncate(p, op);
	case OP_COPY:
		return parse_copy(p, op);
	case OP_MMAP:
		return parse_mmap(p, op);
	case OP_MMAP_FAULT:
		return parse_access(p, op);
	case OP_MSYNC:
		return parse_msync(p, op);
	case OP_FADVISE:
	case OP_MADVISE:
		return parse_advice(p, op);
	case OP_FSYNC:
	case OP_FDATASYNC:
	case OP_CLOSE:
	case OP_MUNMAP:
		return parse_plain(p, op);
	default:
		return script_parse_names(p, op);
	}
}

static int parse_sleep(struct parser *p)
{
	uint64_t ns;

	if (p->nr_words != 2 || parse_time_ns(p->word[1], &ns) || p->think_ns[p->task] + ns < ns)
		return script_bad(p, "want: sleep TIME, like 1.2s or 50ms");
	p->think_ns[p->task] += ns;
	return 0;
}

/* The line's task: its first word may be LABEL: */
static int parse_task(struct parser *p)
{
	struct op_script *script = p->script;
	size_t len = strlen(p->word[0]);
	const char *label = "";
	uint32_t task = 0;

	if (p->word[0][len - 1] == ':') {
		p->word[0][len - 1] = 0;
		label = p->word[0];
		if (len == 1 || len > sizeof(script->tasks[0]) || p->nr_words < 2)
			return script_bad(p, "want LABEL: before an op, at most 31 characters");
	}
	while (task < script->nr_tasks && strcmp(script->tasks[task], label))
		task++;
	if (task == OP_SCRIPT_TASKS)
		return script_bad(p, "more than 16 tasks");
	if (task == script->nr_tasks)
		strcpy(script->tasks[script->nr_tasks++], label);
	p->task = task;
	if (*label)
		memmove(p->word, p->word + 1, --p->nr_words * sizeof(p->word[0]));
	return 0;
}

/* The line's time, if it has one: its first word is @TIME. */
static int parse_time(struct parser *p, uint64_t *ns)
{
	*ns = 0;
	if (p->word[0][0] != '@')
		return 0;
	if (parse_time_ns(p->word[0] + 1, ns) || p->nr_words < 2)
		return script_bad(p, "want @TIME before an op, like @12ms");
	memmove(p->word, p->word + 1, --p->nr_words * sizeof(p->word[0]));
	return 0;
}

static int parse_line(struct parser *p)
{
	struct op_script *script = p->script;
	const struct verb *verb;
	struct workload_op op = {0};
	int err = parse_time(p, &op.not_before_ns);

	p->by_link = false;
	if (err)
		return err;
	if (!strcmp(p->word[0], "file"))
		return script_declare(p, SCRIPT_FILE);
	if (!strcmp(p->word[0], "dir"))
		return script_declare(p, SCRIPT_DIRECTORY);
	err = parse_task(p);
	if (err)
		return err;
	if (!strcmp(p->word[0], "sleep"))
		return parse_sleep(p);
	verb = find_verb(p->word[0]);
	if (!verb)
		return script_bad(
			p,
			"no such op: want file, dir, sleep, open, read, write, fsync, "
			"fdatasync, close, mmap, mread, mwrite, msync, munmap, "
			"truncate, copy, fadvise, madvise, stat, lookup, statfs, readlink, chmod, "
			"utimes, readdir, mkdir, symlink, rmdir, unlink, rename, "
			"link, sync, dropcaches, mount or umount");
	err = parse_op(p, verb, &op);
	if (err)
		return err;
	if (array_grow((void **)&script->lines, script->nr_lines, sizeof(*script->lines)))
		return -ENOMEM;
	op.think_ns = p->think_ns[p->task];
	p->think_ns[p->task] = 0;
	script->lines[script->nr_lines++] = (struct op_script_line){
		.number = p->number,
		.task = p->task,
		.op = op,
		.by_link = p->by_link || held(p, &op)->by_link,
	};
	return 0;
}

static int split_and_parse(struct parser *p, char *line)
{
	char *rest, *word;

	line[strcspn(line, "#")] = 0;
	p->nr_words = 0;
	for (word = strtok_r(line, " \t\r", &rest); word; word = strtok_r(NULL, " \t\r", &rest)) {
		if (p->nr_words == SCRIPT_MAX_WORDS)
			return script_bad(p, "too many words");
		p->word[p->nr_words++] = word;
	}
	return p->nr_words ? parse_line(p) : 0;
}

static int parse_text(struct parser *p, const char *text, size_t len)
{
	const char *end = text + len;

	while (text < end) {
		const char *stop = memchr(text, '\n', end - text);
		size_t size = (stop ? stop : end) - text;
		char line[512];
		int err;

		p->number++;
		if (size >= sizeof(line) || memchr(text, 0, size))
			return script_bad(p, "not a line of an op script: too long, or not text");
		memcpy(line, text, size);
		line[size] = 0;
		err = split_and_parse(p, line);
		if (err)
			return err;
		text += size + (stop != NULL);
	}
	/* dropcaches alone finds nothing to drop. */
	if (p->script->nr_lines && p->script->nr_files)
		return 0;
	msg_error("%s: there is no %s in it", p->name, p->script->nr_lines ? "file" : "op");
	return -EINVAL;
}

int op_script_parse(const char *name, const char *text, size_t len, struct op_script *out)
{
	struct parser *p = calloc(1, sizeof(*p));
	int err;

	memset(out, 0, sizeof(*out));
	if (!p)
		return -ENOMEM;
	p->name = name;
	p->script = out;
	err = parse_text(p, text, len);
	free(p);
	if (err)
		op_script_free(out);
	return err;
}

#define MAX_SCRIPT_BYTES (16u << 20)

int op_script_read(const char *path, struct op_script *out)
{
	char *text;
	size_t len;
	int err;

	memset(out, 0, sizeof(*out));
	err = text_file_read(path, "op script", MAX_SCRIPT_BYTES, &text, &len);
	if (err)
		return err;
	err = op_script_parse(path, text, len, out);
	free(text);
	return err;
}

void op_script_free(struct op_script *script)
{
	free(script->files);
	free(script->lines);
	memset(script, 0, sizeof(*script));
}
