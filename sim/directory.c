// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Ops on names: open, make, remove, rename, list, and what is asked or changed by a path.
 *
 * Each op walks to its names (path_walk.c), keeps them pinned to its end, and tells the guest's
 * caches what it changed, in the order of fs/namei.c and fs/fuse/dir.c (6.1.192, 7.2.12).
 */
#include <errno.h>
#include "sim/flow.h"
#include "sim/page_cache.h"

/* Asked for by a task that has no such name: nothing is sent. */
static void fail(struct thread *th, int err)
{
	th->record.result = err;
}

static bool is_regular_writeback(const struct sim *sim, const struct file *file)
{
	return sim->stack->daemon.mode == MODE_WRITEBACK && file->type == FILE_REGULAR;
}

/*
 * fuse_update_ctime(): with writeback the guest's own ctime counts, and is sent at once, without
 * dirty pages (sync_inode_metadata()).
 */
static bool update_ctime(struct sim *sim, struct thread *th, struct file *file)
{
	FLOW_BEGIN(th->path.ctime.at);
	if (!is_regular_writeback(sim, file)) {
		file->stat_stale = true;
		FLOW_RETURN(th->path.ctime.at);
	}
	file->times_dirty = false;
	/* fuse_write_inode(): __fuse_write_file_get() */
	FLOW_CALL(th->path.ctime.at,
		  send_about(sim, th, FUSE_SETATTR, file,
			     (struct request_subject){.has_handle = file->nr_open != 0}));
	FLOW_END(th->path.ctime.at);
}

/* A reply made a name: the entry is new, the directory has changed. */
static void made(struct sim *sim, struct place *place, struct file *file)
{
	struct entry *entry = file ? names_add(sim, place->dir, place->name, file) : NULL;

	if (!entry)
		return;
	entry_cache(sim, entry);
	entry_pin(entry);
	place->entry = entry;
	place->file = file;
	directory_changed(sim, place->dir);
}

/* The daemon looks up what it has made. */
static bool send_making(struct sim *sim, struct thread *th, uint32_t opcode, const struct file *dir)
{
	return send_about(sim, th, opcode, dir, (struct request_subject){.nr_new = 1});
}

/*
 * lookup_open() with O_CREAT: a name that is not cached may have to be made, for which the
 * directory is checked first, and is looked up then.
 */
static bool open_or_make(struct sim *sim, struct thread *th, struct place *place)
{
	struct entry *entry;

	FLOW_BEGIN(th->path.make.at);
	FLOW_WAIT(th->path.make.at, rw_lock_exclusive(th, &place->dir->lock));
	entry = names_find(sim, place->dir, place->name);
	if (!entry || !entry->cached)
		FLOW_CALL(th->path.make.at, check_permission(sim, th, place->dir));
	FLOW_CALL(th->path.make.at, look_up(sim, th, place, LOOK_UP_LOCKED));
	if (!place->entry) {
		FLOW_CALL(th->path.make.at, send_making(sim, th, FUSE_CREATE, place->dir));
		made(sim, place, names_new_file(sim, th->op.file, FILE_REGULAR));
		th->record.type = OP_CREATE;
	}
	rw_unlock_exclusive(sim, &place->dir->lock);
	FLOW_END(th->path.make.at);
}

/*
 * open_last_lookups(), for each link at the end, too. Jobs and recordings do not say O_CREAT: it
 * was there if it was needed.
 */
static bool open_last(struct sim *sim, struct thread *th, struct place *place)
{
	FLOW_BEGIN(th->path.link.at);
	while (true) {
		if (!place->dir || place->file)
			break;
		if (th->op.flags & OP_CREATES || !names_find(sim, place->dir, place->name))
			FLOW_CALL(th->path.link.at, open_or_make(sim, th, place));
		else
			FLOW_CALL(th->path.link.at, look_up(sim, th, place, LOOK_UP));
		FLOW_CALL(th->path.link.at, walk_link_done(sim, th));
		if (sim->stop || !place->file || place->file->type != FILE_SYMLINK)
			break;
		FLOW_CALL(th->path.link.at, walk_link(sim, th, place));
	}
	FLOW_CALL(th->path.link.at, walk_link_done(sim, th));
	FLOW_END(th->path.link.at);
}

bool path_open(struct sim *sim, struct thread *th, struct place *place)
{
	FLOW_BEGIN(th->path.open.at);
	FLOW_CALL(th->path.open.at, walk_parent(sim, th, th->op.file, place));
	if (!place->dir || place->file) {
		fail(th, place->dir ? -EISDIR : -ENOENT);
		FLOW_RETURN(th->path.open.at);
	}
	FLOW_CALL(th->path.open.at, open_last(sim, th, place));
	if (sim->stop || !place->file) {
		fail(th, -ENOENT);
		FLOW_RETURN(th->path.open.at);
	}
	th->record.nodeid = place->file->nodeid;
	FLOW_CALL(th->path.open.at, check_permission(sim, th, place->file));
	/* fuse_open(): is_wb_truncate */
	if (opens_truncating(th) && sim->stack->daemon.mode == MODE_WRITEBACK) {
		FLOW_WAIT(th->path.open.at, inode_lock(th, place->file));
		FLOW_CALL(th->path.open.at, writeback_wait(sim, th, place->file));
	}
	if (th->record.type != OP_CREATE)
		FLOW_CALL(th->path.open.at, send_simple(sim, th, FUSE_OPEN, place->file));
	FLOW_END(th->path.open.at);
}

bool path_lookup(struct sim *sim, struct thread *th)
{
	struct place *place = &th->path.place[0];

	FLOW_BEGIN(th->path.op.at);
	FLOW_CALL(th->path.op.at, walk(sim, th, th->op.file, place));
	if (!place->file)
		fail(th, -ENOENT);
	FLOW_CALL(th->path.op.at, walk_leave(sim, th, place));
	FLOW_END(th->path.op.at);
}

/* lstat(2): every attribute is asked for, so one that is stale is enough for a GETATTR. */
bool get_attributes(struct sim *sim, struct thread *th, struct file *file)
{
	file->attr_stale |= file->stat_stale | file->mode_stale;
	return file_update_attr(sim, th, file);
}

bool path_stat(struct sim *sim, struct thread *th)
{
	struct place *place = &th->path.place[0];

	FLOW_BEGIN(th->path.op.at);
	FLOW_CALL(th->path.op.at, walk(sim, th, th->op.file, place));
	if (place->file)
		FLOW_CALL(th->path.op.at, get_attributes(sim, th, place->file));
	else
		fail(th, -ENOENT);
	FLOW_CALL(th->path.op.at, walk_leave(sim, th, place));
	FLOW_END(th->path.op.at);
}

bool path_statfs(struct sim *sim, struct thread *th)
{
	struct place *place = &th->path.place[0];

	FLOW_BEGIN(th->path.op.at);
	FLOW_CALL(th->path.op.at, walk(sim, th, th->op.file, place));
	if (place->file)
		FLOW_CALL(th->path.op.at, send_simple(sim, th, FUSE_STATFS, place->file));
	else
		fail(th, -ENOENT);
	FLOW_CALL(th->path.op.at, walk_leave(sim, th, place));
	FLOW_END(th->path.op.at);
}

bool path_readlink(struct sim *sim, struct thread *th)
{
	struct place *place = &th->path.place[0];

	FLOW_BEGIN(th->path.op.at);
	FLOW_CALL(th->path.op.at, walk(sim, th, th->op.file, place));
	if (place->file && place->file->type == FILE_SYMLINK)
		FLOW_CALL(th->path.op.at, read_link(sim, th, place->file));
	else
		fail(th, place->file ? -EINVAL : -ENOENT);
	FLOW_CALL(th->path.op.at, walk_leave(sim, th, place));
	FLOW_END(th->path.op.at);
}

/* fuse_do_setattr() of mode or times; a new mode makes a directory's entry be looked up again. */
static bool set_attributes(struct sim *sim, struct thread *th, struct place *place)
{
	struct file *file = place->file;

	FLOW_BEGIN(th->path.make.at);
	FLOW_WAIT(th->path.make.at, rw_lock_exclusive(th, &file->lock));
	if (is_regular_writeback(sim, file))
		FLOW_CALL(th->path.make.at, writeback_file(sim, th, file, WRITEBACK_SYNC));
	FLOW_CALL(th->path.make.at, send_simple(sim, th, FUSE_SETATTR, file));
	/* The reply's mtime is taken without dropping what is older. */
	file->host_newer = false;
	file_take_attributes(sim, file);
	if (th->op.type == OP_UTIMES && file->directory) {
		file->directory->nr_changes += !file->directory->has_given_mtime;
		file->directory->has_given_mtime = true;
	}
	if (th->op.type == OP_CHMOD && file->directory && place->entry)
		place->entry->until_ns = 0;
	rw_unlock_exclusive(sim, &file->lock);
	FLOW_END(th->path.make.at);
}

bool path_setattr(struct sim *sim, struct thread *th)
{
	struct place *place = &th->path.place[0];

	FLOW_BEGIN(th->path.op.at);
	FLOW_CALL(th->path.op.at, walk(sim, th, th->op.file, place));
	if (place->file)
		FLOW_CALL(th->path.op.at, set_attributes(sim, th, place));
	else
		fail(th, -ENOENT);
	FLOW_CALL(th->path.op.at, walk_leave(sim, th, place));
	FLOW_END(th->path.op.at);
}

static uint32_t make_opcode(const struct thread *th)
{
	switch (th->op.type) {
	case OP_MKDIR:
		return FUSE_MKDIR;
	case OP_SYMLINK:
		return FUSE_SYMLINK;
	default:
		return FUSE_LINK;
	}
}

/* What the reply tells of; of a link it has fresh attributes. */
static struct file *made_file(struct sim *sim, struct thread *th)
{
	struct file *link;

	if (th->op.type == OP_LINK)
		return th->path.place[1].file;
	if (th->op.type == OP_MKDIR)
		return names_new_file(sim, th->op.file, FILE_DIRECTORY);
	link = names_new_file(sim, th->op.file, FILE_SYMLINK);
	if (link)
		link->link_text = th->op.file2;
	return link;
}

/* filename_create(), may_create(), create_new_entry() */
static bool make(struct sim *sim, struct thread *th, struct place *place)
{
	FLOW_BEGIN(th->path.make.at);
	FLOW_WAIT(th->path.make.at, rw_lock_exclusive(th, &place->dir->lock));
	FLOW_CALL(th->path.make.at, look_up(sim, th, place, LOOK_UP_TARGET));
	if (place->entry) {
		fail(th, -EEXIST);
	} else {
		if (th->op.type == OP_LINK && sim->rules.link_checks_source)
			FLOW_CALL(th->path.make.at,
				  check_permission(sim, th, th->path.place[1].file));
		FLOW_CALL(th->path.make.at, check_permission(sim, th, place->dir));
		FLOW_CALL(th->path.make.at, send_making(sim, th, make_opcode(th), place->dir));
		made(sim, place, made_file(sim, th));
	}
	rw_unlock_exclusive(sim, &place->dir->lock);
	FLOW_END(th->path.make.at);
}

/* mkdir, symlink; link, whose second path is the file that gets another name. */
bool path_make(struct sim *sim, struct thread *th)
{
	struct place *place = &th->path.place[0], *source = &th->path.place[1];

	FLOW_BEGIN(th->path.op.at);
	if (th->op.type == OP_LINK) {
		FLOW_CALL(th->path.op.at, walk(sim, th, th->op.file2, source));
		if (!source->file || source->file->directory)
			fail(th, source->file ? -EPERM : -ENOENT);
	}
	if (!th->record.result) {
		FLOW_CALL(th->path.op.at, walk_parent(sim, th, th->op.file, place));
		if (!place->dir || place->file)
			fail(th, place->dir ? -EEXIST : -ENOENT);
		else
			FLOW_CALL(th->path.op.at, make(sim, th, place));
	}
	/* fuse_update_ctime_in_cache() */
	if (th->op.type == OP_LINK && !th->record.result && is_regular_writeback(sim, source->file))
		FLOW_CALL(th->path.op.at, update_ctime(sim, th, source->file));
	FLOW_CALL(th->path.op.at, walk_leave(sim, th, place));
	FLOW_CALL(th->path.op.at, walk_leave(sim, th, source));
	FLOW_END(th->path.op.at);
}

/* The host removed the entry's name: fuse_entry_unlinked(). It stays for those that have it open.
 */
static bool unlinked(struct sim *sim, struct thread *th, struct entry *entry)
{
	if (!th->path.ctime.at)
		names_remove(sim, entry);
	return update_ctime(sim, th, entry->file);
}

static int may_remove(const struct thread *th, const struct file *file)
{
	if (!file)
		return -ENOENT;
	if (th->op.type == OP_RMDIR)
		return !file->directory ? -ENOTDIR : file->directory->nr_entries ? -ENOTEMPTY : 0;
	return file->directory ? -EISDIR : 0;
}

static bool remove_name(struct sim *sim, struct thread *th, struct place *place)
{
	FLOW_BEGIN(th->path.make.at);
	FLOW_WAIT(th->path.make.at, rw_lock_exclusive(th, &place->dir->lock));
	FLOW_CALL(th->path.make.at, look_up(sim, th, place, LOOK_UP_LOCKED));
	fail(th, may_remove(th, place->file));
	if (place->file)
		FLOW_CALL(th->path.make.at, check_permission(sim, th, place->dir));
	if (!th->record.result) {
		FLOW_WAIT(th->path.make.at, rw_lock_exclusive(th, &place->file->lock));
		FLOW_CALL(th->path.make.at,
			  send_simple(sim, th, th->op.type == OP_RMDIR ? FUSE_RMDIR : FUSE_UNLINK,
				      place->dir));
		directory_changed(sim, place->dir);
		FLOW_CALL(th->path.make.at, unlinked(sim, th, place->entry));
		rw_unlock_exclusive(sim, &place->file->lock);
	}
	rw_unlock_exclusive(sim, &place->dir->lock);
	FLOW_END(th->path.make.at);
}

bool path_remove(struct sim *sim, struct thread *th)
{
	struct place *place = &th->path.place[0];

	FLOW_BEGIN(th->path.op.at);
	FLOW_CALL(th->path.op.at, walk_parent(sim, th, th->op.file, place));
	if (!place->dir || place->file)
		fail(th, place->dir ? -EBUSY : -ENOENT);
	else
		FLOW_CALL(th->path.op.at, remove_name(sim, th, place));
	FLOW_CALL(th->path.op.at, walk_leave(sim, th, place));
	FLOW_END(th->path.op.at);
}

/* The reply to RENAME: the dentry moves, what had the name before is gone. */
static bool renamed(struct sim *sim, struct thread *th)
{
	struct place *from = &th->path.place[0], *to = &th->path.place[1];

	FLOW_BEGIN(th->path.list.at);
	FLOW_CALL(th->path.list.at, update_ctime(sim, th, from->file));
	directory_changed(sim, from->dir);
	directory_changed(sim, to->dir);
	if (to->entry)
		FLOW_CALL(th->path.list.at, unlinked(sim, th, to->entry));
	/* d_move(): the entry now keeps its new directory's entry. */
	entry_move(sim, from, to);
	FLOW_END(th->path.list.at);
}

static bool is_in_or_below(const struct file *dir, const struct file *above)
{
	while (dir != above && dir->directory->entry)
		dir = dir->directory->entry->dir;
	return dir == above;
}

static int may_rename(const struct place *from, const struct place *to)
{
	if (!from->file)
		return -ENOENT;
	if (from->file->directory && is_in_or_below(to->dir, from->file))
		return -EINVAL;
	if (!to->file)
		return 0;
	if (!from->file->directory != !to->file->directory)
		return to->file->directory ? -EISDIR : -ENOTDIR;
	return to->file->directory && to->file->directory->nr_entries ? -ENOTEMPTY : 0;
}

/* vfs_rename(), both directories locked. Two names of one file stay as they are. */
static bool rename_locked(struct sim *sim, struct thread *th)
{
	struct place *from = &th->path.place[0], *to = &th->path.place[1];

	FLOW_BEGIN(th->path.make.at);
	FLOW_CALL(th->path.make.at, look_up(sim, th, from, LOOK_UP_LOCKED));
	if (from->entry)
		FLOW_CALL(th->path.make.at, look_up(sim, th, to, LOOK_UP_TARGET));
	fail(th, may_rename(from, to));
	if (th->record.result || from->file == to->file)
		FLOW_RETURN(th->path.make.at);
	FLOW_CALL(th->path.make.at, check_permission(sim, th, from->dir));
	FLOW_CALL(th->path.make.at, check_permission(sim, th, to->dir));
	if (from->dir != to->dir && from->file->directory)
		FLOW_CALL(th->path.make.at, check_permission(sim, th, from->file));
	FLOW_CALL(th->path.make.at,
		  send_about(sim, th, FUSE_RENAME, from->dir,
			     (struct request_subject){.nr_known = to->entry != NULL}));
	FLOW_CALL(th->path.make.at, renamed(sim, th));
	FLOW_END(th->path.make.at);
}

/*
 * lock_rename(): what is above is locked first, as others lock a directory in a directory. That
 * nothing moves meanwhile, and no two renames wait for each other, is for s_vfs_rename_mutex.
 */
static bool lock_directories(struct sim *sim, struct thread *th)
{
	struct file *from = th->path.place[0].dir, *to = th->path.place[1].dir;

	FLOW_BEGIN(th->path.list.at);
	if (from != to)
		FLOW_WAIT(th->path.list.at, rw_lock_exclusive(th, &sim->rename_lock));
	th->path.op.first = is_in_or_below(from, to) ? to : from;
	th->path.op.second = is_in_or_below(from, to) ? from : to;
	FLOW_WAIT(th->path.list.at, rw_lock_exclusive(th, &th->path.op.first->lock));
	if (from != to)
		FLOW_WAIT(th->path.list.at, rw_lock_exclusive(th, &th->path.op.second->lock));
	FLOW_END(th->path.list.at);
}

static void unlock_directories(struct sim *sim, struct thread *th)
{
	rw_unlock_exclusive(sim, &th->path.op.first->lock);
	if (th->path.op.first == th->path.op.second)
		return;
	rw_unlock_exclusive(sim, &th->path.op.second->lock);
	rw_unlock_exclusive(sim, &sim->rename_lock);
}

bool path_rename(struct sim *sim, struct thread *th)
{
	struct place *from = &th->path.place[0], *to = &th->path.place[1];

	FLOW_BEGIN(th->path.op.at);
	FLOW_CALL(th->path.op.at, walk_parent(sim, th, th->op.file, from));
	if (from->dir)
		FLOW_CALL(th->path.op.at, walk_parent(sim, th, th->op.file2, to));
	if (!from->dir || !to->dir || from->file || to->file) {
		fail(th, -ENOENT);
	} else {
		FLOW_CALL(th->path.op.at, lock_directories(sim, th));
		FLOW_CALL(th->path.op.at, rename_locked(sim, th));
		unlock_directories(sim, th);
	}
	FLOW_CALL(th->path.op.at, walk_leave(sim, th, to));
	FLOW_CALL(th->path.op.at, walk_leave(sim, th, from));
	FLOW_END(th->path.op.at);
}
