// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Listing a directory: opendir(3), readdir(3) to the end, closedir(3).
 *
 * Which request is sent follows fuse_use_readdirplus() with FUSE_READDIRPLUS_AUTO, which both
 * virtiofsd ask for unless the cache mode is never: READDIRPLUS at the beginning, and later if
 * names were looked up one by one meanwhile. READDIRPLUS looks all its names up, so the guest
 * caches them. The listing itself it caches only with FOPEN_CACHE_DIR, and as long as nothing
 * changes the directory (fs/fuse/readdir.c, the same from 6.1 to 7.2).
 */
#include <dirent.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include "sim/flow.h"
#include "sim/model.h"

#define LIBC_BUFFER_BYTES 32768u /* glibc's buffer for getdents64 */
#define LAST_COOKIE INT64_MAX /* ext4's, XFS's and Btrfs's offset behind the last name */

/* FUSE_DIRENT_SIZE, FUSE_DIRENTPLUS_SIZE */
static uint32_t record_bytes(uint32_t name_bytes, bool plus)
{
	uint32_t header = plus ? sizeof(struct fuse_direntplus) : sizeof(struct fuse_dirent);

	return (header + name_bytes + 7) / 8 * 8;
}

static uint32_t getdents_bytes(const struct thread *th)
{
	return th->op.size_bytes ? th->op.size_bytes : LIBC_BUFFER_BYTES;
}

/* fuse_readdir_uncached(): a page, or as much as the application's buffer takes */
static uint32_t buffer_bytes(const struct sim *sim, const struct thread *th)
{
	if (!sim->rules.readdir_fills_buffer)
		return PAGE_BYTES;
	return min_u64(max_u64(getdents_bytes(th), PAGE_BYTES),
		       (uint64_t)sim->max_pages * PAGE_BYTES);
}

/* struct linux_dirent64, as getdents64(2) tells it */
static uint32_t told_bytes(uint32_t name_bytes)
{
	return (offsetof(struct dirent64, d_name) + name_bytes + 1 + 7) / 8 * 8;
}

static void tell(struct sim *sim, struct entry *entry, struct request_subject *about)
{
	if (!about) {
		entry_cache(sim, entry);
		entry->file->is_listed = true;
	} else if (entry->file->nr_names_cached) {
		about->nr_known++;
	} else {
		about->nr_new++;
	}
}

/*
 * The names from number *next on that fit into a reply; "." and ".." are the first two. What plus
 * tells of is counted in about or, with NULL, cached from now on. Returns the bytes of the reply;
 * *next is behind what the application's buffer takes of it, the rest is asked for again.
 */
static uint32_t fill(struct sim *sim, struct thread *th, struct file *dir, uint32_t *next,
		     struct request_subject *about)
{
	const struct entry *entry = dir->directory->first;
	uint32_t used = 0, told = 0, i = *next, room = buffer_bytes(sim, th);
	bool plus = th->path.plus;

	for (uint32_t k = 2; entry && k < i; k++)
		entry = entry->next;
	for (; i < 2 || entry; i++) {
		uint32_t name_bytes = i < 2 ? i + 1 : names_bytes(sim, entry->name);

		if (used + record_bytes(name_bytes, plus) > room) {
			if (about && plus)
				about->one_did_not_fit = i >= 2;
			break;
		}
		used += record_bytes(name_bytes, plus);
		told += told_bytes(name_bytes);
		if (told <= getdents_bytes(th))
			*next = i + 1;
		if (i < 2)
			continue;
		if (plus)
			tell(sim, (struct entry *)entry, about);
		entry = entry->next;
	}
	return used;
}

/* main.rs, passthrough_ll.c: neither asks for FUSE_DO_READDIRPLUS with cache=never. */
static bool has_plus(const struct daemon_settings *d)
{
	return d->readdirplus == READDIRPLUS_AUTO ? d->mode != MODE_DIRECT
						  : d->readdirplus == READDIRPLUS_YES;
}

static bool use_plus(const struct sim *sim, struct directory *d, bool at_start)
{
	bool plus = d->advise_plus || at_start;

	if (!has_plus(&sim->stack->daemon))
		return false;
	d->advise_plus = false;
	return plus;
}

static struct request *request(struct sim *sim, struct thread *th, struct file *dir)
{
	uint32_t next = th->path.nr_listed, bytes = buffer_bytes(sim, th);
	uint32_t total = 2 + dir->directory->nr_entries;
	struct request *req;

	th->path.plus = use_plus(sim, dir->directory, !next);
	req = request_new(sim, th->path.plus ? FUSE_READDIRPLUS : FUSE_READDIR, dir);
	if (!req)
		return NULL;
	req->span.offset_bytes = next < total ? next : LAST_COOKIE;
	req->span.size_bytes = bytes;
	req->span.reply_bytes = fill(sim, th, dir, &next, &req->about);
	if (sim->rules.readdir_into_pages)
		req->span.sg_in = 1 + bytes / PAGE_BYTES;
	return req;
}

void listing_forget(struct directory *d)
{
	memset(&d->listing, 0, sizeof(d->listing));
}

void listing_lose_pages(struct directory *d)
{
	d->listing.pages_gone = d->listing.nr_names != 0;
}

/* fuse_readdir_cached(): false is its UNCACHED. A listing that lost its pages is begun anew. */
static bool list_cached(struct thread *th, struct directory *d)
{
	bool at_start = !th->path.nr_listed;

	if (d->listing.complete && th->path.nr_listed < d->listing.nr_names &&
	    (d->listing.pages_gone || (at_start && d->listing.nr_changes != d->nr_changes)))
		listing_forget(d);
	if (!d->listing.complete) {
		if (at_start && !d->listing.nr_names)
			d->listing.nr_changes = d->nr_changes;
		return false;
	}
	th->path.nr_listed = max_u64(th->path.nr_listed, d->listing.nr_names);
	return true;
}

/* fuse_add_dirent_to_cache(), fuse_readdir_cache_end(): a reply told of names from first on. */
static void cache_listing(const struct thread *th, struct directory *d, uint32_t first)
{
	if (d->listing.complete || d->listing.nr_names != first || d->listing.pages_gone)
		return;
	d->listing.complete = th->path.nr_listed == first;
	d->listing.nr_names = th->path.nr_listed;
}

/* fuse_readdir_uncached() */
static bool list_asked(struct sim *sim, struct thread *th, struct file *dir)
{
	uint32_t first = th->path.nr_listed;

	FLOW_BEGIN(th->path.ask.at);
	if (!sim->stack->daemon.parallel_dirops)
		FLOW_WAIT(th->path.ask.at, rw_lock_exclusive(th, &dir->directory->serial));
	th->simple.req = request(sim, th, dir);
	FLOW_CALL(th->path.ask.at, simple_request(sim, th));
	if (!sim->stack->daemon.parallel_dirops)
		rw_unlock_exclusive(sim, &dir->directory->serial);
	fill(sim, th, dir, &th->path.nr_listed, NULL);
	if (sim->stack->daemon.cache_dir)
		cache_listing(th, dir->directory, first);
	for (th->path.child = dir->directory->first; th->path.child;
	     th->path.child = th->path.child->next)
		FLOW_CALL(th->path.ask.at, file_drop_outdated(sim, th, th->path.child->file));
	dir->stat_stale = true; /* fuse_invalidate_atime() */
	FLOW_END(th->path.ask.at);
}

/* One getdents64(2); sets th->path.nr_listed, which stays the same at the end. */
static bool list_some(struct sim *sim, struct thread *th, struct file *dir)
{
	FLOW_BEGIN(th->path.make.at);
	FLOW_WAIT(th->path.make.at, rw_lock_shared(th, &dir->lock));
	if (sim->stack->daemon.cache_dir && !th->path.nr_listed)
		FLOW_CALL(th->path.make.at, file_update_attr(sim, th, dir));
	if (!sim->stack->daemon.cache_dir || !list_cached(th, dir->directory))
		FLOW_CALL(th->path.make.at, list_asked(sim, th, dir));
	rw_unlock_shared(sim, &dir->lock);
	FLOW_END(th->path.make.at);
}

static bool list(struct sim *sim, struct thread *th, struct file *dir)
{
	FLOW_BEGIN(th->path.list.at);
	FLOW_CALL(th->path.list.at, check_permission(sim, th, dir));
	FLOW_CALL(th->path.list.at, send_simple(sim, th, FUSE_OPENDIR, dir));
	/* fuse_dir_open(); lo_opendir() gives no FOPEN_KEEP_CACHE, do_open() of the Rust daemon
	 * does. */
	if (sim->stack->daemon.kind == DAEMON_C)
		listing_lose_pages(dir->directory);
	FLOW_CALL(th->path.list.at, get_attributes(sim, th, dir)); /* opendir(3) looks with fstat */
	th->path.nr_listed = 0;
	do {
		th->path.nr_before = th->path.nr_listed;
		FLOW_CALL(th->path.list.at, list_some(sim, th, dir));
	} while (th->path.nr_listed != th->path.nr_before && !sim->stop);
	FLOW_CALL(th->path.list.at, send_release(sim, th, FUSE_RELEASEDIR, dir));
	FLOW_END(th->path.list.at);
}

bool path_list(struct sim *sim, struct thread *th)
{
	struct place *place = &th->path.place[0];

	FLOW_BEGIN(th->path.op.at);
	FLOW_CALL(th->path.op.at, walk(sim, th, th->op.file, place));
	if (place->file && place->file->directory)
		FLOW_CALL(th->path.op.at, list(sim, th, place->file));
	else
		th->record.result = place->file ? -ENOTDIR : -ENOENT;
	FLOW_CALL(th->path.op.at, walk_leave(sim, th, place));
	FLOW_END(th->path.op.at);
}
