/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An op: one file operation an application issued on a virtio-fs file, traced or simulated.
 * Plain data, stored as is in .vft files. BPF programs use the types and flags too.
 */
#ifndef VFSCOPE_LIB_OP_H
#define VFSCOPE_LIB_OP_H

#ifndef __bpf__
#include <stdint.h>
#endif

enum op_type {
	OP_READ,
	OP_WRITE,
	OP_FSYNC,
	OP_FDATASYNC,
	OP_OPEN,
	OP_CLOSE,
	OP_MMAP_FAULT,
	OP_STAT, /* stat(2) and the like: the kernel's getattr */
	OP_UNLINK,
	OP_DROP_CACHES, /* sync(2), then all clean pages, names and inodes not in use */
	OP_MMAP, /* size 0: the whole file. OP_MMAP_FAULT reads or writes memory, in any size */
	OP_MUNMAP, /* all of what OP_MMAP mapped */
	OP_MSYNC, /* MS_SYNC; size 0: all of it */
	OP_FADVISE, /* of the file, and of */
	OP_MADVISE, /* all that is mapped: OP_HINT_*, OP_INVALIDATE (DONTNEED), OP_WILLNEED or
		       NORMAL */
	OP_LOOKUP, /* of a path, and nothing else */
	OP_CREATE, /* an open that made the file */
	OP_MKDIR,
	OP_RMDIR,
	OP_RENAME,
	OP_LINK,
	OP_SYMLINK,
	OP_READLINK,
	OP_READDIR, /* opendir, all names, closedir */
	OP_CHMOD,
	OP_UTIMES, /* to times given by the application */
	OP_STATFS,
	OP_SYNC, /* sync(2) */
	OP_MOUNT,
	OP_UMOUNT,
	OP_TRUNCATE, /* ftruncate(2) to the op's offset */
	OP_COPY, /* copy_file_range(2) from file2 (dir_nodeid) to the same offset */
	NR_OP_TYPES
};

enum op_flags {
	OP_DIRECT = 1u << 0, /* O_DIRECT on the file */
	OP_ASYNC = 1u << 1, /* returned before its data was there (EIOCBQUEUED) */
	OP_FOPEN_DIRECT = 1u << 2, /* the daemon opened the file with FOPEN_DIRECT_IO */
	/* On OP_OPEN of a workload: what the application does right after opening */
	/* posix_fadvise DONTNEED: drops the file's clean cached pages. On any other op: before it
	 */
	OP_INVALIDATE = 1u << 3,
	OP_HINT_RANDOM = 1u << 4, /* posix_fadvise RANDOM: no read-ahead */
	OP_HINT_SEQUENTIAL = 1u << 5, /* posix_fadvise SEQUENTIAL: doubles the read-ahead window */
	OP_CREATES = 1u << 6, /* O_CREAT: the file is not there */
	OP_FAULT_WRITE = 1u << 7, /* OP_MMAP_FAULT: by a write */
	OP_MAP_PRIVATE = 1u << 8, /* OP_MMAP */
	OP_WILLNEED = 1u << 9, /* posix_fadvise WILLNEED */
	OP_SYNCED = 1u << 10, /* OP_MMAP_FAULT: and msync() of it */
	OP_REQUIRED = 1u << 11, /* OP_MMAP: where it is refused, the workload cannot be run */
	OP_DAX = 1u << 12, /* of a file that is accessed through the DAX window */
	OP_TRUNCATES = 1u << 13, /* OP_OPEN: O_TRUNC of a file that is there */
	OP_SIZE_KNOWN = 1u << 14, /* OP_OPEN: offset_bytes is the file's size before; traced only */
	OP_PAGES_KNOWN = 1u << 15, /* pages_missed was counted; traced only */
	OP_FOLLOWS = 1u << 16, /* OP_STAT of a workload: stat(2), not lstat(2) */
	OP_COPIES_ALL = 1u << 17, /* OP_COPY of a workload: no byte less, wherever they are */
};

#ifndef __bpf__

const char *op_type_name(enum op_type type);
int op_type_from_name(const char *name); /* enum op_type, or -ENOENT */

struct op_record {
	uint64_t t_start_ns; /* guest CLOCK_MONOTONIC, or simulated time */
	uint64_t t_end_ns;
	uint64_t op_id; /* unique within a recording, never 0 */
	uint64_t nodeid;
	uint64_t offset_bytes;
	int64_t result; /* bytes or -errno */
	uint32_t size_bytes;
	uint32_t conn;
	uint32_t task;
	uint16_t type; /* enum op_type */
	uint16_t flags; /* enum op_flags */
	uint32_t nr_requests; /* requests issued from this task inside the op; 0: a cache hit */
	uint32_t pages_missed; /* valid with OP_PAGES_KNOWN: pages of its range that it had to add
				  to the page cache */
	uint64_t range_wait_ns; /* without a free range of the DAX window that it needed */
	uint64_t dir_nodeid; /* ops on a name: of the (new) directory that it is in; else 0 */
	uint64_t throttled_ns; /* made to sleep since there is too much that is not written back */
	uint32_t nr_throttled; /* how often */
	uint32_t pad;
};

#endif
#endif
