/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory map of another process (/proc/PID/maps), and reading its memory.
 */
#ifndef VFSCOPE_TRACE_PROC_MAPS_H
#define VFSCOPE_TRACE_PROC_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct proc_map {
	uint64_t start;
	uint64_t end;
	uint64_t offset; /* in the file */
	uint64_t inode; /* 0: anonymous */
	uint64_t dev;
	bool readable;
	bool writable;
	bool shared;
	bool device; /* /dev/..., /SYSV..., [vvar]: never guest memory */
};

struct proc_maps {
	struct proc_map *maps;
	size_t count;
};

/* Parse the text of a maps file. 0 or -ENOMEM; lines that do not parse are left out. */
int proc_maps_parse(struct proc_maps *out, const char *text);

/* 0, -ESRCH if there is no such process, -EACCES, -ENOMEM. */
int proc_maps_read(struct proc_maps *out, pid_t pid);
void proc_maps_free(struct proc_maps *maps);

/* Whole file of /proc/PID, NUL-terminated, to be freed; *len (may be NULL) excludes the NUL. */
int proc_read_file(pid_t pid, const char *name, char **out, size_t *len);

/* Bytes read, maybe fewer than len; 0 if nothing could be. */
size_t proc_read_memory(pid_t pid, uint64_t addr, void *buf, size_t len);

#endif
