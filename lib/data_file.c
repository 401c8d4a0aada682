// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where shipped files are: by the program's own path, so that neither the working directory nor a
 * moved installation matters.
 */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "lib/data_file.h"

/* The folder that the program lies in. */
static int program_folder(char *path, size_t len)
{
	ssize_t n = readlink("/proc/self/exe", path, len - 1);
	char *slash;

	if (n <= 0)
		return -ENOENT;
	path[n] = '\0';
	slash = strrchr(path, '/');
	if (!slash)
		return -ENOENT;
	*slash = '\0';
	return 0;
}

static bool is_build_folder(const char *folder)
{
	const char *slash = strrchr(folder, '/');

	return slash && !strncmp(slash + 1, "build", 5);
}

static bool found(char *path, size_t len, const char *folder, const char *middle, const char *name)
{
	return snprintf(path, len, "%s%s/%s", folder, middle, name) < (int)len &&
	       !access(path, R_OK);
}

int data_file_find(const char *name, char *path, size_t len)
{
	char folder[PATH_MAX];

	if (!program_folder(folder, sizeof(folder))) {
		if (is_build_folder(folder) && found(path, len, folder, "/..", name))
			return 0;
		if (found(path, len, folder, "/../share/vfscope", name))
			return 0;
	}
	return found(path, len, VFSCOPE_DATADIR, "", name) ? 0 : -ENOENT;
}
