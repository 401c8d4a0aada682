/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages for people, all on stderr. stdout belongs to results.
 *
 * An error says what was tried, on what, why it failed and what to do.
 */
#ifndef VFSCOPE_LIB_MSG_H
#define VFSCOPE_LIB_MSG_H

#include <stdarg.h>
#include <stdbool.h>
#include "lib/compiler.h"

enum msg_level {
	MSG_ERROR,
	MSG_WARN,
	MSG_INFO,
	MSG_DEBUG,
};

/* Shown are levels up to this one. Set once by main from -q and -v. Default MSG_INFO. */
void msg_set_level(enum msg_level level);
enum msg_level msg_level(void);

void msg_error(const char *fmt, ...) PRINTF_LIKE(1, 2); /* "vfscope: error: ..." */
void msg_warn(const char *fmt, ...) PRINTF_LIKE(1, 2);
void msg_info(const char *fmt, ...) PRINTF_LIKE(1, 2);
void msg_debug(const char *fmt, ...) PRINTF_LIKE(1, 2);
void msg_vprint(enum msg_level level, const char *fmt, va_list ap);

/* A progress line on stderr, rewritten in place; nothing when stderr is not a terminal. */
void msg_progress(const char *fmt, ...) PRINTF_LIKE(1, 2);
void msg_progress_end(void);

#endif
