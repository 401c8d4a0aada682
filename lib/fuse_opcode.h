/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * FUSE opcodes by number and name; numbers as in include/uapi/linux/fuse.h (stable ABI, 7.45).
 */
#ifndef VFSCOPE_LIB_FUSE_OPCODE_H
#define VFSCOPE_LIB_FUSE_OPCODE_H

#include <stdint.h>
#include <linux/fuse.h>

/* Every opcode a virtio-fs driver can send is below this; tables by opcode have this many rows. */
#define FUSE_OPCODE_LIMIT 64

#if FUSE_KERNEL_MINOR_VERSION < 45
#define FUSE_COPY_FILE_RANGE_64 53
#endif

/* FUSE_DAX_SZ of fs/fuse/dax.c: all mappings of the DAX window have this size. */
#define FUSE_DAX_RANGE_BYTES (2u << 20)

/* "READ", "LOOKUP", ...; "?" for a number without a name. Static storage. */
const char *fuse_opcode_name(uint32_t opcode);

/* Number of a name (case does not matter), or -ENOENT. */
int fuse_opcode_from_name(const char *name);

#endif
