// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * docs/vft-format.md describes the bytes that the code writes: every field of every structure, in
 * order, without a gap. Run from the top of the tree.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "bpf/events.h"
#include "lib/compiler.h"
#include "lib/loss.h"
#include "lib/op.h"
#include "lib/span.h"
#include "trace/event_pack.h"
#include "trace/vft.h"
#include "trace/vft_format.h"

#define FIELD(type, field)                                                                         \
	{                                                                                          \
#type, #field, offsetof(struct type, field), sizeof(((struct type *)0)->field),    \
			sizeof(struct type)                                                        \
	}

static const struct field {
	const char *type, *name;
	size_t offset, bytes, whole;
} fields[] = {
	FIELD(event_header, type),
	FIELD(event_header, size),
	FIELD(event_header, cpu),
	FIELD(event_header, ts_ns),
	FIELD(guest_request_event, h),
	FIELD(guest_request_event, unique),
	FIELD(guest_request_event, nodeid),
	FIELD(guest_request_event, offset_bytes),
	FIELD(guest_request_event, op_id),
	FIELD(guest_request_event, t_issue_ns),
	FIELD(guest_request_event, t_send_ns),
	FIELD(guest_request_event, t_queued_ns),
	FIELD(guest_request_event, t_add_ns),
	FIELD(guest_request_event, t_kick_ns),
	FIELD(guest_request_event, doorbell_ns),
	FIELD(guest_request_event, t_irq_ns),
	FIELD(guest_request_event, t_work_ns),
	FIELD(guest_request_event, t_complete_ns),
	FIELD(guest_request_event, t_end_ns),
	FIELD(guest_request_event, t_wake_ns),
	FIELD(guest_request_event, conn),
	FIELD(guest_request_event, opcode),
	FIELD(guest_request_event, task),
	FIELD(guest_request_event, size_bytes),
	FIELD(guest_request_event, in_len),
	FIELD(guest_request_event, reply_bytes),
	FIELD(guest_request_event, error),
	FIELD(guest_request_event, flags),
	FIELD(guest_request_event, fuse_flags),
	FIELD(guest_request_event, queue),
	FIELD(guest_request_event, sg_out),
	FIELD(guest_request_event, sg_in),
	FIELD(guest_request_event, ring_full_retries),
	FIELD(guest_request_event, inflight),
	FIELD(guest_request_event, avail_idx),
	FIELD(guest_request_event, avail_idx_known),
	FIELD(guest_request_event, pad16),
	FIELD(guest_request_event, end_cpu),
	FIELD(guest_request_event, window_range),
	FIELD(guest_request_event, pad),
	FIELD(guest_op_event, h),
	FIELD(guest_op_event, t_start_ns),
	FIELD(guest_op_event, op_id),
	FIELD(guest_op_event, nodeid),
	FIELD(guest_op_event, offset_bytes),
	FIELD(guest_op_event, result),
	FIELD(guest_op_event, size_bytes),
	FIELD(guest_op_event, conn),
	FIELD(guest_op_event, task),
	FIELD(guest_op_event, op_type),
	FIELD(guest_op_event, flags),
	FIELD(guest_op_event, nr_requests),
	FIELD(guest_op_event, pages_missed),
	FIELD(guest_op_event, range_wait_ns),
	FIELD(guest_op_event, dir_nodeid),
	FIELD(guest_op_event, throttled_ns),
	FIELD(guest_op_event, nr_throttled),
	FIELD(guest_op_event, pad),
	FIELD(guest_writeback_event, h),
	FIELD(guest_writeback_event, t_start_ns),
	FIELD(guest_writeback_event, nodeid),
	FIELD(guest_writeback_event, op_id),
	FIELD(guest_writeback_event, conn),
	FIELD(guest_writeback_event, task),
	FIELD(guest_writeback_event, pages),
	FIELD(guest_writeback_event, result),
	FIELD(guest_writeback_event, waits),
	FIELD(guest_writeback_event, pad),
	FIELD(guest_path_event, h),
	FIELD(guest_path_event, nodeid),
	FIELD(guest_path_event, conn),
	FIELD(guest_path_event, nr_names),
	FIELD(guest_path_event, cut),
	FIELD(guest_path_event, names),
	FIELD(host_chain_event, h),
	FIELD(host_chain_event, unique),
	FIELD(host_chain_event, nodeid),
	FIELD(host_chain_event, offset_bytes),
	FIELD(host_chain_event, data_addr),
	FIELD(host_chain_event, opcode),
	FIELD(host_chain_event, size_bytes),
	FIELD(host_chain_event, in_len),
	FIELD(host_chain_event, tid),
	FIELD(host_chain_event, flags),
	FIELD(host_chain_event, queue),
	FIELD(host_chain_event, head),
	FIELD(host_chain_event, avail_idx),
	FIELD(host_chain_event, daemon),
	FIELD(host_chain_event, pad),
	FIELD(host_syscall_event, h),
	FIELD(host_syscall_event, t_enter_ns),
	FIELD(host_syscall_event, iov_base),
	FIELD(host_syscall_event, result),
	FIELD(host_syscall_event, tid),
	FIELD(host_syscall_event, fd),
	FIELD(host_syscall_event, nr),
	FIELD(host_syscall_event, cls),
	FIELD(host_syscall_event, daemon),
	FIELD(host_syscall_event, pad16),
	FIELD(host_syscall_event, runnable_ns),
	FIELD(host_used_event, h),
	FIELD(host_used_event, tid),
	FIELD(host_used_event, len),
	FIELD(host_used_event, queue),
	FIELD(host_used_event, head),
	FIELD(host_used_event, used_idx),
	FIELD(host_used_event, daemon),
	FIELD(host_used_event, t_absent_ns),
	FIELD(span, t_issue_ns),
	FIELD(span, unique),
	FIELD(span, nodeid),
	FIELD(span, offset_bytes),
	FIELD(span, size_bytes),
	FIELD(span, reply_bytes),
	FIELD(span, error),
	FIELD(span, conn),
	FIELD(span, opcode),
	FIELD(span, task),
	FIELD(span, cpu),
	FIELD(span, queue),
	FIELD(span, cls),
	FIELD(span, flags),
	FIELD(span, ring_full_retries),
	FIELD(span, sg_out),
	FIELD(span, sg_in),
	FIELD(span, inflight),
	FIELD(span, stages_known),
	FIELD(span, window_range),
	FIELD(span, stage_ns),
	FIELD(span, unsplit_ns),
	FIELD(span, host_io_ns),
	FIELD(span, doorbell_ns),
	FIELD(span, op_id),
	FIELD(span, enqueue_ns),
	FIELD(span, kworker_ns),
	FIELD(span, drain_ns),
	FIELD(span, cpu_wait_ns),
	FIELD(op_record, t_start_ns),
	FIELD(op_record, t_end_ns),
	FIELD(op_record, op_id),
	FIELD(op_record, nodeid),
	FIELD(op_record, offset_bytes),
	FIELD(op_record, result),
	FIELD(op_record, size_bytes),
	FIELD(op_record, conn),
	FIELD(op_record, task),
	FIELD(op_record, type),
	FIELD(op_record, flags),
	FIELD(op_record, nr_requests),
	FIELD(op_record, pages_missed),
	FIELD(op_record, range_wait_ns),
	FIELD(op_record, dir_nodeid),
	FIELD(op_record, throttled_ns),
	FIELD(op_record, nr_throttled),
	FIELD(op_record, pad),
	FIELD(vft_file_header, magic),
	FIELD(vft_file_header, version),
	FIELD(vft_file_header, kind),
	FIELD(vft_file_header, max_chunk_bytes),
	FIELD(vft_file_header, reserved),
	FIELD(vft_file_header, crc),
	FIELD(vft_chunk_header, magic),
	FIELD(vft_chunk_header, type),
	FIELD(vft_chunk_header, encoding),
	FIELD(vft_chunk_header, sequence),
	FIELD(vft_chunk_header, stored_bytes),
	FIELD(vft_chunk_header, raw_bytes),
	FIELD(vft_chunk_header, records),
	FIELD(vft_chunk_header, payload_crc),
	FIELD(vft_chunk_header, crc),
	FIELD(vft_packed_header, control_bytes),
	FIELD(vft_packed_header, control_stored),
	FIELD(vft_packed_header, values_bytes),
	FIELD(vft_packed_header, values_stored),
};

static FILE *open_doc(void)
{
	FILE *doc = fopen("docs/vft-format.md", "r");

	if (!doc)
		fail_msg("docs/vft-format.md is not here: run from the top of the tree");
	return doc;
}

/* Continues behind the line that starts with text. */
static void find_line(FILE *doc, const char *text)
{
	char line[1024];

	while (fgets(line, sizeof(line), doc))
		if (!strncmp(line, text, strlen(text)))
			return;
	fail_msg("docs/vft-format.md lacks the line: %s", text);
}

static void test_fields_as_documented(void **state)
{
	FILE *doc = open_doc();
	const char *type = "";
	char want[256], line[1024];
	size_t end = 0, whole = 0;

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		const struct field *f = &fields[i];

		if (strcmp(type, f->type)) {
			assert_int_equal(end, whole);
			rewind(doc);
			snprintf(want, sizeof(want), "### struct %s, %zu bytes", f->type, f->whole);
			find_line(doc, want);
			find_line(doc, "|---");
			type = f->type;
			whole = f->whole;
			end = 0;
		}
		assert_int_equal(f->offset, end); /* no padding without a name */
		end += f->bytes;
		snprintf(want, sizeof(want), "| %zu | %zu | `%s` |", f->offset, f->bytes, f->name);
		assert_non_null(fgets(line, sizeof(line), doc));
		line[strlen(want)] = 0;
		assert_string_equal(line, want);
	}
	assert_int_equal(end, whole);
	fclose(doc);
}

static void test_losses_as_documented(void **state)
{
	FILE *doc = open_doc();
	char want[256];

	for (unsigned int i = 0; i < NR_LOSS_CLASSES; i++) {
		snprintf(want, sizeof(want), "| `%s` | %s | %s |", loss_name(i), loss_meaning(i),
			 loss_is_data_loss(i) ? "yes" : "no");
		find_line(doc, want);
	}
	fclose(doc);
}

/* Numbers that the text names. */
static void test_constants_as_documented(void **state)
{
	assert_int_equal(VFT_VERSION, 2);
	assert_int_equal(VFT_OLDEST_VERSION, 1);
	assert_int_equal(VFT_ENCODING_PACKED, 2);
	assert_int_equal(EVENT_PACK_MAX_WORDS, 64);
	assert_int_equal(EVENT_PACK_MAX_SHAPES, 32);
	assert_int_equal(VFT_MAX_CHUNK_BYTES, 4194304);
	assert_int_equal(VFT_MAX_JSON_BYTES, 524288);
	assert_memory_equal(VFT_MAGIC, "\x89VFT\x0d\x0a\x1a\x0a", VFT_MAGIC_BYTES);
	assert_int_equal(VFT_CHUNK_MAGIC, 0x4b434656);
	assert_int_equal(VFT_CHUNK_HEADER, 1);
	assert_int_equal(VFT_CHUNK_EVENTS, 2);
	assert_int_equal(VFT_CHUNK_SPANS, 3);
	assert_int_equal(VFT_CHUNK_OPS, 4);
	assert_int_equal(VFT_CHUNK_FOOTER, 5);
	assert_int_equal(EV_GUEST_REQUEST, 1);
	assert_int_equal(EV_GUEST_OP, 2);
	assert_int_equal(EV_HOST_CHAIN, 16);
	assert_int_equal(EV_HOST_SYSCALL, 17);
	assert_int_equal(EV_HOST_USED, 18);
	assert_int_equal(EV_HOST_HEADER, 19);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields_as_documented),
		cmocka_unit_test(test_losses_as_documented),
		cmocka_unit_test(test_constants_as_documented),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
