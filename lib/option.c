// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Option tables: parsing argv into a subcommand's config. Help text is option_help.c's.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include "lib/compiler.h"
#include "lib/msg.h"
#include "lib/option.h"
#include "lib/units.h"

struct parser {
	const struct command_help *cmd;
	const struct option_spec *specs;
	char *config;
	int argc;
	char **argv;
	int next; /* argv index after the word being parsed */
	int nr_positional; /* positional arguments seen */
};

static size_t edit_distance(const char *a, const char *b)
{
	size_t row[64], la = strlen(a), lb = strlen(b);

	if (la > 60 || lb > 60)
		return SIZE_MAX;
	for (size_t j = 0; j <= lb; j++)
		row[j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			best = min_u64(best, min_u64(row[j], row[j - 1]) + 1);
			row[j] = best;
		}
	}
	return row[lb];
}

static int unknown_option(const struct parser *p, const char *name)
{
	const char *closest = NULL;
	size_t best = 3;

	for (const struct option_spec *s = p->specs; s->name; s++) {
		size_t d = s->positional ? SIZE_MAX : edit_distance(name, s->name);

		if (d < best) {
			best = d;
			closest = s->name;
		}
	}
	if (closest)
		msg_error("%s: unknown option '--%s'; did you mean '--%s'? 'vfscope %s --help' "
			  "lists all",
			  p->cmd->name, name, closest, p->cmd->name);
	else
		msg_error("%s: unknown option '--%s'; 'vfscope %s --help' lists all", p->cmd->name,
			  name, p->cmd->name);
	return -EINVAL;
}

static int parse_choice(const struct option_spec *s, const char *value, uint32_t *out)
{
	for (uint32_t i = 0; s->choices[i]; i++) {
		if (!strcmp(s->choices[i], value)) {
			*out = i;
			return 0;
		}
	}
	return -EINVAL;
}

static int add_string(struct string_list *list, const char *value)
{
	if (list->count == STRING_LIST_MAX)
		return -ERANGE;
	list->items[list->count++] = value;
	return 0;
}

static int store_value(const struct option_spec *s, void *field, const char *value)
{
	uint64_t number;
	int err;

	switch (s->type) {
	case OPT_U32:
		err = parse_u64(value, &number);
		if (err || number > UINT32_MAX)
			return err ? err : -ERANGE;
		*(uint32_t *)field = (uint32_t)number;
		return 0;
	case OPT_U64:
		return parse_u64(value, field);
	case OPT_SIZE:
		return parse_size(value, field);
	case OPT_TIME:
		return parse_time_ns(value, field);
	case OPT_DOUBLE:
		return parse_double(value, field);
	case OPT_STRING:
		*(const char **)field = value;
		return 0;
	case OPT_STRINGS:
		return add_string(field, value);
	case OPT_CHOICE:
		return parse_choice(s, value, field);
	case OPT_BOOL:
	case OPT_HELP:
		break;
	}
	return -EINVAL;
}

static const char *expected(enum option_type type)
{
	switch (type) {
	case OPT_U32:
		return "a whole number from 0 to 4294967295";
	case OPT_U64:
		return "a whole number";
	case OPT_SIZE:
		return "a size such as 64k, 8m or 1g";
	case OPT_TIME:
		return "a time with its unit, such as 500ms, 10s or 2m";
	case OPT_DOUBLE:
		return "a number";
	default:
		return "another value";
	}
}

static int bad_value(const struct parser *p, const struct option_spec *s, const char *value,
		     int err)
{
	const char *dashes = s->positional ? "" : "--";

	if (s->type == OPT_STRINGS)
		msg_error("%s: %s%s may be given at most %d times", p->cmd->name, dashes, s->name,
			  STRING_LIST_MAX);
	else if (s->type == OPT_CHOICE) {
		char list[256] = "";
		size_t used = 0;

		for (int i = 0; s->choices[i] && used < sizeof(list); i++)
			used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s",
						 i ? ", " : "", s->choices[i]);
		msg_error("%s: %s%s: '%s' is none of: %s", p->cmd->name, dashes, s->name, value,
			  list);
	} else {
		msg_error("%s: %s%s: '%s' %s; wanted is %s", p->cmd->name, dashes, s->name, value,
			  err == -ERANGE ? "is out of range" : "is not accepted",
			  expected(s->type));
	}
	return -EINVAL;
}

static int store(struct parser *p, const struct option_spec *s, const char *value)
{
	int err = store_value(s, p->config + s->offset, value);

	return err ? bad_value(p, s, value, err) : 0;
}

static bool is_ambiguous(const struct parser *p, const char *name)
{
	char list[256] = "";
	int matches = 0;

	for (const struct option_spec *s = p->specs; s->name; s++) {
		size_t used = strlen(list);

		if (s->positional || strncmp(s->name, name, strlen(name)))
			continue;
		snprintf(list + used, sizeof(list) - used, "%s--%s", matches ? ", " : "", s->name);
		matches++;
	}
	if (matches < 2)
		return false;
	msg_error("%s: option '--%s' is ambiguous: it could be %s", p->cmd->name, name, list);
	return true;
}

/* Whole name, or an unambiguous beginning of one, as getopt_long() takes it. */
static const struct option_spec *find_long(const struct parser *p, const char *name)
{
	const struct option_spec *found = NULL;

	for (const struct option_spec *s = p->specs; s->name; s++) {
		if (s->positional || strncmp(s->name, name, strlen(name)))
			continue;
		if (!s->name[strlen(name)])
			return s;
		if (found)
			return NULL;
		found = s;
	}
	return found;
}

static int missing_value(const struct parser *p, const struct option_spec *s)
{
	msg_error("%s: --%s needs %s", p->cmd->name, s->name,
		  s->type == OPT_STRING || s->type == OPT_STRINGS || s->type == OPT_CHOICE
			  ? "a value"
			  : expected(s->type));
	return -EINVAL;
}

/* text is what follows the dashes: name, name=value or no-name. */
static int parse_long(struct parser *p, const char *text)
{
	const struct option_spec *s;
	const char *equals = strchr(text, '=');
	bool value = true;
	char name[64];
	size_t len = equals ? (size_t)(equals - text) : strlen(text);

	snprintf(name, sizeof(name), "%.*s", (int)min_u64(len, sizeof(name) - 1), text);
	if (!strcmp(name, "help"))
		return OPTIONS_HELP;
	s = *name ? find_long(p, name) : NULL;
	if (!s && !strncmp(name, "no-", 3)) {
		s = find_long(p, name + 3);
		if (!s || s->type != OPT_BOOL)
			return unknown_option(p, name);
		value = false;
	}
	if (!s)
		return is_ambiguous(p, name) ? -EINVAL : unknown_option(p, name);
	if (s->type == OPT_BOOL) {
		if (equals) {
			msg_error("%s: --%s takes no value, '%s' is one too many", p->cmd->name,
				  name, equals + 1);
			return -EINVAL;
		}
		*(bool *)(p->config + s->offset) = value;
		return 0;
	}
	if (equals)
		return store(p, s, equals + 1);
	if (p->next >= p->argc)
		return missing_value(p, s);
	return store(p, s, p->argv[p->next++]);
}

static const struct option_spec *find_short(const struct parser *p, char c)
{
	for (const struct option_spec *s = p->specs; s->name; s++)
		if (!s->positional && s->short_name == c)
			return s;
	return NULL;
}

/* letters is what follows the dash: bundled flags, the last of which may take a value. */
static int parse_short(struct parser *p, const char *letters)
{
	for (; *letters; letters++) {
		const struct option_spec *s = find_short(p, *letters);

		if (!s && *letters == 'h')
			return OPTIONS_HELP;
		if (!s) {
			msg_error("%s: unknown option '-%c'; 'vfscope %s --help' lists all",
				  p->cmd->name, *letters, p->cmd->name);
			return -EINVAL;
		}
		if (s->type != OPT_BOOL) {
			if (letters[1])
				return store(p, s, letters + 1);
			if (p->next >= p->argc)
				return missing_value(p, s);
			return store(p, s, p->argv[p->next++]);
		}
		*(bool *)(p->config + s->offset) = true;
	}
	return 0;
}

static int parse_positional(struct parser *p, const char *word)
{
	const struct option_spec *last = NULL;
	int i = 0;

	for (const struct option_spec *s = p->specs; s->name; s++) {
		if (!s->positional)
			continue;
		last = s;
		if (i++ == p->nr_positional) {
			p->nr_positional++;
			return store(p, s, word);
		}
	}
	/* A list at the end takes all further words. */
	if (last && last->type == OPT_STRINGS)
		return store(p, last, word);
	msg_error("%s: '%s' is one argument too many; see 'vfscope %s --help'", p->cmd->name, word,
		  p->cmd->name);
	return -EINVAL;
}

static int check_required(const struct parser *p)
{
	int i = 0;

	for (const struct option_spec *s = p->specs; s->name; s++) {
		if (!s->positional)
			continue;
		if (i++ >= p->nr_positional && s->required) {
			msg_error("%s: %s is missing; see 'vfscope %s --help'", p->cmd->name,
				  s->name, p->cmd->name);
			return -EINVAL;
		}
	}
	return 0;
}

int options_parse(const struct command_help *cmd, const struct option_spec *specs, void *config,
		  int argc, char **argv, int *rest)
{
	struct parser p = {cmd, specs, config, argc, argv, 1, 0};
	bool options_end = false;
	int ret;

	while (p.next < argc) {
		const char *word = argv[p.next];

		if (!options_end && !strcmp(word, "--")) {
			p.next++;
			options_end = true;
			if (cmd->takes_command)
				break;
			continue;
		}
		if (options_end || word[0] != '-' || !word[1]) {
			if (cmd->takes_command)
				break;
			p.next++;
			ret = parse_positional(&p, word);
		} else {
			p.next++;
			ret = word[1] == '-' ? parse_long(&p, word + 2) : parse_short(&p, word + 1);
		}
		if (ret == OPTIONS_HELP)
			options_print_help(stdout, cmd, specs);
		if (ret)
			return ret;
	}
	if (rest)
		*rest = p.next;
	return check_required(&p);
}
