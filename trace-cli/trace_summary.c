// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One pass over a trace of any kind; see trace_summary.h.
 */
#include <errno.h>
#include <string.h>
#include "trace-cli/trace_summary.h"
#include "trace-cli/trace_text.h"
#include "trace/halves.h"
#include "trace/join.h"

static int add_host_half(void *ctx, const struct host_half *half)
{
	struct span span;

	span_from_host(&span, half);
	return summary_add_span(ctx, &span);
}

static int add_pass(struct trace_summary *t, const struct guest_writeback_event *pass)
{
	uint64_t ns = pass->h.ts_ns > pass->t_start_ns ? pass->h.ts_ns - pass->t_start_ns : 0;

	return cache_summary_add_pass(&t->summary->cache, ns, pass->pages, pass->op_id);
}

int trace_summary_add_event(struct trace_summary *t, const struct event_header *event)
{
	const struct aggregate_event *added;
	struct op_record op;
	struct span span;

	if (event->type == EV_AGGREGATE) {
		added = (const struct aggregate_event *)event;
		return summary_add_aggregate(t->summary, event->ts_ns, &added->key, &added->added,
					     t->kind == VFT_HOST);
	}
	if (event->type == EV_GUEST_REQUEST) {
		span_from_guest(&span, (const struct guest_request_event *)event);
		return summary_add_span(t->summary, &span);
	}
	if (event->type == EV_GUEST_OP) {
		op_from_event(&op, (const struct guest_op_event *)event);
		return summary_add_op(t->summary, &op);
	}
	if (event->type == EV_GUEST_WRITEBACK)
		return add_pass(t, (const struct guest_writeback_event *)event);
	return 0;
}

static int add_event(struct trace_summary *t, struct host_assembler *a,
		     const struct event_header *event)
{
	if (a && event->type != EV_AGGREGATE)
		return host_assembler_add(a, event);
	return trace_summary_add_event(t, event);
}

static int add_records(struct trace_summary *t, struct vft_reader *reader, struct host_assembler *a)
{
	struct vft_record record;
	int err;

	for (;;) {
		err = vft_read(reader, &record);
		if (err)
			return err;
		switch (record.type) {
		case VFT_RECORD_END:
			return a ? host_assembler_finish(a) : 0;
		case VFT_RECORD_EVENT:
			err = add_event(t, a, record.event);
			break;
		case VFT_RECORD_SPAN:
			err = summary_add_span(t->summary, record.span);
			break;
		case VFT_RECORD_OP:
			err = summary_add_op(t->summary, record.op);
			break;
		}
		if (err)
			return err;
	}
}

int trace_summary_read(struct trace_summary *t, const char *path)
{
	struct host_assembler *a = NULL;
	struct vft_reader *reader;
	int err;

	t->summary = summary_new();
	if (!t->summary)
		return -ENOMEM;
	err = vft_reader_open(&reader, path);
	if (err)
		return err;
	t->kind = vft_reader_kind(reader);
	if (t->kind == VFT_HOST)
		err = host_assembler_new(&a, add_host_half, t->summary);
	if (!err)
		err = add_records(t, reader, a);
	t->header = json_incref((json_t *)vft_reader_header(reader));
	t->footer = json_incref((json_t *)vft_reader_footer(reader));
	t->interrupted = trace_was_interrupted(reader);
	memcpy(t->losses, vft_reader_losses(reader), sizeof(t->losses));
	if (a)
		host_assembler_free(a);
	vft_reader_close(reader);
	return err;
}

void trace_summary_free(struct trace_summary *t)
{
	summary_free(t->summary);
	json_decref(t->header);
	json_decref(t->footer);
	*t = (struct trace_summary){0};
}
