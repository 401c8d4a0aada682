// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a request waits for in the host: READ for pages that are not cached, WRITE for room below
 * the dirty limit and for the rest of pages that it writes in part, FSYNC for the file's writes and
 * the device's flush; with O_DIRECT on the host, or without a cache, all for the device alone.
 *
 * The time of the calls themselves, with everything cached, is host_io of the request's service.
 * Names and attributes are always cached. Read-ahead follows mm/readahead.c: windows double from
 * what is asked up to the largest, a marker starts the next one ahead of need. Where the kernel
 * keeps a window for each open file, here the pages cached before the one missed say whether and
 * how far a reader came in sequence, as try_context_readahead() has it: daemons open a file anew
 * for each guest that opens it, and one state per file would mix them up.
 */
#include <errno.h>
#include <stdlib.h>
#include "sim/flow.h"
#include "sim/model.h"
#include "sim/storage.h"

/* Random stream of the device. */
#define STREAM_DEVICE (RUNNER_STREAMS - 2)

static bool wait_in(struct host_io **list, struct host_io *w)
{
	while (*list)
		list = &(*list)->next;
	w->next = NULL;
	*list = w;
	return true;
}

static void wake(struct host *host, struct host_io *w)
{
	eventq_arm(&host->events, w->slot, host->now_ns);
}

void host_io_wake_all(struct host *host, struct host_io **list)
{
	struct host_io *w = *list;

	*list = NULL;
	for (; w; w = w->next)
		wake(host, w);
}

static void pages_read(struct storage *st, struct device_io *io)
{
	for (uint32_t i = 0; i < io->nr_pages; i++) {
		struct host_page *page = host_page_find(st, io->file, io->first_page + i);

		page->flags &= ~HOST_PAGE_READING;
		if (page->io == io)
			page->io = NULL;
		if (!(page->flags & (HOST_PAGE_DIRTY | HOST_PAGE_WRITING)))
			host_page_now_clean(st, page);
	}
}

void device_io_ended(struct storage *st, struct device_io *io)
{
	if (io->nr_pages && io->op == DEVICE_READ)
		pages_read(st, io);
	else if (io->nr_pages)
		host_writeback_ended(st, io);
	if (io->owner && !--io->owner->pending)
		wake(st->host, io->owner);
	host_io_wake_all(st->host, &io->waiters);
	io->next = st->free_ios;
	st->free_ios = io;
}

/* Operations of the request itself; it waits until pending is 0. */
static void submit_own(struct storage *st, struct host_io *w, enum device_op op, uint64_t bytes)
{
	do {
		uint64_t part = min_u64(bytes, st->settings->max_io_bytes);
		struct device_io *io = device_io_new(st, op, part);

		if (!io)
			return;
		io->owner = w;
		w->pending++;
		device_submit(st, io);
		bytes -= part;
	} while (bytes);
}

/* Read pages [first, end), none of which is there. */
static void submit_read(struct storage *st, struct host_file *file, uint64_t first, uint64_t end)
{
	while (first < end) {
		uint64_t most = st->settings->max_io_bytes / PAGE_BYTES;
		uint32_t nr = min_u64(end - first, most);
		struct device_io *io = device_io_new(st, DEVICE_READ, nr * (uint64_t)PAGE_BYTES);

		if (!io)
			return;
		io->file = file;
		io->first_page = first;
		for (; io->nr_pages < nr; io->nr_pages++) {
			struct host_page *page = host_page_add(st, file, first + io->nr_pages);

			if (!page)
				break;
			page->flags = HOST_PAGE_READING;
			page->io = io;
		}
		device_submit(st, io); /* also if it has fewer pages: the run is being stopped */
		first += nr;
	}
}

/* Cached pages directly before index, at most as many as a window has. */
static uint64_t pages_before(const struct storage *st, const struct host_file *file, uint64_t index,
			     uint64_t most)
{
	uint64_t nr = 0;

	while (nr < index && nr < most && host_page_find(st, file, index - nr - 1))
		nr++;
	return nr;
}

/* get_init_ra_size() for who starts at the file's begin, get_next_ra_size() after that. */
static uint64_t window_size(uint64_t before, uint64_t asked, uint64_t most)
{
	uint64_t base = before ? before : asked;

	return min_u64(base <= most / 16 ? 4 * base : 2 * base, most);
}

/* The first page from index on that is not cached, or end. */
static uint64_t next_missing(const struct storage *st, const struct host_file *file, uint64_t index,
			     uint64_t end)
{
	while (index < end && host_page_find(st, file, index))
		index++;
	return index;
}

static uint64_t next_cached(const struct storage *st, const struct host_file *file, uint64_t index,
			    uint64_t end)
{
	while (index < end && !host_page_find(st, file, index))
		index++;
	return index;
}

/* The window that ends at end goes on at index beyond what is asked: reading that starts the next.
 */
static void mark(struct storage *st, const struct host_file *file, uint64_t index, uint64_t end)
{
	struct host_page *page = index < end ? host_page_find(st, file, index) : NULL;

	if (page)
		page->flags |= HOST_PAGE_MARKER;
}

/* A miss at index, of which pages up to asked_end are wanted. Returns the page behind the window.
 */
static uint64_t read_window(struct storage *st, struct host_file *file, uint64_t index,
			    uint64_t asked_end, uint64_t file_end)
{
	uint64_t most = st->settings->read_ahead_bytes / PAGE_BYTES;
	uint64_t before = pages_before(st, file, index, most), asked = asked_end - index;
	uint64_t end = asked_end;

	if (most && (!index || before > asked || before == most)) {
		uint64_t size = window_size(before, asked, most);

		/* What fills the window by itself takes the next one with it. */
		end = size > asked ? index + size : asked_end + most;
	}
	end = next_cached(st, file, index, min_u64(end, max_u64(file_end, asked_end)));
	submit_read(st, file, index, end);
	mark(st, file, asked_end, end);
	return end;
}

/* The reader is where the last window begins: read the next one while it reads this. */
static void read_ahead_of_marker(struct storage *st, struct host_file *file, uint64_t index,
				 uint64_t file_end)
{
	uint64_t most = st->settings->read_ahead_bytes / PAGE_BYTES;
	uint64_t first = next_missing(st, file, index, min_u64(index + most + 1, file_end));
	uint64_t before = pages_before(st, file, first, most), end;

	if (first >= file_end || first > index + most)
		return;
	end = next_cached(st, file, first, min_u64(first + window_size(before, 1, most), file_end));
	submit_read(st, file, first, end);
	mark(st, file, first, end);
}

/* Submit what pages [first, end) need, and what is to be read ahead of need. */
static void start_read(struct storage *st, struct host_file *file, uint64_t first, uint64_t end,
		       uint64_t file_end)
{
	while (first < end) {
		struct host_page *page = host_page_find(st, file, first);
		uint64_t behind;

		if (!page) {
			behind = read_window(st, file, first, next_cached(st, file, first, end),
					     file_end);
			st->stats.pages_missed += min_u64(behind, end) - first;
			first = min_u64(behind, end);
			continue;
		}
		if (page->flags & HOST_PAGE_READING)
			st->stats.pages_missed++;
		else
			st->stats.pages_hit++;
		host_page_touch(st, page);
		if (page->flags & HOST_PAGE_MARKER) {
			page->flags &= ~HOST_PAGE_MARKER;
			read_ahead_of_marker(st, file, first, file_end);
		}
		first++;
	}
}

/* The I/O that page is being filled by, or NULL: it is there, or was and is gone again. */
static struct device_io *read_of(const struct storage *st, const struct host_file *file,
				 uint64_t index)
{
	const struct host_page *page = host_page_find(st, file, index);

	return page && page->flags & HOST_PAGE_READING ? page->io : NULL;
}

static uint64_t page_behind(uint64_t bytes)
{
	return (bytes + PAGE_BYTES - 1) / PAGE_BYTES;
}

static bool host_read(struct storage *st, struct host_io *w, const struct request *req)
{
	const struct span *span = &req->span;
	struct device_io *io;

	FLOW_BEGIN(w->at);
	w->page = span->offset_bytes / PAGE_BYTES;
	w->end = page_behind(span->offset_bytes + span->reply_bytes);
	if (!span->reply_bytes)
		FLOW_RETURN(w->at);
	start_read(st, w->file, w->page, w->end, page_behind(req->file->host_size_bytes));
	for (; w->page < w->end; w->page++)
		while ((io = read_of(st, w->file, w->page)))
			FLOW_WAIT(w->at, wait_in(&io->waiters, w));
	FLOW_END(w->at);
}

/* A page that is written in part and was in the file before must be read first. */
static void start_partial_read(struct storage *st, struct host_io *w, const struct span *span,
			       uint64_t index)
{
	uint64_t start = index * PAGE_BYTES, end = start + PAGE_BYTES;
	bool whole = start >= span->offset_bytes &&
		     min_u64(end, w->old_bytes) <= span->offset_bytes + span->size_bytes;

	if (!whole && start < w->old_bytes && !host_page_find(st, w->file, index))
		submit_read(st, w->file, index, index + 1);
}

static void make_dirty(struct storage *st, struct host_io *w)
{
	for (; w->page < w->end; w->page++) {
		struct host_page *page = host_page_find(st, w->file, w->page);

		if (page &&
		    !(page->flags & (HOST_PAGE_DIRTY | HOST_PAGE_WRITING | HOST_PAGE_READING)))
			host_page_list_remove(st, &st->clean, page);
		if (!page)
			page = host_page_add(st, w->file, w->page);
		if (page)
			host_page_set_dirty(st, w->file, page);
	}
	host_flusher_run(st);
}

static bool host_write(struct storage *st, struct host_io *w, const struct request *req)
{
	const struct span *span = &req->span;
	struct device_io *io;

	FLOW_BEGIN(w->at);
	w->page = span->offset_bytes / PAGE_BYTES;
	w->end = page_behind(span->offset_bytes + span->size_bytes);
	if (!span->size_bytes)
		FLOW_RETURN(w->at);
	start_partial_read(st, w, span, w->page);
	start_partial_read(st, w, span, w->end - 1);
	while ((io = read_of(st, w->file, w->page)))
		FLOW_WAIT(w->at, wait_in(&io->waiters, w));
	while ((io = read_of(st, w->file, w->end - 1)))
		FLOW_WAIT(w->at, wait_in(&io->waiters, w));
	w->since_ns = st->host->now_ns;
	while (host_dirty_exceeded(st))
		FLOW_WAIT(w->at, wait_in(&st->throttled, w));
	st->stats.throttled += st->host->now_ns > w->since_ns;
	st->stats.throttled_ns += st->host->now_ns - w->since_ns;
	/* What is between may be on its way for somebody else. */
	for (; w->page < w->end; w->page++)
		while ((io = read_of(st, w->file, w->page)))
			FLOW_WAIT(w->at, wait_in(&io->waiters, w));
	w->page = span->offset_bytes / PAGE_BYTES;
	make_dirty(st, w);
	FLOW_END(w->at);
}

static bool host_sync(struct storage *st, struct host_io *w)
{
	struct host_file *file = w->file;

	FLOW_BEGIN(w->at);
	while (file->dirty.oldest && host_write_dirty(st, file))
		;
	w->number = file->nr_writes;
	while (file->oldest_write && file->oldest_write->number <= w->number)
		FLOW_WAIT(w->at, wait_in(&file->sync_waiters, w));
	/* Nothing written since the last flush: the journal has nothing to commit. */
	if (file->nr_flushed >= w->number)
		FLOW_RETURN(w->at);
	submit_own(st, w, DEVICE_FLUSH, 0);
	while (w->pending)
		FLOW_WAIT(w->at, true);
	file->nr_flushed = max_u64(file->nr_flushed, w->number);
	FLOW_END(w->at);
}

/* Past the host's page cache; what it holds of the range is dropped where it is clean. */
static bool host_direct(struct storage *st, struct host_io *w, const struct request *req)
{
	bool reads = req->span.opcode == FUSE_READ;
	uint64_t bytes = reads ? req->span.reply_bytes : req->span.size_bytes;

	FLOW_BEGIN(w->at);
	if (!bytes)
		FLOW_RETURN(w->at);
	submit_own(st, w, reads ? DEVICE_READ : DEVICE_WRITE, bytes);
	if (!reads)
		w->file->nr_writes++;
	while (w->pending)
		FLOW_WAIT(w->at, true);
	w->page = req->span.offset_bytes / PAGE_BYTES;
	w->end = page_behind(req->span.offset_bytes + bytes);
	for (; !reads && w->page < w->end; w->page++) {
		struct host_page *page = host_page_find(st, w->file, w->page);

		if (page &&
		    !(page->flags & (HOST_PAGE_DIRTY | HOST_PAGE_WRITING | HOST_PAGE_READING)))
			host_page_drop(st, page);
	}
	FLOW_END(w->at);
}

static struct host_file *file_of(const struct sim *sim, const struct file *file)
{
	uint32_t first = sim->stack->host.same_directory ? 0 : sim->index * sim->nr_files;

	return &sim->host->storage->files[first + file->index];
}

void host_file_gone(struct sim *sim, const struct file *file)
{
	/* Other VMs of one directory may have it open. */
	if (sim->host->storage && !sim->stack->host.same_directory)
		host_file_drop(sim->host->storage, file_of(sim, file),
			       page_behind(file->host_size_bytes));
}

bool host_io(struct sim *sim, struct host_io *w, const struct request *req)
{
	struct storage *st = sim->host->storage;

	if (!req->file)
		return true;
	if (!w->at)
		w->file = file_of(sim, req->file);
	switch (req->span.opcode) {
	case FUSE_READ:
	case FUSE_WRITE:
		if (req->host_direct || !st->settings->cache_bytes)
			return host_direct(st, w, req);
		return req->span.opcode == FUSE_READ ? host_read(st, w, req)
						     : host_write(st, w, req);
	case FUSE_FSYNC:
		return host_sync(st, w);
	default:
		return true;
	}
}

/* The files as they were made, one page of each in turn: as much as the cache holds. */
static void warm_cache(struct host *host)
{
	struct storage *st = host->storage;
	bool any = true;

	for (uint64_t index = 0; any && st->nr_cached < st->max_cached; index++) {
		any = false;
		for (uint32_t i = 0; i < st->nr_files && st->nr_cached < st->max_cached; i++) {
			const struct sim *vm = &host->vms[i / host->vms[0].nr_files];
			const struct file *file = &vm->files[i % vm->nr_files];
			struct host_page *page;

			if (index >= page_behind(file->host_size_bytes))
				continue;
			page = host_page_add(st, &st->files[i], index);
			if (!page)
				return;
			host_page_now_clean(st, page);
			any = true;
		}
	}
}

static int add_runners(struct host *host, uint32_t nr_channels)
{
	uint32_t nr = nr_channels + 2;
	struct runner *runners;

	if ((uint64_t)host->nr_runners + nr > EVENTQ_MAX_SLOTS)
		return -EINVAL;
	runners = realloc(host->runners, (host->nr_runners + nr) * sizeof(*runners));
	if (!runners)
		return -ENOMEM;
	host->runners = runners;
	for (uint32_t i = 0; i < nr; i++)
		runners[host->nr_runners + i] = (struct runner){
			.kind = RUN_CHANNEL,
			.index = i,
			.vm = &host->vms[0], /* tells the run to stop */
		};
	return 0;
}

static void place_runners(struct storage *st)
{
	struct host *host = st->host;

	for (uint32_t i = 0; i < st->settings->channels; i++) {
		st->channels[i].slot = host->nr_runners;
		host->runners[host->nr_runners++].self = &st->channels[i];
	}
	host->runners[host->nr_runners].kind = RUN_LINK;
	st->link_slot = host->nr_runners++;
	host->runners[host->nr_runners].kind = RUN_HOST_FLUSHER;
	st->flusher_slot = host->nr_runners++;
}

static void limits_init(struct storage *st)
{
	const struct storage_settings *s = st->settings;
	uint64_t pages = s->cache_bytes / PAGE_BYTES;

	st->dirty_limit = max_u64(pages * s->dirty_limit_percent / 100, 1);
	st->dirty_background = min_u64(pages * s->dirty_background_percent / 100,
				       st->dirty_limit / 2); /* as domain_dirty_limits() has it */
}

int storage_init(struct host *host)
{
	const struct stack *stack = host->stack;
	struct storage *st;
	int rc;

	if (!stack->storage.channels)
		return 0;
	st = calloc(1, sizeof(*st));
	if (!st)
		return -ENOMEM;
	host->storage = st;
	st->host = host;
	st->settings = &stack->storage;
	st->nr_files = host->vms[0].nr_files * (stack->host.same_directory ? 1 : host->nr_vms);
	st->files = calloc(st->nr_files ? st->nr_files : 1, sizeof(*st->files));
	if (!st->files)
		return -ENOMEM;
	for (uint32_t i = 0; i < st->nr_files; i++)
		st->files[i].index = i;
	rng_init(&st->rng, host->options->seed, STREAM_DEVICE);
	limits_init(st);
	rc = device_init(st);
	if (!rc)
		rc = host_cache_init(st);
	if (!rc)
		rc = add_runners(host, st->settings->channels);
	if (rc)
		return rc;
	place_runners(st);
	if (stack->storage.warm)
		warm_cache(host);
	return 0;
}

void storage_free(struct host *host)
{
	struct storage *st = host->storage;

	if (!st)
		return;
	device_free(st);
	host_cache_free(st);
	free(st->files);
	free(st);
}

void storage_run(struct host *host, const struct runner *runner)
{
	switch (runner->kind) {
	case RUN_CHANNEL:
		device_channel_run(host->storage, runner->self);
		break;
	case RUN_LINK:
		device_link_run(host->storage);
		break;
	default:
		host_flusher_run(host->storage);
	}
}
