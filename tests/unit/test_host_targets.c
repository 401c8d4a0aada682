// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which daemon takes the place of which, what --daemon asks for, and slots that are never given
 * twice.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "lib/compiler.h"
#include "trace/host_targets.h"

#define ENDED_NS (100 * NS_PER_SEC)

static struct daemon make(char *args, size_t len, const char *socket, uint64_t started_ns)
{
	return (struct daemon){.args = args,
			       .args_len = len,
			       .options = {.socket = socket},
			       .started_ns = started_ns};
}

static void test_same_socket_path(void **state)
{
	char a[] = "virtiofsd\0--socket-path=/run/s", b[] = "virtiofsd\0-o\0--socket-path=/run/s";
	struct daemon before = make(a, sizeof(a), "/run/s", 1);
	struct daemon after = make(b, sizeof(b), "/run/s", 2);

	assert_true(host_target_follows(&after, &before, ENDED_NS));
	after.options.socket = "/run/t";
	assert_false(host_target_follows(&after, &before, ENDED_NS));
}

/* Two VMs' daemons may have the same descriptor number: that alone says nothing. */
static void test_socket_handed_over(void **state)
{
	char a[] = "virtiofsd\0--fd=3\0--shared-dir=/a", b[] = "virtiofsd\0--fd=3\0--shared-dir=/b";
	struct daemon before = make(a, sizeof(a), "fd 3", 1);
	struct daemon other = make(b, sizeof(b), "fd 3", ENDED_NS + NS_PER_SEC);
	struct daemon same = make(a, sizeof(a), "fd 3", ENDED_NS + NS_PER_SEC);

	assert_false(host_target_follows(&other, &before, ENDED_NS));
	assert_true(host_target_follows(&same, &before, ENDED_NS));
	/* It was there all the time: another VM's. */
	same.started_ns = ENDED_NS - 10 * NS_PER_SEC;
	assert_false(host_target_follows(&same, &before, ENDED_NS));
	/* One whose command line could not be read is like nobody. */
	same = (struct daemon){.started_ns = ENDED_NS + NS_PER_SEC};
	before = (struct daemon){};
	assert_false(host_target_follows(&same, &before, ENDED_NS));
}

static void test_choice(void **state)
{
	struct string_list words = {};
	enum host_choice choice;

	assert_int_equal(host_choice_of(&words, &choice), 0);
	assert_int_equal(choice, CHOOSE_AUTO);
	words = (struct string_list){.count = 2, .items = {"12", "13"}};
	assert_int_equal(host_choice_of(&words, &choice), 0);
	assert_int_equal(choice, CHOOSE_PIDS);
	words = (struct string_list){.count = 1, .items = {"all"}};
	assert_int_equal(host_choice_of(&words, &choice), 0);
	assert_int_equal(choice, CHOOSE_ALL);
	words = (struct string_list){.count = 2, .items = {"12", "all"}};
	assert_int_equal(host_choice_of(&words, &choice), -EINVAL);
}

static void test_slots(void **state)
{
	struct host_targets targets = {};

	for (uint32_t i = 0; i < HOST_MAX_DAEMONS; i++) {
		struct host_target *target = host_targets_add(&targets);

		assert_non_null(target);
		assert_int_equal(target->layout.slot, i);
		assert_int_equal(target->follows, -1);
		target->end_ns = 1; /* an end frees no slot */
	}
	assert_null(host_targets_add(&targets));
	host_targets_free(&targets);
	assert_int_equal(targets.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_socket_path),
		cmocka_unit_test(test_socket_handed_over),
		cmocka_unit_test(test_choice),
		cmocka_unit_test(test_slots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
