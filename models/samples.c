// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Robust one-dimensional fits for calibration.
 */
#include <errno.h>
#include <stdlib.h>
#include "lib/compiler.h"
#include "models/samples.h"

/* Samples of the smallest size that make those of larger ones, less their growth, superfluous. */
#define ENOUGH_OF_ONE_SIZE 30

void samples_add(struct samples *s, uint64_t value_ns, uint64_t size)
{
	struct sample *more;

	/* Grow at 0 and at each power of two from 64. */
	if (!(s->count & (s->count - 1)) && (!s->count || s->count >= 64)) {
		more = reallocarray(s->at, s->count ? 2 * s->count : 64, sizeof(*more));
		if (!more) {
			s->no_memory = true;
			return;
		}
		s->at = more;
	}
	s->at[s->count++] = (struct sample){value_ns, size};
}

void samples_free(struct samples *s)
{
	free(s->at);
	*s = (struct samples){0};
}

static int by_value(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;

	return (x->value_ns > y->value_ns) - (x->value_ns < y->value_ns);
}

static int by_size(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;

	if (x->size != y->size)
		return x->size < y->size ? -1 : 1;
	return by_value(a, b);
}

static int by_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

uint64_t samples_median(struct samples *s)
{
	if (!s->count)
		return 0;
	qsort(s->at, s->count, sizeof(*s->at), by_value);
	return s->at[s->count / 2].value_ns;
}

size_t samples_drop_above(struct samples *s, uint64_t limit_ns)
{
	size_t kept = 0, all = s->count;

	for (size_t i = 0; i < all; i++)
		if (s->at[i].value_ns <= limit_ns)
			s->at[kept++] = s->at[i];
	/* The array may now be larger than samples_add() believes: harmless, it only grows. */
	s->count = kept;
	return all - kept;
}

/* More sizes than this are put together into groups of equal count: pairs grow with the square. */
#define MAX_GROUPS 64

struct group {
	double size;
	double median_ns;
};

/* Samples are sorted by size; [first, end) becomes one group. */
static struct group make_group(struct samples *s, size_t first, size_t end)
{
	struct group g = {.size = s->at[first + (end - first) / 2].size};

	qsort(s->at + first, end - first, sizeof(*s->at), by_value);
	g.median_ns = s->at[first + (end - first) / 2].value_ns;
	return g;
}

static size_t group_by_size(struct samples *s, struct group *groups)
{
	size_t sizes = 0, n = 0, first = 0;

	qsort(s->at, s->count, sizeof(*s->at), by_size);
	for (size_t i = 0; i < s->count; i++)
		sizes += !i || s->at[i].size != s->at[i - 1].size;
	if (sizes > MAX_GROUPS) {
		for (size_t i = 0; i < MAX_GROUPS; i++)
			groups[n++] = make_group(s, s->count * i / MAX_GROUPS,
						 s->count * (i + 1) / MAX_GROUPS);
		return n;
	}
	for (size_t i = 1; i <= s->count; i++)
		if (i == s->count || s->at[i].size != s->at[first].size) {
			groups[n++] = make_group(s, first, i);
			first = i;
		}
	return n;
}

bool samples_slope(struct samples *s, double *ns_per_unit)
{
	struct group groups[MAX_GROUPS];
	double slopes[MAX_GROUPS * (MAX_GROUPS - 1) / 2];
	size_t n, count = 0;

	*ns_per_unit = 0;
	if (!s->count)
		return false;
	n = group_by_size(s, groups);
	for (size_t i = 0; i < n; i++)
		for (size_t k = i + 1; k < n; k++)
			if (groups[k].size != groups[i].size)
				slopes[count++] = (groups[k].median_ns - groups[i].median_ns) /
						  (groups[k].size - groups[i].size);
	if (!count)
		return false;
	qsort(slopes, count, sizeof(*slopes), by_double);
	*ns_per_unit =
		count % 2 ? slopes[count / 2] : (slopes[count / 2 - 1] + slopes[count / 2]) / 2;
	if (*ns_per_unit < 0)
		*ns_per_unit = 0;
	return true;
}

/* The size up to which samples are taken: the smallest one's, if they are enough. */
static uint64_t largest_fitted(const struct samples *s)
{
	uint64_t smallest = UINT64_MAX;
	size_t count = 0;

	for (size_t i = 0; i < s->count; i++)
		smallest = min_u64(smallest, s->at[i].size);
	for (size_t i = 0; i < s->count; i++)
		count += s->at[i].size == smallest;
	return count >= ENOUGH_OF_ONE_SIZE ? smallest : UINT64_MAX;
}

int samples_fit(struct samples *s, double ns_per_unit, uint64_t base, struct dist *dist)
{
	uint64_t *values, largest;
	double value;
	size_t n = 0;
	int err;

	if (s->no_memory)
		return -ENOMEM;
	if (!s->count)
		return -EINVAL;
	values = reallocarray(NULL, s->count, sizeof(*values));
	if (!values)
		return -ENOMEM;
	largest = ns_per_unit > 0 ? largest_fitted(s) : UINT64_MAX;
	for (size_t i = 0; i < s->count; i++) {
		if (s->at[i].size > largest)
			continue;
		value = s->at[i].value_ns - ns_per_unit * ((double)s->at[i].size - base);
		values[n++] = value > 0 ? (uint64_t)(value + 0.5) : 0;
	}
	err = dist_fit(dist, values, n);
	free(values);
	return err;
}
