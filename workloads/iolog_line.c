// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Strict reader of the lines of fio I/O logs: anything that fio itself would not have written or
 * would not replay is refused with its line.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>
#include "lib/compiler.h"
#include "lib/msg.h"
#include "lib/units.h"
#include "workloads/iolog_line.h"

#define MAX_BYTES (1u << 31) /* MAX_RW_COUNT of the kernel, rounded up */
#define MAX_OFFSET (1ULL << 60)
#define MAX_TIME_US (3650ULL * 86400 * 1000000)

static const char *const actions[NR_IOLOG_ACTIONS] = {
	[IOLOG_ADD] = "add",	       [IOLOG_OPEN] = "open",	[IOLOG_CLOSE] = "close",
	[IOLOG_READ] = "read",	       [IOLOG_WRITE] = "write", [IOLOG_SYNC] = "sync",
	[IOLOG_DATASYNC] = "datasync", [IOLOG_WAIT] = "wait",
};

void iolog_reader_init(struct iolog_reader *r, const struct iolog_source *source)
{
	r->source = source;
	r->position = r->line = 0;
	r->version = 0;
	r->have = r->at = 0;
}

int iolog_refuse(const struct iolog_reader *r, const char *why)
{
	msg_error("%s:%" PRIu64 ": %s", r->source->name, r->line, why);
	return -EINVAL;
}

/* More bytes into the buffer: how many, 0 at the end, or -errno after a message. */
static ssize_t fetch(struct iolog_reader *r)
{
	const struct iolog_source *s = r->source;
	ssize_t n;

	r->have = r->at = 0;
	if (s->fd < 0) {
		n = min_u64(sizeof(r->buffer), s->len - r->position);
		memcpy(r->buffer, s->data + r->position, n);
	} else {
		do {
			n = pread(s->fd, r->buffer, sizeof(r->buffer), r->position);
		} while (n < 0 && errno == EINTR);
		if (n < 0) {
			n = -errno;
			msg_error("cannot read I/O log '%s': %s", s->name, strerror(errno));
			return n;
		}
	}
	r->have = n;
	r->position += n;
	return n;
}

/* The next line into text, without its end. 1; 0 at the end of the file; negative after a message.
 */
static int read_text(struct iolog_reader *r)
{
	size_t len = 0;

	r->line++;
	for (;;) {
		ssize_t n = r->at == r->have ? fetch(r) : 1;
		char c;

		if (n < 0)
			return n;
		if (!n && !len)
			return 0;
		c = n ? r->buffer[r->at++] : '\n';
		if (c == '\n')
			break;
		if (!c)
			return iolog_refuse(r, "not an I/O log of fio: it holds NUL bytes");
		if (len + 1 == sizeof(r->text))
			return iolog_refuse(r, "not an I/O log of fio: a line is too long");
		r->text[len++] = c;
	}
	r->text[len] = '\0';
	return 1;
}

static int read_version(struct iolog_reader *r)
{
	int rc = read_text(r);

	if (rc < 0)
		return rc;
	if (rc && !strcmp(r->text, "fio version 2 iolog"))
		r->version = 2;
	else if (rc && !strcmp(r->text, "fio version 3 iolog"))
		r->version = 3;
	else
		return iolog_refuse(r, "not an I/O log of fio: its first line must be 'fio version "
				       "2 iolog' or 'fio version 3 iolog'");
	return 0;
}

static int find_action(const char *word)
{
	for (int i = 0; i < NR_IOLOG_ACTIONS; i++)
		if (!strcmp(word, actions[i]))
			return i;
	return -ENOENT;
}

static int parse_numbers(struct iolog_reader *r, char *const *field, struct iolog_line *line)
{
	uint64_t bytes;

	if (parse_u64(field[0], &line->offset) || parse_u64(field[1], &bytes))
		return iolog_refuse(r, "offset and size must be whole numbers of bytes");
	line->bytes = bytes;
	switch (line->action) {
	case IOLOG_READ:
	case IOLOG_WRITE:
		if (!bytes || bytes > MAX_BYTES)
			return iolog_refuse(r, "the size must be 1 byte to 2 GiB");
		if (line->offset > MAX_OFFSET)
			return iolog_refuse(r, "the offset is beyond 1 EiB");
		return 0;
	case IOLOG_WAIT:
		if (r->version == 3)
			return iolog_refuse(r, "wait is of version 2; in version 3 each line has "
					       "its time");
		if (line->offset > MAX_TIME_US / 1000)
			return iolog_refuse(r, "a wait of more than 10 years");
		return 0;
	default:
		return 0;
	}
}

static int parse_fields(struct iolog_reader *r, char *const *field, int nr, struct iolog_line *line)
{
	int action, after = r->version == 3 ? 3 : 2;

	if (nr < after)
		return iolog_refuse(r, r->version == 3 ? "not 'MICROSECONDS FILE ACTION ...'"
						       : "not 'FILE ACTION ...'");
	line->time_us = 0;
	if (r->version == 3 && (parse_u64(field[0], &line->time_us) || line->time_us > MAX_TIME_US))
		return iolog_refuse(r, "the time must be a whole number of microseconds");
	line->file = field[after - 2];
	action = find_action(field[after - 1]);
	if (action < 0 && !strcmp(field[after - 1], "trim"))
		return iolog_refuse(r, "trims are not modelled");
	if (action < 0)
		return iolog_refuse(r, "unknown action; known: add, open, close, read, write, "
				       "sync, datasync, wait");
	line->action = action;
	line->offset = line->bytes = 0;
	if (action <= IOLOG_CLOSE)
		return nr == after ? 0 : iolog_refuse(r, "add, open and close have no numbers");
	if (nr != after + 2)
		return iolog_refuse(r, "an offset and a size must follow the action");
	return parse_numbers(r, &field[after], line);
}

int iolog_read_line(struct iolog_reader *r, struct iolog_line *line)
{
	char *field[6], *next, *word;
	int nr = 0, rc;

	if (!r->version) {
		rc = read_version(r);
		if (rc)
			return rc;
	}
	rc = read_text(r);
	if (rc <= 0)
		return rc;
	if (!strncmp(r->text, "fio version ", 12))
		return iolog_refuse(r, "a second log begins here: fio appends to a log that is "
				       "there; remove it first, and write one log per process");
	next = r->text;
	while ((word = strsep(&next, " \t"))) {
		if (!*word)
			continue;
		if (nr == ARRAY_SIZE(field))
			return iolog_refuse(r, "too many words");
		field[nr++] = word;
	}
	if (!nr)
		return iolog_refuse(r, "an empty line");
	rc = parse_fields(r, field, nr, line);
	return rc ? rc : 1;
}
