// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Name tables: each name maps back to its number, no two are equal, and none is missing.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "bpf/events.h"
#include "lib/compiler.h"
#include "lib/fuse_opcode.h"
#include "lib/loss.h"
#include "lib/mode.h"
#include "lib/op.h"
#include "lib/span.h"
#include "lib/stage.h"

static const char *stage_text(unsigned int i)
{
	return stage_name((enum stage)i);
}

static const char *stage_text_meaning(unsigned int i)
{
	return stage_meaning((enum stage)i);
}

static const char *mode_text(unsigned int i)
{
	return mode_name((enum io_mode)i);
}

static const char *op_text(unsigned int i)
{
	return op_type_name((enum op_type)i);
}

static const char *class_text(unsigned int i)
{
	return span_class_name((enum span_class)i);
}

struct name_table {
	const char *what;
	const char *(*name)(unsigned int i);
	int (*from_name)(const char *name); /* NULL: there is none */
	unsigned int count;
};

static const struct name_table tables[] = {
	{"stage", stage_text, stage_from_name, NR_STAGES},
	{"stage meaning", stage_text_meaning, NULL, NR_STAGES},
	{"mode", mode_text, mode_from_name, NR_MODES},
	{"op", op_text, op_type_from_name, NR_OP_TYPES},
	{"class", class_text, NULL, NR_SPAN_CLASSES},
	{"loss", loss_name, NULL, NR_LOSS_CLASSES},
	{"loss meaning", loss_meaning, NULL, NR_LOSS_CLASSES},
};

static void test_tables(void **state)
{
	for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
		const struct name_table *table = &tables[t];

		print_message("# %s\n", table->what);
		for (unsigned int i = 0; i < table->count; i++) {
			assert_non_null(table->name(i));
			assert_string_not_equal(table->name(i), "?");
			if (table->from_name)
				assert_int_equal(table->from_name(table->name(i)), i);
			for (unsigned int j = 0; j < i; j++)
				assert_string_not_equal(table->name(i), table->name(j));
		}
		assert_string_equal(table->name(table->count), "?");
		assert_string_equal(table->name(UINT32_MAX), "?");
		if (table->from_name) {
			assert_int_equal(table->from_name(""), -ENOENT);
			assert_int_equal(table->from_name("?"), -ENOENT);
			assert_int_equal(table->from_name("no such name"), -ENOENT);
		}
	}
}

static void test_stage_order(void **state)
{
	static const char *const order[] = {
		"bg_wait", "ring_wait", "notify",     "pool",
		"service", "interrupt", "completion", "wakeup",
	};

	assert_int_equal(ARRAY_SIZE(order), NR_STAGES);
	for (unsigned int i = 0; i < NR_STAGES; i++)
		assert_string_equal(stage_name((enum stage)i), order[i]);
}

static void test_opcodes(void **state)
{
	/* Against the kernel's header; the last ones are newer than some headers. */
	static const struct {
		int number;
		const char *name;
	} cases[] = {
		{FUSE_LOOKUP, "LOOKUP"},
		{FUSE_FORGET, "FORGET"},
		{FUSE_GETATTR, "GETATTR"},
		{FUSE_OPEN, "OPEN"},
		{FUSE_READ, "READ"},
		{FUSE_WRITE, "WRITE"},
		{FUSE_RELEASE, "RELEASE"},
		{FUSE_FSYNC, "FSYNC"},
		{FUSE_GETXATTR, "GETXATTR"},
		{FUSE_FLUSH, "FLUSH"},
		{FUSE_INIT, "INIT"},
		{FUSE_READDIR, "READDIR"},
		{FUSE_CREATE, "CREATE"},
		{FUSE_INTERRUPT, "INTERRUPT"},
		{FUSE_DESTROY, "DESTROY"},
		{FUSE_BATCH_FORGET, "BATCH_FORGET"},
		{FUSE_READDIRPLUS, "READDIRPLUS"},
		{FUSE_RENAME2, "RENAME2"},
		{FUSE_LSEEK, "LSEEK"},
		{FUSE_COPY_FILE_RANGE, "COPY_FILE_RANGE"},
		{FUSE_SETUPMAPPING, "SETUPMAPPING"},
		{FUSE_REMOVEMAPPING, "REMOVEMAPPING"},
		{FUSE_SYNCFS, "SYNCFS"},
		{51, "TMPFILE"},
		{52, "STATX"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_string_equal(fuse_opcode_name((uint32_t)cases[i].number), cases[i].name);
		assert_int_equal(fuse_opcode_from_name(cases[i].name), cases[i].number);
	}
	assert_int_equal(fuse_opcode_from_name("read"), FUSE_READ);
	assert_int_equal(fuse_opcode_from_name("REA"), -ENOENT);
	assert_int_equal(fuse_opcode_from_name("?"), -ENOENT);
	assert_string_equal(fuse_opcode_name(0), "?");
	assert_string_equal(fuse_opcode_name(7), "?");
	assert_string_equal(fuse_opcode_name(FUSE_OPCODE_LIMIT), "?");
	assert_string_equal(fuse_opcode_name(UINT32_MAX), "?");
	for (uint32_t i = 0; i < FUSE_OPCODE_LIMIT; i++)
		if (strcmp(fuse_opcode_name(i), "?"))
			assert_int_equal(fuse_opcode_from_name(fuse_opcode_name(i)), i);
}

static void test_loss(void **state)
{
	uint64_t losses[NR_LOSS_CLASSES] = {0}, expected = 0;
	char *text = NULL;
	size_t len;
	FILE *out;
	json_t *json;

	out = open_memstream(&text, &len);
	loss_print(losses, out);
	fclose(out);
	assert_string_equal(text, "losses: none\n");
	free(text);
	for (unsigned int i = 0; i < NR_LOSS_CLASSES; i++) {
		bool harmless = i == LOSS_START_NO_END || i == LOSS_END_NO_START;

		losses[i] = 1000 + i;
		assert_int_equal(!!loss_is_data_loss(i), !harmless);
		expected += harmless ? 0 : losses[i];
	}
	assert_false(loss_is_data_loss(NR_LOSS_CLASSES));
	assert_int_equal(loss_total(losses), expected);
	out = open_memstream(&text, &len);
	loss_print(losses, out);
	fclose(out);
	json = loss_json(losses);
	assert_int_equal(json_object_size(json), NR_LOSS_CLASSES);
	for (unsigned int i = 0; i < NR_LOSS_CLASSES; i++) {
		assert_non_null(strstr(text, loss_name(i)));
		assert_int_equal(json_integer_value(json_object_get(json, loss_name(i))),
				 losses[i]);
	}
	json_decref(json);
	free(text);
}

static void test_span_latency(void **state)
{
	struct span span = {.unsplit_ns = 1};
	uint64_t expected = 1;

	for (int i = 0; i < NR_STAGES; i++)
		expected += span.stage_ns[i] = 1ull << (4 * i + 1);
	/* Parts of stages do not count twice. */
	span.host_io_ns = span.doorbell_ns = span.kworker_ns = 12345;
	assert_int_equal(span_latency_ns(&span), expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),	     cmocka_unit_test(test_stage_order),
		cmocka_unit_test(test_opcodes),	     cmocka_unit_test(test_loss),
		cmocka_unit_test(test_span_latency),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
