// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Histograms for programs: sums are exact, percentiles those of hist_quantile().
 */
#include "lib/hist_json.h"
#include "lib/compiler.h"

static const struct {
	const char *name;
	double q;
} percentiles[] = {{"50", 0.5}, {"90", 0.9}, {"99", 0.99}, {"99.9", 0.999}};

json_t *hist_to_json(const struct hist *h)
{
	json_t *of = json_object();

	for (size_t i = 0; of && i < ARRAY_SIZE(percentiles); i++) {
		uint64_t value = hist_quantile(h, percentiles[i].q);

		if (json_object_set_new(of, percentiles[i].name, json_integer((json_int_t)value))) {
			json_decref(of);
			return NULL;
		}
	}
	return json_pack("{s:I, s:I, s:f, s:I, s:I, s:o}", "count", (json_int_t)h->count, "sum",
			 (json_int_t)h->sum, "mean", hist_mean(h), "min",
			 (json_int_t)(h->count ? h->min : 0), "max", (json_int_t)h->max,
			 "percentiles", of);
}
