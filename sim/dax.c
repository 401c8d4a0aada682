// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Ops on files that are mapped through the DAX window: reads and writes copy from and to ranges,
 * and set them up at first touch. A write that extends the file is sent, as WRITEs.
 *
 * No page of the file is cached in the guest, reads ask for no attributes, and O_DIRECT changes
 * nothing (fuse_file_read_iter() asks for DAX first).
 */
#include "sim/dax.h"
#include "sim/flow.h"

static bool send_setup(struct sim *sim, struct thread *th, struct file *file, uint32_t range,
		       enum span_class cls)
{
	const struct dax_flow *f = dax_flow_of(sim, th);

	if (!th->simple.at) {
		struct request *req = request_new(sim, FUSE_SETUPMAPPING, file);

		th->simple.req = req;
		if (!req)
			return true;
		req->span.cls = cls;
		req->span.offset_bytes = f->map.pos / FUSE_DAX_RANGE_BYTES * FUSE_DAX_RANGE_BYTES;
		req->span.size_bytes = FUSE_DAX_RANGE_BYTES;
		req->span.window_range = range;
		if (f->map.write)
			req->span.flags |= SPAN_WRITABLE;
		req->nr_ranges = 1;
	}
	return simple_request(sim, th);
}

/* fuse_upgrade_dax_mapping(): the daemon maps it anew, so the host has none of its pages. */
static bool upgrade(struct sim *sim, struct thread *th, struct file *file)
{
	struct dax_flow *f = dax_flow_of(sim, th);
	struct dax_range *range = &sim->dax->ranges[f->map.range];

	FLOW_BEGIN(f->set_up.at);
	FLOW_CALL(f->set_up.at, rw_lock_steal(sim, th, &dax_inode_of(sim, file)->sem));
	if (!range->writable) {
		FLOW_WAIT(f->set_up.at, dax_prepare(sim, th));
		FLOW_CALL(f->set_up.at, send_setup(sim, th, file, f->map.range, SPAN_UPGRADE));
		range->writable = true;
		dax_forget_touched(sim, f->map.range);
		sim->dax->stats.upgrades++;
	}
	rw_unlock_exclusive(sim, &dax_inode_of(sim, file)->sem);
	FLOW_END(f->set_up.at);
}

/*
 * fuse_setup_new_dax_mapping(). Somebody else may have been faster; as in the kernel, a range that
 * he set up for reading is then written to without an upgrade.
 */
static bool set_up(struct sim *sim, struct thread *th, struct file *file)
{
	struct dax_flow *f = dax_flow_of(sim, th);
	uint64_t index = f->map.pos / FUSE_DAX_RANGE_BYTES;

	FLOW_BEGIN(f->set_up.at);
	if (f->map.fault)
		f->alloc.range = dax_take_free(sim);
	else
		FLOW_CALL(f->set_up.at, dax_allocate(sim, th, file));
	if (f->alloc.range == DAX_NONE)
		FLOW_RETURN(f->set_up.at);
	FLOW_CALL(f->set_up.at, rw_lock_steal(sim, th, &dax_inode_of(sim, file)->sem));
	f->map.range = dax_find(sim, file, index);
	if (f->map.range == DAX_NONE) {
		FLOW_WAIT(f->set_up.at, dax_prepare(sim, th));
		FLOW_CALL(f->set_up.at, send_setup(sim, th, file, f->alloc.range, SPAN_SETUP));
		if (!dax_map(sim, f->alloc.range, file, index, f->map.write))
			f->map.range = f->alloc.range;
		sim->dax->stats.setups++;
	} else {
		dax_put_free(sim, f->alloc.range);
	}
	if (f->map.range != DAX_NONE)
		sim->dax->ranges[f->map.range].refs++;
	rw_unlock_exclusive(sim, &dax_inode_of(sim, file)->sem);
	FLOW_END(f->set_up.at);
}

/*
 * fuse_iomap_begin(): map.range with a reference, or DAX_NONE, if nothing is there to map. Looking
 * takes no time, so the semaphore is given back before anybody can see it held shared.
 */
bool dax_map_range(struct sim *sim, struct thread *th, struct file *file)
{
	struct dax_flow *f = dax_flow_of(sim, th);

	FLOW_BEGIN(f->map.at);
	FLOW_WAIT(f->map.at, rw_lock_shared(th, &dax_inode_of(sim, file)->sem));
	f->map.range = dax_find(sim, file, f->map.pos / FUSE_DAX_RANGE_BYTES);
	if (f->map.range != DAX_NONE)
		sim->dax->ranges[f->map.range].refs++;
	rw_unlock_shared(sim, &dax_inode_of(sim, file)->sem);
	if (f->map.range == DAX_NONE)
		FLOW_CALL(f->map.at, set_up(sim, th, file));
	else if (f->map.write && !sim->dax->ranges[f->map.range].writable)
		FLOW_CALL(f->map.at, upgrade(sim, th, file));
	FLOW_END(f->map.at);
}

/* Bytes from op.pos on that lie in one range. */
static uint32_t segment(const struct dax_flow *f)
{
	return min_u64(f->op.end - f->op.pos,
		       FUSE_DAX_RANGE_BYTES - f->op.pos % FUSE_DAX_RANGE_BYTES);
}

/* Copying a segment: what the host must map first, and each page but the op's first one. */
static uint64_t copy_cost(struct sim *sim, struct thread *th)
{
	struct dax_flow *f = dax_flow_of(sim, th);
	double per_page =
		f->map.write ? sim->stack->write_hit_ns_per_page : sim->stack->read_hit_ns_per_page;
	uint32_t first = f->op.pos % FUSE_DAX_RANGE_BYTES / PAGE_BYTES;
	uint32_t last = (f->op.pos + segment(f) - 1) % FUSE_DAX_RANGE_BYTES / PAGE_BYTES;
	uint32_t nr = last - first + 1;
	uint32_t faults = dax_touch(sim, f->map.range, first, nr, f->map.write);
	uint64_t copied = (uint64_t)((nr - !f->op.nr_pages) * per_page);

	sim->dax->stats.ept_faults += faults;
	f->op.nr_pages += nr;
	return copied + dax_costs(sim, &th->rng, DAX_EPT_FAULT, faults);
}

/* dax_iomap_rw(): range by range, each held while it is copied. */
static bool copy(struct sim *sim, struct thread *th, struct file *file)
{
	struct dax_flow *f = dax_flow_of(sim, th);

	FLOW_BEGIN(f->copy.at);
	while (f->op.pos < f->op.end && !sim->stop) {
		f->map.pos = f->op.pos;
		FLOW_CALL(f->copy.at, dax_map_range(sim, th, file));
		if (f->map.range == DAX_NONE)
			break;
		FLOW_WAIT(f->copy.at, thread_spend(sim, th, copy_cost(sim, th)));
		sim->dax->ranges[f->map.range].refs--;
		f->op.pos += segment(f);
	}
	FLOW_END(f->copy.at);
}

static void start(struct sim *sim, struct thread *th, uint64_t end)
{
	struct dax_flow *f = dax_flow_of(sim, th);

	f->op.pos = th->op.offset_bytes;
	f->op.end = end;
	f->op.nr_pages = 0;
	f->op.prepared = false;
	f->map.write = th->op.type == OP_WRITE;
	f->map.fault = false;
}

static bool op_finish(struct sim *sim, struct thread *th, enum cost hit, enum cost after_request)
{
	return thread_spend_cost(sim, th, dax_flow_of(sim, th)->op.prepared ? after_request : hit);
}

/* fuse_dax_read_iter() */
bool dax_read(struct sim *sim, struct thread *th)
{
	struct dax_flow *f = dax_flow_of(sim, th);
	struct file *file = th->file;

	FLOW_BEGIN(f->op.at);
	FLOW_WAIT(f->op.at, rw_lock_shared(th, &file->lock));
	start(sim, th, min_u64(th->op.offset_bytes + th->op.size_bytes, file->size_bytes));
	FLOW_CALL(f->op.at, copy(sim, th, file));
	rw_unlock_shared(sim, &file->lock);
	FLOW_WAIT(f->op.at, op_finish(sim, th, COST_READ_HIT, COST_READ_FINISH));
	th->record.result = f->op.pos - th->op.offset_bytes;
	FLOW_END(f->op.at);
}

/* fuse_dax_direct_write(): file and size grow together, at the daemon's. */
static bool extend(struct sim *sim, struct thread *th, struct file *file)
{
	struct dax_flow *f = dax_flow_of(sim, th);

	FLOW_BEGIN(f->copy.at);
	FLOW_WAIT(f->copy.at, dax_prepare(sim, th));
	FLOW_CALL(f->copy.at, direct_write_parts(sim, th));
	f->op.pos = f->op.end;
	file->size_bytes = max_u64(file->size_bytes, f->op.end);
	file->attr_stale = true; /* fuse_write_update_attr() */
	FLOW_END(f->copy.at);
}

/* fuse_dax_write_iter(): times and sizes that the guest has stay as they are unless it extends. */
bool dax_write(struct sim *sim, struct thread *th)
{
	struct dax_flow *f = dax_flow_of(sim, th);
	struct file *file = th->file;

	FLOW_BEGIN(f->op.at);
	FLOW_WAIT(f->op.at, inode_lock(th, file));
	FLOW_CALL(f->op.at, file_remove_privs(sim, th, file));
	start(sim, th, th->op.offset_bytes + th->op.size_bytes);
	if (f->op.end > file->size_bytes)
		FLOW_CALL(f->op.at, extend(sim, th, file));
	else
		FLOW_CALL(f->op.at, copy(sim, th, file));
	inode_unlock(sim, file);
	FLOW_WAIT(f->op.at, op_finish(sim, th, COST_WRITE_HIT, COST_WRITE_FINISH));
	th->record.result = f->op.pos - th->op.offset_bytes;
	FLOW_END(f->op.at);
}
