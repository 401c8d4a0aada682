/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of summaries: both printed forms of one, and what stands where in JSON.
 */
#ifndef VFSCOPE_TESTS_UNIT_SUMMARY_OF_H
#define VFSCOPE_TESTS_UNIT_SUMMARY_OF_H

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "lib/summary.h"

/* The caller frees *text. */
static inline void print_to(const struct summary *s, char **text)
{
	size_t len;
	FILE *out = open_memstream(text, &len);

	summary_print(s, out);
	fclose(out);
}

static inline json_t *get(json_t *object, const char *path)
{
	char copy[128], *save = NULL;

	snprintf(copy, sizeof(copy), "%s", path);
	for (char *key = strtok_r(copy, "/", &save); key; key = strtok_r(NULL, "/", &save)) {
		object = json_object_get(object, key);
		if (!object)
			fail_msg("no '%s' in '%s'", key, path);
	}
	return object;
}

static inline uint64_t get_u64(json_t *object, const char *path)
{
	json_t *value = get(object, path);

	assert_true(json_is_integer(value));
	return (uint64_t)json_integer_value(value);
}

#endif
