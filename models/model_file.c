// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Model files: INI text through inih, strict about everything that inih lets pass.
 *
 * inih gives no line numbers (Debian builds it without), ignores empty sections and would cut long
 * lines: the reader function it calls for each line counts, looks and refuses.
 */
#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lib/compiler.h"
#include "lib/data_file.h"
#include "lib/msg.h"
#include "lib/text_file.h"
#include "models/model_file.h"
#include "models/model_keys.h"

#define MODEL_MAX_FILE_BYTES (1u << 20)
#define MODEL_MAX_LINE 8192

struct model_reader {
	struct stack *stack;
	const char *name;
	const char *at, *end; /* text not yet handed to inih */
	unsigned int line; /* that inih has now */
	int error; /* 0, or -EINVAL after the message */
	unsigned int *seen_line; /* by slot; 0: key not seen yet */
};

static int refuse(struct model_reader *r, const char *section, const char *key, const char *value,
		  const char *why)
{
	if (!r->error)
		msg_error("%s:%u: [%s] %s%s%s: %s", r->name, r->line, section, key,
			  value ? " = " : "", value ? value : "", why);
	r->error = -EINVAL;
	return 0; /* inih: stop */
}

static void check_section(struct model_reader *r, const char *line)
{
	char name[64];
	size_t n;

	while (isspace((unsigned char)*line))
		line++;
	if (*line != '[' || r->error)
		return;
	n = strcspn(++line, "]\n");
	if (line[n] != ']' || n >= sizeof(name)) {
		msg_error("%s:%u: not a section: write [NAME]", r->name, r->line);
		r->error = -EINVAL;
		return;
	}
	memcpy(name, line, n);
	name[n] = '\0';
	if (!model_section_known(name)) {
		msg_error("%s:%u: unknown section [%s]; vfscope-model(5) lists them", r->name,
			  r->line, name);
		r->error = -EINVAL;
	}
}

/* For inih, like fgets(): one line per call. */
static char *read_line(char *buf, int size, void *stream)
{
	struct model_reader *r = stream;
	const char *newline;
	size_t n;

	if (r->error || r->at == r->end)
		return NULL;
	r->line++;
	newline = memchr(r->at, '\n', r->end - r->at);
	n = newline ? (size_t)(newline - r->at) + 1 : (size_t)(r->end - r->at);
	if (n >= (size_t)size - 1) {
		msg_error("%s:%u: line is longer than %d characters", r->name, r->line, size - 2);
		r->error = -EINVAL;
		return NULL;
	}
	memcpy(buf, r->at, n);
	buf[n] = '\0';
	r->at += n;
	check_section(r, buf);
	return r->error ? NULL : buf;
}

static int take_key(void *user, const char *section, const char *key, const char *value)
{
	struct model_reader *r = user;
	struct model_key found;
	char why[160];

	if (r->error)
		return 0;
	if (!*section)
		return refuse(r, "", key, value, "key before the first section");
	if (model_key_find(r->stack, section, key, &found))
		return refuse(r, section, key, NULL, "unknown key; vfscope-model(5) lists them");
	if (r->seen_line[found.slot]) {
		snprintf(why, sizeof(why), "given twice, first in line %u",
			 r->seen_line[found.slot]);
		return refuse(r, section, key, NULL, why);
	}
	r->seen_line[found.slot] = r->line;
	if (model_key_assign(r->stack, &found, value, why, sizeof(why)))
		return refuse(r, section, key, value, why);
	return 1;
}

static int check_given(const struct model_reader *r, const char *section, const char *name)
{
	struct model_key key;

	if (model_key_find(r->stack, section, name, &key) || r->seen_line[key.slot])
		return 0;
	msg_error("%s: [%s] %s is missing: every cost must be given (zero is 'const 0ns')", r->name,
		  section, name);
	return -EINVAL;
}

/* A cost left out would silently be zero and every prediction too fast. */
static int check_complete(const struct model_reader *r)
{
	int err = 0;

	for (int i = 0; i < NR_COSTS && !err; i++)
		err = check_given(r, "costs", cost_name(i));
	for (unsigned int i = 0; i < nr_service_settings && !err; i++)
		if (service_settings[i].type == SETTING_DIST)
			err = check_given(r, "service.default", service_settings[i].key);
	return err;
}

static int parse(struct model_reader *r)
{
	int bad_line;

	/* The library's own globals: lines as long as a distribution, no continuation lines. */
	ini_use_stack = false;
	ini_initial_alloc = ini_max_line = MODEL_MAX_LINE;
	ini_allow_multiline = false;
	ini_stop_on_first_error = true;
	bad_line = ini_parse_stream(read_line, r, take_key, r);
	if (r->error)
		return r->error;
	if (bad_line == -2)
		return -ENOMEM;
	if (bad_line) {
		msg_error("%s:%d: neither [SECTION] nor KEY = VALUE", r->name, bad_line);
		return -EINVAL;
	}
	return check_complete(r);
}

int model_parse(struct stack *stack, const char *name, const char *text, size_t len)
{
	struct model_reader r = {.stack = stack, .name = name, .at = text, .end = text + len};
	int err;

	stack_init(stack);
	err = text_check(name, "model file", text, len);
	if (err)
		return err;
	r.seen_line = calloc(model_nr_slots(), sizeof(*r.seen_line));
	if (!r.seen_line)
		return -ENOMEM;
	err = parse(&r);
	free(r.seen_line);
	return err ? err : model_check(stack);
}

/* A name is NAME.model in ./models, where calibrated ones are kept, else a shipped model. */
static int find_named(const char *name, char *path, size_t len)
{
	char file[256];

	if (snprintf(file, sizeof(file), "models/%s.model", name) >= (int)sizeof(file))
		return -ENAMETOOLONG;
	snprintf(path, len, "%s", file);
	if (access(path, F_OK) && data_file_find(file, path, len)) {
		msg_error("no model '%s': neither models/%s.model here nor a shipped one (last "
			  "looked for as '%s') can be opened. Give a path, or make one with "
			  "'vfscope calibrate'",
			  name, name, path);
		return -ENOENT;
	}
	return 0;
}

int model_read(struct stack *stack, const char *path)
{
	bool is_path = strchr(path, '/') || strchr(path, '.');
	char found[PATH_MAX] = "", *text;
	size_t len;
	int err = 0;

	snprintf(found, sizeof(found), "%s", path);
	if (!is_path)
		err = find_named(path, found, sizeof(found));
	if (!err)
		err = text_file_read(found, "model file", MODEL_MAX_FILE_BYTES, &text, &len);
	if (err)
		return err;
	err = model_parse(stack, found, text, len);
	free(text);
	return err;
}

int model_set(struct stack *stack, const char *assignment)
{
	const char *equals = strchr(assignment, '='), *dot = NULL;
	struct model_key key;
	char section[64], name[64], why[160];

	/* The last dot before '=': section names hold dots themselves (service.READ.cpu). */
	for (const char *s = assignment; equals && s < equals; s++)
		if (*s == '.')
			dot = s;
	if (!dot || (size_t)(dot - assignment) >= sizeof(section) ||
	    (size_t)(equals - dot) > sizeof(name)) {
		msg_error("--set %s: write SECTION.KEY=VALUE, like daemon.thread_pool_size=4",
			  assignment);
		return -EINVAL;
	}
	snprintf(section, sizeof(section), "%.*s", (int)(dot - assignment), assignment);
	snprintf(name, sizeof(name), "%.*s", (int)(equals - dot - 1), dot + 1);
	if (model_key_find(stack, section, name, &key)) {
		msg_error("--set %s: there is no key %s in [%s]; vfscope-model(5) lists them",
			  assignment, name, section);
		return -EINVAL;
	}
	if (model_key_assign(stack, &key, equals + 1, why, sizeof(why))) {
		msg_error("--set %s: %s", assignment, why);
		return -EINVAL;
	}
	return 0;
}

int model_check(const struct stack *stack)
{
	if (stack->transport.queue_size & (stack->transport.queue_size - 1)) {
		msg_error("model '%s': [transport] queue_size = %" PRIu32 " is not a power of two",
			  stack->name, stack->transport.queue_size);
		return -EINVAL;
	}
	return 0;
}

/* A default that stands in for a cost is shown, but must not come back as if it were known. */
static bool stands_in(const struct stack_setting *s, const void *base)
{
	return s->given_bit && !(((const struct stack *)base)->dax.given & s->given_bit);
}

static void write_section(FILE *out, const char *name, const struct stack_setting *settings,
			  unsigned int count, const void *base)
{
	char value[MODEL_MAX_VALUE];
	const char *section = name;

	if (name)
		fprintf(out, "\n[%s]\n", name);
	for (unsigned int i = 0; i < count; i++) {
		const struct stack_setting *s = &settings[i];

		if (!name && (!section || strcmp(section, s->section))) {
			section = s->section;
			fprintf(out, "\n[%s]\n", section);
		}
		if (!name)
			fprintf(out, "# %s\n", s->meaning);
		setting_format(s, (const char *)base + s->offset, value, sizeof(value));
		if (stands_in(s, base))
			fprintf(out, "#%s = %s (not known)\n", s->key,
				s->stand_in ? s->stand_in : value);
		else
			fprintf(out, "%s = %s\n", s->key, value);
	}
}

int model_write(const struct stack *stack, FILE *out, const char *comment_lines)
{
	char name[64];

	if (comment_lines)
		fputs(comment_lines, out);
	fprintf(out, "\n[model]\nname = %s\n", stack->name);
	write_section(out, NULL, stack_settings, nr_stack_settings, stack);
	fprintf(out, "\n# Service of one request, for each opcode:\n");
	for (unsigned int i = 0; i < nr_service_settings; i++)
		fprintf(out, "#   %s: %s\n", service_settings[i].key, service_settings[i].meaning);
	fprintf(out, "# [service.default] stands for opcodes without a section of their own.\n");
	write_section(out, "service.default", service_settings, nr_service_settings,
		      &stack->service_default);
	for (int i = 0; i < FUSE_OPCODE_LIMIT; i++) {
		if (!stack->service[i].known)
			continue;
		snprintf(name, sizeof(name), "service.%s", fuse_opcode_name(i));
		write_section(out, name, service_settings, nr_service_settings, &stack->service[i]);
	}
	return ferror(out) ? -EIO : 0;
}
