// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The guest's page cache. Direct I/O is all that is modelled so far: sim_run() refuses stacks in
 * the cached modes, so that none of these is ever asked for anything.
 */
#include <errno.h>
#include "sim/model.h"

int page_cache_init(struct sim *sim)
{
	return sim->stack->daemon.mode == MODE_DIRECT ? 0 : -ENOTSUP;
}

void page_cache_release(struct sim *sim)
{
}

void page_cache_drop(struct sim *sim, struct file *file)
{
}

void read_ahead_init(struct sim *sim, struct read_ahead *ra, uint32_t open_flags)
{
}

bool cached_read(struct sim *sim, struct thread *th)
{
	sim->stop = -ENOTSUP;
	return true;
}

bool cached_write(struct sim *sim, struct thread *th)
{
	sim->stop = -ENOTSUP;
	return true;
}

bool writeback_file(struct sim *sim, struct thread *th, struct file *file, enum writeback_how how)
{
	return true;
}

void flusher_run(struct sim *sim, struct thread *th)
{
	th->blocked = true;
}
