// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Numbers with units: the only place that turns text into quantities and back.
 */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "lib/compiler.h"
#include "lib/units.h"

struct unit {
	const char *name;
	double factor;
};

/* As in fio: k is 1024 with or without "i" and "b". */
static const struct unit size_units[] = {
	{"", 1},
	{"b", 1},
	{"k", 1024},
	{"kb", 1024},
	{"kib", 1024},
	{"m", 1048576},
	{"mb", 1048576},
	{"mib", 1048576},
	{"g", 1073741824},
	{"gb", 1073741824},
	{"gib", 1073741824},
	{"t", 1099511627776.0},
	{"tb", 1099511627776.0},
	{"tib", 1099511627776.0},
};

static const struct unit time_units[] = {
	{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9},
};

int parse_u64(const char *text, uint64_t *value)
{
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	errno = 0;
	*value = strtoull(text, &end, 10);
	if (errno)
		return -errno;
	return *end ? -EINVAL : 0;
}

int parse_double(const char *text, double *value)
{
	char *end;

	if (!*text || isspace((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	*value = strtod(text, &end);
	if (*end || (!isfinite(*value) && errno != ERANGE))
		return -EINVAL;
	return isfinite(*value) ? 0 : -ERANGE;
}

int parse_share(const char *text, double *share)
{
	size_t len = strlen(text);
	char number[64];
	int err;

	if (!len || text[len - 1] != '%')
		return parse_double(text, share);
	if (len > sizeof(number))
		return -EINVAL;
	memcpy(number, text, len - 1);
	number[len - 1] = '\0';
	err = parse_double(number, share);
	*share /= 100;
	return err;
}

static int parse_with_unit(const char *text, const struct unit *units, size_t nr_units,
			   uint64_t *value)
{
	uint64_t whole;
	double number;
	bool fraction;
	char *end;

	/* No sign, hex, "inf" or "nan": a quantity starts with a digit or a point. */
	if (!isdigit((unsigned char)text[0]) &&
	    !(text[0] == '.' && isdigit((unsigned char)text[1])))
		return -EINVAL;
	if (text[0] == '0' && (text[1] | 32) == 'x')
		return -EINVAL;
	errno = 0;
	whole = strtoull(text, &end, 10);
	fraction = errno || *end == '.' || *end == 'e';
	number = fraction ? strtod(text, &end) : (double)whole;
	for (size_t i = 0; i < nr_units; i++) {
		if (strcasecmp(end, units[i].name))
			continue;
		number *= units[i].factor;
		/* Doubles lose the low bits of whole numbers above 2^53. */
		if (!fraction && units[i].factor == 1) {
			*value = whole;
			return 0;
		}
		if (errno || number >= 0x1.0p64)
			return -ERANGE;
		*value = (uint64_t)(number + 0.5);
		return 0;
	}
	return -EINVAL;
}

int parse_size(const char *text, uint64_t *bytes)
{
	return parse_with_unit(text, size_units, ARRAY_SIZE(size_units), bytes);
}

int parse_time_ns(const char *text, uint64_t *ns)
{
	return parse_with_unit(text, time_units, ARRAY_SIZE(time_units), ns);
}

static int decimals_of(double scaled)
{
	return fabs(scaled) >= 99.95 ? 0 : fabs(scaled) >= 9.995 ? 1 : 2;
}

/*
 * Three significant digits, in the largest unit in which the number is at least 1 as printed: 999.6
 * us are 1.00 ms.
 */
static char *format_scaled(double value, const struct unit *units, size_t nr_units,
			   bool short_whole, char *buf, size_t len)
{
	size_t i = nr_units - 1;
	double scaled;
	bool whole;

	while (i && fabs(value) < units[i].factor)
		i--;
	if (i + 1 < nr_units &&
	    nearbyint(value / units[i].factor) * units[i].factor >= units[i + 1].factor)
		i++;
	scaled = value / units[i].factor;
	whole = scaled == floor(scaled) && (short_whole || units[i].factor == 1);
	snprintf(buf, len, "%.*f%s", whole ? 0 : decimals_of(scaled), scaled, units[i].name);
	return buf;
}

char *format_ns(double ns, char *buf, size_t len)
{
	static const struct unit units[] = {{" ns", 1}, {" us", 1e3}, {" ms", 1e6}, {" s", 1e9}};

	return format_scaled(ns, units, ARRAY_SIZE(units), false, buf, len);
}

char *format_bytes(double bytes, char *buf, size_t len)
{
	static const struct unit units[] = {
		{" B", 1},
		{" KiB", 1024},
		{" MiB", 1048576},
		{" GiB", 1073741824},
		{" TiB", 1099511627776.0},
	};

	return format_scaled(bytes, units, ARRAY_SIZE(units), true, buf, len);
}

char *format_count(double count, char *buf, size_t len)
{
	static const struct unit units[] = {{"", 1}, {"k", 1e3}, {"M", 1e6}, {"G", 1e9}};

	return format_scaled(count, units, ARRAY_SIZE(units), false, buf, len);
}
