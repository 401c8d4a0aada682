// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reading small text files, a piece at a time, so that garbage is given up at its first piece.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lib/compiler.h"
#include "lib/msg.h"
#include "lib/text_file.h"

#define PIECE_BYTES (64u << 10)

int text_check(const char *name, const char *kind, const char *text, size_t len)
{
	const char *nul = memchr(text, '\0', len);
	size_t line = 1;

	if (!nul)
		return 0;
	for (const char *s = text; (s = memchr(s, '\n', nul - s)); s++)
		line++;
	msg_error("%s:%zu: no %s: it holds NUL bytes", name, line, kind);
	return -EINVAL;
}

/* One more piece. 0, 1 at the end of the file, or -errno. */
static int read_piece(int fd, char **text, size_t *len, size_t limit)
{
	size_t room = min_u64(limit, *len + PIECE_BYTES);
	char *more = realloc(*text, room + 1);
	ssize_t n;

	if (!more)
		return -ENOMEM;
	*text = more;
	do
		n = read(fd, more + *len, room - *len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	*len += n;
	more[*len] = '\0';
	return !n;
}

static int read_all(int fd, const char *path, const char *kind, size_t max, char **text,
		    size_t *len)
{
	int rc = 0;

	while (!rc) {
		size_t before = *len;

		if (before > max) {
			msg_error("%s: no %s: larger than %zu KiB", path, kind, max >> 10);
			return -EINVAL;
		}
		rc = read_piece(fd, text, len, max + 1);
		/* From the start, for the number of the line. */
		if (rc >= 0 && memchr(*text + before, '\0', *len - before))
			return text_check(path, kind, *text, *len);
	}
	if (rc < 0 && rc != -ENOMEM)
		msg_error("cannot read %s '%s': %s", kind, path, strerror(-rc));
	return rc < 0 ? rc : 0;
}

int text_file_read(const char *path, const char *kind, size_t max, char **text, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;

	*text = NULL;
	*len = 0;
	if (fd < 0) {
		err = -errno;
		msg_error("cannot open %s '%s': %s", kind, path, strerror(errno));
		return err;
	}
	err = read_all(fd, path, kind, max, text, len);
	close(fd);
	if (err) {
		free(*text);
		*text = NULL;
	}
	return err;
}
