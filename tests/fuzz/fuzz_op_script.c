// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Parses hostile op scripts; what is taken can be performed, so its first requests are simulated in
 * each mode that has a page cache.
 */
#include <stdlib.h>
#include <string.h>
#include "lib/msg.h"
#include "sim/sim.h"
#include "tests/fuzz/fuzz.h"
#include "workloads/op_script.h"

#define MAX_REQUESTS 3000
#define MAX_TIME_NS (3600ULL * NS_PER_SEC)

static void check_lines(const struct op_script *script)
{
	for (uint32_t i = 0; i < script->nr_lines; i++) {
		const struct op_script_line *line = &script->lines[i];

		if (line->task >= script->nr_tasks || (i && line->number <= line[-1].number))
			abort();
		if (line->op.file >= script->nr_files && line->op.type != OP_DROP_CACHES)
			abort();
		if ((unsigned int)line->op.type >= NR_OP_TYPES)
			abort();
	}
}

static void simulate(const uint8_t *data, size_t size, enum io_mode mode)
{
	struct sim_options options = {
		.seed = 1, .max_requests = MAX_REQUESTS, .max_time_ns = MAX_TIME_NS};
	struct sim_sink sink = {0};
	struct op_script script;
	struct sim_stats stats;
	struct workload *w;
	struct stack stack;

	if (op_script_parse("fuzz", (const char *)data, size, &script))
		return;
	check_lines(&script);
	if (op_script_to_workload(&script, &w))
		abort();
	stack_init(&stack);
	stack.daemon.mode = mode;
	if (sim_run(&stack, w, &options, &sink, &stats))
		abort();
	workload_free(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	msg_set_level(MSG_ERROR);
	simulate(data, size, MODE_WRITETHROUGH);
	simulate(data, size, MODE_WRITEBACK);
	return 0;
}
