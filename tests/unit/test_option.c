// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Option tables: every type, every way to write an option, and what is refused with which words.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "lib/compiler.h"
#include "lib/option.h"

struct config {
	bool strict;
	bool host;
	uint32_t count;
	uint64_t big;
	uint64_t size;
	uint64_t time;
	double ratio;
	const char *output;
	struct string_list set;
	uint32_t format;
	const char *input;
	struct string_list more;
};

static const char *const formats[] = {"text", "json", NULL};

static const struct option_spec specs[] = {
	OPTION("strict", 0, OPT_BOOL, struct config, strict, NULL, "exit 5 on loss"),
	OPTION("host", 'H', OPT_BOOL, struct config, host, NULL, "the host's side"),
	OPTION("count", 'n', OPT_U32, struct config, count, NULL, "how many; default 3"),
	OPTION("big", 0, OPT_U64, struct config, big, NULL, "a large number"),
	OPTION("size", 's', OPT_SIZE, struct config, size, NULL, "buffer size; default 1m"),
	OPTION("duration", 'd', OPT_TIME, struct config, time, NULL, "how long"),
	OPTION("ratio", 0, OPT_DOUBLE, struct config, ratio, NULL, "share"),
	OPTION("output", 'o', OPT_STRING, struct config, output, "FILE", "where to write"),
	OPTION("set", 0, OPT_STRINGS, struct config, set, "KEY=VALUE", "change a setting"),
	OPTION_CHOICE("format", 'f', struct config, format, formats, "of the output"),
	OPTION_POSITIONAL("FILE", OPT_STRING, struct config, input, true, "trace to read"),
	OPTION_POSITIONAL("MORE", OPT_STRINGS, struct config, more, false,
			  "further traces, which are read after the first one, in the order in "
			  "which they are given on the command line"),
	OPTION_END};

static const struct command_help help = {"report", "print what a trace holds", NULL, false};
static const struct command_help runs = {"record", "trace a command", NULL, true};

/* Runs the parser with stdout and stderr in a file; the text is in captured. */
static char captured[16384];

static int parse(const struct command_help *cmd, struct config *config, int *rest,
		 const char *const *words)
{
	FILE *file = tmpfile();
	int saved[2] = {dup(1), dup(2)}, argc = 1, ret;
	char *argv[80] = {"cmd"};
	size_t n;

	while (words[argc - 1]) {
		argv[argc] = (char *)words[argc - 1];
		argc++;
	}
	fflush(stdout);
	fflush(stderr);
	dup2(fileno(file), 1);
	dup2(fileno(file), 2);
	*config = (struct config){.count = 3, .size = 1 << 20};
	ret = options_parse(cmd, specs, config, argc, argv, rest);
	fflush(stdout);
	fflush(stderr);
	dup2(saved[0], 1);
	dup2(saved[1], 2);
	close(saved[0]);
	close(saved[1]);
	rewind(file);
	n = fread(captured, 1, sizeof(captured) - 1, file);
	captured[n] = '\0';
	fclose(file);
	return ret;
}

#define PARSE(config, ...) parse(&help, config, NULL, (const char *const[]){__VA_ARGS__, NULL})

static void test_defaults_stay(void **state)
{
	struct config c;

	assert_int_equal(PARSE(&c, "trace.vft"), OPTIONS_OK);
	assert_string_equal(c.input, "trace.vft");
	assert_int_equal(c.count, 3);
	assert_int_equal(c.size, 1 << 20);
	assert_false(c.strict);
	assert_null(c.output);
	assert_string_equal(captured, "");
}

static void test_every_type(void **state)
{
	struct config c;

	assert_int_equal(PARSE(&c, "--strict", "--count", "7", "--big", "18446744073709551615",
			       "--size=64k", "--duration", "1.5ms", "--ratio=0.25", "--output",
			       "out.json", "--set", "a=1", "--set=b=2", "--format", "json", "in"),
			 OPTIONS_OK);
	assert_true(c.strict);
	assert_int_equal(c.count, 7);
	assert_int_equal(c.big, UINT64_MAX);
	assert_int_equal(c.size, 65536);
	assert_int_equal(c.time, 1500000);
	assert_true(c.ratio == 0.25);
	assert_string_equal(c.output, "out.json");
	assert_int_equal(c.set.count, 2);
	assert_string_equal(c.set.items[0], "a=1");
	assert_string_equal(c.set.items[1], "b=2");
	assert_int_equal(c.format, 1);
	assert_string_equal(c.input, "in");
}

static void test_spellings(void **state)
{
	struct config c;

	assert_int_equal(PARSE(&c, "-n", "5", "in"), OPTIONS_OK);
	assert_int_equal(c.count, 5);
	assert_int_equal(PARSE(&c, "-n5", "in"), OPTIONS_OK);
	assert_int_equal(c.count, 5);
	assert_int_equal(PARSE(&c, "-Hn5", "in"), OPTIONS_OK);
	assert_true(c.host);
	assert_int_equal(c.count, 5);
	assert_int_equal(PARSE(&c, "-Hfjson", "-o", "x", "in"), OPTIONS_OK);
	assert_int_equal(c.format, 1);
	/* Options after arguments, and the last of a repeated one. */
	assert_int_equal(PARSE(&c, "in", "--count=1", "--count=2"), OPTIONS_OK);
	assert_int_equal(c.count, 2);
	assert_int_equal(PARSE(&c, "--strict", "--no-strict", "in"), OPTIONS_OK);
	assert_false(c.strict);
	assert_int_equal(PARSE(&c, "--output=", "in"), OPTIONS_OK);
	assert_string_equal(c.output, "");
	/* A lone dash is an argument; after two dashes everything is. */
	assert_int_equal(PARSE(&c, "-"), OPTIONS_OK);
	assert_string_equal(c.input, "-");
	assert_int_equal(PARSE(&c, "--", "--strict", "-n"), OPTIONS_OK);
	assert_string_equal(c.input, "--strict");
	assert_int_equal(c.more.count, 1);
	assert_string_equal(c.more.items[0], "-n");
	assert_int_equal(PARSE(&c, "a", "b", "c", "d"), OPTIONS_OK);
	assert_int_equal(c.more.count, 3);
	/* A value that looks like an option is a value. */
	assert_int_equal(PARSE(&c, "--output", "-x", "in"), OPTIONS_OK);
	assert_string_equal(c.output, "-x");
	/* Unambiguous beginnings of names, as getopt_long takes them. */
	assert_int_equal(PARSE(&c, "--coun=9", "in"), OPTIONS_OK);
	assert_int_equal(c.count, 9);
}

/* Each message names the option and says what would be accepted. */
static const struct {
	const char *words[4];
	const char *must_say[3];
} refused[] = {
	{{"--strickt", "in"}, {"--strickt", "--strict", "vfscope report --help"}},
	{{"--zzzzzzzz", "in"}, {"--zzzzzzzz", "vfscope report --help"}},
	{{"-x", "in"}, {"-x", "vfscope report --help"}},
	{{"-Hx", "in"}, {"-x"}},
	{{"--s", "in"}, {"--s", "--strict", "--size"}},
	{{"in", "--count"}, {"--count", "whole number"}},
	{{"in", "-n"}, {"--count", "whole number"}},
	{{"in", "--output"}, {"--output"}},
	{{"--count", "5x", "in"}, {"--count", "5x", "whole number"}},
	{{"--count", "", "in"}, {"--count", "whole number"}},
	{{"--count=-1", "in"}, {"--count", "-1"}},
	{{"--count=4294967296", "in"}, {"--count", "4294967296", "4294967295"}},
	{{"--big=18446744073709551616", "in"}, {"--big", "range"}},
	{{"--size=1q", "in"}, {"--size", "1q", "64k"}},
	{{"--duration=5", "in"}, {"--duration", "unit", "10s"}},
	{{"--ratio=x", "in"}, {"--ratio", "number"}},
	{{"--format=xml", "in"}, {"--format", "xml", "text, json"}},
	{{"--strict=yes", "in"}, {"--strict", "no value"}},
	{{"--no-count", "in"}, {"--no-count"}},
	{{"--no-strict=1", "in"}, {"--no-strict", "no value"}},
	{{NULL}, {"FILE", "missing", "vfscope report --help"}},
};

static void test_refused(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		struct config c;
		int ret = parse(&help, &c, NULL, refused[i].words);

		if (ret != -EINVAL)
			fail_msg("case %zu (%s): got %d", i, refused[i].words[0], ret);
		assert_int_equal(strncmp(captured, "vfscope: error: ", 16), 0);
		/* One line each. */
		assert_ptr_equal(strchr(captured, '\n'), captured + strlen(captured) - 1);
		for (int k = 0; k < 3 && refused[i].must_say[k]; k++)
			if (!strstr(captured, refused[i].must_say[k]))
				fail_msg("'%s' does not say '%s'", captured,
					 refused[i].must_say[k]);
	}
}

static void test_list_is_bounded(void **state)
{
	const char *words[STRING_LIST_MAX + 4] = {NULL};
	struct config c;

	words[0] = "in";
	for (int i = 0; i < STRING_LIST_MAX; i++)
		words[1 + i] = "--set=a=b";
	assert_int_equal(parse(&help, &c, NULL, words), OPTIONS_OK);
	assert_int_equal(c.set.count, STRING_LIST_MAX);
	words[1 + STRING_LIST_MAX] = "--set=a=b";
	assert_int_equal(parse(&help, &c, NULL, words), -EINVAL);
	assert_non_null(strstr(captured, "--set"));
}

static void test_takes_command(void **state)
{
	static const struct {
		const char *words[6];
		int rest;
	} cases[] = {
		{{"fio", "--strict", "job"}, 1},
		{{"-n", "5", "fio", "-n", "6"}, 3},
		{{"--strict", "--", "fio", "-x"}, 3},
		{{"--strict", "--", "--odd"}, 3},
		{{"--strict"}, 2},
		{{"--"}, 2},
		{{"-", "x"}, 1},
	};
	/* Its own table: a command has no positional arguments. */
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct option_spec options[ARRAY_SIZE(specs)];
		char *argv[8] = {"cmd"};
		struct config c = {.count = 3};
		int argc = 1, rest = -1;

		memcpy(options, specs, sizeof(specs));
		options[10].name = NULL;
		while (cases[i].words[argc - 1]) {
			argv[argc] = (char *)cases[i].words[argc - 1];
			argc++;
		}
		assert_int_equal(options_parse(&runs, options, &c, argc, argv, &rest), OPTIONS_OK);
		assert_int_equal(rest, cases[i].rest);
		assert_int_equal(c.count, i == 1 ? 5 : 3);
	}
}

static void test_help(void **state)
{
	static const char *const wanted[] = {
		"usage: vfscope report [OPTIONS] FILE [MORE...]\n",
		"print what a trace holds",
		"      --[no-]strict",
		"  -H, --[no-]host",
		"  -n, --count N",
		"  -s, --size SIZE",
		"  -d, --duration TIME",
		"  -o, --output FILE",
		"      --set KEY=VALUE",
		"  -f, --format text|json",
		"  -h, --help",
		"default 1m",
	};
	static const char *const ways[] = {"--help", "-h", "-Hh"};

	for (size_t w = 0; w < ARRAY_SIZE(ways); w++) {
		struct config c;

		assert_int_equal(PARSE(&c, ways[w], "--nonsense"), OPTIONS_HELP);
		for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
			if (!strstr(captured, wanted[i]))
				fail_msg("help lacks '%s':\n%s", wanted[i], captured);
		for (char *line = strtok(captured, "\n"); line; line = strtok(NULL, "\n"))
			assert_true(strlen(line) < 100);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults_stay),
		cmocka_unit_test(test_every_type),
		cmocka_unit_test(test_spellings),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_list_is_bounded),
		cmocka_unit_test(test_takes_command),
		cmocka_unit_test(test_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
