/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The capabilities of this process: which it has, and giving them up.
 */
#ifndef VFSCOPE_TRACE_PRIVILEGE_H
#define VFSCOPE_TRACE_PRIVILEGE_H

#include <stdbool.h>
#include <stdint.h>

enum privilege {
	PRIVILEGE_BPF, /* load programs, make maps */
	PRIVILEGE_PERFMON, /* tracing programs, which read kernel memory */
	PRIVILEGE_SYS_ADMIN, /* read the BTF of kernel modules; count what programs cost */
	PRIVILEGE_SYS_PTRACE, /* look at the memory of another user's daemon */
	NR_PRIVILEGES
};

/* "CAP_BPF" */
const char *privilege_name(enum privilege privilege);
/* What it is needed for. */
const char *privilege_purpose(enum privilege privilege);
/* Effective in this process. */
bool privilege_have(enum privilege privilege);

/*
 * Give up every capability for good, also for programs run later (no_new_privs). The user stays who
 * it is. Kernels before 5.19 let nobody read a BPF map without CAP_BPF if
 * kernel.unprivileged_bpf_disabled is set (c8644cd0efe7): where that is so, found by trying, this
 * one stays. 0 or -errno.
 */
int privilege_drop(void);

/*
 * Give up every capability but those that looking into other processes and writing open BPF maps
 * take, as far as this process has them. For good, too. 0 or -errno.
 */
int privilege_keep_looking(void);

/*
 * The same but for those to reach any file: for a root that has yet to write into a folder of
 * another user's.
 */
int privilege_keep_files(void);

#endif
