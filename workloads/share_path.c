// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where the share is mounted, guessed from the names of its files: share_path.h.
 */
#include <stdio.h>
#include <string.h>
#include "workloads/share_path.h"

/* The root becomes what it and the first len characters of a directory have in common. */
static void shorten(struct share_root *root, const char *directory, size_t len)
{
	size_t same = 0, end = 0;

	while (same < len && root->path[same] && root->path[same] == directory[same]) {
		if (directory[same] == '/')
			end = same;
		same++;
	}
	if ((same == len || directory[same] == '/') &&
	    (!root->path[same] || root->path[same] == '/'))
		end = same;
	root->path[end] = 0;
}

static void contains(struct share_root *root, const char *directory, size_t len)
{
	while (len && directory[len - 1] == '/')
		len--;
	if (*directory != '/' || len >= sizeof(root->path))
		return;
	if (root->known)
		shorten(root, directory, len);
	else
		snprintf(root->path, sizeof(root->path), "%.*s", (int)len, directory);
	root->known = true;
}

void share_root_contains(struct share_root *root, const char *directory)
{
	contains(root, directory, strlen(directory));
}

void share_root_contains_file(struct share_root *root, const char *name)
{
	const char *slash = strrchr(name, '/');

	if (slash)
		contains(root, name, slash - name);
}

void share_root_strip(const struct share_root *root, struct workload *w)
{
	size_t len = strlen(root->path);

	for (uint32_t i = 0; root->known && i < w->nr_files; i++) {
		char *name = w->files[i].name;

		if (*name == '/' && !strncmp(name, root->path, len) && name[len] == '/')
			memmove(name, name + len + 1, strlen(name + len + 1) + 1);
	}
}
