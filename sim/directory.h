/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names: directories as they are on the host, and what of them the guest has cached.
 *
 * An entry is a name in a directory and, as only this guest changes them, its dentry as well. A
 * cached entry keeps its directory's entry cached, as a dentry does its parent; whoever uses one
 * has it pinned. The last unpinning drops an entry that is gone or has no timeout (virtio-fs sets
 * delete_stale), and with an inode's last entry the inode: it is forgotten. Names that are not
 * there are looked up each time (no virtiofsd gives negative entries a timeout), so they are not
 * kept.
 */
#ifndef VFSCOPE_SIM_DIRECTORY_H
#define VFSCOPE_SIM_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "sim/rw_lock.h"

struct file;
struct sim;
struct thread;

struct entry {
	struct entry *hash_next;
	struct entry *next; /* of its directory */
	struct entry *prev;
	struct file *dir;
	struct file *file;
	uint32_t name;
	uint32_t refs; /* pins: ops, open files, cached entries below */
	bool linked; /* the name is there; else only an open file keeps it */
	bool cached;
	uint64_t until_ns; /* looked up again from then on; 0: dropped by its last unpinning, too */
	struct rw_lock looking; /* d_alloc_parallel(): one task looks a name up, others wait */
};

/* What only directories have. */
struct directory {
	struct entry *entry; /* NULL: the root */
	struct entry *first;
	uint32_t nr_entries;
	struct rw_lock serial; /* fuse_lock_inode(): without FUSE_PARALLEL_DIROPS */
	bool advise_plus; /* FUSE_I_ADVISE_RDPLUS: names were looked up one by one */
	uint64_t nr_changes; /* of its mtime and i_version */
	bool has_given_mtime; /* the last change was by utimes(2), which always gives the same */
	/* FOPEN_CACHE_DIR: struct fuse_inode's rdc */
	struct {
		uint32_t nr_names; /* cached, from the first on */
		bool complete;
		bool pages_gone;
		uint64_t nr_changes; /* when caching began */
	} listing;
};

/* A name on the way, or at the end of it. */
struct place {
	struct file *dir; /* NULL: a directory on the way is not there */
	struct entry *dir_pin; /* NULL: the root */
	struct entry *entry; /* pinned; NULL: no such name */
	struct file *file; /* of the entry, or the root */
	uint32_t name;
};

#define MAX_LINKS 40 /* in one walk: MAXSYMLINKS */

/* Where a walk is: struct nameidata. Parts are names of a path, or of a link's text. */
struct path_walk {
	int at;
	uint32_t part;
	uint32_t end;
	uint32_t nr_links; /* followed */
	uint32_t nr_rests;
	/* What is left to walk once the text of a link has led to a directory. */
	struct {
		struct entry *link; /* pinned */
		uint32_t part;
		uint32_t end;
	} rest[MAX_LINKS];
	struct entry *last; /* the link at the path's end that is followed, pinned; or NULL */
};

/* Flow positions of a thread, and what survives waits. */
struct path_flow {
	struct path_walk walk;
	struct {
		int at;
	} resolve, leave, make, open, ctime, list, ask, kill, parent, link, step;
	struct {
		int at;
		struct entry *entry;
	} lookup;
	struct {
		int at;
		struct entry *entry;
	} put;
	struct {
		int at;
		struct file *first; /* locked first */
		struct file *second;
	} op;
	struct place place[2];
	uint32_t nr_listed; /* readdir: names told so far, */
	uint32_t nr_before; /* and before the last request */
	bool plus; /* it is a READDIRPLUS */
	struct entry *child; /* of what is listed */
	uint32_t bucket; /* dropping caches */
	struct entry *dropped;
};

/* names.c: what is there, without any request. NULL with sim->stop set when out of memory. */
struct names;
int names_init(struct sim *sim); /* sim->files too */
void names_release(struct sim *sim);
uint32_t names_first_part(const struct sim *sim, uint32_t path);
uint32_t names_part(const struct sim *sim, uint32_t part);
uint32_t names_bytes(const struct sim *sim, uint32_t name);
bool names_is_up(const struct sim *sim, uint32_t name); /* ".." */
bool names_from_root(const struct sim *sim, uint32_t path); /* a slash is in front of it */
struct entry *names_find(const struct sim *sim, const struct file *dir, uint32_t name);
/* The file of that path, whether cached or not; NULL if there is none. */
struct file *names_file(const struct sim *sim, uint32_t path);
struct entry *names_add(struct sim *sim, struct file *dir, uint32_t name, struct file *file);
void names_remove(struct sim *sim, struct entry *entry);
void names_move(struct sim *sim, struct entry *entry, struct file *dir, uint32_t name);
void names_free(struct sim *sim, struct entry *entry); /* one that was removed */
/* An inode for a new file; with the path's own number if that is free. */
struct file *names_new_file(struct sim *sim, uint32_t path, uint32_t type);
/* Some cached entry that nobody has pinned, looking from bucket on; NULL: there is none. */
struct entry *names_idle(struct sim *sim, uint32_t *bucket);

/* path_walk.c: FLOWs */
enum lookup_how {
	LOOK_UP,
	LOOK_UP_LOCKED, /* the caller has the directory's lock, exclusively */
	LOOK_UP_TARGET, /* the same, and of a rename: also when the entry is still good */
};

/* fuse_permission(): GETATTR if mode and owner are too old or known to be wrong. */
bool check_permission(struct sim *sim, struct thread *th, struct file *file);
/* To the directory of the path's last name: link_path_walk(). */
bool walk_parent(struct sim *sim, struct thread *th, uint32_t path, struct place *place);
bool look_up(struct sim *sim, struct thread *th, struct place *place, enum lookup_how how);
/*
 * Both; place->file is NULL if the path is not there. Whether a link at the path's end is followed
 * is for the op.
 */
bool walk(struct sim *sim, struct thread *th, uint32_t path, struct place *place);
/* The place is a link: on from there, to the directory of the last name that its text leads to. */
bool walk_link(struct sim *sim, struct thread *th, struct place *place);
/* The link's text is not needed any more, the name it ends in has been looked up. */
bool walk_link_done(struct sim *sim, struct thread *th);
bool read_link(struct sim *sim, struct thread *th, struct file *file);
bool walk_leave(struct sim *sim, struct thread *th, struct place *place);
bool entry_put(struct sim *sim, struct thread *th, struct entry **pin);
/* Drop an entry that nobody has pinned, and the directories that only it kept. */
bool entry_drop(struct sim *sim, struct thread *th, struct entry *entry);
/* Not FLOWs */
void entry_pin(struct entry *entry);
void entry_cache(struct sim *sim, struct entry *entry); /* a reply told of it */
void entry_move(struct sim *sim, struct place *from, struct place *to);
void directory_changed(struct sim *sim, struct file *dir);

/* directory.c, readdir.c, mount.c: FLOWs; the op is th->op */
bool path_lookup(struct sim *sim, struct thread *th);
bool path_stat(struct sim *sim, struct thread *th);
bool path_statfs(struct sim *sim, struct thread *th);
bool path_readlink(struct sim *sim, struct thread *th);
bool path_setattr(struct sim *sim, struct thread *th);
bool path_make(struct sim *sim, struct thread *th); /* mkdir, symlink, link */
bool path_remove(struct sim *sim, struct thread *th); /* unlink, rmdir */
bool path_rename(struct sim *sim, struct thread *th);
bool path_list(struct sim *sim, struct thread *th);
/* Not FLOWs: of a cached listing */
void listing_forget(struct directory *d);
void listing_lose_pages(struct directory *d);
/* OPEN or CREATE of the op's file; the place's file is NULL if it is not there. */
bool path_open(struct sim *sim, struct thread *th, struct place *place);
/* All attributes, as stat(2) wants them. */
bool get_attributes(struct sim *sim, struct thread *th, struct file *file);

bool sync_all(struct sim *sim, struct thread *th);
bool drop_caches(struct sim *sim, struct thread *th);
bool share_mount(struct sim *sim, struct thread *th);
bool share_umount(struct sim *sim, struct thread *th);

#endif
