// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Settings of a model that a trace's header tells: machine, mount, daemon, and what the connection
 * negotiated.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/compiler.h"
#include "models/calibrate_internal.h"

static void settings_from_header(void **state)
{
	json_t *header = json_loads(
		"{\"guest\":{\"kernel\":\"6.12.107+deb13-cloud-amd64\",\"cpus\":4,\"mounts\":"
		"[{\"read_ahead_kb\":256}],\"connections\":[{\"queue_size\":1024,\"max_pages\":256,"
		"\"max_write\":1048576,\"max_background\":12,\"request_queues\":1,\"async_dio\":"
		"true,"
		"\"virtio_features\":\"0x130000000\"}]},\"host\":{\"kernel\":\"6.18.0\",\"cpus\":8,"
		"\"guest_memory\":[{\"bytes\":536870912}],\"daemon\":{\"kind\":\"rust\",\"cache\":"
		"\"auto\",\"writeback\":true,\"thread_pool\":4,\"xattr\":false,\"args\":[\"a\"]}}}",
		0, NULL);
	struct stack *stack = malloc(sizeof(*stack));
	char *lines;

	assert_non_null(header);
	stack_init(stack);
	assert_int_equal(calibrate_settings(stack, header, &lines), 0);
	assert_int_equal(stack->guest.kernel, KERNEL(6, 12));
	assert_int_equal(stack->guest.vcpus, 4);
	assert_int_equal(stack->guest.memory_bytes, 512 << 20);
	assert_int_equal(stack->guest.read_ahead_bytes, 256 << 10);
	assert_int_equal(stack->transport.queue_size, 1024);
	assert_int_equal(stack->daemon.max_background, 12);
	assert_true(stack->transport.event_idx);
	assert_true(stack->transport.indirect_desc);
	assert_int_equal(stack->daemon.kind, DAEMON_RUST);
	assert_int_equal(stack->daemon.mode, MODE_WRITEBACK);
	assert_int_equal(stack->daemon.thread_pool_size, 4);
	assert_int_equal(stack->host.cpus, 8);
	free(lines);
	json_decref(header);
	free(stack);
}

/* What the guest's connection tells goes before what the daemon's command line does. */
static void negotiated_from_header(void **state)
{
	static const char text[] =
		"{\"guest\":{\"connections\":[{\"parallel_dirops\":false,\"readdirplus\":%s,"
		"\"writeback\":%s,\"atomic_o_trunc\":false,\"async_read\":true,\"learned\":"
		"{\"no_getxattr\":%s,\"no_open\":true,\"no_flush\":false}}]},"
		"\"host\":{\"daemon\":{\"cache\":\"%s\",\"xattr\":true}}}";
	static const struct {
		const char *readdirplus, *writeback, *no_getxattr, *cache;
		enum io_mode mode;
		enum readdirplus expected;
		bool xattr;
	} cases[] = {
		{"true", "false", "false", "auto", MODE_WRITETHROUGH, READDIRPLUS_AUTO, true},
		{"false", "true", "true", "auto", MODE_WRITEBACK, READDIRPLUS_NO, false},
		{"true", "false", "true", "never", MODE_DIRECT, READDIRPLUS_YES, false},
		{"false", "true", "false", "never", MODE_DIRECT, READDIRPLUS_AUTO, true},
	};
	struct stack *stack = malloc(sizeof(*stack));
	char json[512], *lines;
	json_t *header;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(json, sizeof(json), text, cases[i].readdirplus, cases[i].writeback,
			 cases[i].no_getxattr, cases[i].cache);
		header = json_loads(json, 0, NULL);
		assert_non_null(header);
		stack_init(stack);
		assert_int_equal(calibrate_settings(stack, header, &lines), 0);
		assert_int_equal(stack->daemon.mode, cases[i].mode);
		assert_int_equal(stack->daemon.readdirplus, cases[i].expected);
		assert_int_equal(stack->daemon.xattr, cases[i].xattr);
		assert_false(stack->daemon.parallel_dirops);
		/* Said if it is not as the simulator has it, and only then. */
		assert_non_null(strstr(lines, "no_open: on, which is not simulated"));
		assert_non_null(strstr(lines, "atomic_o_trunc: off, which is not simulated"));
		assert_null(strstr(lines, "no_flush"));
		assert_null(strstr(lines, "async_read"));
		free(lines);
		json_decref(header);
	}
	free(stack);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings_from_header),
		cmocka_unit_test(negotiated_from_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
