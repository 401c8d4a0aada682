/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ways to have a BPF program run at a place in the kernel, and whether this kernel and this
 * process's privileges offer them. Found by trying, never guessed from a version: with a program
 * that does nothing, gone before the function returns.
 */
#ifndef VFSCOPE_TRACE_ATTACH_H
#define VFSCOPE_TRACE_ATTACH_H

#include <stdbool.h>
#include "trace/kernel_functions.h"

enum attach_mechanism {
	ATTACH_NONE,
	ATTACH_FENTRY, /* entry and return of a function, through a BPF trampoline */
	ATTACH_KPROBE, /* the same by kprobe and kretprobe */
	ATTACH_TP_BTF, /* a tracepoint, with typed arguments */
	ATTACH_RAW_TP, /* a tracepoint */
	ATTACH_TP, /* a tracepoint, with the record it makes for tracefs and perf */
	NR_ATTACH_MECHANISMS
};

/* "none", "fentry", "kprobe", "tp_btf", "raw_tp", "tp" */
const char *attach_mechanism_name(enum attach_mechanism mechanism);

/*
 * Each returns 0 or -errno. Without attach the program is only loaded: that changes nothing in the
 * kernel, but a kernel may accept a program that it then refuses to attach.
 */
int attach_try_fentry(struct kernel_functions *k, const char *function, bool attach);
/* Creates the probe of entry or return, but does not enable it. */
int attach_try_kprobe(const char *function, bool at_return);
int attach_try_tp_btf(const char *tracepoint, bool attach);
int attach_try_raw_tp(const char *tracepoint, bool attach);
/* event: "kvm/kvm_exit". Opens the event, but attaches nothing to it. */
int attach_try_tp(const char *event);

/* True if the kernel has uprobes; they are used on request only. */
bool attach_has_uprobes(void);

/* Words for an error of the above, such as "this kernel refuses it". */
const char *attach_error_text(int err);

#endif
