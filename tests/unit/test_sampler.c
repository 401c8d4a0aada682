// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Samplers draw what dist_sample() draws from the same random stream.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "sim/sampler.h"

static void test_equal_draws(void **state)
{
	static const char *const texts[] = {
		"const 1.5us",
		"exp 3us",
		"uniform 1us 5us",
		"erlang 4 2us",
		"quantiles 0=1us 1=9us",
		"quantiles 0=1us 0.5=2us 0.501=7us 0.999=30us 1=90us",
		"quantiles 0=0ns 0.001=5us 0.002=6us 0.003=7us 0.0035=8us 0.9=10us 1=11us",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct sampler sampler;
		struct rng a, b;
		struct dist d;
		char err[100];

		assert_int_equal(dist_parse(&d, texts[i], err, sizeof(err)), 0);
		sampler_init(&sampler, &d);
		rng_init(&a, 3, i);
		rng_init(&b, 3, i);
		for (int n = 0; n < 20000; n++)
			assert_int_equal(sampler_draw(&sampler, &a), dist_sample(&d, &b));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal_draws),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
