/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Find the virtio-fs daemon to record, and tell what it is.
 */
#ifndef VFSCOPE_TRACE_DAEMON_FIND_H
#define VFSCOPE_TRACE_DAEMON_FIND_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define DAEMON_MAX_ARGS 128

enum daemon_kind {
	DAEMON_OTHER, /* serves a vhost-user device, but is no virtiofsd we know */
	DAEMON_C, /* QEMU's virtiofsd, up to 7.2 */
	DAEMON_RUST, /* the virtiofsd of its own project */
};

const char *daemon_kind_name(enum daemon_kind kind);

/* What its command line asks for. Strings point into the arguments they were parsed from. */
struct daemon_options {
	enum daemon_kind kind;
	const char *shared_dir; /* NULL: not given */
	const char *socket; /* path, or "fd N" as given */
	const char *tag;
	const char *cache; /* as given; NULL: the default, auto */
	const char *sandbox;
	const char *inode_file_handles;
	uint32_t thread_pool; /* 0: requests are served by the queue's thread */
	bool writeback;
	bool allow_direct_io;
	bool xattr;
};

/* Parse arguments (argv[0] is the program). Splits the
 * words of the arguments in place. */
void daemon_options_parse(struct daemon_options *options, int argc, char **argv);

/*
 * A program may be started through its dynamic loader, as in
 * "ld-linux-x86-64.so.2 --library-path DIR virtiofsd ...": its exe is the loader then. True for the
 * base name of one.
 */
bool daemon_is_loader(const char *name);

/* How many of a loader's arguments come before the program to run; argc if there is none. */
int daemon_loader_args(int argc, char **argv);

struct daemon {
	pid_t pid; /* the process that serves the queues */
	uint64_t started_ns; /* CLOCK_BOOTTIME, in clock ticks' resolution; 0: not known */
	char *exe; /* may be NULL: not readable */
	char *args; /* NUL-separated, as read */
	size_t args_len;
	char *parsed; /* a copy that options points into */
	struct daemon_options options;
};

/*
 * which is a process id, or "auto": the one virtio-fs daemon on this machine that serves a VM. If
 * it names a parent whose child serves the queues (C virtiofsd forks for its sandbox), the child is
 * taken. 0, or -errno after a message that tells what there is to choose from; but -EAGAIN without
 * one, if patient is set and the daemon may only be waiting for its VM, so that it is worth asking
 * again.
 */
int daemon_find(struct daemon *daemon, const char *which, bool patient);
void daemon_free(struct daemon *daemon);

/*
 * Every virtiofsd, or only those that serve a VM now, at most max of them, in order of process id.
 * How many; each is to be freed.
 */
int daemon_find_all(struct daemon *list, int max, bool serving);

/* Object for a file's header: pid, exe, command line, build-id, options, VMM. NULL: no memory. */
json_t *daemon_json(const struct daemon *daemon);

/*
 * All virtio-fs daemons of this machine that this process may see, each as daemon_json() with
 * "permitted": whether this process may look into its memory, and "serves_vm": whether it was then
 * seen to map a guest's.
 */
json_t *daemons_json(void);

#endif
