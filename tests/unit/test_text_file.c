// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reading small text files: exact limits, text over several pieces, the line of a NUL byte.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "lib/text_file.h"
#include "stderr_of.h"

#define LINE "0123456789abcde\n"

static char path[] = "/tmp/vfscope-text.XXXXXX";

/* nr lines of 16 bytes, with a NUL in line bad (from 1; 0: none). */
static void write_lines(size_t nr, size_t bad)
{
	FILE *out = fopen(path, "we");

	assert_non_null(out);
	for (size_t i = 1; i <= nr; i++)
		fwrite(i == bad ? "0123456\0" : LINE, 1, i == bad ? 8 : 16, out);
	assert_int_equal(fclose(out), 0);
}

static int read_it(size_t max, char **text, size_t *len, char *said, size_t room)
{
	struct stderr_of s;
	int err;

	stderr_begin(&s);
	err = text_file_read(path, "poem", max, text, len);
	stderr_end(&s, said, room);
	return err;
}

static void test_limits(void **state)
{
	char *text, said[300];
	size_t len;

	write_lines(10000, 0);
	assert_int_equal(read_it(160000, &text, &len, said, sizeof(said)), 0);
	assert_int_equal(len, 160000);
	assert_int_equal(text[len], 0);
	for (size_t i = 0; i < len; i += 16)
		assert_memory_equal(text + i, LINE, 16);
	assert_string_equal(said, "");
	free(text);
	assert_int_equal(read_it(159999, &text, &len, said, sizeof(said)), -EINVAL);
	assert_null(text);
	assert_non_null(strstr(said, "no poem: larger than 156 KiB"));
	write_lines(0, 0);
	assert_int_equal(read_it(10, &text, &len, said, sizeof(said)), 0);
	assert_int_equal(len, 0);
	assert_string_equal(text, "");
	free(text);
}

static void test_nul(void **state)
{
	const size_t lines[] = {1, 2, 9000};
	char *text, said[300], want[100];
	size_t len;

	for (int i = 0; i < 3; i++) {
		write_lines(9500, lines[i]);
		assert_int_equal(read_it(1 << 20, &text, &len, said, sizeof(said)), -EINVAL);
		snprintf(want, sizeof(want), "%s:%zu: no poem: it holds NUL bytes", path, lines[i]);
		assert_non_null(strstr(said, want));
	}
}

static void test_not_there(void **state)
{
	char *text, said[300];
	struct stderr_of s;
	size_t len;

	stderr_begin(&s);
	assert_int_equal(text_file_read("/nonexistent/a", "poem", 10, &text, &len), -ENOENT);
	assert_int_equal(text_file_read("/", "poem", 10, &text, &len), -EISDIR);
	stderr_end(&s, said, sizeof(said));
	assert_non_null(strstr(said, "cannot open poem '/nonexistent/a': No such file"));
	assert_non_null(strstr(said, "cannot read poem '/': Is a directory"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_not_there),
	};
	int fd = mkstemp(path), failed;

	if (fd < 0)
		return 1;
	close(fd);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return failed;
}
