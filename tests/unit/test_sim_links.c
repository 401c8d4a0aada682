// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Symbolic links in the simulator: what a walk asks for when it comes by some, and where it ends.
 * tests/live/fidelity compares the same with guests.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "lib/compiler.h"
#include "lib/fuse_opcode.h"
#include "workloads/op_script.h"
#include "sim_script.h"

/* Made with all caches empty behind it. */
#define MADE                                                                                       \
	"dir d\ndir d/e\nfile d/e/f 5k\nfile a 5k\n"                                               \
	"symlink beside a\nsymlink d/down e\nsymlink d/up ../a\nsymlink root /d/e\n"               \
	"symlink chain d/down/f\nsymlink twice root\nsymlink no d/missing\nsymlink d/new "         \
	"../made\n"                                                                                \
	"dropcaches\n"

static void run_text(const char *text, const struct stack *stack, struct record_sink *r)
{
	struct sim_stats stats;
	struct op_script script;
	struct workload *w;

	assert_int_equal(op_script_parse("t", text, strlen(text), &script), 0);
	assert_int_equal(op_script_to_workload(&script, &w), 0);
	assert_int_equal(record_run(stack, w, 1, r, &stats), 0);
	workload_free(w);
}

/* An op ends later than it begins, so that its requests can be told. */
static void links_stack(struct stack *stack)
{
	stack_init(stack);
	dist_const(&stack->service_default.cpu, 10000);
}

static uint64_t last_op_start(const struct record_sink *r)
{
	return r->ops[r->nr_ops - 1].t_start_ns;
}

/* The requests of the script's last op, FORGETs not among them: a letter each. */
static void letters(const struct record_sink *r, char *text, size_t size)
{
	static const struct {
		uint32_t opcode;
		char letter;
	} names[] = {{FUSE_LOOKUP, 'L'}, {FUSE_READLINK, 'r'}, {FUSE_GETATTR, 'g'},
		     {FUSE_OPEN, 'O'},	 {FUSE_CREATE, 'C'},   {FUSE_STATFS, 'S'},
		     {FUSE_RENAME, 'm'}, {FUSE_UNLINK, 'u'},   {FUSE_SETATTR, 's'}};
	size_t n = 0;

	for (uint32_t i = 0; i < r->nr_spans; i++) {
		if (r->spans[i].t_issue_ns < last_op_start(r) || r->spans[i].opcode == FUSE_FORGET)
			continue;
		for (size_t k = 0; k < ARRAY_SIZE(names) && n + 1 < size; k++)
			if (names[k].opcode == r->spans[i].opcode)
				text[n++] = names[k].letter;
	}
	text[n] = 0;
}

/* Each link on the way is looked up and read, then the walk goes on from where its text leads. */
static void test_walks(void **state)
{
	static const struct {
		const char *op;
		const char *sent;
	} cases[] = {
		{"stat beside\n", "L"},
		{"stat beside follow\n", "LrL"},
		{"lookup beside\n", "L"},
		{"readlink beside\n", "Lr"},
		{"open beside\n", "LrLO"},
		{"statfs beside\n", "LrLS"},
		{"chmod beside\n", "LrLs"},
		/* the link is what is renamed and removed */
		{"rename beside other\n", "LLm"},
		{"unlink beside\n", "Lu"},
		{"open d/down/f\n", "LLrLLO"},
		{"open d/up\n", "LLrLO"},
		{"open root/f\n", "LrLLLO"},
		/* d/down/f, of which d/down is one */
		{"open chain\n", "LrLLrLLO"},
		{"stat twice/f\n", "LrLrLLL"},
		/* each time: no virtiofsd has the kernel keep a link's text */
		{"stat beside follow\nstat beside follow\n", "r"},
		{"lookup no\n", "L"},
		{"open d/new create\n", "LLrLC"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct record_sink r = {0};
		struct stack stack;
		char text[1024], sent[64];

		links_stack(&stack);
		snprintf(text, sizeof(text), "%s%s", MADE, cases[i].op);
		run_text(text, &stack, &r);
		assert_int_equal(r.ops[r.nr_ops - 1].result, 0);
		letters(&r, sent, sizeof(sent));
		assert_string_equal(sent, cases[i].sent);
		record_free(&r);
	}
}

/* What is read by a link is the file: what one name wrote the other finds cached. */
static void test_same_file(void **state)
{
	struct record_sink r = {0};
	struct stack stack;
	char sent[64];

	links_stack(&stack);
	stack.daemon.keep_cache = true;
	run_text(MADE "open chain\nread chain 0 4k\nclose chain\n"
		      "open d/e/f\nread d/e/f 0 4k\n",
		 &stack, &r);
	letters(&r, sent, sizeof(sent));
	assert_string_equal(sent, "");
	record_free(&r);
}

/* Every LOOKUP and SYMLINK of what is there is forgotten at last: links leave no pins behind. */
static void test_forgotten(void **state)
{
	for (int mode = 0; mode < 2; mode++) {
		uint32_t made = 0, forgotten = 0;
		struct record_sink r = {0};
		struct stack stack;

		links_stack(&stack);
		if (mode)
			stack.daemon.attr_timeout_ns = stack.daemon.entry_timeout_ns = 0;
		run_text(MADE "stat chain follow\nstat twice/f\nlookup no\nopen d/new create\n"
			      "close d/new\nstat d/up follow\nreaddir twice\ndropcaches\n",
			 &stack, &r);
		for (uint32_t i = 0; i < r.nr_spans; i++) {
			made += r.spans[i].opcode == FUSE_SYMLINK;
			forgotten += r.spans[i].opcode == FUSE_FORGET;
		}
		assert_int_equal(made, 8);
		/* At the first drop eight links and d; at the last seven links, d, e, f, a and
		 * made. */
		if (!mode)
			assert_int_equal(forgotten, 9 + 12);
		else
			assert_true(forgotten > 9 + 12);
		record_free(&r);
	}
}

/* A workload that no parser saw: links that lead to each other, or out of the share. */
static void test_no_end(void **state)
{
	static const char *const texts[] = {"a", "b", "../x", "b/x", "../../x"};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct workload_op ops[] = {
			{.type = OP_SYMLINK, .file = 0, .file2 = 2},
			{.type = OP_SYMLINK, .file = 1, .file2 = 3},
			{.type = OP_STAT, .flags = OP_FOLLOWS},
			{.type = OP_STAT, .file = 4},
			{.type = OP_DROP_CACHES},
		};
		struct workload *w = script_workload_new(1, 4096);
		struct record_sink r = {0};
		struct sim_stats stats;
		struct stack stack;

		free(w->files);
		w->files = calloc(5, sizeof(*w->files));
		w->nr_files = 5;
		w->makes_directories = true;
		strcpy(w->files[0].name, "a");
		strcpy(w->files[1].name, "b");
		strcpy(w->files[2].name, texts[i]);
		strcpy(w->files[3].name, "a");
		strcpy(w->files[4].name, "b/c");
		w->tasks[0].stream = script_stream_new(ops, ARRAY_SIZE(ops));
		links_stack(&stack);
		assert_int_equal(record_run(&stack, w, 1, &r, &stats), 0);
		assert_int_equal(r.nr_ops, ARRAY_SIZE(ops));
		assert_int_equal(r.ops[2].result, -ENOENT);
		assert_int_equal(r.ops[3].result, -ENOENT);
		record_free(&r);
		workload_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walks),
		cmocka_unit_test(test_same_file),
		cmocka_unit_test(test_forgotten),
		cmocka_unit_test(test_no_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
