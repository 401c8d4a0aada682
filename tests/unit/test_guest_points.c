// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which of the guest's programs have stand-ins, and whose skips are a loss: trace/guest_points.h.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>
#include "trace/guest_points.h"

static const struct guest_point *point_of(const char *program)
{
	for (size_t i = 0; i < nr_guest_points; i++)
		for (int a = 0; a < GUEST_POINT_ALTERNATIVES; a++)
			for (int n = 0; n < GUEST_POINT_PROGRAMS; n++) {
				const char *name = guest_points[i].alternative[a].programs[n];

				if (name && !strcmp(name, program))
					return &guest_points[i];
			}
	return NULL;
}

static void test_stand_ins(void **state)
{
	static const struct {
		const char *program;
		int stand_ins;
		bool loses;
	} cases[] = {
		{"read_begin", 2, true},     {"read_end", 2, true},
		{"enqueue_begin", 2, true},  {"waiter_woke", 2, true},
		{"issue_sync_v72", 2, true}, {"issued_sync_v72", 0, false},
		{"issued_bg_v61", 0, false}, {"request_complete", 1, true},
		{"notify_end", 2, false},    {"mkdir_begin", 1, true},
		{"dax_fault_end", 1, true},  {"dax_setup_begin", 0, true},
		{"queue_irq", 0, true},	     {"page_added", 0, false},
		{"ring_add", 0, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct guest_point *point = point_of(cases[i].program);

		assert_non_null(point);
		assert_int_equal(guest_point_stand_ins(point, cases[i].program),
				 cases[i].stand_ins);
		assert_int_equal(guest_point_loses(point, cases[i].program), cases[i].loses);
	}
}

/* A begin and its end have as many stand-ins, unless the end only tidies up. */
static void test_pairs_have_as_many(void **state)
{
	(void)state;
	for (size_t i = 0; i < nr_guest_points; i++)
		for (int a = 0; a < GUEST_POINT_ALTERNATIVES; a++) {
			const char *const *programs = guest_points[i].alternative[a].programs;

			if (!programs[0] || !programs[1])
				continue;
			if (guest_point_loses(&guest_points[i], programs[0]) ==
			    guest_point_loses(&guest_points[i], programs[1]))
				assert_int_equal(
					guest_point_stand_ins(&guest_points[i], programs[0]),
					guest_point_stand_ins(&guest_points[i], programs[1]));
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stand_ins),
		cmocka_unit_test(test_pairs_have_as_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
