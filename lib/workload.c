// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Freeing a workload: whoever made it, whoever ran it.
 */
#include <stdlib.h>
#include "lib/workload.h"

void workload_free(struct workload *w)
{
	if (!w)
		return;
	for (uint32_t i = 0; i < w->nr_tasks; i++)
		if (w->tasks[i].stream)
			w->tasks[i].stream->free(w->tasks[i].stream);
	free(w->tasks);
	free(w->files);
	free(w);
}
