// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Values of fio options: numbers, lists of them, and what is said of bad ones.
 *
 * Number formats are fio's own (3.33): with its default kb_base=1024, k and kb are 1024 and ki and
 * kib are 1000. That is why lib/units is not used for sizes here.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "lib/compiler.h"
#include "lib/msg.h"
#include "lib/units.h"
#include "workloads/fio_values.h"

int fio_bad_value(const struct fio_line *line, const char *why)
{
	msg_error("%s:%u: %s=%.200s: %s", line->path, line->number, line->name,
		  line->value ? line->value : "", why);
	return -EINVAL;
}

/* Digits, then a word; the word is what follows in *rest. 0, -EINVAL or -ERANGE. */
static int parse_digits(const char *text, uint64_t *value, const char **rest)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	*value = strtoull(text, &end, !strncasecmp(text, "0x", 2) ? 16 : 10);
	if (errno)
		return -ERANGE;
	*rest = end;
	return 0;
}

int fio_size(const char *text, uint64_t *bytes)
{
	static const char letters[] = "kmgtp";
	uint64_t scale = 1, value, base;
	const char *s, *letter;
	int err;

	err = parse_digits(text, &value, &s);
	if (err)
		return err;
	letter = *s ? strchr(letters, tolower((unsigned char)*s)) : NULL;
	if (letter) {
		base = tolower((unsigned char)s[1]) == 'i' ? 1000 : 1024;
		for (int i = 0; i <= letter - letters; i++)
			scale *= base;
		s += base == 1000 ? 2 : 1;
	}
	if (*s == 'b' || *s == 'B')
		s++;
	if (*s)
		return -EINVAL;
	return __builtin_mul_overflow(value, scale, bytes) ? -ERANGE : 0;
}

int fio_time(const char *text, uint64_t bare_ns, uint64_t *ns)
{
	static const struct {
		const char *word;
		uint64_t ns;
	} units[] = {
		{"us", NS_PER_US},	    {"usec", NS_PER_US},      {"ms", 1000 * NS_PER_US},
		{"msec", 1000 * NS_PER_US}, {"s", NS_PER_SEC},	      {"sec", NS_PER_SEC},
		{"m", 60 * NS_PER_SEC},	    {"h", 3600 * NS_PER_SEC}, {"d", 86400 * NS_PER_SEC}};
	uint64_t value;
	const char *s;
	int err;

	err = parse_digits(text, &value, &s);
	if (err)
		return err;
	for (size_t i = 0; *s && i < ARRAY_SIZE(units); i++)
		if (!strcasecmp(s, units[i].word)) {
			bare_ns = units[i].ns;
			s = "";
		}
	if (*s)
		return -EINVAL;
	return __builtin_mul_overflow(value, bare_ns, ns) ? -ERANGE : 0;
}

int fio_number(const char *text, uint64_t *value)
{
	const char *rest;
	int err = parse_digits(text, value, &rest);

	return err ? err : *rest ? -EINVAL : 0;
}

int fio_percent(const char *text, uint32_t *percent)
{
	const char *rest;
	uint64_t value;

	if (parse_digits(text, &value, &rest) || strcmp(rest, "%") || value < 1 || value > 100)
		return -EINVAL;
	*percent = value;
	return 0;
}

/* "8k", "4k,8k", ",8k", "4k,8k,": an empty place keeps what was there. The third is for trims. */
int fio_apply_pair(const struct fio_line *line, uint64_t pair[FIO_NR_DIRS],
		   int (*parse)(const char *, uint64_t *))
{
	char buf[64], *next = buf, *word;
	uint64_t value;
	int n;

	if (strlen(line->value) >= sizeof(buf))
		return fio_bad_value(line, "too long");
	strcpy(buf, line->value);
	for (n = 0; (word = strsep(&next, ",")); n++) {
		if (n > 2)
			return fio_bad_value(line, "more than three values: write READ,WRITE");
		while (isspace((unsigned char)*word))
			word++;
		if (!*word)
			continue;
		if (parse(word, &value))
			return fio_bad_value(line, "not a number fio would take (4k, 4096, 4k,8k)");
		if (n < FIO_NR_DIRS)
			pair[n] = value;
		if (!n && !next)
			pair[FIO_WRITE] = value;
	}
	return 0;
}

int fio_apply_size(const struct fio_line *line, struct fio_amount *amount)
{
	*amount = (struct fio_amount){0};
	if (strchr(line->value, '%'))
		return fio_percent(line->value, &amount->percent)
			       ? fio_bad_value(line, "not 1% to 100%")
			       : 0;
	return fio_size(line->value, &amount->bytes)
		       ? fio_bad_value(line, "not a size fio would take (4096, 4k, 16m, 1g, 50%)")
		       : 0;
}

static int parse_range(char *text, struct fio_block_sizes *sizes)
{
	char *second = strpbrk(text, "-:");

	if (!second)
		return -EINVAL;
	*second++ = '\0';
	return fio_size(text, &sizes->low_bytes) || fio_size(second, &sizes->high_bytes) ? -EINVAL
											 : 0;
}

/* What the entries without a percentage share. 0, or why it cannot be. */
static const char *share_rest(struct fio_block_sizes *sizes)
{
	uint32_t sum = 0, missing = 0;

	for (uint32_t i = 0; i < sizes->nr_split; i++) {
		if (sizes->split[i].percent == UINT32_MAX)
			missing++;
		else
			sum += sizes->split[i].percent;
	}
	if (sum > 100)
		return "the percentages add up to more than 100";
	for (uint32_t i = 0; i < sizes->nr_split; i++)
		if (sizes->split[i].percent == UINT32_MAX)
			sizes->split[i].percent = (100 - sum) / missing;
	return NULL;
}

static const char *parse_split(char *text, struct fio_block_sizes *sizes)
{
	char *entry;

	sizes->nr_split = 0;
	while ((entry = strsep(&text, ":"))) {
		struct fio_split *split = &sizes->split[sizes->nr_split];
		char *slash = strchr(entry, '/');
		uint64_t percent = UINT32_MAX;

		if (sizes->nr_split++ == FIO_MAX_SPLIT)
			return "more than 64 block sizes";
		if (slash)
			*slash++ = '\0';
		if (fio_size(entry, &split->bytes) || !split->bytes)
			return "not a list of SIZE/PERCENT as 4k/30:64k/70";
		if (slash && *slash && (fio_number(slash, &percent) || percent > 100))
			return "a percentage is not 0 to 100";
		split->percent = percent;
	}
	return share_rest(sizes);
}

static const char *parse_sizes(char *text, struct fio_block_sizes *sizes, bool split)
{
	if (split)
		return parse_split(text, sizes);
	if (parse_range(text, sizes))
		return "not a range of sizes as 4k-64k";
	if (sizes->low_bytes > sizes->high_bytes) {
		uint64_t low = sizes->high_bytes;

		sizes->high_bytes = sizes->low_bytes;
		sizes->low_bytes = low;
	}
	return sizes->low_bytes ? NULL : "a block size is 0";
}

int fio_apply_sizes(const struct fio_line *line, struct fio_block_sizes sizes[FIO_NR_DIRS],
		    bool split)
{
	struct fio_block_sizes trims = {0};
	char buf[FIO_LIST_MAX], *next = buf, *word;
	int n;

	if (strlen(line->value) >= sizeof(buf))
		return fio_bad_value(line, "too long");
	strcpy(buf, line->value);
	for (n = 0; (word = strsep(&next, ",")); n++) {
		const char *why;

		if (n > 2)
			return fio_bad_value(line, "more than three values: write READ,WRITE");
		if (!*word)
			continue;
		why = parse_sizes(word, n < FIO_NR_DIRS ? &sizes[n] : &trims, split);
		if (why)
			return fio_bad_value(line, why);
		if (!n && !next)
			sizes[FIO_WRITE] = sizes[FIO_READ];
	}
	return 0;
}
