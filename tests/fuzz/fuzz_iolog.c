// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Parses hostile fio I/O logs and replays the first ops of those that are taken.
 */
#include <stdlib.h>
#include "lib/msg.h"
#include "tests/fuzz/fuzz.h"
#include "workloads/iolog.h"

#define MAX_OPS 1000

static void replay(struct iolog *log, uint32_t scale_percent)
{
	uint32_t nr = iolog_nr_files(log), *files = calloc(nr, sizeof(*files));
	struct iolog_replay how = {.files = files, .time_scale_percent = scale_percent};
	struct op_stream *stream;
	struct workload_op op;
	uint64_t now = 0;
	int rc = OP_STREAM_OP;

	for (uint32_t i = 0; i < nr; i++)
		files[i] = i;
	stream = iolog_stream_new(log, &how);
	free(files);
	for (int i = 0; i < MAX_OPS && rc == OP_STREAM_OP; i++) {
		rc = stream->next(stream, now, &op);
		if (rc < 0 ||
		    (rc == OP_STREAM_OP && (op.file >= nr || (unsigned int)op.type >= NR_OP_TYPES)))
			abort(); /* it was checked */
		now += 1000000;
	}
	stream->free(stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct iolog *log;

	msg_set_level(MSG_ERROR);
	if (iolog_parse(&log, "fuzz", (const char *)data, size))
		return 0;
	replay(log, 100);
	replay(log, 1);
	iolog_put(log);
	return 0;
}
