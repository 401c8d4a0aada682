// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Parses hostile fio job files and draws the first ops of each task.
 */
#include <stdlib.h>
#include "lib/msg.h"
#include "lib/workload.h"
#include "tests/fuzz/fuzz.h"
#include "workloads/fio_job.h"

#define MAX_TASKS 16
#define MAX_OPS 200

static void draw(struct workload *w, struct op_stream *stream)
{
	uint64_t now = 0;
	struct workload_op op;

	for (int i = 0; i < MAX_OPS && stream->next(stream, now, &op) == OP_STREAM_OP; i++) {
		if (op.file >= w->nr_files || (unsigned int)op.type >= NR_OP_TYPES)
			abort();
		if ((op.type == OP_READ || op.type == OP_WRITE) && !op.size_bytes)
			abort();
		now += op.think_ns + 100000000;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct workload *w;

	msg_set_level(MSG_ERROR);
	if (fio_job_parse("fuzz", (const char *)data, size, 1, &w))
		return 0;
	for (uint32_t i = 0; i < w->nr_tasks && i < MAX_TASKS; i++)
		draw(w, w->tasks[i].stream);
	workload_free(w);
	return 0;
}
