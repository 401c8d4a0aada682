// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Messages: prefixes, levels, and a progress line that only terminals get.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pty.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "lib/compiler.h"
#include "lib/msg.h"
#include "tests/unit/stderr_of.h"

static void say_everything(void)
{
	msg_error("e %d", 1);
	msg_warn("w %s", "2");
	msg_info("i");
	msg_debug("d");
	msg_progress("p %d %%", 50);
	msg_progress_end();
}

static void test_levels(void **state)
{
	static const struct {
		enum msg_level level;
		const char *text;
	} cases[] = {
		{MSG_ERROR, "vfscope: error: e 1\n"},
		{MSG_WARN, "vfscope: error: e 1\nvfscope: warning: w 2\n"},
		{MSG_INFO, "vfscope: error: e 1\nvfscope: warning: w 2\nvfscope: i\n"},
		{MSG_DEBUG, "vfscope: error: e 1\nvfscope: warning: w 2\nvfscope: i\n"
			    "vfscope: debug: d\n"},
	};

	assert_int_equal(msg_level(), MSG_INFO);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct stderr_of s;
		char said[512];

		msg_set_level(cases[i].level);
		assert_int_equal(msg_level(), cases[i].level);
		stderr_begin(&s);
		say_everything();
		stderr_end(&s, said, sizeof(said));
		assert_string_equal(said, cases[i].text);
	}
	msg_set_level(MSG_INFO);
}

/* On a terminal the progress line is erased before a message, so that neither spoils the other. */
static void test_progress_on_a_terminal(void **state)
{
	int master, slave, saved;
	char said[512];
	size_t used = 0;
	ssize_t n;

	if (openpty(&master, &slave, NULL, NULL, NULL)) {
		print_message("# no pseudo-terminal here\n");
		skip();
	}
	saved = dup(STDERR_FILENO);
	dup2(slave, STDERR_FILENO);
	msg_progress("half %d", 50);
	msg_info("news");
	msg_set_level(MSG_WARN);
	msg_progress("quiet");
	msg_set_level(MSG_INFO);
	dup2(saved, STDERR_FILENO);
	close(saved);
	/* A terminal hands over what it has so far: read up to the message's end. */
	while (!memchr(said, '\n', used) && used < sizeof(said) - 1 &&
	       (n = read(master, said + used, sizeof(said) - 1 - used)) > 0)
		used += (size_t)n;
	said[used] = '\0';
	close(slave);
	close(master);
	assert_string_equal(said, "\r\033[Khalf 50\r\033[Kvfscope: news\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_progress_on_a_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
