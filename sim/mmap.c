// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Mapped files: mmap, munmap, msync, and the faults of a task that reads or writes its mapping
 * (mm/memory.c do_fault(), mm/filemap.c filemap_fault(), fuse_page_mkwrite(), fuse_vma_close()).
 *
 * A fault for reading maps what is cached of the 64 KiB around it (filemap_map_pages()); if its own
 * page is not among it, filemap_fault() reads around it, read-ahead goes on at markers, and whoever
 * had to wait takes the fault again. A shared page becomes writable, and dirty, by
 * fuse_page_mkwrite(): also without the writeback cache such pages are written back later. A
 * private one is copied.
 *
 * An address is taken to be as far into 64 KiB as its offset in the file: so
 * thp_get_unmapped_area() places mappings of 2 MiB and more. For smaller ones chance decides.
 */
#include <errno.h>
#include "sim/dax.h"
#include "sim/flow.h"
#include "sim/mmap.h"
#include "sim/page_cache.h"

#define FAULT_AROUND_PAGES 16u /* fault_around_bytes */
#define LOTSA_MISS 100u /* MMAP_LOTSAMISS */

static struct mapping *task_mapping(const struct thread *th)
{
	const struct open_file *open = th->files[th->op.file];

	return open ? open->mapping : NULL;
}

/* Pages of the op, within the mapping; the file's end is looked at by each fault. */
static void op_pages(struct thread *th, const struct mapping *m)
{
	uint64_t end = (th->op.offset_bytes + th->op.size_bytes + PAGE_BYTES - 1) / PAGE_BYTES;

	th->fault.page = max_u64(th->op.offset_bytes / PAGE_BYTES, m->first);
	th->fault.end = min_u64(end, m->end);
	if (!th->op.size_bytes)
		th->fault.end = m->end;
}

static bool op_writes(const struct thread *th)
{
	return th->op.flags & OP_FAULT_WRITE;
}

bool file_mmap(struct sim *sim, struct thread *th)
{
	struct file *file = th->file;
	uint64_t size = th->op.size_bytes ? th->op.size_bytes : file->size_bytes;
	uint64_t end = (th->op.offset_bytes + size + PAGE_BYTES - 1) / PAGE_BYTES;
	struct mapping *m;

	FLOW_BEGIN(th->meta.at);
	if (sim->stack->daemon.mode == MODE_DIRECT) {
		/* FOPEN_DIRECT_IO: no MAP_SHARED; virtiofsd does not ask for ..._ALLOW_MMAP. */
		if (!(th->op.flags & OP_MAP_PRIVATE)) {
			th->record.result = -ENODEV;
			if (th->op.flags & OP_REQUIRED)
				sim->stop = -ENODEV;
			FLOW_RETURN(th->meta.at);
		}
		FLOW_CALL(th->meta.at, invalidate_pages(sim, th, file));
	}
	if (th->op.offset_bytes / PAGE_BYTES >= end) {
		th->record.result = -EINVAL;
		FLOW_RETURN(th->meta.at);
	}
	m = mapping_new(sim, th, file, th->op.offset_bytes / PAGE_BYTES, end);
	if (m) {
		m->private = th->op.flags & OP_MAP_PRIVATE;
		m->advice = th->op.flags & (OP_HINT_RANDOM | OP_HINT_SEQUENTIAL);
	}
	FLOW_END(th->meta.at);
}

/*
 * fuse_vma_close() writes the inode whatever was mapped; then the mapping lets go of its file. A
 * private mapping of an FOPEN_DIRECT_IO file has generic_file_vm_ops, but nothing that is dirty.
 */
static bool unmap(struct sim *sim, struct thread *th, struct mapping *m)
{
	FLOW_BEGIN(th->unmap.at);
	th->unmap.file = m->file;
	th->unmap.open = m->open;
	mapping_zap(sim, m);
	FLOW_CALL(th->unmap.at, writeback_file(sim, th, th->unmap.file, WRITEBACK_SYNC));
	if (mapping_free(m))
		FLOW_CALL(th->unmap.at, file_release(sim, th, th->unmap.file, th->unmap.open));
	FLOW_END(th->unmap.at);
}

bool file_munmap(struct sim *sim, struct thread *th)
{
	struct mapping *m = task_mapping(th);

	if (!m && !th->unmap.at) {
		th->record.result = -EINVAL;
		return true;
	}
	return unmap(sim, th, m);
}

static struct mapping *mapping_of(const struct file *file, const struct thread *th)
{
	struct mapping *m = file->mappings;

	while (m && m->task != th)
		m = m->next;
	return m;
}

bool task_unmap_all(struct sim *sim, struct thread *th)
{
	FLOW_BEGIN(th->unmap_all.at);
	for (th->unmap_all.file = 0; th->unmap_all.file < sim->nr_files; th->unmap_all.file++) {
		while (mapping_of(&sim->files[th->unmap_all.file], th) && !sim->stop)
			FLOW_CALL(th->unmap_all.at,
				  unmap(sim, th, mapping_of(&sim->files[th->unmap_all.file], th)));
	}
	FLOW_END(th->unmap_all.at);
}

bool file_msync(struct sim *sim, struct thread *th)
{
	struct mapping *m = task_mapping(th);

	if (!th->meta.at) {
		if (!m || m->private)
			return true;
		op_pages(th, m);
	}
	return file_sync_range(sim, th, th->fault.page, th->fault.end);
}

/* The byte behind what a posix_fadvise(2) is about; without a size it is all from its offset on. */
static uint64_t advised_end(const struct workload_op *op)
{
	return op->type == OP_FADVISE && op->size_bytes ? op->offset_bytes + op->size_bytes
							: UINT64_MAX - PAGE_BYTES;
}

/*
 * POSIX_FADV_DONTNEED: what is dirty is sent, what is clean goes; no page of which only a part is
 * meant, but for the file's last.
 */
bool file_dont_need(struct sim *sim, struct thread *th)
{
	struct file *file = th->file;
	uint64_t offset = th->op.type == OP_FADVISE ? th->op.offset_bytes : 0;
	uint64_t end = advised_end(&th->op);

	if (!writeback_range(sim, th, file, offset / PAGE_BYTES,
			     (end + PAGE_BYTES - 1) / PAGE_BYTES, WRITEBACK_SEND))
		return false;
	if (end == file->size_bytes)
		end += PAGE_BYTES - 1;
	page_cache_shed(sim, file, (offset + PAGE_BYTES - 1) / PAGE_BYTES, end / PAGE_BYTES);
	return true;
}

/* generic_fadvise() */
bool file_advise(struct sim *sim, struct thread *th)
{
	struct file *file = th->file;
	struct open_file *open = task_open_file(sim, th);

	/* Files that are mapped through the DAX window ignore all advice, but for DONTNEED of
	 * memory. */
	if (!open || sim->dax)
		return true;
	if (th->op.flags & OP_WILLNEED)
		return read_wanted(sim, th, file, th->op.offset_bytes / PAGE_BYTES,
				   (advised_end(&th->op) + PAGE_BYTES - 1) / PAGE_BYTES);
	if (th->op.flags & OP_INVALIDATE)
		return file_dont_need(sim, th);
	read_ahead_advise(sim, &open->ra, th->op.flags);
	return true;
}

bool file_madvise(struct sim *sim, struct thread *th)
{
	struct mapping *m = task_mapping(th);

	if (!m)
		return true;
	if (th->op.flags & OP_WILLNEED) {
		if (sim->dax)
			return true;
		if (!th->ra.at)
			op_pages(th, m);
		return read_wanted(sim, th, m->file, th->fault.page, th->fault.end);
	}
	if (th->op.flags & OP_INVALIDATE)
		mapping_zap(sim, m);
	else
		m->advice = th->op.flags & (OP_HINT_RANDOM | OP_HINT_SEQUENTIAL);
	return true;
}

/* A page in writeback is not locked: only its request is on its way. */
static bool is_locked(const struct page *page)
{
	return page->req && !(page->flags & PAGE_WRITEBACK);
}

/*
 * filemap_map_pages(): what can be mapped at once around the page. Each page seen counts against
 * the misses; later kernels count the page asked for alone, and not when the fault is taken again.
 */
static void fault_around(struct sim *sim, struct thread *th, struct mapping *m, uint64_t index)
{
	struct read_ahead *ra = &m->open->ra;
	uint64_t first = max_u64(index & ~(uint64_t)(FAULT_AROUND_PAGES - 1), m->first);
	uint64_t end = min_u64((index | (FAULT_AROUND_PAGES - 1)) + 1, m->end);
	uint32_t hits = 0;

	end = min_u64(end, (m->file->size_bytes + PAGE_BYTES - 1) / PAGE_BYTES);
	for (uint64_t i = first; i < end && !sim->stop; i++) {
		struct page *page = page_find(sim, m->file, i);

		if (!page || is_locked(page) || !(page->flags & PAGE_UPTODATE) ||
		    page->flags & PAGE_MARKER)
			continue;
		if (!sim->rules.fault_around_counts_one)
			hits++;
		else if (i == index && !th->fault.tried && !(m->advice & OP_HINT_SEQUENTIAL))
			hits++;
		if (mapping_pte(m, i) == PTE_NONE)
			mapping_set_pte(sim, m, i, PTE_READ);
	}
	ra->mmap_miss -= min_u64(ra->mmap_miss, hits);
}

/* do_async_mmap_readahead(): whether there is read-ahead to be done. */
static bool hits_marker(struct sim *sim, const struct mapping *m, struct page *page)
{
	struct read_ahead *ra = &m->open->ra;

	if (m->advice & OP_HINT_RANDOM || !ra->max_pages)
		return false;
	if (ra->mmap_miss && !(sim->rules.fault_around_counts_one &&
			       (is_locked(page) || m->advice & OP_HINT_SEQUENTIAL)))
		ra->mmap_miss--;
	if (!(page->flags & PAGE_MARKER) || page->flags & PAGE_WRITEBACK)
		return false;
	page->flags &= ~PAGE_MARKER;
	return true;
}

/* do_sync_mmap_readahead(): whether to read more than the page. */
static bool reads_around(const struct mapping *m)
{
	struct read_ahead *ra = &m->open->ra;

	if (m->advice & OP_HINT_RANDOM || !ra->max_pages)
		return false;
	if (m->advice & OP_HINT_SEQUENTIAL)
		return true;
	if (ra->mmap_miss < 10 * LOTSA_MISS)
		ra->mmap_miss++;
	return ra->mmap_miss <= LOTSA_MISS;
}

static bool start_reading(struct sim *sim, struct thread *th, struct mapping *m)
{
	FLOW_BEGIN(th->fault.read_at);
	if (!reads_around(m))
		FLOW_RETURN(th->fault.read_at);
	th->fault.retry = !th->fault.tried;
	FLOW_WAIT(th->fault.read_at, thread_spend_cost(sim, th, COST_READ_PREPARE));
	if (m->advice & OP_HINT_SEQUENTIAL)
		FLOW_CALL(th->fault.read_at, read_ahead(sim, th, m->file, th->fault.page,
							m->open->ra.max_pages, false));
	else
		FLOW_CALL(th->fault.read_at, read_around(sim, th, m->file, th->fault.page));
	FLOW_END(th->fault.read_at);
}

/*
 * filemap_fault(): the page is in the cache and uptodate afterwards, unless the fault is to be
 * taken again (th->fault.retry).
 */
static bool filemap_fault(struct sim *sim, struct thread *th, struct mapping *m)
{
	struct page *page = page_find(sim, m->file, th->fault.page);

	FLOW_BEGIN(th->fault.fill_at);
	th->fault.retry = false;
	if (!page) {
		FLOW_CALL(th->fault.fill_at, start_reading(sim, th, m));
	} else if (!th->fault.tried && hits_marker(sim, m, page)) {
		th->fault.retry = true;
		FLOW_WAIT(th->fault.fill_at, thread_spend_cost(sim, th, COST_READ_PREPARE));
		FLOW_CALL(th->fault.fill_at, read_ahead(sim, th, m->file, th->fault.page,
							m->open->ra.max_pages, true));
	}
	while (!sim->stop && (page = page_find(sim, m->file, th->fault.page)) && is_locked(page)) {
		th->fault.retry = !th->fault.tried;
		FLOW_WAIT(th->fault.fill_at, page_wait(th, page));
		FLOW_WAIT(th->fault.fill_at, cpu_wait_turn(sim, th->slot));
	}
	if (!sim->stop && !(page && page->flags & PAGE_UPTODATE)) {
		th->fault.retry = !th->fault.tried;
		FLOW_WAIT(th->fault.fill_at, thread_spend_cost(sim, th, COST_READ_PREPARE));
		FLOW_CALL(th->fault.fill_at,
			  read_page(sim, th, m->file, th->fault.page, SPAN_READAHEAD));
	}
	FLOW_END(th->fault.fill_at);
}

/* fuse_page_mkwrite() and fault_dirty_shared_page(). The page may be gone: the fault comes again.
 */
static bool make_writable(struct sim *sim, struct thread *th, struct mapping *m)
{
	struct page *page = page_find(sim, m->file, th->fault.page);

	FLOW_BEGIN(th->fault.write_at);
	file_update_time(sim, m->file);
	while (!sim->stop && (page = page_find(sim, m->file, th->fault.page)) && page->req) {
		FLOW_WAIT(th->fault.write_at, page_wait(th, page));
		FLOW_WAIT(th->fault.write_at, cpu_wait_turn(sim, th->slot));
	}
	if (!page || sim->stop)
		FLOW_RETURN(th->fault.write_at);
	th->throttle.nr_dirtied += !(page->flags & PAGE_DIRTY);
	page_set_dirty(sim, m->file, page);
	writeback_dirtied(sim);
	mapping_set_pte(sim, m, th->fault.page, PTE_WRITE);
	FLOW_CALL(th->fault.write_at, dirty_throttle(sim, th));
	FLOW_END(th->fault.write_at);
}

static bool is_accessible(const struct mapping *m, const struct thread *th)
{
	enum pte pte = mapping_pte(m, th->fault.page);

	return pte > PTE_READ || (pte == PTE_READ && !op_writes(th));
}

/* handle_mm_fault(), once. */
static bool one_fault(struct sim *sim, struct thread *th, struct mapping *m)
{
	struct page *page = page_find(sim, m->file, th->fault.page);

	if (sim->dax)
		return dax_fault(sim, th, m);
	FLOW_BEGIN(th->fault.once_at);
	FLOW_WAIT(th->fault.once_at, thread_spend_cost(sim, th, COST_FAULT));
	if (!op_writes(th))
		fault_around(sim, th, m, th->fault.page);
	if (is_accessible(m, th))
		FLOW_RETURN(th->fault.once_at);
	if (mapping_pte(m, th->fault.page) == PTE_NONE) {
		FLOW_CALL(th->fault.once_at, filemap_fault(sim, th, m));
		page = page_find(sim, m->file, th->fault.page);
		if (th->fault.retry || sim->stop || !page) {
			th->fault.tried |= th->fault.retry;
			FLOW_RETURN(th->fault.once_at);
		}
	}
	if (!op_writes(th))
		mapping_set_pte(sim, m, th->fault.page, PTE_READ);
	else if (m->private)
		mapping_set_pte(sim, m, th->fault.page, PTE_OWN);
	else
		FLOW_CALL(th->fault.once_at, make_writable(sim, th, m));
	FLOW_END(th->fault.once_at);
}

/* Copying to or from the page; the CPU marks its entry as accessed. */
static uint64_t access_cost(struct sim *sim, struct thread *th, const struct mapping *m)
{
	struct page *page = page_find(sim, m->file, th->fault.page);
	uint64_t ns = sim->dax ? dax_access_cost(sim, th, m) : 0;

	if (page && mapping_pte(m, th->fault.page) != PTE_OWN)
		page->flags |= PAGE_REFERENCED;
	return ns + (uint64_t)(op_writes(th) ? sim->stack->write_hit_ns_per_page
					     : sim->stack->read_hit_ns_per_page);
}

/* Beyond the end of the file there is SIGBUS: nothing more of the op is done. */
static bool beyond_end(const struct thread *th, const struct mapping *m)
{
	return mapping_pte(m, th->fault.page) != PTE_OWN &&
	       th->fault.page * PAGE_BYTES >= m->file->size_bytes;
}

bool mmap_access(struct sim *sim, struct thread *th)
{
	struct mapping *m = task_mapping(th);

	if (!m) {
		th->record.result = -EFAULT;
		return true;
	}
	FLOW_BEGIN(th->fault.at);
	th->record.result = th->op.size_bytes;
	op_pages(th, m);
	for (; th->fault.page < th->fault.end && !sim->stop; th->fault.page++) {
		th->fault.tried = false;
		while (!is_accessible(m, th) && !beyond_end(th, m) && !sim->stop)
			FLOW_CALL(th->fault.at, one_fault(sim, th, m));
		if (beyond_end(th, m)) {
			th->record.result = -EFAULT;
			FLOW_RETURN(th->fault.at);
		}
		FLOW_WAIT(th->fault.at, thread_spend(sim, th, access_cost(sim, th, m)));
	}
	if (th->op.flags & OP_SYNCED && !m->private) {
		op_pages(th, m);
		FLOW_CALL(th->fault.at, file_sync_range(sim, th, th->fault.page, th->fault.end));
	}
	FLOW_END(th->fault.at);
}
