/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Locks inside a daemon, which make the threads of its pool wait for each other, and what file
 * handles cost it: by opcode, as data.
 */
#ifndef VFSCOPE_SIM_DAEMON_LOCKS_H
#define VFSCOPE_SIM_DAEMON_LOCKS_H

#include <stdbool.h>
#include <stdint.h>

struct request;
struct server;
struct sim;

enum lock_use {
	LOCK_NOT,
	LOCK_SHARED,
	LOCK_EXCLUSIVE,
	LOCK_PASSED, /* exclusively, and given back before the system call */
};

enum daemon_table {
	TABLE_INODES, /* C: lo->mutex, which guards all tables */
	TABLE_HANDLES,
	NR_DAEMON_TABLES
};

struct daemon_lock {
	bool is_exclusive; /* held by one */
	uint32_t nr_shared; /* held by so many */
	struct server *first; /* waiting, first come, first served */
	struct server *last;
};

struct daemon_locks;

int daemon_locks_init(struct sim *sim);
void daemon_locks_free(struct sim *sim);

/*
 * A FLOW: the tables' locks, each for a moment; then that of the request's handle, if it has one.
 * Without sim->daemon_locks_matter there is nothing to wait for.
 */
bool daemon_lock(struct sim *sim, struct server *server);
void daemon_unlock(struct sim *sim, struct server *server);

/* What --inode-file-handles adds to the host's system calls of this request. */
uint64_t daemon_file_handles_ns(struct sim *sim, struct server *server);

#endif
