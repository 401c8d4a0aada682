// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names that a recording has of files: put in order, cut off, damaged, replaced.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "trace/path_table.h"

static struct guest_path_event path(uint64_t nodeid, uint16_t nr_names, const char *names,
				    size_t len)
{
	struct guest_path_event ev = {.nodeid = nodeid, .conn = 1, .nr_names = nr_names};

	memcpy(ev.names, names, len);
	return ev;
}

static void test_text(void **state)
{
	struct guest_path_event ev = path(1, 3, "file\0dir\0top", 13);
	char text[GUEST_PATH_BYTES + 8], small[6];

	path_text(&ev, text, sizeof(text));
	assert_string_equal(text, "top/dir/file");
	path_text(&ev, small, sizeof(small));
	assert_string_equal(small, "top/d");
	ev.cut = 1;
	path_text(&ev, text, sizeof(text));
	assert_string_equal(text, ".../top/dir/file");
	ev = path(1, 1, "\xff\xfe", 3); /* no UTF-8 */
	path_text(&ev, text, sizeof(text));
	assert_string_equal(text, "??");
	ev = path(1, 1, "\xc3\xa4", 3);
	path_text(&ev, text, sizeof(text));
	assert_string_equal(text, "\xc3\xa4");
}

/* As a damaged file may have it. */
static void test_without_end(void **state)
{
	struct guest_path_event ev = {.nr_names = UINT16_MAX};
	char text[GUEST_PATH_BYTES + 8];

	memset(ev.names, 'x', sizeof(ev.names));
	path_text(&ev, text, sizeof(text));
	assert_int_equal(strlen(text), sizeof(ev.names));
	memset(ev.names, 0, sizeof(ev.names));
	path_text(&ev, text, sizeof(text));
	assert_int_equal(strlen(text), sizeof(ev.names) - 1); /* slashes */
}

static void test_table(void **state)
{
	struct path_table t = {};
	struct guest_path_event a = path(7, 1, "a", 2), b = path(8, 1, "b", 2);
	struct guest_path_event renamed = path(7, 1, "new", 4), elsewhere = path(7, 1, "c", 2);

	elsewhere.conn = 2;
	assert_null(path_table_find(&t, 1, 7));
	assert_int_equal(path_table_add(&t, &a), 0);
	assert_int_equal(path_table_add(&t, &b), 0);
	assert_int_equal(path_table_add(&t, &elsewhere), 0);
	assert_string_equal(path_table_find(&t, 1, 7), "a");
	assert_int_equal(path_table_add(&t, &renamed), 0);
	assert_string_equal(path_table_find(&t, 1, 7), "new");
	assert_string_equal(path_table_find(&t, 1, 8), "b");
	assert_string_equal(path_table_find(&t, 2, 7), "c");
	assert_null(path_table_find(&t, 2, 8));
	path_table_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_without_end),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
