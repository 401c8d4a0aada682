/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * What a FUSE request is in memory, as the guest writes it and the daemon reads it: for the
 * programs of both sides. include/uapi/linux/fuse.h, a stable interface, so nothing is relocated;
 * that header itself brings in the C library's, which BPF has not.
 */
#ifndef VFSCOPE_BPF_FUSE_WIRE_H
#define VFSCOPE_BPF_FUSE_WIRE_H

#include <linux/types.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s64 s64;

struct wire_in_header {
	u32 len;
	u32 opcode;
	u64 unique;
	u64 nodeid;
	u32 uid;
	u32 gid;
	u32 pid;
	u32 ext;
};

/* The part that fuse_read_in and fuse_write_in have in common. */
struct wire_rw_in {
	u64 fh;
	u64 offset;
	u32 size;
	u32 rw_flags; /* read_flags or write_flags */
};

#define WIRE_IN_HEADER_BYTES 40
#define WIRE_OUT_HEADER_BYTES 16

enum {
	WIRE_OPCODE_FORGET = 2,
	WIRE_OPCODE_READ = 15,
	WIRE_OPCODE_WRITE = 16,
	WIRE_OPCODE_SETUPMAPPING = 48,
	WIRE_OPCODE_REMOVEMAPPING = 49,
};

struct wire_setupmapping_in {
	u64 fh;
	u64 foffset;
	u64 len;
	u64 flags;
	u64 moffset;
};

struct wire_removemapping_one {
	u64 moffset;
	u64 len;
};

#define WIRE_WRITE_CACHE (1u << 0)
#define WIRE_LOCKOWNER (1u << 1) /* FUSE_READ_LOCKOWNER and FUSE_WRITE_LOCKOWNER */
#define WIRE_FOPEN_DIRECT_IO (1u << 0)

#endif
