// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a daemon's command line says: options of all virtiofsds, and the program behind a loader.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "lib/compiler.h"
#include "trace/daemon_find.h"

#define MAX_ARGS 12

struct command_line {
	const char *text; /* words, a space between */
	int program; /* index of the program */
	enum daemon_kind kind;
	const char *dir;
	const char *cache;
	uint32_t pool;
	bool writeback;
};

static const struct command_line lines[] = {
	{"virtiofsd --fd=3 -f -o source=/s -o cache=none,writeback --thread-pool-size=4", 0,
	 DAEMON_C, "/s", "none", 4, true},
	{"virtiofsd --shared-dir /s --cache never --thread-pool-size 2", 0, DAEMON_RUST, "/s",
	 "never", 2, false},
	{"ld-linux-x86-64.so.2 --library-path /l --argv0 virtiofsd /p/virtiofsd --fd=3 "
	 "--shared-dir=/s --writeback",
	 5, DAEMON_RUST, "/s", NULL, 0, true},
	{"ld-linux-x86-64.so.2 --inhibit-cache --preload /x.so /p/virtiofsd --shared-dir=/s "
	 "--cache=auto",
	 4, DAEMON_RUST, "/s", "auto", 0, false},
	{"ld-musl-x86_64.so.1 --library-path=/l /p/virtiofsd --shared-dir=/s", 2, DAEMON_RUST, "/s",
	 NULL, 0, false},
};

static int split(char *text, char **argv)
{
	int argc = 0;

	for (char *word = strtok(text, " "); word && argc < MAX_ARGS; word = strtok(NULL, " "))
		argv[argc++] = word;
	return argc;
}

static void assert_text(const char *is, const char *want)
{
	if (want)
		assert_string_equal(is, want);
	else
		assert_null(is);
}

static void test_command_lines(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		const struct command_line *l = &lines[i];
		char text[256], *argv[MAX_ARGS];
		struct daemon_options o;
		int argc, skip = 0;

		strcpy(text, l->text);
		argc = split(text, argv);
		if (daemon_is_loader(argv[0]))
			skip = daemon_loader_args(argc, argv);
		assert_int_equal(skip, l->program);
		daemon_options_parse(&o, argc - skip, argv + skip);
		assert_int_equal(o.kind, l->kind);
		assert_text(o.shared_dir, l->dir);
		assert_text(o.cache, l->cache);
		assert_int_equal(o.thread_pool, l->pool);
		assert_int_equal(o.writeback, l->writeback);
	}
}

static void test_loader_without_program(void **state)
{
	char loader[] = "ld.so", option[] = "--library-path", value[] = "/l";
	char *argv[] = {loader, option, value};

	for (int argc = 1; argc <= 3; argc++)
		assert_int_equal(daemon_loader_args(argc, argv), argc);
	assert_int_equal(daemon_loader_args(0, argv), 0);
}

static void test_loader_names(void **state)
{
	assert_true(daemon_is_loader("ld-linux-x86-64.so.2"));
	assert_true(daemon_is_loader("ld-2.31.so"));
	assert_true(daemon_is_loader("ld.so"));
	assert_false(daemon_is_loader("virtiofsd"));
	assert_false(daemon_is_loader("ld"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_command_lines),
		cmocka_unit_test(test_loader_without_program),
		cmocka_unit_test(test_loader_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
