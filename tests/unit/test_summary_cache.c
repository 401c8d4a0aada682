// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Summaries of what becomes of a DAX window, and of what the page cache does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "lib/compiler.h"
#include "lib/summary.h"
#include "tests/unit/summary_of.h"

static void add_mapping(struct summary *s, enum span_class cls, uint32_t ranges, uint64_t ns)
{
	struct span span = {
		.opcode = cls <= SPAN_UPGRADE ? FUSE_SETUPMAPPING : FUSE_REMOVEMAPPING,
		.size_bytes = ranges * FUSE_DAX_RANGE_BYTES,
		.cls = cls,
		.queue = 1,
		.flags = SPAN_HAS_GUEST,
		.unsplit_ns = ns,
	};

	assert_int_equal(summary_add_span(s, &span), 0);
}

static void add_dax_op(struct summary *s, uint16_t type, uint32_t size, uint16_t flags,
		       uint64_t wait)
{
	struct op_record op = {
		.t_start_ns = 1000,
		.t_end_ns = 1500,
		.op_id = 1,
		.type = type,
		.size_bytes = size,
		.flags = flags,
		.range_wait_ns = wait,
	};

	assert_int_equal(summary_add_op(s, &op), 0);
}

static struct summary *dax_example(void)
{
	struct summary *s = summary_new();

	add_mapping(s, SPAN_SETUP, 1, 3000);
	add_mapping(s, SPAN_SETUP, 1, 5000);
	add_mapping(s, SPAN_UPGRADE, 1, 700);
	add_mapping(s, SPAN_EVICT, 7, 900);
	add_mapping(s, SPAN_OTHER, 0, 900); /* its reason was not recorded */
	add_dax_op(s, OP_READ, 4096, OP_DAX, 0);
	add_dax_op(s, OP_WRITE, 4096, OP_DAX, 250);
	add_dax_op(s, OP_WRITE, 4096, 0, 0); /* of another file */
	add_dax_op(s, OP_MMAP_FAULT, 4096, OP_DAX | OP_FAULT_WRITE, 750);
	add_dax_op(s, OP_MMAP_FAULT, FUSE_DAX_RANGE_BYTES, OP_DAX, 0);
	return s;
}

static void test_dax(void **state)
{
	struct summary *s = dax_example(), *other = dax_example(), *none = summary_new();
	json_t *json;
	char *text;

	assert_int_equal(summary_merge(s, other), 0);
	assert_int_equal(summary_merge(s, none), 0);
	json = summary_json(s);
	assert_int_equal(get_u64(json, "dax/setup/latency_ns/count"), 4);
	assert_int_equal(get_u64(json, "dax/setup/latency_ns/sum"), 16000);
	assert_int_equal(get_u64(json, "dax/setup/ranges"), 4);
	assert_int_equal(get_u64(json, "dax/upgrade/latency_ns/sum"), 1400);
	assert_int_equal(get_u64(json, "dax/evict/ranges"), 14);
	assert_int_equal(get_u64(json, "dax/reclaim/latency_ns/count"), 0);
	assert_int_equal(get_u64(json, "dax/reads"), 2);
	assert_int_equal(get_u64(json, "dax/writes"), 2);
	assert_int_equal(get_u64(json, "dax/write_faults"), 2);
	assert_int_equal(get_u64(json, "dax/page_fault_ns/count"), 2);
	assert_int_equal(get_u64(json, "dax/huge_fault_ns/sum"), 1000);
	assert_int_equal(get_u64(json, "dax/range_wait_ns/sum"), 2000);
	json_decref(json);
	print_to(s, &text);
	assert_non_null(strstr(text, "DAX window: 2 reads, 2 writes, 4 faults (2 for writing)"));
	assert_non_null(strstr(text, "\n  remove: evict           2       14  900 ns"));
	assert_null(strstr(text, "remove: worker"));
	free(text);
	/* What has no window says nothing of it. */
	json = summary_json(none);
	assert_null(json_object_get(json, "dax"));
	json_decref(json);
	summary_free(s);
	summary_free(other);
	summary_free(none);
}

static void add_cached_op(struct summary *s, const struct op_record *op)
{
	assert_int_equal(summary_add_op(s, op), 0);
}

static struct summary *cache_example(void)
{
	struct summary *s = summary_new();
	struct span later = {.opcode = FUSE_WRITE, .cls = SPAN_WRITEBACK, .unsplit_ns = 10};

	/* 4 KiB from the middle of a page touch two; at the end of the file, one. */
	add_cached_op(s, &(struct op_record){.type = OP_READ,
					     .flags = OP_PAGES_KNOWN,
					     .offset_bytes = 6144,
					     .result = 4096,
					     .pages_missed = 1});
	add_cached_op(s, &(struct op_record){.type = OP_READ,
					     .flags = OP_PAGES_KNOWN,
					     .offset_bytes = 8192,
					     .result = 100});
	add_cached_op(s, &(struct op_record){.type = OP_READ, .flags = OP_PAGES_KNOWN});
	add_cached_op(s, &(struct op_record){.type = OP_READ, .result = 4096});
	add_cached_op(s, &(struct op_record){.type = OP_MMAP_FAULT,
					     .flags = OP_PAGES_KNOWN,
					     .result = 4096,
					     .pages_missed = 1});
	add_cached_op(s, &(struct op_record){.type = OP_WRITE,
					     .result = 4096,
					     .nr_throttled = 2,
					     .throttled_ns = 500});
	assert_int_equal(summary_add_span(s, &later), 0);
	later.op_id = 3; /* in the op */
	assert_int_equal(summary_add_span(s, &later), 0);
	later.flags = SPAN_LATER;
	assert_int_equal(summary_add_span(s, &later), 0);
	assert_int_equal(cache_summary_add_pass(&s->cache, 700, 25, 3), 0);
	assert_int_equal(cache_summary_add_pass(&s->cache, 300, 5, 0), 0);
	return s;
}

static void test_page_cache(void **state)
{
	struct summary *s = cache_example(), *other = cache_example(), *none = summary_new();
	json_t *json;

	assert_int_equal(summary_merge(s, other), 0);
	assert_int_equal(summary_merge(s, none), 0);
	json = summary_json(s);
	assert_int_equal(get_u64(json, "page_cache/reads"), 4);
	assert_int_equal(get_u64(json, "page_cache/cached_reads"), 2);
	assert_int_equal(get_u64(json, "page_cache/read_pages"), 6);
	assert_int_equal(get_u64(json, "page_cache/read_pages_missed"), 2);
	assert_int_equal(get_u64(json, "page_cache/faults"), 2);
	assert_int_equal(get_u64(json, "page_cache/cached_faults"), 0);
	assert_int_equal(get_u64(json, "page_cache/pauses"), 4);
	assert_int_equal(get_u64(json, "page_cache/throttled_ns/sum"), 1000);
	assert_int_equal(get_u64(json, "page_cache/later_writes_linked"), 2);
	assert_int_equal(get_u64(json, "page_cache/later_writes_unlinked"), 2);
	assert_int_equal(get_u64(json, "page_cache/writeback_pages"), 60);
	assert_int_equal(get_u64(json, "page_cache/writeback_passes_in_ops"), 2);
	assert_int_equal(get_u64(json, "page_cache/writeback_pass_ns/sum"), 2000);
	json_decref(json);
	json = summary_json(none);
	assert_null(json_object_get(json, "page_cache"));
	json_decref(json);
	summary_free(s);
	summary_free(other);
	summary_free(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dax),
		cmocka_unit_test(test_page_cache),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
