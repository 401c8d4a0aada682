// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reads hostile .vft files and takes their records as far as report does.
 *
 * First byte of the input: even, the rest is a file as it is; odd, the rest is the kind of file and
 * a recipe for its chunks (tests/fuzz/vft_recipe.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "lib/msg.h"
#include "lib/op.h"
#include "lib/summary.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/vft_recipe.h"
#include "trace/join.h"
#include "trace/vft.h"

static int take_half(void *ctx, const struct host_half *half)
{
	struct span span;

	span_from_host(&span, half);
	return summary_add_span(ctx, &span);
}

static void take_event(struct summary *s, struct host_assembler *a, const struct event_header *e)
{
	struct op_record op;
	struct span span;

	host_assembler_add(a, e);
	if (e->type == EV_GUEST_REQUEST) {
		span_from_guest(&span, (const struct guest_request_event *)e);
		summary_add_span(s, &span);
	} else if (e->type == EV_GUEST_OP) {
		op_from_event(&op, (const struct guest_op_event *)e);
		summary_add_op(s, &op);
	}
}

static void read_all(const char *path)
{
	struct summary *s = summary_new();
	struct host_assembler *a;
	struct vft_record record;
	struct vft_reader *r;

	if (!s || host_assembler_new(&a, take_half, s))
		abort();
	if (!vft_reader_open(&r, path)) {
		while (!vft_read(r, &record) && record.type != VFT_RECORD_END) {
			if (record.type == VFT_RECORD_EVENT)
				take_event(s, a, record.event);
			else if (record.type == VFT_RECORD_SPAN)
				summary_add_span(s, record.span);
			else
				summary_add_op(s, record.op);
		}
		vft_reader_close(r);
	}
	host_assembler_finish(a);
	json_decref(summary_json(s));
	host_assembler_free(a);
	summary_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	char path[64];

	if (fd < 0)
		abort();
	msg_set_level(MSG_ERROR);
	if (size && data[0] % 2)
		cook_vft(fd, size > 1 ? 1 + data[1] % 3 : 1, data + 2, size > 2 ? size - 2 : 0);
	else if (size)
		put_bytes(fd, data + 1, size - 1);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	read_all(path);
	close(fd);
	return 0;
}
