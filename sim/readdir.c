// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Listing a directory: opendir(3), readdir(3) to the end, closedir(3).
 *
 * Which request is sent follows fuse_use_readdirplus() with FUSE_READDIRPLUS_AUTO, which both
 * virtiofsd ask for unless the cache mode is never: READDIRPLUS at the beginning, and later if
 * names were looked up one by one meanwhile. READDIRPLUS looks all its names up, so the guest
 * caches them.
 */
#include <errno.h>
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

/* fuse_readdir_uncached(): a page, or as much as the application's buffer takes */
static uint32_t buffer_bytes(const struct sim *sim, const struct thread *th)
{
	uint32_t bytes = th->op.size_bytes ? th->op.size_bytes : LIBC_BUFFER_BYTES;

	if (!sim->rules.readdir_fills_buffer)
		return PAGE_BYTES;
	return min_u64(max_u64(bytes, PAGE_BYTES), (uint64_t)sim->max_pages * PAGE_BYTES);
}

/*
 * The names from number *next on that fit into a reply; "." and ".." are the first two. What plus
 * tells of is cached from now on, if `take`. Returns the bytes of the reply.
 */
static uint32_t fill(struct sim *sim, struct thread *th, struct file *dir, uint32_t *next,
		     bool take)
{
	const struct entry *entry = dir->directory->first;
	uint32_t used = 0, i = *next, room = buffer_bytes(sim, th);
	bool plus = th->path.plus;

	for (uint32_t k = 2; entry && k < i; k++)
		entry = entry->next;
	for (; i < 2 || entry; i++) {
		uint32_t bytes = record_bytes(i < 2 ? i + 1 : names_bytes(sim, entry->name), plus);

		if (used + bytes > room)
			break;
		used += bytes;
		if (i < 2)
			continue;
		if (take && plus) {
			entry_cache(sim, (struct entry *)entry);
			entry->file->is_listed = true;
		}
		entry = entry->next;
	}
	*next = i;
	return used;
}

static bool use_plus(const struct sim *sim, struct directory *d, bool at_start)
{
	bool plus = d->advise_plus || at_start;

	if (sim->stack->daemon.mode == MODE_DIRECT)
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
	req->span.reply_bytes = fill(sim, th, dir, &next, false);
	if (sim->rules.readdir_into_pages)
		req->span.sg_in = 1 + bytes / PAGE_BYTES;
	return req;
}

/* One getdents64(2) that fetches; sets th->path.nr_listed, which stays the same at the end. */
static bool list_some(struct sim *sim, struct thread *th, struct file *dir)
{
	FLOW_BEGIN(th->path.make.at);
	FLOW_WAIT(th->path.make.at, rw_lock_shared(th, &dir->lock));
	if (!sim->stack->daemon.parallel_dirops)
		FLOW_WAIT(th->path.make.at, rw_lock_exclusive(th, &dir->directory->serial));
	th->simple.req = request(sim, th, dir);
	FLOW_CALL(th->path.make.at, simple_request(sim, th));
	if (!sim->stack->daemon.parallel_dirops)
		rw_unlock_exclusive(sim, &dir->directory->serial);
	fill(sim, th, dir, &th->path.nr_listed, true);
	for (th->path.child = dir->directory->first; th->path.child;
	     th->path.child = th->path.child->next)
		FLOW_CALL(th->path.make.at, file_drop_outdated(sim, th, th->path.child->file));
	dir->stat_stale = true; /* fuse_invalidate_atime() */
	rw_unlock_shared(sim, &dir->lock);
	FLOW_END(th->path.make.at);
}

static bool list(struct sim *sim, struct thread *th, struct file *dir)
{
	FLOW_BEGIN(th->path.list.at);
	FLOW_CALL(th->path.list.at, check_permission(sim, th, dir));
	FLOW_CALL(th->path.list.at, send_simple(sim, th, FUSE_OPENDIR, dir));
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
