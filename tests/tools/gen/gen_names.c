// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The part of gen_ops that makes, uses, renames and removes names: small files, links to them and
 * symbolic links in a few directories, told by their names or by way of symbolic links.
 */
#include <inttypes.h>
#include <string.h>
#include "lib/compiler.h"
#include "tests/tools/gen/gen_ops.h"

#define MAX_PATH 64

static struct name_state *at(struct gen *g, struct spot spot)
{
	return &g->name[spot.place][spot.name];
}

/* What a link that lies there says leads so far, if anywhere. */
static bool link_leads(const struct gen *g, const struct name_state *link, int place,
		       struct spot *to)
{
	*to = link->to;
	if (link->text == OF_DIRECTORY)
		to->place = place;
	return link->text != TO_NOWHERE && (link->text == OF_ROOT) <= !place &&
	       (link->text == OF_DIRECTORY) <= !!place && g->has_place[to->place];
}

/* Follows all links; false: they lead nowhere, or there is no end. */
static bool follow(struct gen *g, struct spot *spot)
{
	int n = 0;

	while (spot->name != PLACE_ITSELF && at(g, *spot)->kind == SYMLINK)
		if (++n > NR_PLACES * NR_NAMES || !link_leads(g, at(g, *spot), spot->place, spot))
			return false;
	return true;
}

static void write_path(const struct gen *g, struct spot spot, char path[MAX_PATH])
{
	if (spot.name == PLACE_ITSELF)
		snprintf(path, MAX_PATH, "%sd%d", g->prefix, spot.place);
	else if (spot.place)
		snprintf(path, MAX_PATH, "%sd%d/n%d", g->prefix, spot.place, spot.name);
	else
		snprintf(path, MAX_PATH, "%sn%d", g->prefix, spot.name);
}

/* A name's path; at times by way of a link to its directory. */
static void write_some_path(struct gen *g, struct spot spot, char path[MAX_PATH])
{
	int first = (int)below(g, (uint64_t)NR_PLACES * NR_NAMES);

	write_path(g, spot, path);
	if (!spot.place || below(g, 2))
		return;
	for (int i = 0; i < NR_PLACES * NR_NAMES; i++) {
		int nr = (first + i) % (NR_PLACES * NR_NAMES);
		struct spot link = {nr / NR_NAMES, nr % NR_NAMES}, end = link;

		if (at(g, link)->kind != SYMLINK || !follow(g, &end) || end.place != spot.place ||
		    end.name != PLACE_ITSELF)
			continue;
		write_path(g, link, path);
		snprintf(path + strlen(path), MAX_PATH - strlen(path), "/n%d", spot.name);
		return;
	}
}

static void path_line(struct gen *g, const char *op, const char *path, const char *rest)
{
	verb(g, op);
	printf(" %s%s\n", path, rest);
	g->left--;
}

static void name_line(struct gen *g, const char *op, struct spot spot)
{
	char path[MAX_PATH];

	write_some_path(g, spot, path);
	path_line(g, op, path, "");
}

static void place_line(struct gen *g, const char *op, int place)
{
	char path[MAX_PATH];

	write_path(g, (struct spot){place, PLACE_ITSELF}, path);
	path_line(g, op, path, "");
}

static int some_place(struct gen *g)
{
	int place;

	do
		place = (int)below(g, NR_PLACES);
	while (!g->has_place[place]);
	return place;
}

static struct spot some_spot(struct gen *g)
{
	int place = some_place(g);

	return (struct spot){place, (int)below(g, NR_NAMES)};
}

static bool place_is_empty(const struct gen *g, int place)
{
	for (int i = 0; i < NR_NAMES; i++)
		if (g->name[place][i].kind)
			return false;
	return true;
}

/* Listings in a buffer that takes less than a page of names, too. */
static void look_at_place(struct gen *g, const char *op, const char *path)
{
	char rest[32] = "";

	if (!strcmp(op, "readdir") && below(g, 3) == 0)
		snprintf(rest, sizeof(rest), " %" PRIu64, 64 + below(g, 400));
	else if (!strcmp(op, "stat") && below(g, 2))
		strcpy(rest, " follow");
	path_line(g, op, path, rest);
}

static const char *some_look_at_place(struct gen *g)
{
	static const char *const look[] = {"readdir", "readdir", "readdir", "stat",
					   "chmod",   "utimes",	 "statfs"};

	return look[below(g, ARRAY_SIZE(look))];
}

static void rename_place(struct gen *g, int place, int other)
{
	char from[MAX_PATH], to[MAX_PATH];

	write_path(g, (struct spot){place, PLACE_ITSELF}, from);
	write_path(g, (struct spot){other, PLACE_ITSELF}, to);
	verb(g, "rename");
	printf(" %s %s\n", from, to);
	g->left--;
	memcpy(g->name[other], g->name[place], sizeof(g->name[0]));
	memset(g->name[place], 0, sizeof(g->name[0]));
	g->has_place[place] = false;
	g->has_place[other] = true;
}

/* A directory comes, goes, is renamed with all that is in it, or looked at. */
void place_op(struct gen *g)
{
	int place = 1 + (int)below(g, NR_PLACES - 1), other = 1 + (int)below(g, NR_PLACES - 1);
	char path[MAX_PATH];

	if (!g->has_place[place]) {
		place_line(g, "mkdir", place);
		g->has_place[place] = true;
	} else if (place_is_empty(g, place) && below(g, 2)) {
		place_line(g, "rmdir", place);
		g->has_place[place] = false;
	} else if (!g->has_place[other] && below(g, 2)) {
		rename_place(g, place, other);
	} else {
		write_path(g, (struct spot){place, PLACE_ITSELF}, path);
		look_at_place(g, some_look_at_place(g), path);
	}
}

/*
 * To some name, which may be there: rename, or link if it is not. A link that goes up would lead
 * out of the share from its root. Names of one file stay as they are.
 */
static void rename_or_link(struct gen *g, struct spot from)
{
	struct spot to = some_spot(g);
	struct name_state *old = at(g, from), *new = at(g, to);
	bool link = old->kind == SMALL_FILE && !new->kind &&below(g, 2);
	char path[MAX_PATH], path2[MAX_PATH];

	if (old == new || (old->kind == SYMLINK && old->text == UP && !to.place))
		return;
	write_some_path(g, from, path);
	write_some_path(g, to, path2);
	verb(g, link ? "link" : "rename");
	printf(" %s %s\n", path, path2);
	g->left--;
	if (old->kind == SMALL_FILE && new->kind == SMALL_FILE && old->inode == new->inode)
		return;
	*new = *old;
	if (!link)
		old->kind = NOTHING;
}

static void remove_name(struct gen *g, struct spot spot)
{
	name_line(g, "unlink", spot);
	at(g, spot)->kind = NOTHING;
}

/* Opened, written a little and closed; what happens to its name meanwhile does not matter. */
static void use_small_file(struct gen *g, struct spot spot, const char *path, bool by_link)
{
	struct name_state *file = at(g, spot);

	path_line(g, "open", path, file->kind ? "" : " create");
	if (!file->kind)
		*file = (struct name_state){.kind = SMALL_FILE, .inode = ++g->nr_inodes};
	if (below(g, 2)) {
		verb(g, "write");
		printf(" %s %" PRIu64 " %" PRIu64 "\n", path, below(g, 3) * PAGE,
		       1 + below(g, 6000));
	}
	switch (below(g, 6)) {
	case 0:
		remove_name(g, spot);
		break;
	case 1:
		if (!by_link) /* whose name it could get, which scripts cannot say */
			rename_or_link(g, spot);
		break;
	case 2:
		name_line(g, "chmod", spot);
		break;
	}
	path_line(g, "close", path, "");
}

/* To a name or directory, which may not be there, or may be a link itself. */
static void make_link(struct gen *g, struct spot spot)
{
	struct name_state *link = at(g, spot);
	struct spot to = {(int)below(g, NR_PLACES), (int)below(g, NR_NAMES)};
	char path[MAX_PATH], target[MAX_PATH], text[MAX_PATH + 8] = "";

	write_some_path(g, spot, path);
	if (to.place && below(g, 2))
		to.name = PLACE_ITSELF;
	if (below(g, 6) == 0)
		link->text = TO_NOWHERE;
	else if (below(g, 3) == 0)
		link->text = FROM_ROOT;
	else if (!spot.place)
		link->text = OF_ROOT;
	else if (to.place == spot.place && to.name != PLACE_ITSELF)
		link->text = OF_DIRECTORY;
	else
		link->text = UP;
	link->kind = SYMLINK;
	link->to = to;
	write_path(g, to, target);
	if (link->text == OF_DIRECTORY)
		snprintf(text, sizeof(text), " n%d", to.name);
	else if (link->text != TO_NOWHERE)
		snprintf(text, sizeof(text), " %s%s",
			 link->text == UP	   ? "../"
			 : link->text == FROM_ROOT ? "/"
						   : "",
			 target);
	path_line(g, "symlink", path, text);
}

static void look_at_name(struct gen *g, const char *path)
{
	static const char *const look[] = {"stat", "stat", "lookup", "chmod", "utimes", "statfs"};
	const char *op = look[below(g, ARRAY_SIZE(look))];

	path_line(g, op, path, !strcmp(op, "stat") && below(g, 2) ? " follow" : "");
}

/* What it leads to is used by its name. */
static void use_link(struct gen *g, struct spot link, const char *path)
{
	struct spot end = link;

	if (below(g, 4) == 0)
		path_line(g, below(g, 2) ? "readlink" : "stat", path, "");
	else if (!follow(g, &end))
		path_line(g, "lookup", path, "");
	else if (end.name == PLACE_ITSELF)
		look_at_place(g, some_look_at_place(g), path);
	else if (at(g, end)->kind && below(g, 2))
		look_at_name(g, path);
	else
		use_small_file(g, end, path, true);
}

void name_op(struct gen *g)
{
	struct spot spot = some_spot(g);
	enum name_kind kind = at(g, spot)->kind;
	uint64_t dice = below(g, 10);
	char path[MAX_PATH];

	write_some_path(g, spot, path);
	if (dice == 0)
		path_line(g, "lookup", path, "");
	else if (!kind && dice < 3)
		make_link(g, spot);
	else if (kind && dice < 3)
		remove_name(g, spot);
	else if (kind && dice < 5)
		rename_or_link(g, spot);
	else if (kind == SYMLINK)
		use_link(g, spot, path);
	else if (kind && dice < 8)
		look_at_name(g, path);
	else
		use_small_file(g, spot, path, false);
}

void print_names(struct gen *g)
{
	char path[MAX_PATH];

	g->has_place[0] = true;
	for (int i = 1; i < NR_PLACES; i++) {
		g->has_place[i] = below(g, 2);
		if (!g->has_place[i])
			continue;
		printf("dir %sd%d\n", g->prefix, i);
		for (int k = 0; k < NR_NAMES; k++) {
			if (below(g, 2))
				continue;
			g->name[i][k] = (struct name_state){SMALL_FILE, .inode = ++g->nr_inodes};
			write_path(g, (struct spot){i, k}, path);
			printf("file %s %" PRIu64 "\n", path, 1 + below(g, 20000));
		}
	}
}

void make_links(struct gen *g)
{
	for (int i = 0; i < (g->names ? 3 : 1) * NR_LINKS; i++) {
		struct spot spot = some_spot(g);

		if (!at(g, spot)->kind)
			make_link(g, spot);
	}
}
