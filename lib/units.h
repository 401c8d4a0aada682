/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers with units, in and out: sizes (4k, 1M, 2GiB), times (15us, 2s, 100ms), plain integers.
 *
 * Parsers take the whole string or refuse it: "5x" is an error, never 5. They return 0, -EINVAL
 * (not a number, trailing text, negative) or -ERANGE (does not fit).
 */
#ifndef VFSCOPE_LIB_UNITS_H
#define VFSCOPE_LIB_UNITS_H

#include <stddef.h>
#include <stdint.h>

int parse_u64(const char *text, uint64_t *value);
int parse_size(const char *text, uint64_t *bytes); /* k, m, g, t are powers of 1024, as in fio */
int parse_time_ns(const char *text, uint64_t *ns); /* ns us ms s m h; a bare number is refused */
int parse_double(const char *text, double *value);
int parse_share(const char *text, double *share); /* "1%" or "0.01": a part of the whole */

/* "3.20 us", "14.0 ms", "1.50 s": three significant digits. Returns buf. */
char *format_ns(double ns, char *buf, size_t len);
/* "4 KiB", "1.50 MiB": three significant digits, whole ones without decimals. Returns buf. */
char *format_bytes(double bytes, char *buf, size_t len);
/* "12.3k", "1.20M": counts and rates. Returns buf. */
char *format_count(double count, char *buf, size_t len);

#endif
