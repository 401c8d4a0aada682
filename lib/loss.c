// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The table of loss classes: files store the names, reports print the meanings.
 */
#include <inttypes.h>
#include "bpf/events.h"
#include "lib/compiler.h"
#include "lib/loss.h"

struct loss_text {
	const char *name;
	const char *meaning;
	int data_loss;
};

static const struct loss_text table[NR_LOSS_CLASSES] = {
	[LOSS_RINGBUF] = {"ringbuf", "events that did not fit into the ring buffer", 1},
	[LOSS_MAP_FULL] = {"map_full", "requests, ops, calls or counters that found no room in their map", 1},
	[LOSS_START_NO_END] = {"start_no_end", "requests, ops and calls in flight when recording stopped", 0},
	[LOSS_END_NO_START] = {"end_no_start", "requests, ops and calls under way when recording started", 0},
	[LOSS_HEADER] = {"header", "requests whose FUSE header or arguments could not be read", 1},
	[LOSS_RING_OVERRUN] = {"ring_overrun", "ring entries beyond what one scan may follow", 1},
	[LOSS_UNMATCHED_GUEST] = {"unmatched_guest", "guest requests without their host half", 1},
	[LOSS_UNMATCHED_HOST] = {"unmatched_host", "host requests without their guest half", 1},
	[LOSS_SKEWED] = {"skewed", "requests that contradict the clock band", 1},
	[LOSS_DAMAGED] = {"damaged", "records in damaged, cut off or unwritten parts of the file",
			  1},
	[LOSS_PROBE_MISSED] = {"probe_missed", "probe runs that the kernel skipped", 1},
	[LOSS_LEFT_OUT] = {"left_out", "connections not described or daemons not followed: too many",
			   1},
	[LOSS_RING_MOVED] = {"ring_moved",
			     "requests after the guest set its rings up anew, before they were found", 1},
};

const char *loss_name(unsigned int loss_class)
{
	return loss_class < ARRAY_SIZE(table) ? table[loss_class].name : "?";
}

const char *loss_meaning(unsigned int loss_class)
{
	return loss_class < ARRAY_SIZE(table) ? table[loss_class].meaning : "?";
}

int loss_is_data_loss(unsigned int loss_class)
{
	return loss_class < ARRAY_SIZE(table) && table[loss_class].data_loss;
}

void loss_print(const uint64_t *losses, FILE *out)
{
	int shown = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(table); i++) {
		if (!losses[i])
			continue;
		if (!shown++)
			fputs("losses:\n", out);
		fprintf(out, "  %-16s %12" PRIu64 "  %s\n", table[i].name, losses[i],
			table[i].meaning);
	}
	if (!shown)
		fputs("losses: none\n", out);
}

json_t *loss_json(const uint64_t *losses)
{
	json_t *object = json_object();

	for (unsigned int i = 0; object && i < ARRAY_SIZE(table); i++) {
		if (json_object_set_new(object, table[i].name,
					json_integer((json_int_t)losses[i]))) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

uint64_t loss_total(const uint64_t *losses)
{
	uint64_t total = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].data_loss)
			total += losses[i];
	return total;
}
