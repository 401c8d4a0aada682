// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Quantities as text: read whole or refused, and printed with three significant digits.
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "lib/compiler.h"
#include "lib/units.h"

struct parse_case {
	const char *text;
	int ret;
	uint64_t value;
};

static const struct parse_case plain[] = {
	{"0", 0, 0},
	{"42", 0, 42},
	{"007", 0, 7},
	{"18446744073709551615", 0, UINT64_MAX},
	{"18446744073709551616", -ERANGE, 0},
	{"99999999999999999999999", -ERANGE, 0},
	{"", -EINVAL, 0},
	{" 1", -EINVAL, 0},
	{"1 ", -EINVAL, 0},
	{"-1", -EINVAL, 0},
	{"+1", -EINVAL, 0},
	{"5x", -EINVAL, 0},
	{"1.5", -EINVAL, 0},
	{"0x10", -EINVAL, 0},
	{"1k", -EINVAL, 0},
	{"one", -EINVAL, 0},
};

static const struct parse_case size[] = {
	{"0", 0, 0},
	{"4096", 0, 4096},
	{"4k", 0, 4096},
	{"4K", 0, 4096},
	{"4kb", 0, 4096},
	{"4KiB", 0, 4096},
	{"1M", 0, 1048576},
	{"1.5m", 0, 1572864},
	{"2GiB", 0, 2147483648},
	{"1t", 0, 1ull << 40},
	{"0.5k", 0, 512},
	{"18446744073709551615", 0, UINT64_MAX},
	{"9007199254740993", 0, 9007199254740993}, /* 2^53 + 1: no double has it */
	{"16777216t", -ERANGE, 0},
	{"99999999999999999999999", -ERANGE, 0},
	{"", -EINVAL, 0},
	{"k", -EINVAL, 0},
	{"5x", -EINVAL, 0},
	{"5kk", -EINVAL, 0},
	{"5 k", -EINVAL, 0},
	{"5k ", -EINVAL, 0},
	{"-5k", -EINVAL, 0},
	{"0x10", -EINVAL, 0},
	{"nan", -EINVAL, 0},
	{"inf", -EINVAL, 0},
	{"1.2.3", -EINVAL, 0},
};

static const struct parse_case time_ns[] = {
	{"1ns", 0, 1},
	{"15us", 0, 15000},
	{"1.5us", 0, 1500},
	{"100ms", 0, 100000000},
	{"2s", 0, 2000000000},
	{"3m", 0, 180000000000},
	{"1h", 0, 3600000000000},
	{"0s", 0, 0},
	{".5s", 0, 500000000},
	{"5", -EINVAL, 0},
	{"0", -EINVAL, 0},
	{"", -EINVAL, 0},
	{"s", -EINVAL, 0},
	{"5 s", -EINVAL, 0},
	{"5sec", -EINVAL, 0},
	{"-5s", -EINVAL, 0},
	{"5s5", -EINVAL, 0},
	{"99999999999h", -ERANGE, 0},
	{"1e400s", -ERANGE, 0},
};

static void check(const struct parse_case *cases, size_t n,
		  int (*parse)(const char *text, uint64_t *value))
{
	for (size_t i = 0; i < n; i++) {
		uint64_t value = 0;
		int ret = parse(cases[i].text, &value);

		if (ret != cases[i].ret || (!ret && value != cases[i].value))
			fail_msg("'%s': got %d, %llu; want %d, %llu", cases[i].text, ret,
				 (unsigned long long)value, cases[i].ret,
				 (unsigned long long)cases[i].value);
	}
}

static void test_parse_u64(void **state)
{
	check(plain, ARRAY_SIZE(plain), parse_u64);
}

static void test_parse_size(void **state)
{
	check(size, ARRAY_SIZE(size), parse_size);
}

static void test_parse_time(void **state)
{
	check(time_ns, ARRAY_SIZE(time_ns), parse_time_ns);
}

static void test_parse_double(void **state)
{
	static const struct {
		const char *text;
		int ret;
		double value;
	} cases[] = {
		{"0", 0, 0},	     {"1.5", 0, 1.5},	    {"1e-3", 0, 0.001}, {"-2", 0, -2},
		{"", -EINVAL, 0},    {"1x", -EINVAL, 0},    {" 1", -EINVAL, 0}, {"nan", -EINVAL, 0},
		{"inf", -EINVAL, 0}, {"1e999", -ERANGE, 0}, {"1%", -EINVAL, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		double value = 0;
		int ret = parse_double(cases[i].text, &value);

		if (ret != cases[i].ret || (!ret && value != cases[i].value))
			fail_msg("'%s': got %d, %g", cases[i].text, ret, value);
	}
}

struct format_case {
	double value;
	const char *text;
};

static void check_format(const struct format_case *cases, size_t n,
			 char *(*format)(double value, char *buf, size_t len))
{
	for (size_t i = 0; i < n; i++) {
		char buf[32];

		assert_string_equal(format(cases[i].value, buf, sizeof(buf)), cases[i].text);
	}
}

static void test_format(void **state)
{
	static const struct format_case ns[] = {
		{0, "0 ns"},
		{1, "1 ns"},
		{999, "999 ns"},
		{1000, "1.00 us"},
		{3210, "3.21 us"},
		{99940, "99.9 us"},
		{99960, "100 us"},
		{999400, "999 us"},
		{999600, "1.00 ms"},
		{14000000, "14.0 ms"},
		{1500000000, "1.50 s"},
		{3600e9, "3600 s"},
		{0.25, "0.25 ns"},
		{9.996, "10.0 ns"},
	};
	static const struct format_case bytes[] = {
		{0, "0 B"},	 {512, "512 B"},	{1023, "1023 B"},
		{4096, "4 KiB"}, {1572864, "1.50 MiB"}, {40988672, "39.1 MiB"},
	};
	static const struct format_case count[] = {
		{0, "0"}, {813, "813"}, {12345, "12.3k"}, {1234567, "1.23M"}, {999999, "1.00M"},
	};

	check_format(ns, ARRAY_SIZE(ns), format_ns);
	check_format(bytes, ARRAY_SIZE(bytes), format_bytes);
	check_format(count, ARRAY_SIZE(count), format_count);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_u64),  cmocka_unit_test(test_parse_size),
		cmocka_unit_test(test_parse_time), cmocka_unit_test(test_parse_double),
		cmocka_unit_test(test_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
