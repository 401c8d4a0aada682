// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fio job file syntax: comments, sections, includes. Follows fio 3.33's init.c: '#' and ';' begin
 * a comment anywhere in a line, a section whose name begins with "global" sets defaults for those
 * after it, "include FILE" is as if the file's lines stood there.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/array.h"
#include "lib/compiler.h"
#include "lib/msg.h"
#include "lib/text_file.h"
#include "workloads/fio_parse.h"

/* Files being read, innermost first: to refuse a cycle and to print where we are. */
struct include_level {
	const struct include_level *outer;
	const char *path;
	dev_t dev;
	ino_t ino;
	unsigned int depth;
	bool from_memory;
};

static int keep_string(struct fio_text *text, char *s)
{
	char **more = realloc(text->strings, (text->nr_strings + 1) * sizeof(*more));

	if (!more) {
		free(s);
		return -ENOMEM;
	}
	text->strings = more;
	more[text->nr_strings++] = s;
	return 0;
}

static char *trim(char *s)
{
	char *end;

	while (isspace((unsigned char)*s))
		s++;
	end = s + strcspn(s, ";#");
	while (end > s && isspace((unsigned char)end[-1]))
		end--;
	*end = '\0';
	return s;
}

static int add_section(struct fio_text *text, const struct include_level *at, uint32_t number,
		       char *line)
{
	char *end = strrchr(line, ']');
	struct fio_section *section;
	int err;

	if (!end || end[1] || end == line + 1) {
		msg_error("%s:%u: '%.60s' is not a section: write [NAME]", at->path, number, line);
		return -EINVAL;
	}
	if (text->nr_sections == FIO_MAX_SECTIONS) {
		msg_error("%s:%u: more than %u sections", at->path, number, FIO_MAX_SECTIONS);
		return -EINVAL;
	}
	err = array_grow((void **)&text->sections, text->nr_sections, sizeof(*text->sections));
	if (err)
		return err;
	*end = '\0';
	section = &text->sections[text->nr_sections++];
	*section = (struct fio_section){
		.path = at->path,
		.number = number,
		.name = line + 1,
		.first = text->nr_lines,
		.is_global = !strncmp(line + 1, "global", 6),
	};
	return 0;
}

static int add_line(struct fio_text *text, const struct include_level *at, uint32_t number,
		    char *line)
{
	char *value = strchr(line, '=');
	int err;

	if (!text->nr_sections) {
		msg_error("%s:%u: '%.60s' stands before the first section: begin the file with "
			  "[global] or a job's [NAME]",
			  at->path, number, line);
		return -EINVAL;
	}
	if (value) {
		*value++ = '\0';
		while (isspace((unsigned char)*value))
			value++;
		line = trim(line);
	}
	if (!*line) {
		msg_error("%s:%u: a value without an option name", at->path, number);
		return -EINVAL;
	}
	err = array_grow((void **)&text->lines, text->nr_lines, sizeof(*text->lines));
	if (err)
		return err;
	text->lines[text->nr_lines++] = (struct fio_line){at->path, number, line, value};
	text->sections[text->nr_sections - 1].count++;
	return 0;
}

static int read_level(struct fio_text *text, const struct include_level *outer, const char *path);

static int include(struct fio_text *text, const struct include_level *at, uint32_t number,
		   const char *name)
{
	const char *slash = strrchr(at->path, '/');
	char *path;
	int err;

	if (at->from_memory) {
		msg_error("%s:%u: include needs a job file on disk", at->path, number);
		return -EINVAL;
	}
	if (at->depth + 1 >= FIO_MAX_INCLUDE_DEPTH) {
		msg_error("%s:%u: include is nested more than %d deep", at->path, number,
			  FIO_MAX_INCLUDE_DEPTH);
		return -EINVAL;
	}
	/* As fio does: beside the including file first, then from the working directory. */
	if (*name == '/' || !slash)
		err = asprintf(&path, "%s", name);
	else
		err = asprintf(&path, "%.*s/%s", (int)(slash - at->path), at->path, name);
	if (err < 0)
		return -ENOMEM;
	if (access(path, F_OK) && *name != '/') {
		free(path);
		path = strdup(name);
		if (!path)
			return -ENOMEM;
	}
	err = keep_string(text, path);
	if (err)
		return err;
	/* Without this, 16 files that include each other twice would be read 2^16 times. */
	if (text->nr_strings > FIO_MAX_INCLUDES) {
		msg_error("%s:%u: more than %d included files", at->path, number, FIO_MAX_INCLUDES);
		return -EINVAL;
	}
	if (access(path, R_OK)) {
		msg_error("%s:%u: cannot include '%s': %s", at->path, number, path,
			  strerror(errno));
		return -EINVAL;
	}
	return read_level(text, at, path);
}

static int parse_line(struct fio_text *text, const struct include_level *at, uint32_t number,
		      char *line)
{
	line = trim(line);
	if (!*line)
		return 0;
	if (*line == '[')
		return add_section(text, at, number, line);
	if (!strncmp(line, "include", 7) && isspace((unsigned char)line[7]))
		return include(text, at, number, trim(line + 7));
	return add_line(text, at, number, line);
}

/* data becomes ours and is cut up in place. */
static int parse_data(struct fio_text *text, const struct include_level *at, char *data, size_t len)
{
	char *next = data;
	uint32_t number = 0;
	int err;

	err = keep_string(text, data);
	if (err)
		return err;
	err = text_check(at->path, "fio job file", data, len);
	if (err)
		return err;
	while (next) {
		char *line = strsep(&next, "\n");

		err = parse_line(text, at, ++number, line);
		if (err)
			return err;
	}
	return 0;
}

static int check_cycle(const struct include_level *at)
{
	for (const struct include_level *l = at->outer; l; l = l->outer)
		if (l->dev == at->dev && l->ino == at->ino) {
			msg_error("%s: includes itself (through '%s')", at->path, at->outer->path);
			return -EINVAL;
		}
	return 0;
}

static int read_level(struct fio_text *text, const struct include_level *outer, const char *path)
{
	struct include_level at = {
		.outer = outer, .path = path, .depth = outer ? outer->depth + 1 : 0};
	struct stat st;
	char *data = NULL;
	size_t len = 0;
	int err = 0;

	/* What cannot be opened is text_file_read()'s to tell. */
	if (!stat(path, &st)) {
		at.dev = st.st_dev;
		at.ino = st.st_ino;
		err = check_cycle(&at);
	}
	if (!err)
		err = text_file_read(path, "fio job file", FIO_MAX_FILE_BYTES, &data, &len);
	return err ? err : parse_data(text, &at, data, len);
}

int fio_text_read(struct fio_text *text, const char *path)
{
	char *name = strdup(path);
	int err;

	memset(text, 0, sizeof(*text));
	if (!name)
		return -ENOMEM;
	err = keep_string(text, name);
	if (!err)
		err = read_level(text, NULL, name);
	if (err)
		fio_text_free(text);
	return err;
}

int fio_text_parse(struct fio_text *text, const char *name, const char *data, size_t len)
{
	struct include_level at = {.from_memory = true};
	char *copy, *label;
	int err;

	memset(text, 0, sizeof(*text));
	label = strdup(name);
	if (!label)
		return -ENOMEM;
	err = keep_string(text, label);
	if (err)
		return err;
	at.path = label;
	copy = malloc(len + 1);
	if (!copy) {
		fio_text_free(text);
		return -ENOMEM;
	}
	memcpy(copy, data, len);
	copy[len] = '\0';
	err = parse_data(text, &at, copy, len);
	if (err)
		fio_text_free(text);
	return err;
}

void fio_text_free(struct fio_text *text)
{
	for (size_t i = 0; i < text->nr_strings; i++)
		free(text->strings[i]);
	free(text->strings);
	free(text->sections);
	free(text->lines);
	memset(text, 0, sizeof(*text));
}
