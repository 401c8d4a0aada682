// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Mapped memory of files that are mapped through the DAX window (__fuse_dax_fault(),
 * dax_iomap_fault() of fs/dax.c): a fault puts 4 KiB or 2 MiB of a range into the task's page
 * table.
 *
 * Who finds no free range sleeps until there is one, since nothing may be taken away inline in a
 * fault; a fault for 2 MiB asks for 4 KiB then, and what has a table of 4 KiB entries keeps it.
 * A range that is taken away, and an open of the file, empty all page tables of it.
 */
#include "sim/dax.h"
#include "sim/flow.h"
#include "sim/mmap.h"

static bool op_writes(const struct thread *th)
{
	return th->op.flags & OP_FAULT_WRITE;
}

static uint64_t first_of_range(const struct thread *th)
{
	return th->fault.page / DAX_RANGE_PAGES * DAX_RANGE_PAGES;
}

/* dax_fault_check_fallback(), and what grab_mapping_entry() finds. */
static bool can_be_huge(const struct sim *sim, const struct thread *th, const struct mapping *m)
{
	uint64_t first = first_of_range(th), end = first + DAX_RANGE_PAGES;
	uint64_t file_end = (m->file->size_bytes + PAGE_BYTES - 1) / PAGE_BYTES;

	if (!sim->stack->dax.huge_pages || first < m->first || end > m->end || end > file_end)
		return false;
	if (op_writes(th) && m->private)
		return false;
	return !mapping_is_split(m, first) && !file_has_split_pte(m->file, first);
}

static bool wait_cost(struct sim *sim, struct thread *th, bool huge)
{
	enum dax_cost cost = huge ? DAX_PMD_FAULT : DAX_PTE_FAULT;

	sim->dax->stats.pmd_faults += huge;
	sim->dax->stats.pte_faults += !huge;
	return thread_spend(sim, th, dax_costs(sim, &th->rng, cost, 1));
}

/* A private page that is written is copied, which needs its range for reading only. */
static void set_entries(struct sim *sim, struct thread *th, struct mapping *m, bool huge)
{
	if (huge)
		mapping_set_dax(sim, m, first_of_range(th), DAX_RANGE_PAGES,
				op_writes(th) ? PTE_WRITE : PTE_READ);
	else
		mapping_set_dax(sim, m, th->fault.page, 1,
				!op_writes(th) ? PTE_READ
				: m->private   ? PTE_OWN
					       : PTE_WRITE);
}

/* One try: a range into map.range, or map.no_range. */
static bool try_fault(struct sim *sim, struct thread *th, struct mapping *m)
{
	struct dax_flow *f = dax_flow_of(sim, th);
	struct dax_inode *inode = dax_inode_of(sim, m->file);

	FLOW_BEGIN(f->copy.at);
	FLOW_WAIT(f->copy.at, rw_lock_shared(th, &inode->invalidate));
	f->op.prepared = false;
	f->map.pos = th->fault.page * PAGE_BYTES;
	f->map.write = op_writes(th) && !m->private;
	f->map.fault = true;
	f->fault.huge = can_be_huge(sim, th, m) && !f->fault.no_huge;
	FLOW_CALL(f->copy.at, dax_map_range(sim, th, m->file));
	if (f->map.range != DAX_NONE) {
		FLOW_WAIT(f->copy.at, wait_cost(sim, th, f->fault.huge));
		set_entries(sim, th, m, f->fault.huge);
		sim->dax->ranges[f->map.range].refs--;
	}
	rw_unlock_shared(sim, &inode->invalidate);
	FLOW_END(f->copy.at);
}

bool dax_fault(struct sim *sim, struct thread *th, struct mapping *m)
{
	struct dax_flow *f = dax_flow_of(sim, th);

	FLOW_BEGIN(f->op.at);
	f->fault.no_huge = false;
	for (;;) {
		FLOW_CALL(f->op.at, try_fault(sim, th, m));
		if (f->map.range != DAX_NONE || sim->stop)
			break;
		if (f->fault.huge)
			f->fault.no_huge = true;
		else
			FLOW_CALL(f->op.at, dax_wait_range(sim, th, false));
	}
	FLOW_END(f->op.at);
}

/* The host must have mapped the page; a private copy is the guest's own. */
uint64_t dax_access_cost(struct sim *sim, struct thread *th, const struct mapping *m)
{
	uint32_t range = dax_find(sim, m->file, th->fault.page / DAX_RANGE_PAGES);
	uint32_t faults;

	if (range == DAX_NONE || mapping_pte(m, th->fault.page) == PTE_OWN)
		return 0;
	faults = dax_touch(sim, range, th->fault.page % DAX_RANGE_PAGES, 1, op_writes(th));
	sim->dax->stats.ept_faults += faults;
	return dax_costs(sim, &th->rng, DAX_EPT_FAULT, faults);
}
