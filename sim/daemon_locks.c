// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which request takes which lock of its daemon, and how threads wait for them.
 *
 * C: passthrough_ll.c of QEMU 7.2. One mutex, lo->mutex, guards the tables of inodes and of open
 * files; each request takes it for the moments of its look-ups, none over a system call. Rust:
 * passthrough/mod.rs and inode_store.rs of virtiofsd 1.13.2, the same in 1.14.0. InodeStore and
 * handles are RwLocks taken for a moment; HandleData.file is a RwLock that READ and WRITE hold
 * shared over their system call, and READDIR exclusively over lseek and getdents64. FLUSH, FSYNC
 * and SETATTR with a handle take it exclusively only to read the descriptor, which is enough to
 * make them wait for all READs and WRITEs under way, and those that come after them wait, too.
 *
 * A name that the daemon meets while the guest knows it, it has in its table: claim_inode() finds
 * it, shared; else get_or_insert() puts it there, exclusively. What is about to lose its name
 * (before_invalidating_path()) is referred to meanwhile, and giving that up is exclusive again.
 *
 * Handles are told apart by file and task; requests of kernel threads use one of their own.
 */
#include <errno.h>
#include <stdlib.h>
#include "sim/daemon.h"
#include "sim/flow.h"

struct lock_rule {
	uint8_t c_takes; /* of lo->mutex */
	/* Rust */
	uint8_t inodes_shared;
	uint8_t inodes_exclusive;
	enum lock_use handles;
	enum lock_use handle;
	/* Rust with file handles, beyond what it does without: */
	uint8_t opens; /* open_by_handle_at() and close() */
	uint8_t names; /* name_to_handle_at() */
	const char *c_source; /* function */
	const char *rust_source;
};

/*
 * Opcodes that are not here take what GETATTR takes. What a request takes besides depends on it:
 * see `more` below.
 */
static const struct lock_rule rules[FUSE_OPCODE_LIMIT] = {
	[FUSE_LOOKUP] = {0, 0, 0, LOCK_NOT, LOCK_NOT, 0, 0, "lo_lookup", "lookup"},
	[FUSE_FORGET] = {2, 0, 1, LOCK_NOT, LOCK_NOT, 0, 0, "lo_forget_one", "forget"},
	[FUSE_BATCH_FORGET] = {2, 0, 1, LOCK_NOT, LOCK_NOT, 0, 0, "lo_forget_multi",
			       "batch_forget"},
	[FUSE_GETATTR] = {1, 1, 0, LOCK_NOT, LOCK_NOT, 1, 0, "lo_getattr", "do_getattr"},
	[FUSE_SETATTR] = {2, 2, 0, LOCK_NOT, LOCK_NOT, 2, 0, "lo_setattr", "setattr"},
	[FUSE_OPEN] = {2, 1, 0, LOCK_EXCLUSIVE, LOCK_NOT, 0, 0, "lo_open", "do_open"},
	[FUSE_OPENDIR] = {2, 1, 0, LOCK_EXCLUSIVE, LOCK_NOT, 0, 0, "lo_opendir", "do_open"},
	[FUSE_READ] = {1, 0, 0, LOCK_SHARED, LOCK_SHARED, 0, 0, "lo_read", "read"},
	[FUSE_WRITE] = {1, 0, 0, LOCK_SHARED, LOCK_SHARED, 0, 0, "lo_write_buf", "write"},
	[FUSE_FLUSH] = {2, 0, 0, LOCK_SHARED, LOCK_PASSED, 0, 0, "lo_flush", "flush"},
	[FUSE_FSYNC] = {2, 0, 0, LOCK_SHARED, LOCK_PASSED, 0, 0, "lo_fsync", "fsync"},
	[FUSE_FSYNCDIR] = {1, 0, 0, LOCK_SHARED, LOCK_PASSED, 0, 0, "lo_fsyncdir", "fsyncdir"},
	[FUSE_RELEASE] = {1, 0, 0, LOCK_EXCLUSIVE, LOCK_NOT, 0, 0, "lo_release", "do_release"},
	[FUSE_RELEASEDIR] = {2, 0, 0, LOCK_EXCLUSIVE, LOCK_NOT, 0, 0, "lo_releasedir",
			     "do_release"},
	/* Rust: both handles shared, given back before the system call. */
	[FUSE_COPY_FILE_RANGE] = {2, 0, 0, LOCK_SHARED, LOCK_NOT, 0, 0, "lo_copy_file_range",
				  "copyfilerange"},
	[FUSE_READDIR] = {2, 0, 0, LOCK_SHARED, LOCK_EXCLUSIVE, 0, 0, "lo_do_readdir", "readdir"},
	[FUSE_READDIRPLUS] = {2, 0, 0, LOCK_SHARED, LOCK_EXCLUSIVE, 0, 0, "lo_do_readdir",
			      "readdir"},
	[FUSE_CREATE] = {2, 1, 0, LOCK_EXCLUSIVE, LOCK_NOT, 1, 0, "lo_create", "create"},
	[FUSE_MKDIR] = {1, 1, 0, LOCK_NOT, LOCK_NOT, 2, 0, "lo_mknod_symlink", "mkdir"},
	[FUSE_MKNOD] = {1, 1, 0, LOCK_NOT, LOCK_NOT, 2, 0, "lo_mknod_symlink", "mknod"},
	[FUSE_SYMLINK] = {1, 1, 0, LOCK_NOT, LOCK_NOT, 2, 0, "lo_mknod_symlink", "symlink"},
	[FUSE_LINK] = {3, 2, 0, LOCK_NOT, LOCK_NOT, 3, 0, "lo_link", "link"},
	[FUSE_UNLINK] = {4, 2, 1, LOCK_NOT, LOCK_NOT, 2, 1, "lo_unlink", "do_unlink"},
	[FUSE_RMDIR] = {4, 2, 1, LOCK_NOT, LOCK_NOT, 2, 1, "lo_rmdir", "do_unlink"},
	[FUSE_RENAME] = {6, 2, 0, LOCK_NOT, LOCK_NOT, 3, 0, "lo_rename", "rename"},
	[FUSE_RENAME2] = {6, 2, 0, LOCK_NOT, LOCK_NOT, 3, 0, "lo_rename", "rename"},
	/* Without --xattr the Rust daemon says ENOSYS before it looks at anything. */
	[FUSE_GETXATTR] = {1, 0, 0, LOCK_NOT, LOCK_NOT, 0, 0, "lo_getxattr", "getxattr"},
	[FUSE_SETXATTR] = {1, 0, 0, LOCK_NOT, LOCK_NOT, 0, 0, "lo_setxattr", "setxattr"},
};

/* Each name that is looked up; a new one has `new` on top. */
static const struct lock_rule known = {2,	   2, 0, LOCK_NOT, LOCK_NOT, 1, 1, "lo_do_lookup",
				       "do_lookup"};
static const struct lock_rule missed = {1,	    1, 0, LOCK_NOT, LOCK_NOT, 1, 0, "lo_do_lookup",
					"do_lookup"};
static const struct lock_rule new = {
	1, 0, 1, LOCK_NOT, LOCK_NOT, 0, 0, "lo_do_lookup", "get_or_insert"};
/* lo_link() has the inode and looks no name up. */
static const struct lock_rule linked = {0, 2, 0, LOCK_NOT, LOCK_NOT, 1, 1, "lo_link", "do_lookup"};
static const struct lock_rule replaced = {
	2, 1, 1, LOCK_NOT, LOCK_NOT, 0, 1, "lookup_name", "before_invalidating_path"};
/* fuse_fill_setattr_in(): of an open file, as ftruncate(2) has it and who writes times back. */
static const struct lock_rule of_handle = {1, 0, 0,	     LOCK_SHARED,  LOCK_PASSED,
					   0, 0, "lo_fi_fd", "find_handle"};
static const struct lock_rule with_xattr = {
	0, 2, 0, LOCK_NOT, LOCK_NOT, 0, 0, "lo_getxattr", "getxattr"};
/* lo_do_readdir() finds out that an entry does not fit when it has looked it up, and forgets it. */
static const struct lock_rule does_not_fit = {
	4, 0, 0, LOCK_NOT, LOCK_NOT, 0, 0, "lo_do_readdir", "handle_dirent"};

/* The sum of what a request takes. */
struct lock_needs {
	uint32_t c_takes;
	uint32_t inodes_shared;
	uint32_t inodes_exclusive;
	enum lock_use handles;
	enum lock_use handle;
	uint32_t opens;
	uint32_t names;
};

struct handle_lock {
	struct handle_lock *next;
	uint32_t task;
	struct daemon_lock lock;
};

struct daemon_locks {
	struct daemon_lock table[NR_DAEMON_TABLES];
	struct handle_lock **handles; /* of each file */
	struct sampler hold;
	struct sampler wakeup;
	struct sampler open;
	struct sampler name;
	bool takes_time; /* a table's lock is held for more than no time */
	bool has_handles; /* handles have locks, and there are threads to wait for them */
};

int daemon_locks_init(struct sim *sim)
{
	const struct daemon_settings *d = &sim->stack->daemon;
	struct daemon_locks *locks = calloc(1, sizeof(*locks));

	sim->daemon_locks = locks;
	if (!locks)
		return -ENOMEM;
	locks->handles = calloc(sim->nr_files ? sim->nr_files : 1, sizeof(*locks->handles));
	if (!locks->handles)
		return -ENOMEM;
	sampler_init(&locks->hold, &d->lock_hold);
	sampler_init(&locks->wakeup, &d->lock_wakeup);
	sampler_init(&locks->open, &d->handle_open);
	sampler_init(&locks->name, &d->handle_name);
	locks->takes_time = d->locks && (locks->hold.kind != DIST_CONST || locks->hold.constant_ns);
	locks->has_handles = d->locks && d->kind == DAEMON_RUST && d->thread_pool_size > 1;
	sim->daemon_locks_matter = locks->takes_time || locks->has_handles;
	return 0;
}

void daemon_locks_free(struct sim *sim)
{
	struct daemon_locks *locks = sim->daemon_locks;

	for (uint32_t i = 0; locks && locks->handles && i < sim->nr_files; i++) {
		while (locks->handles[i]) {
			struct handle_lock *handle = locks->handles[i];

			locks->handles[i] = handle->next;
			free(handle);
		}
	}
	if (locks)
		free(locks->handles);
	free(locks);
}

static void add(struct lock_needs *needs, const struct lock_rule *rule, uint32_t times)
{
	needs->c_takes += times * rule->c_takes;
	needs->inodes_shared += times * rule->inodes_shared;
	needs->inodes_exclusive += times * rule->inodes_exclusive;
	needs->opens += times * rule->opens;
	needs->names += times * rule->names;
	if (!times || rule->handles == LOCK_NOT)
		return;
	needs->handles = rule->handles;
	needs->handle = rule->handle;
}

static struct lock_needs needs_of(const struct sim *sim, const struct request *req)
{
	const struct lock_rule *rule = &rules[req->span.opcode];
	struct lock_needs needs = {0};

	add(&needs, rule->c_source ? rule : &rules[FUSE_GETATTR], 1);
	switch (req->span.opcode) {
	case FUSE_SETATTR:
		add(&needs, &of_handle, req->about.has_handle);
		break;
	case FUSE_LINK:
		add(&needs, &linked, 1);
		break;
	case FUSE_RENAME:
	case FUSE_RENAME2:
		add(&needs, &replaced, req->about.nr_known);
		break;
	case FUSE_GETXATTR:
		add(&needs, &with_xattr, sim->stack->daemon.xattr);
		break;
	case FUSE_LOOKUP:
		add(&needs, &missed, !req->about.nr_known && !req->about.nr_new);
		__attribute__((fallthrough));
	default:
		add(&needs, &known, req->about.nr_known + req->about.nr_new);
		add(&needs, &new, req->about.nr_new);
		add(&needs, &does_not_fit, req->about.one_did_not_fit);
	}
	return needs;
}

/* Says whether the server must wait: it has the lock when it is woken. */
static bool take(struct server *server, struct daemon_lock *lock, bool shared)
{
	bool is_free = shared ? !lock->is_exclusive : !lock->is_exclusive && !lock->nr_shared;

	if (is_free && !lock->first) {
		lock->is_exclusive = !shared;
		lock->nr_shared += shared;
		return false;
	}
	server->lock.shared = shared;
	server->lock.next = NULL;
	if (lock->last)
		lock->last->lock.next = server;
	else
		lock->first = server;
	lock->last = server;
	return true;
}

static void grant(struct sim *sim, struct daemon_lock *lock)
{
	while (lock->first && !lock->is_exclusive) {
		struct server *server = lock->first;

		if (!server->lock.shared && lock->nr_shared)
			return;
		lock->is_exclusive = !server->lock.shared;
		lock->nr_shared += server->lock.shared;
		lock->first = server->lock.next;
		if (!lock->first)
			lock->last = NULL;
		eventq_arm(&sim->host->events, server->slot,
			   sim->host->now_ns +
				   sampler_draw(&sim->daemon_locks->wakeup, &server->rng));
	}
}

static void give_back(struct sim *sim, struct daemon_lock *lock, bool shared)
{
	if (shared)
		lock->nr_shared--;
	else
		lock->is_exclusive = false;
	grant(sim, lock);
}

/* How often the request takes the table's lock; the Rust daemon's of inodes first shared. */
static uint32_t table_takes(const struct sim *sim, const struct server *s, bool *shared)
{
	struct lock_needs needs = needs_of(sim, s->req);
	bool inodes = s->lock.table == TABLE_INODES;

	*shared = false;
	if (sim->stack->daemon.kind == DAEMON_C)
		return inodes ? needs.c_takes : 0;
	*shared = inodes ? s->lock.taken < needs.inodes_shared : needs.handles == LOCK_SHARED;
	return inodes ? needs.inodes_shared + needs.inodes_exclusive : needs.handles != LOCK_NOT;
}

static bool lock_tables(struct sim *sim, struct server *s)
{
	struct daemon_locks *locks = sim->daemon_locks;
	bool shared;

	FLOW_BEGIN(s->lock.at);
	for (s->lock.table = 0; s->lock.table < NR_DAEMON_TABLES; s->lock.table++) {
		for (s->lock.taken = 0; s->lock.taken < table_takes(sim, s, &shared);
		     s->lock.taken++) {
			if (take(s, &locks->table[s->lock.table], shared))
				FLOW_WAIT(s->lock.at, true);
			FLOW_WAIT(s->lock.at,
				  server_burst(sim, s, sampler_draw(&locks->hold, &s->rng)));
			table_takes(sim, s, &shared);
			give_back(sim, &locks->table[s->lock.table], shared);
		}
	}
	FLOW_END(s->lock.at);
}

/* NULL when out of memory, with the run being stopped. */
static struct daemon_lock *lock_of_handle(struct sim *sim, const struct request *req)
{
	struct handle_lock **place = &sim->daemon_locks->handles[req->file->index];
	struct handle_lock *handle;

	for (handle = *place; handle; handle = handle->next)
		if (handle->task == req->span.task)
			return &handle->lock;
	handle = calloc(1, sizeof(*handle));
	if (!handle) {
		sim->stop = -ENOMEM;
		return NULL;
	}
	handle->task = req->span.task;
	handle->next = *place;
	*place = handle;
	return &handle->lock;
}

bool daemon_lock(struct sim *sim, struct server *s)
{
	const struct daemon_locks *locks = sim->daemon_locks;

	FLOW_BEGIN(s->lock.handle_at);
	s->lock.held = NULL;
	if (locks->takes_time)
		FLOW_CALL(s->lock.handle_at, lock_tables(sim, s));
	s->lock.use = needs_of(sim, s->req).handle;
	if (!locks->has_handles || s->lock.use == LOCK_NOT || !s->req->file)
		FLOW_RETURN(s->lock.handle_at);
	s->lock.held = lock_of_handle(sim, s->req);
	if (!s->lock.held)
		FLOW_RETURN(s->lock.handle_at);
	if (take(s, s->lock.held, s->lock.use == LOCK_SHARED))
		FLOW_WAIT(s->lock.handle_at, true);
	if (s->lock.use == LOCK_PASSED)
		daemon_unlock(sim, s);
	FLOW_END(s->lock.handle_at);
}

void daemon_unlock(struct sim *sim, struct server *s)
{
	struct daemon_lock *lock = s->lock.held;

	s->lock.held = NULL;
	if (lock)
		give_back(sim, lock, s->lock.use == LOCK_SHARED);
}

uint64_t daemon_file_handles_ns(struct sim *sim, struct server *s)
{
	const struct daemon_locks *locks = sim->daemon_locks;
	struct lock_needs needs = needs_of(sim, s->req);
	uint64_t ns = 0;

	for (uint32_t i = 0; i < needs.opens; i++)
		ns += sampler_draw(&locks->open, &s->rng);
	for (uint32_t i = 0; i < needs.names; i++)
		ns += sampler_draw(&locks->name, &s->rng);
	return ns;
}
