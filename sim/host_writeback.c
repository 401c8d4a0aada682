// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * When the host writes its dirty pages: those of the file dirty for longest first, once more than
 * the background limit are dirty, or 30 s after a file became dirty (vm.dirty_expire_centisecs).
 *
 * At most as many writes as the device has channels are the flusher's at once, so that others wait
 * behind one round of them. Who makes pages dirty waits while the limit is reached: where Linux
 * spaces writers out from halfway between the limits on, this stops them at the limit; in the long
 * run both let them write as fast as the device does.
 */
#include "sim/model.h"
#include "sim/storage.h"

#define EXPIRE_NS (30 * NS_PER_SEC)

static void file_now_dirty(struct storage *st, struct host_file *file)
{
	file->dirtied_when_ns = st->host->now_ns;
	file->next_dirty = NULL;
	if (st->dirty_last)
		st->dirty_last->next_dirty = file;
	else
		st->dirty_first = file;
	st->dirty_last = file;
}

static void file_now_clean(struct storage *st, struct host_file *file)
{
	struct host_file **place = &st->dirty_first, *before = NULL;

	while (*place != file) {
		before = *place;
		place = &before->next_dirty;
	}
	*place = file->next_dirty;
	if (st->dirty_last == file)
		st->dirty_last = before;
}

void host_page_set_dirty(struct storage *st, struct host_file *file, struct host_page *page)
{
	if (page->flags & HOST_PAGE_DIRTY) {
		return;
	}
	page->flags |= HOST_PAGE_DIRTY;
	if (!file->dirty.oldest)
		file_now_dirty(st, file);
	host_page_list_add(st, &file->dirty, page);
	st->nr_dirty++;
}

static bool is_dirty(const struct storage *st, const struct host_file *file, uint64_t index)
{
	const struct host_page *page = host_page_find(st, file, index);

	return page && page->flags & HOST_PAGE_DIRTY;
}

static void write_page(struct storage *st, struct host_file *file, uint64_t index,
		       struct device_io *io)
{
	struct host_page *page = host_page_find(st, file, index);

	host_page_list_remove(st, &file->dirty, page);
	page->flags &= ~HOST_PAGE_DIRTY;
	page->flags |= HOST_PAGE_WRITING;
	page->io = io;
	st->nr_dirty--;
	st->nr_writing++;
}

static void list_write(struct host_file *file, struct device_io *io)
{
	io->number = ++file->nr_writes;
	io->older_write = file->newest_write;
	if (file->newest_write)
		file->newest_write->newer_write = io;
	else
		file->oldest_write = io;
	file->newest_write = io;
}

static void unlist_write(struct host_file *file, struct device_io *io)
{
	if (io->older_write)
		io->older_write->newer_write = io->newer_write;
	else
		file->oldest_write = io->newer_write;
	if (io->newer_write)
		io->newer_write->older_write = io->older_write;
	else
		file->newest_write = io->older_write;
}

struct device_io *host_write_dirty(struct storage *st, struct host_file *file)
{
	uint64_t first = st->pages[file->dirty.oldest].index, end = first + 1;
	uint64_t most = st->settings->max_io_bytes / PAGE_BYTES;
	struct device_io *io;

	while (first && end - first < most && is_dirty(st, file, first - 1))
		first--;
	while (end - first < most && is_dirty(st, file, end))
		end++;
	io = device_io_new(st, DEVICE_WRITE, (end - first) * PAGE_BYTES);
	if (!io)
		return NULL;
	io->file = file;
	io->first_page = first;
	io->nr_pages = end - first;
	for (uint64_t i = first; i < end; i++)
		write_page(st, file, i, io);
	if (!file->dirty.oldest)
		file_now_clean(st, file);
	list_write(file, io);
	device_submit(st, io);
	return io;
}

void host_file_drop(struct storage *st, struct host_file *file, uint64_t nr_pages)
{
	bool was_dirty = file->dirty.oldest;

	for (uint64_t i = 0; i < nr_pages; i++) {
		struct host_page *page = host_page_find(st, file, i);

		if (!page || page->flags & (HOST_PAGE_READING | HOST_PAGE_WRITING))
			continue;
		if (page->flags & HOST_PAGE_DIRTY) {
			host_page_list_remove(st, &file->dirty, page);
			host_page_list_add(st, &st->clean, page);
			st->nr_dirty--;
		}
		host_page_drop(st, page);
	}
	if (was_dirty && !file->dirty.oldest)
		file_now_clean(st, file);
}

bool host_dirty_exceeded(const struct storage *st)
{
	return st->nr_dirty + st->nr_writing >= st->dirty_limit;
}

void host_writeback_ended(struct storage *st, struct device_io *io)
{
	struct host_file *file = io->file;

	for (uint32_t i = 0; i < io->nr_pages; i++) {
		struct host_page *page = host_page_find(st, file, io->first_page + i);

		if (!page || page->io != io) /* written again meanwhile */
			continue;
		page->io = NULL;
		page->flags &= ~HOST_PAGE_WRITING;
		if (!(page->flags & HOST_PAGE_DIRTY))
			host_page_now_clean(st, page);
	}
	st->nr_writing -= io->nr_pages;
	unlist_write(file, io);
	host_io_wake_all(st->host, &file->sync_waiters);
	if (!host_dirty_exceeded(st))
		host_io_wake_all(st->host, &st->throttled);
	if (io->by_flusher) {
		st->nr_flusher_ios--;
		host_flusher_run(st);
	}
}

void host_flusher_run(struct storage *st)
{
	struct host *host = st->host;

	while (st->dirty_first && st->nr_flusher_ios < st->settings->channels) {
		struct host_file *file = st->dirty_first;
		uint64_t due_ns = file->dirtied_when_ns + EXPIRE_NS;
		struct device_io *io;

		if (st->nr_dirty <= st->dirty_background && host->now_ns < due_ns) {
			eventq_arm(&host->events, st->flusher_slot, due_ns);
			return;
		}
		io = host_write_dirty(st, file);
		if (!io)
			return;
		io->by_flusher = true;
		st->nr_flusher_ios++;
	}
}
