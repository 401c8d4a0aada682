// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Distributions as text, the form in which model files and --set carry them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/compiler.h"
#include "lib/dist.h"
#include "lib/units.h"

#define MAX_WORDS (DIST_MAX_POINTS + 1)

struct words {
	char text[4096];
	char *word[MAX_WORDS];
	uint32_t count;
};

static int split(struct words *w, const char *text)
{
	char *save = NULL;

	if (strlen(text) >= sizeof(w->text))
		return -EINVAL;
	strcpy(w->text, text);
	w->count = 0;
	for (char *t = strtok_r(w->text, " \t", &save); t; t = strtok_r(NULL, " \t", &save)) {
		if (w->count == MAX_WORDS)
			return -EINVAL;
		w->word[w->count++] = t;
	}
	return 0;
}

/* Costs have fractions of a nanosecond (a mean of many), so times are read as doubles. */
static int parse_ns(const char *text, double *ns)
{
	static const struct {
		const char *name;
		double factor;
	} units[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}};
	double number;
	char *end;

	number = strtod(text, &end);
	/* !(>= 0) also refuses NaN; the bound keeps sums of costs within 64 bits. */
	if (end == text || !(number >= 0))
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strcmp(end, units[i].name))
			continue;
		*ns = number * units[i].factor;
		return *ns <= 1e15 ? 0 : -ERANGE;
	}
	return number == 0 && !*end ? 0 : -EINVAL;
}

static int fail(char *err, size_t err_len, const char *what, const char *word)
{
	snprintf(err, err_len, "%s%s%s%s", what, word ? " '" : "", word ? word : "",
		 word ? "'" : "");
	return -EINVAL;
}

static int parse_times(struct dist *d, const struct words *w, uint32_t from, uint32_t want,
		       char *err, size_t err_len)
{
	double *into[] = {&d->a_ns, &d->b_ns};

	if (w->count != from + want)
		return fail(err, err_len,
			    want == 1 ? "wants one time after" : "wants two times after",
			    w->word[0]);
	for (uint32_t i = 0; i < want; i++)
		if (parse_ns(w->word[from + i], into[i]))
			return fail(err, err_len,
				    "wanted a time such as 12.5us (at most 11 days), not",
				    w->word[from + i]);
	return 0;
}

static int parse_point(struct dist *d, char *word, char *err, size_t err_len)
{
	uint32_t i = d->nr_points;
	char *equals = strchr(word, '=');

	if (!equals)
		return fail(err, err_len, "wanted PROBABILITY=TIME, not", word);
	*equals = '\0';
	if (parse_double(word, &d->prob[i]) || d->prob[i] < 0 || d->prob[i] > 1)
		return fail(err, err_len, "wanted a probability from 0 to 1, not", word);
	if (parse_ns(equals + 1, &d->value_ns[i]))
		return fail(err, err_len, "wanted a time such as 12.5us (at most 11 days), not",
			    equals + 1);
	if (i && (d->prob[i] <= d->prob[i - 1] || d->value_ns[i] < d->value_ns[i - 1]))
		return fail(err, err_len, "probabilities must rise and times must not fall at",
			    word);
	d->nr_points++;
	return 0;
}

static int parse_quantiles(struct dist *d, struct words *w, char *err, size_t err_len)
{
	for (uint32_t i = 1; i < w->count; i++) {
		int ret = parse_point(d, w->word[i], err, err_len);

		if (ret)
			return ret;
	}
	if (d->nr_points < 2 || d->prob[0] != 0 || d->prob[d->nr_points - 1] != 1)
		return fail(err, err_len, "quantiles must begin at 0= and end at 1=", NULL);
	return 0;
}

static int parse_erlang(struct dist *d, const struct words *w, char *err, size_t err_len)
{
	uint64_t shape;

	if (w->count < 2 || parse_u64(w->word[1], &shape) || shape < 1 || shape > 1000)
		return fail(err, err_len, "wants a shape from 1 to 1000 after", w->word[0]);
	d->nr_points = (uint32_t)shape;
	return parse_times(d, w, 2, 1, err, err_len);
}

int dist_parse(struct dist *d, const char *text, char *err, size_t err_len)
{
	struct words w;
	int ret;

	memset(d, 0, sizeof(*d));
	if (split(&w, text))
		return fail(err, err_len, "too long, or too many words", NULL);
	if (!w.count)
		return fail(err, err_len,
			    "is empty; wanted const, exp, uniform, erlang or quantiles", NULL);
	if (!strcmp(w.word[0], "const")) {
		d->kind = DIST_CONST;
		return parse_times(d, &w, 1, 1, err, err_len);
	}
	if (!strcmp(w.word[0], "exp")) {
		d->kind = DIST_EXP;
		return parse_times(d, &w, 1, 1, err, err_len);
	}
	if (!strcmp(w.word[0], "uniform")) {
		d->kind = DIST_UNIFORM;
		ret = parse_times(d, &w, 1, 2, err, err_len);
		if (!ret && d->b_ns < d->a_ns)
			return fail(err, err_len, "upper end is below the lower end in", w.word[2]);
		return ret;
	}
	if (!strcmp(w.word[0], "erlang")) {
		d->kind = DIST_ERLANG;
		return parse_erlang(d, &w, err, err_len);
	}
	if (!strcmp(w.word[0], "quantiles")) {
		d->kind = DIST_QUANTILES;
		return parse_quantiles(d, &w, err, err_len);
	}
	return fail(err, err_len, "wanted const, exp, uniform, erlang or quantiles, not",
		    w.word[0]);
}

/* Shortest text that reads back as the same double. */
static void shortest(double value, char *buf, size_t len)
{
	for (int digits = 1; digits <= 17; digits++) {
		snprintf(buf, len, "%.*g", digits, value);
		if (strtod(buf, NULL) == value)
			return;
	}
}

static void format_time(double ns, char *buf, size_t len)
{
	shortest(ns, buf, len);
	strncat(buf, "ns", len - strlen(buf) - 1);
}

static int format_quantiles(const struct dist *d, char *buf, size_t len)
{
	int used = snprintf(buf, len, "quantiles");

	for (uint32_t i = 0; i < d->nr_points; i++) {
		char prob[32], value[32];
		size_t at = min_u64((uint64_t)used, len);

		shortest(d->prob[i], prob, sizeof(prob));
		format_time(d->value_ns[i], value, sizeof(value));
		used += snprintf(buf + at, len - at, " %s=%s", prob, value);
	}
	return used;
}

int dist_format(const struct dist *d, char *buf, size_t len)
{
	char a[32], b[32];

	format_time(d->a_ns, a, sizeof(a));
	format_time(d->b_ns, b, sizeof(b));
	switch (d->kind) {
	case DIST_CONST:
		return snprintf(buf, len, "const %s", a);
	case DIST_EXP:
		return snprintf(buf, len, "exp %s", a);
	case DIST_UNIFORM:
		return snprintf(buf, len, "uniform %s %s", a, b);
	case DIST_ERLANG:
		return snprintf(buf, len, "erlang %u %s", d->nr_points, a);
	case DIST_QUANTILES:
		return format_quantiles(d, buf, len);
	}
	return snprintf(buf, len, "?");
}
