// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Paths by node id, in a tree of the C library.
 */
#include <errno.h>
#include <jansson.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "trace/path_table.h"

struct path_entry {
	uint64_t nodeid;
	uint32_t conn;
	char *path;
};

static int compare(const void *a, const void *b)
{
	const struct path_entry *x = a, *y = b;

	if (x->conn != y->conn)
		return x->conn > y->conn ? 1 : -1;
	return (x->nodeid > y->nodeid) - (x->nodeid < y->nodeid);
}

/* The kernel takes any bytes for a name, but what we print is UTF-8. */
static void make_utf8(char *text)
{
	json_t *valid = json_string(text);

	for (char *c = text; !valid && *c; c++)
		if (*c & 0x80)
			*c = '?';
	json_decref(valid);
}

/* The names come from the file up. */
void path_text(const struct guest_path_event *ev, char *buf, size_t len)
{
	const char *names[sizeof(ev->names)];
	uint32_t nr = 0;
	size_t at = 0, out = 0;

	while (nr < ev->nr_names && at < sizeof(ev->names)) {
		names[nr++] = &ev->names[at];
		at += strnlen(&ev->names[at], sizeof(ev->names) - at) + 1;
	}
	buf[0] = '\0';
	if (ev->cut)
		out = (size_t)snprintf(buf, len, ".../");
	while (nr-- && out < len) {
		int room = (int)(ev->names + sizeof(ev->names) - names[nr]);

		out += (size_t)snprintf(buf + out, len - out, "%.*s%s", room, names[nr],
					nr ? "/" : "");
	}
	make_utf8(buf);
}

int path_table_add(struct path_table *t, const struct guest_path_event *ev)
{
	char text[sizeof(ev->names) + 8];
	struct path_entry *entry = calloc(1, sizeof(*entry)), **found;

	if (!entry)
		return -ENOMEM;
	path_text(ev, text, sizeof(text));
	entry->nodeid = ev->nodeid;
	entry->conn = ev->conn;
	found = tsearch(entry, &t->root, compare);
	if (found && *found != entry) {
		free(entry);
		entry = *found;
		free(entry->path);
	}
	entry->path = strdup(text);
	if (!found) {
		free(entry->path);
		free(entry);
		return -ENOMEM;
	}
	return entry->path ? 0 : -ENOMEM;
}

const char *path_table_find(const struct path_table *t, uint32_t conn, uint64_t nodeid)
{
	struct path_entry key = {.nodeid = nodeid, .conn = conn};
	struct path_entry **found = tfind(&key, &t->root, compare);

	return found ? (*found)->path : NULL;
}

static void free_entry(void *entry)
{
	free(((struct path_entry *)entry)->path);
	free(entry);
}

void path_table_free(struct path_table *t)
{
	tdestroy(t->root, free_entry);
	t->root = NULL;
}
