/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of error messages: what was said on stderr between begin and end.
 */
#ifndef VFSCOPE_TESTS_UNIT_STDERR_OF_H
#define VFSCOPE_TESTS_UNIT_STDERR_OF_H

#include <stdio.h>
#include <unistd.h>

struct stderr_of {
	FILE *file;
	int saved;
};

static inline void stderr_begin(struct stderr_of *s)
{
	s->file = tmpfile();
	if (!s->file)
		fail_msg("no temporary file");
	fflush(stderr);
	s->saved = dup(STDERR_FILENO);
	dup2(fileno(s->file), STDERR_FILENO);
}

static inline void stderr_end(struct stderr_of *s, char *said, size_t len)
{
	size_t n;

	fflush(stderr);
	dup2(s->saved, STDERR_FILENO);
	close(s->saved);
	rewind(s->file);
	n = fread(said, 1, len - 1, s->file);
	said[n] = '\0';
	fclose(s->file);
}

#endif
