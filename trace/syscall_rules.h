/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which of a daemon's system calls are file data, other file system work, waiting, locking or
 * signalling: the one table, by the names of <sys/syscall.h> of the machine that records.
 */
#ifndef VFSCOPE_TRACE_SYSCALL_RULES_H
#define VFSCOPE_TRACE_SYSCALL_RULES_H

#include "bpf/host_abi.h"

/* Fill rules[HOST_MAX_SYSCALL_NR]; what is not named is SYSC_OTHER. */
void syscall_rules_fill(struct host_syscall_rule *rules);

#endif
