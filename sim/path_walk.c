// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Path walks: what the VFS asks a FUSE file system on the way to a name (fs/namei.c, fs/fuse/dir.c;
 * read in 6.1.192 and 7.2.12, where it is the same).
 *
 * Each directory on the way is checked for search permission (virtio-fs always mounts with
 * default_permissions, so its attributes must be good), then the name in it is looked up, unless
 * its entry is good. Walks under RCU send nothing and are begun again without it, so they are left
 * out.
 */
#include "sim/flow.h"
#include "sim/model.h"

bool check_permission(struct sim *sim, struct thread *th, struct file *file)
{
	if (!th->launder.at) {
		if (!th->simple.at && !file->mode_stale && sim->host->now_ns < file->attr_until_ns)
			return true;
		if (!send_simple(sim, th, FUSE_GETATTR, file))
			return false;
		file_take_attributes(sim, file);
	}
	return file_drop_outdated(sim, th, file);
}

/* fuse_dir_changed() */
void directory_changed(struct sim *sim, struct file *dir)
{
	dir->stat_stale = true;
	dir->attr_stale = true; /* the mtime, which only cached listings need */
	dir->directory->nr_changes++;
	dir->directory->has_given_mtime = false;
	dir->mode_stale |= sim->rules.dir_change_drops_attr;
}

void entry_pin(struct entry *entry)
{
	entry->refs++;
}

/* The dcache holds a name by its directory's entry, and the inode by the name. */
void entry_cache(struct sim *sim, struct entry *entry)
{
	struct entry *parent = entry->dir->directory->entry;

	if (!entry->cached) {
		entry->cached = true;
		entry->file->nr_names_cached++;
		if (parent)
			entry_pin(parent);
	}
	entry->until_ns = 0;
	if (sim->stack->daemon.entry_timeout_ns)
		entry->until_ns = valid_until(sim, sim->stack->daemon.entry_timeout_ns);
	file_take_attributes(sim, entry->file);
}

/* __dentry_kill(): the entry leaves the dcache, with its inode if it was its last one. */
static bool kill(struct sim *sim, struct thread *th, struct entry *entry)
{
	FLOW_BEGIN(th->path.kill.at);
	entry->cached = false;
	if (!--entry->file->nr_names_cached)
		FLOW_CALL(th->path.kill.at, file_evict(sim, th, entry->file));
	FLOW_END(th->path.kill.at);
}

/* Is the entry, which nobody has pinned, of no more use? dentry_unlist(), fuse_dentry_delete() */
static bool is_dead(const struct entry *entry)
{
	return entry->cached && (!entry->linked || !entry->until_ns);
}

static bool put_all(struct sim *sim, struct thread *th, bool drop)
{
	struct entry *dead;

	FLOW_BEGIN(th->path.put.at);
	while (th->path.put.entry && !--th->path.put.entry->refs &&
	       (drop || is_dead(th->path.put.entry))) {
		FLOW_CALL(th->path.put.at, kill(sim, th, th->path.put.entry));
		dead = th->path.put.entry;
		th->path.put.entry = dead->dir->directory->entry;
		if (!dead->linked)
			names_free(sim, dead);
	}
	FLOW_END(th->path.put.at);
}

bool entry_put(struct sim *sim, struct thread *th, struct entry **pin)
{
	if (!th->path.put.at) {
		th->path.put.entry = *pin;
		*pin = NULL;
	}
	return put_all(sim, th, false);
}

bool entry_drop(struct sim *sim, struct thread *th, struct entry *entry)
{
	if (!th->path.put.at) {
		th->path.put.entry = entry;
		entry_pin(entry);
	}
	return put_all(sim, th, true);
}

/* d_move(): what was kept cached with it is its new directory's entry. */
void entry_move(struct sim *sim, struct place *from, struct place *to)
{
	struct entry *old = from->dir->directory->entry, *new = to->dir->directory->entry;

	names_move(sim, from->entry, to->dir, to->name);
	if (new)
		entry_pin(new);
	if (old)
		old->refs--; /* the op has it pinned, too */
}

/* LOOKUP of a name that is `entry`, if there is one. The daemon knows the inodes that the guest
 * does. */
static bool send_lookup(struct sim *sim, struct thread *th, const struct file *dir,
			const struct entry *entry)
{
	bool known = entry && entry->file->nr_names_cached;
	struct request_subject about = {.nr_known = known, .nr_new = entry && !known};

	return send_about(sim, th, FUSE_LOOKUP, dir, about);
}

static void found(struct place *place, struct entry *entry)
{
	entry_pin(entry);
	place->entry = entry;
	place->file = entry->file;
}

/* fuse_dentry_revalidate() of a name that is there. */
static bool revalidate(struct sim *sim, struct thread *th, struct place *place, enum lookup_how how)
{
	struct entry *entry = place->entry;

	if (!th->launder.at) {
		if (!th->simple.at && how != LOOK_UP_TARGET &&
		    sim->host->now_ns < entry->until_ns) {
			place->dir->directory->advise_plus |= entry->file->is_listed;
			entry->file->is_listed = false;
			return true;
		}
		if (!send_lookup(sim, th, place->dir, entry->linked ? entry : NULL))
			return false;
		if (entry->linked)
			entry_cache(sim, entry);
	}
	return file_drop_outdated(sim, th, entry->file);
}

/* fuse_lookup(), with the directory locked */
static bool ask(struct sim *sim, struct thread *th, struct place *place)
{
	struct directory *d = place->dir->directory;
	struct entry *entry;

	FLOW_BEGIN(th->path.ask.at);
	if (!sim->stack->daemon.parallel_dirops)
		FLOW_WAIT(th->path.ask.at, rw_lock_exclusive(th, &d->serial));
	FLOW_CALL(th->path.ask.at,
		  send_lookup(sim, th, place->dir, names_find(sim, place->dir, place->name)));
	if (!sim->stack->daemon.parallel_dirops)
		rw_unlock_exclusive(sim, &d->serial);
	entry = names_find(sim, place->dir, place->name);
	if (entry) {
		entry_cache(sim, entry);
		d->advise_plus = true;
		found(place, entry);
		FLOW_CALL(th->path.ask.at, file_drop_outdated(sim, th, place->file));
	}
	FLOW_END(th->path.ask.at);
}

/*
 * lookup_slow(): the name is not cached. Whoever comes while another asks for it waits for the
 * answer (d_alloc_parallel()). While the directory is locked no name in it comes or goes.
 */
static bool look_up_slow(struct sim *sim, struct thread *th, struct place *place)
{
	struct entry *entry = th->path.lookup.entry;

	FLOW_BEGIN(th->path.resolve.at);
	if (entry)
		FLOW_WAIT(th->path.resolve.at, rw_lock_exclusive(th, &entry->looking));
	if (!entry || !entry->cached)
		FLOW_CALL(th->path.resolve.at, ask(sim, th, place));
	else
		found(place, entry);
	if (entry)
		rw_unlock_exclusive(sim, &entry->looking);
	FLOW_END(th->path.resolve.at);
}

bool look_up(struct sim *sim, struct thread *th, struct place *place, enum lookup_how how)
{
	struct entry *entry;

	FLOW_BEGIN(th->path.lookup.at);
	entry = names_find(sim, place->dir, place->name);
	if (entry && entry->cached) {
		found(place, entry);
		FLOW_CALL(th->path.lookup.at, revalidate(sim, th, place, how));
		FLOW_RETURN(th->path.lookup.at);
	}
	if (how == LOOK_UP)
		FLOW_WAIT(th->path.lookup.at, rw_lock_shared(th, &place->dir->lock));
	th->path.lookup.entry = names_find(sim, place->dir, place->name);
	FLOW_CALL(th->path.lookup.at, look_up_slow(sim, th, place));
	if (how == LOOK_UP)
		rw_unlock_shared(sim, &place->dir->lock);
	FLOW_END(th->path.lookup.at);
}

/* The entry that was found becomes the directory to go on from; it keeps its own. */
static void step_into(struct place *place)
{
	if (place->dir_pin)
		place->dir_pin->refs--;
	place->dir_pin = place->entry;
	place->dir = place->file;
	place->entry = NULL;
	place->file = NULL;
}

/* fuse_get_link(): no virtiofsd asks for FUSE_CACHE_SYMLINKS, so each time. */
bool read_link(struct sim *sim, struct thread *th, struct file *file)
{
	if (!send_simple(sim, th, FUSE_READLINK, file))
		return false;
	file->stat_stale = true; /* fuse_invalidate_atime() */
	return true;
}

/*
 * pick_link(): the place is a link. Its text is what is walked next, from the link's directory or
 * the root on; the link stays pinned meanwhile.
 */
static bool pick_link(struct sim *sim, struct thread *th, struct place *place, struct entry **link)
{
	struct path_walk *w = &th->path.walk;
	uint32_t text = place->file ? place->file->link_text : 0;

	FLOW_BEGIN(th->path.step.at);
	FLOW_CALL(th->path.step.at, read_link(sim, th, place->file));
	w->part = names_first_part(sim, text);
	w->end = names_first_part(sim, text + 1);
	*link = place->entry;
	place->entry = NULL;
	place->file = NULL;
	if (names_from_root(sim, text)) {
		place->dir = sim->root;
		if (place->dir_pin)
			FLOW_CALL(th->path.step.at, entry_put(sim, th, &place->dir_pin));
	}
	FLOW_END(th->path.step.at);
}

/* follow_dotdot(): nothing is asked for. */
static bool step_up(struct sim *sim, struct thread *th, struct place *place)
{
	FLOW_BEGIN(th->path.step.at);
	place->entry = place->dir_pin;
	place->dir = place->entry->dir;
	place->dir_pin = place->dir->directory->entry;
	if (place->dir_pin)
		entry_pin(place->dir_pin);
	FLOW_CALL(th->path.step.at, entry_put(sim, th, &place->entry));
	FLOW_END(th->path.step.at);
}

/* The text of a link has been walked: on with what came behind the link. */
static void pop_rest(struct path_walk *w)
{
	w->nr_rests--;
	w->part = w->rest[w->nr_rests].part;
	w->end = w->rest[w->nr_rests].end;
}

static void push_rest(struct path_walk *w)
{
	w->rest[w->nr_rests].part = w->part;
	w->rest[w->nr_rests].end = w->end;
	w->nr_rests++;
}

/* ".." is a name like others in paths of a workload, which none should have. */
static bool is_step_up(const struct sim *sim, const struct thread *th, const struct place *place)
{
	return (th->path.walk.nr_rests || th->path.walk.last) && names_is_up(sim, place->name);
}

static bool is_link(const struct place *place)
{
	return place->file && place->file->type == FILE_SYMLINK;
}

/*
 * link_path_walk(): what is left of the path or text, to the directory of its last name. Below
 * what is no directory, above the root and behind too many links nothing can be.
 */
static bool walk_on(struct sim *sim, struct thread *th, struct place *place)
{
	struct path_walk *w = &th->path.walk;

	FLOW_BEGIN(w->at);
	while (true) {
		FLOW_CALL(w->at, check_permission(sim, th, place->dir));
		place->name = names_part(sim, w->part);
		if (++w->part == w->end && !w->nr_rests)
			FLOW_RETURN(w->at);
		if (!is_step_up(sim, th, place)) {
			FLOW_CALL(w->at, look_up(sim, th, place, LOOK_UP));
		} else if (place->dir_pin) {
			FLOW_CALL(w->at, step_up(sim, th, place));
			continue;
		}
		if (w->part == w->end) {
			pop_rest(w);
			FLOW_CALL(w->at, entry_put(sim, th, &w->rest[w->nr_rests].link));
		}
		if (is_link(place) && w->nr_links < MAX_LINKS) {
			w->nr_links++;
			push_rest(w);
			FLOW_CALL(w->at, pick_link(sim, th, place, &w->rest[w->nr_rests - 1].link));
			continue;
		}
		if (!place->file || !place->file->directory)
			break;
		step_into(place);
	}
	while (w->nr_rests) {
		pop_rest(w);
		FLOW_CALL(w->at, entry_put(sim, th, &w->rest[w->nr_rests].link));
	}
	FLOW_CALL(w->at, walk_leave(sim, th, place));
	FLOW_END(w->at);
}

bool walk_parent(struct sim *sim, struct thread *th, uint32_t path, struct place *place)
{
	struct path_walk *w = &th->path.walk;

	FLOW_BEGIN(th->path.parent.at);
	*place = (struct place){.dir = sim->root};
	w->part = names_first_part(sim, path);
	w->end = names_first_part(sim, path + 1);
	w->nr_links = 0;
	w->nr_rests = 0;
	if (w->part == w->end) {
		place->file = sim->root;
		FLOW_RETURN(th->path.parent.at);
	}
	FLOW_CALL(th->path.parent.at, walk_on(sim, th, place));
	FLOW_END(th->path.parent.at);
}

bool walk_link(struct sim *sim, struct thread *th, struct place *place)
{
	struct path_walk *w = &th->path.walk;

	FLOW_BEGIN(th->path.parent.at);
	if (w->nr_links == MAX_LINKS) {
		FLOW_CALL(th->path.parent.at, walk_leave(sim, th, place));
	} else {
		w->nr_links++;
		FLOW_CALL(th->path.parent.at, pick_link(sim, th, place, &w->last));
		FLOW_CALL(th->path.parent.at, walk_on(sim, th, place));
	}
	FLOW_END(th->path.parent.at);
}

bool walk_link_done(struct sim *sim, struct thread *th)
{
	if (!th->path.put.at && !th->path.walk.last)
		return true;
	return entry_put(sim, th, &th->path.walk.last);
}

/* LOOKUP_FOLLOW */
static bool follows_last(const struct workload_op *op)
{
	switch (op->type) {
	case OP_STAT:
		return op->flags & OP_FOLLOWS;
	case OP_STATFS:
	case OP_CHMOD:
	case OP_UTIMES:
	case OP_READDIR:
		return true;
	default:
		return false;
	}
}

bool walk(struct sim *sim, struct thread *th, uint32_t path, struct place *place)
{
	FLOW_BEGIN(th->path.make.at);
	FLOW_CALL(th->path.make.at, walk_parent(sim, th, path, place));
	if (place->dir && !place->file)
		FLOW_CALL(th->path.make.at, look_up(sim, th, place, LOOK_UP));
	while (is_link(place) && follows_last(&th->op)) {
		FLOW_CALL(th->path.make.at, walk_link(sim, th, place));
		if (place->dir)
			FLOW_CALL(th->path.make.at, look_up(sim, th, place, LOOK_UP));
		FLOW_CALL(th->path.make.at, walk_link_done(sim, th));
	}
	FLOW_END(th->path.make.at);
}

bool walk_leave(struct sim *sim, struct thread *th, struct place *place)
{
	FLOW_BEGIN(th->path.leave.at);
	if (place->entry)
		FLOW_CALL(th->path.leave.at, entry_put(sim, th, &place->entry));
	if (place->dir_pin)
		FLOW_CALL(th->path.leave.at, entry_put(sim, th, &place->dir_pin));
	*place = (struct place){.dir = NULL};
	FLOW_END(th->path.leave.at);
}
