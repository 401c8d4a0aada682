// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reading tracefs: event numbers and the layout of records, which is what the kernel itself tells
 * of a tracepoint without BTF.
 */
#include "trace/tracefs.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lib/compiler.h"

#define MAX_FORMAT_BYTES (64 << 10) /* that of kvm_exit, with all its names, has 8 KiB */

int tracefs_open(const char *name, int flags)
{
	static const char *const mounts[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};
	char path[160];
	int fd = -1;

	for (size_t i = 0; fd < 0 && i < ARRAY_SIZE(mounts); i++) {
		snprintf(path, sizeof(path), "%s/%s", mounts[i], name);
		fd = open(path, flags | O_CLOEXEC);
	}
	return fd < 0 ? -errno : fd;
}

/* Text of events/EVENT/NAME. Its length or -errno. */
static ssize_t read_event_file(const char *event, const char *name, char *text, size_t len)
{
	char path[128];
	size_t at = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "events/%s/%s", event, name);
	fd = tracefs_open(path, O_RDONLY);
	if (fd < 0)
		return fd;
	while ((n = read(fd, text + at, len - 1 - at)) > 0)
		at += (size_t)n;
	close(fd);
	text[at] = '\0';
	return at ? (ssize_t)at : -ENOENT;
}

int tracefs_event_id(const char *event)
{
	char text[16];
	ssize_t len = read_event_file(event, "id", text, sizeof(text));

	return len < 0 ? (int)len : atoi(text);
}

/* A line is "\tfield:unsigned int exit_reason;\toffset:8;\tsize:4;\tsigned:0;". */
int tracefs_find_field(const char *format, const char *field, uint32_t size)
{
	const size_t len = strlen(field);

	for (const char *line = format; line; line = strchr(line, '\n')) {
		const char *end;
		unsigned int at, bytes;

		line += *line == '\n';
		if (strncmp(line, "\tfield:", 7))
			continue;
		end = strchr(line, ';');
		if (!end || (size_t)(end - line) < 7 + 1 + len || strncmp(end - len, field, len) ||
		    end[-(ssize_t)len - 1] != ' ')
			continue;
		if (sscanf(end, "; offset:%u; size:%u;", &at, &bytes) != 2)
			return -EPROTO;
		return bytes == size ? (int)at : -EPROTO;
	}
	return -ENOENT;
}

int tracefs_event_field(const char *event, const char *field, uint32_t size)
{
	char *text = malloc(MAX_FORMAT_BYTES);
	ssize_t len;
	int at;

	if (!text)
		return -ENOMEM;
	len = read_event_file(event, "format", text, MAX_FORMAT_BYTES);
	at = len < 0 ? (int)len : tracefs_find_field(text, field, size);
	free(text);
	return at;
}
