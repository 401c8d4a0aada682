// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Model files: what is read back is what was written, and bad input is refused with its place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/compiler.h"
#include "models/model_file.h"
#include "models/model_keys.h"
#include "tests/unit/stderr_of.h"

static char *written(const struct stack *stack)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	assert_int_equal(model_write(stack, out, "# a comment\n"), 0);
	fclose(out);
	return text;
}

static void fill(struct stack *stack)
{
	char err[100];

	stack_init(stack);
	strcpy(stack->name, "test");
	stack->guest.kernel = KERNEL(6, 12);
	stack->guest.memory_bytes = (3ULL << 30) + 4096;
	stack->daemon.kind = DAEMON_RUST;
	stack->daemon.mode = MODE_WRITEBACK;
	stack->daemon.attr_timeout_ns = 1500000;
	stack->transport.event_idx = false;
	for (int i = 0; i < NR_COSTS; i++)
		dist_const(&stack->cost[i], 100 + i);
	assert_int_equal(dist_parse(&stack->cost[COST_KICK],
				    "quantiles 0=1us 0.5=2us 0.99=30us 1=90us", err, sizeof(err)),
			 0);
	stack->complete_ns_per_byte = 0.125;
	stack->service[FUSE_READ].known = true;
	stack->service[FUSE_READ].host_io_ns_per_byte = 0.0625;
	assert_int_equal(dist_parse(&stack->service[FUSE_READ].cpu, "exp 10us", err, sizeof(err)),
			 0);
}

static void write_read_write_is_the_same(void **state)
{
	struct stack *a = malloc(sizeof(*a)), *b = malloc(sizeof(*b));
	char *first, *second;

	fill(a);
	first = written(a);
	assert_int_equal(model_parse(b, "mem", first, strlen(first)), 0);
	second = written(b);
	assert_string_equal(first, second);
	assert_int_equal(b->guest.kernel, KERNEL(6, 12));
	assert_int_equal(b->daemon.attr_timeout_ns, 1500000);
	assert_int_equal(b->daemon.mode, MODE_WRITEBACK);
	assert_true(b->service[FUSE_READ].known);
	assert_false(b->service[FUSE_WRITE].known);
	assert_int_equal(dist_quantile(&b->cost[COST_KICK], 0.5), 2000);
	free(first);
	free(second);
	free(a);
	free(b);
}

/* The longest distribution must fit into a line that the reader takes. */
static void longest_distribution(void **state)
{
	struct stack *a = malloc(sizeof(*a)), *b = malloc(sizeof(*b));
	uint64_t values[5000], x = 88172645463325252ULL;
	char *text;

	fill(a);
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		values[i] = x % 1000000000 * (x % 97);
	}
	assert_int_equal(dist_fit(&a->cost[COST_KICK], values, ARRAY_SIZE(values)), 0);
	text = written(a);
	assert_int_equal(model_parse(b, "mem", text, strlen(text)), 0);
	assert_true(dist_mean(&b->cost[COST_KICK]) > 0.999 * dist_mean(&a->cost[COST_KICK]));
	assert_true(dist_mean(&b->cost[COST_KICK]) < 1.001 * dist_mean(&a->cost[COST_KICK]));
	free(text);
	free(a);
	free(b);
}

/* A default that stands in for a cost is shown, and does not come back as if it were known. */
static void stand_ins_stay_unknown(void **state)
{
	struct stack *a = malloc(sizeof(*a)), *b = malloc(sizeof(*b));
	char *text;

	fill(a);
	assert_int_equal(model_set(a, "dax.window_bytes=1g"), 0);
	assert_int_equal(model_set(a, "dax.pte_fault=const 5us"), 0);
	text = written(a);
	assert_non_null(strstr(text, "\n#ept_fault = const 4e+03ns (not known)\n"));
	assert_non_null(strstr(text, "\npte_fault = const 5e+03ns\n"));
	assert_int_equal(model_parse(b, "mem", text, strlen(text)), 0);
	assert_int_equal(b->dax.given, 1u << DAX_PTE_FAULT);
	assert_int_equal(b->dax.window_bytes, 1 << 30);
	assert_true(dist_mean(&b->dax.cost[DAX_PTE_FAULT]) == 5000);
	assert_true(dist_mean(&b->dax.cost[DAX_EPT_FAULT]) == 4000);
	free(text);
	free(a);
	free(b);
}

static void set_changes_one_key(void **state)
{
	struct stack *s = malloc(sizeof(*s));

	stack_init(s);
	assert_int_equal(model_set(s, "daemon.thread_pool_size=4"), 0);
	assert_int_equal(s->daemon.thread_pool_size, 4);
	assert_int_equal(model_set(s, "service.READ.host_io=exp 50us"), 0);
	assert_true(s->service[FUSE_READ].known);
	assert_int_equal(dist_mean(&s->service[FUSE_READ].host_io), 50000);
	assert_int_equal(model_set(s, "guest.kernel=6.18"), 0);
	assert_int_equal(s->guest.kernel, KERNEL(6, 18));
	assert_int_equal(model_set(s, "costs.kick=const 3us"), 0);
	free(s);
}

static void bad_set(void **state)
{
	static const char *const bad[] = {
		"",
		"=",
		"a=b",
		"daemon.pool=4",
		"daemon.=4",
		".kind=c",
		"daemon.kind=go",
		"guest.vcpus=0",
		"guest.hz=x",
		"guest.kernel=6",
		"costs.kick=often",
		"service.FOO.cpu=const 1us",
		"guest.vcpus",
		"transport.event_idx=maybe",
		"guest.memory=1x",
		"costs.read_hit_ns_per_page=-1",
	};
	struct stack *s = malloc(sizeof(*s));
	struct stderr_of errors;
	char said[1024];

	stack_init(s);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		int err;

		stderr_begin(&errors);
		err = model_set(s, bad[i]);
		stderr_end(&errors, said, sizeof(said));
		if (err != -EINVAL || !strstr(said, "--set") || !strstr(said, bad[i]))
			fail_msg("--set %s: %d, '%s'", bad[i], err, said);
	}
	free(s);
}

/* Replace the first "find" of a good model by "put"; the message must hold "message". */
static void bad_files(void **state)
{
	static const struct {
		const char *find, *put, *message;
	} cases[] = {
		{"[guest]\n", "[gest]\n", "unknown section [gest]"},
		{"[guest]\n", "[guest\n", "not a section"},
		{"[guest]\n", "[empty]\n[guest]\n", "unknown section [empty]"},
		{"vcpus =", "vcpu =", "[guest] vcpu: unknown key"},
		{"vcpus = 2", "vcpus = two", "[guest] vcpus = two"},
		{"vcpus = 2", "vcpus = 0", "out of range: 1 to 1024"},
		{"vcpus = 2", "vcpus", "neither [SECTION] nor KEY"},
		{"hz = 250", "hz = 250\nhz = 250", "[guest] hz: given twice, first in line"},
		{"\nwakeup = ", "\n# ", "[costs] wakeup is missing"},
		{"kick = quantiles 0=", "kick = quantiles 0=x", "[costs] kick"},
		{"kick = quantiles ", "kick = quantiles 0=9us 0.1=2us ", "[costs] kick"},
		{"[service.READ]", "[service.REED]", "unknown section [service.REED]"},
		{"[service.READ]", "[service.READ]\nslope = 1", "slope: unknown key"},
		{"queue_size = 128", "queue_size = 100", "not a power of two"},
		{"# a comment\n", "key = value\n", "before the first section"},
	};
	struct stack *s = malloc(sizeof(*s));
	char *good, bad[16384], said[1024];
	struct stderr_of errors;

	fill(s);
	good = written(s);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *at = strstr(good, cases[i].find);
		int err;

		if (!at)
			fail_msg("'%s' is not in the model", cases[i].find);
		snprintf(bad, sizeof(bad), "%.*s%s%s", (int)(at - good), good, cases[i].put,
			 at + strlen(cases[i].find));
		stderr_begin(&errors);
		err = model_parse(s, "mem", bad, strlen(bad));
		stderr_end(&errors, said, sizeof(said));
		if (err != -EINVAL || !strstr(said, cases[i].message))
			fail_msg("%s -> %s: %d, '%s'", cases[i].find, cases[i].put, err, said);
		assert_string_equal(strchr(said, '\n'), "\n");
	}
	free(good);
	free(s);
}

static void long_line_and_nul(void **state)
{
	struct stack *s = malloc(sizeof(*s));
	char text[20000], said[1024];
	struct stderr_of errors;

	memset(text, 'x', sizeof(text));
	memcpy(text, "[model]\nname = ", 15);
	stderr_begin(&errors);
	assert_int_equal(model_parse(s, "mem", text, sizeof(text)), -EINVAL);
	stderr_end(&errors, said, sizeof(said));
	assert_non_null(strstr(said, "mem:2: line is longer"));
	text[4000] = '\0';
	stderr_begin(&errors);
	assert_int_equal(model_parse(s, "mem", text, sizeof(text)), -EINVAL);
	stderr_end(&errors, said, sizeof(said));
	assert_non_null(strstr(said, "NUL"));
	free(s);
}

/* A line number in a message is the line in the file. */
static void line_numbers(void **state)
{
	static const char text[] = "# one\n\n[guest]\nvcpus = 2\n\n; six\nhz = 1\n";
	struct stack *s = malloc(sizeof(*s));
	struct stderr_of errors;
	char said[1024];

	stderr_begin(&errors);
	assert_int_equal(model_parse(s, "mem", text, strlen(text)), -EINVAL);
	stderr_end(&errors, said, sizeof(said));
	assert_non_null(strstr(said, "mem:7: [guest] hz = 1: out of range"));
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(write_read_write_is_the_same),
		cmocka_unit_test(longest_distribution),
		cmocka_unit_test(stand_ins_stay_unknown),
		cmocka_unit_test(set_changes_one_key),
		cmocka_unit_test(bad_set),
		cmocka_unit_test(bad_files),
		cmocka_unit_test(long_line_and_nul),
		cmocka_unit_test(line_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
