// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The table of stages: every name printed, parsed or documented comes from here.
 */
#include <errno.h>
#include <string.h>
#include "lib/compiler.h"
#include "lib/stage.h"

static const struct {
	const char *name;
	const char *meaning;
} stages[NR_STAGES] = {
	[STAGE_BG_WAIT] = {"bg_wait", "waiting for a place among the background requests"},
	[STAGE_RING_WAIT] = {"ring_wait", "waiting because the virtqueue was full"},
	[STAGE_NOTIFY] = {"notify",
			  "kick, VM exit, daemon wake-up, and waiting behind earlier chains"},
	[STAGE_POOL] = {"pool", "waiting for a worker of the daemon's thread pool"},
	[STAGE_SERVICE] = {"service", "the daemon works on it"},
	[STAGE_INTERRUPT] = {"interrupt", "used ring published until the guest's handler runs"},
	[STAGE_COMPLETION] = {"completion", "guest work queue, behind earlier completions"},
	[STAGE_WAKEUP] = {"wakeup", "request ended until the waiting task runs"},
};

const char *stage_name(enum stage stage)
{
	return (unsigned int)stage < NR_STAGES ? stages[stage].name : "?";
}

const char *stage_meaning(enum stage stage)
{
	return (unsigned int)stage < NR_STAGES ? stages[stage].meaning : "?";
}

int stage_from_name(const char *name)
{
	for (int i = 0; i < NR_STAGES; i++)
		if (!strcmp(stages[i].name, name))
			return i;
	return -ENOENT;
}
