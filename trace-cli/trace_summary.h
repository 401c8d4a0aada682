/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A trace as report needs it: its requests and ops folded, and what the file says of itself.
 */
#ifndef VFSCOPE_TRACE_CLI_TRACE_SUMMARY_H
#define VFSCOPE_TRACE_CLI_TRACE_SUMMARY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "bpf/events.h"
#include "lib/summary.h"
#include "trace/vft.h"

struct trace_summary {
	struct summary *summary;
	enum vft_kind kind;
	json_t *header, *footer; /* own references; footer may be NULL */
	uint64_t losses[NR_LOSS_CLASSES];
	bool interrupted;
};

/* Makes the summary. 0, -ENOMEM, or -errno after a message; to be freed whatever it returns. */
int trace_summary_read(struct trace_summary *t, const char *path);

/* An event of a guest's or joined trace, or counts of any. 0 or -ENOMEM. */
int trace_summary_add_event(struct trace_summary *t, const struct event_header *event);

void trace_summary_free(struct trace_summary *t);

#endif
