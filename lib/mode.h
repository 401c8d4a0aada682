/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Modes: how a file's data moves between application and host
 * (Documentation/filesystems/fuse-io.rst).
 */
#ifndef VFSCOPE_LIB_MODE_H
#define VFSCOPE_LIB_MODE_H

enum io_mode {
	MODE_DIRECT, /* FOPEN_DIRECT_IO: daemon cache=never */
	MODE_WRITETHROUGH, /* page cache, each write sent at once: cache=auto|always */
	MODE_WRITEBACK, /* page cache, writes sent later: FUSE_WRITEBACK_CACHE */
	MODE_DAX, /* host pages mapped into the guest */
	NR_MODES
};

const char *mode_name(enum io_mode mode);
int mode_from_name(const char *name); /* enum io_mode, or -ENOENT */

#endif
