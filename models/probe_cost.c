// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Takes the recorder's own programs out of what it recorded.
 *
 * A program reads the clock when it starts, so its run time falls into the cost that begins at its
 * time stamp. Programs that run beside the request's path (after the doorbell, say) cost it
 * nothing. The time of entering and leaving a probe is not known and stays in.
 */
#include <string.h>
#include "models/calibrate_internal.h"

#define MAX_ALTERNATIVES 4

/* Per row: programs of which one runs in each sample of the cost. Rows of one cost add up. */
static const struct {
	enum cost cost;
	const char *programs[MAX_ALTERNATIVES];
} rows[] = {
	{COST_SYSCALL, {"read_end", "write_end"}},
	{COST_READ_HIT, {"read_begin"}},
	{COST_READ_PREPARE, {"read_begin"}},
	{COST_READ_FINISH, {"waiter_woke"}},
	{COST_READ_FINISH, {"issued_sync_v61", "issued_sync_v612", "issued_sync_v72"}},
	{COST_WRITE_HIT, {"write_begin"}},
	{COST_WRITE_PREPARE, {"write_begin"}},
	{COST_WRITE_FINISH, {"waiter_woke"}},
	{COST_WRITE_FINISH, {"issued_sync_v61", "issued_sync_v612", "issued_sync_v72"}},
	{COST_ISSUE, {"issue_sync_v61", "issue_sync_v612", "issue_sync_v72"}},
	{COST_ENQUEUE, {"enqueue_begin"}},
	{COST_KICK, {"ring_add"}},
	{COST_KICK, {"kick_prepared"}},
	{COST_KICK, {"notify_begin"}},
	{COST_DOORBELL, {"notify_begin"}},
	{COST_KWORKER, {"queue_irq"}},
	{COST_COMPLETE, {"requests_work"}},
	{COST_COMPLETE, {"ring_get"}},
	{COST_COMPLETE, {"request_complete"}},
	{COST_COMPLETE_HOP, {"requests_work"}},
	{COST_COMPLETE_HOP, {"ring_get"}},
	{COST_WAKEUP, {"request_end"}},
	{COST_PAGE_WAKEUP, {"request_end"}},
};

static double mean_of(const json_t *probe_cost, const char *const *programs)
{
	double runs = 0, ns = 0;

	for (int i = 0; i < MAX_ALTERNATIVES && programs[i]; i++) {
		const json_t *program = json_object_get(probe_cost, programs[i]);

		runs += (double)json_integer_value(json_object_get(program, "runs"));
		ns += (double)json_integer_value(json_object_get(program, "ns"));
	}
	return runs > 0 && ns > 0 ? ns / runs : 0;
}

void calibration_set_probe_cost(struct calibration *c, const json_t *probe_cost)
{
	memset(c->probe_ns, 0, sizeof(c->probe_ns));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		c->probe_ns[rows[i].cost] += mean_of(probe_cost, rows[i].programs);
}
