// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Symbolic links of an op script: where a path leads, as far as the script has come.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "workloads/op_script_parser.h"

#define MAX_LINKS 40 /* the kernel's MAXSYMLINKS */
#define NAME_BYTES sizeof(((struct workload_file *)0)->name)

/* A path whose first parts are followed; the rest is to come. */
struct way {
	char done[NAME_BYTES];
	char rest[2 * NAME_BYTES];
	const char *at; /* in the rest */
	unsigned int nr_links;
};

static int step_up(const struct parser *p, struct way *way)
{
	char *slash = strrchr(way->done, '/');

	if (!*way->done)
		return script_bad(p, "a link leads out of the share");
	*(slash ? slash : way->done) = 0;
	return 0;
}

/* The rest is the link's text, and behind it what came behind the link. */
static int take_text(const struct parser *p, struct way *way, const char *text)
{
	char rest[sizeof(way->rest)];

	if (way->nr_links++ == MAX_LINKS)
		return script_bad(p, "links lead to each other");
	if ((size_t)snprintf(rest, sizeof(rest), "%s%s", text, way->at) >= sizeof(rest))
		return script_bad(p, "a path is too long where links lead");
	if (*text == '/')
		*way->done = 0;
	strcpy(way->rest, rest);
	way->at = way->rest;
	return 0;
}

static int take_part(const struct parser *p, struct way *way, bool follow)
{
	const char *part = way->at + (*way->at == '/');
	int len = (int)strcspn(part, "/"), path;
	char name[NAME_BYTES];

	way->at = part + len;
	if (len == 2 && !memcmp(part, "..", 2))
		return step_up(p, way);
	if ((size_t)snprintf(name, sizeof(name), "%s%s%.*s", way->done, *way->done ? "/" : "", len,
			     part) >= sizeof(name))
		return script_bad(p, "a path is too long where links lead");
	path = script_find(p, name);
	if (path >= 0 && p->state[path].kind == SCRIPT_SYMLINK && (*way->at || follow))
		return take_text(p, way, p->script->files[p->state[path].text].name);
	strcpy(way->done, name);
	return 0;
}

int script_follow(struct parser *p, uint32_t path, bool follow, uint32_t *real)
{
	struct way way = {.nr_links = 0};
	int err = 0;

	*real = path;
	if (!strcmp(p->script->files[path].name, "."))
		return 0;
	strcpy(way.rest, p->script->files[path].name);
	way.at = way.rest;
	while (*way.at && !err)
		err = take_part(p, &way, follow);
	if (err || !strcmp(way.done, p->script->files[path].name))
		return err;
	p->by_link = true;
	return script_path(p, way.done, real);
}

bool script_is_link_text(const char *text)
{
	if (*text == '/')
		return script_is_path(text + 1);
	while (!strncmp(text, "../", 3))
		text += 3;
	return strcmp(text, ".") && script_is_path(text);
}
