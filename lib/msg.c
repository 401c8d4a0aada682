// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Messages on stderr: the level, the prefixes and the progress line live here and nowhere else.
 */
#include <stdio.h>
#include <unistd.h>
#include "lib/msg.h"

static enum msg_level shown_level = MSG_INFO;
static bool progress_shown;

void msg_set_level(enum msg_level level)
{
	shown_level = level;
}

enum msg_level msg_level(void)
{
	return shown_level;
}

void msg_vprint(enum msg_level level, const char *fmt, va_list ap)
{
	static const char *const prefix[] = {
		[MSG_ERROR] = "error: ",
		[MSG_WARN] = "warning: ",
		[MSG_INFO] = "",
		[MSG_DEBUG] = "debug: ",
	};

	if (level > shown_level)
		return;
	msg_progress_end();
	fprintf(stderr, "vfscope: %s", prefix[level]);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

#define DEFINE_MSG(name, level)                                                                    \
	void name(const char *fmt, ...)                                                            \
	{                                                                                          \
		va_list ap;                                                                        \
                                                                                                   \
		va_start(ap, fmt);                                                                 \
		msg_vprint(level, fmt, ap);                                                        \
		va_end(ap);                                                                        \
	}

DEFINE_MSG(msg_error, MSG_ERROR)
DEFINE_MSG(msg_warn, MSG_WARN)
DEFINE_MSG(msg_info, MSG_INFO)
DEFINE_MSG(msg_debug, MSG_DEBUG)

void msg_progress(const char *fmt, ...)
{
	va_list ap;

	if (shown_level < MSG_INFO || !isatty(STDERR_FILENO))
		return;
	fputs("\r\033[K", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fflush(stderr);
	progress_shown = true;
}

void msg_progress_end(void)
{
	if (!progress_shown)
		return;
	fputs("\r\033[K", stderr);
	progress_shown = false;
}
