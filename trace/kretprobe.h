/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kretprobes for functions in which many tasks sleep at once.
 *
 * A kretprobe follows a limited number of calls at a time and misses the others. perf's own kind
 * (which libbpf attaches) takes the kernel's default, max(10, 2 * CPUs): with 40 threads reading at
 * once half of the returns are missed. Only a probe that is defined in tracefs may ask for more
 * (Documentation/trace/kprobetrace.rst, MAXACTIVE, at most 4096), so that is what these are.
 *
 * Considered besides: fprobe (kprobe.multi), whose limit is lower yet until 6.14 took it to fgraph;
 * entry probes of functions that are called on the way back, which only requests have, not ops.
 *
 * A definition outlives its process, without effect: the next recorder removes those of processes
 * that are gone.
 */
#ifndef VFSCOPE_TRACE_KRETPROBE_H
#define VFSCOPE_TRACE_KRETPROBE_H

#include <bpf/libbpf.h>
#include <stddef.h>

struct kretprobes {
	int fd; /* tracefs' kprobe_events, held since capabilities may go; -1 */
	char **names; /* that were defined */
	size_t count;
};

#define KRETPROBES_NONE                                                                            \
	{                                                                                          \
		.fd = -1                                                                           \
	}

/*
 * A new link of a kretprobe program. Where tracefs cannot be written (not root's, not mounted) the
 * limited kind, after a message. NULL with errno set.
 */
struct bpf_link *kretprobe_attach(struct kretprobes *k, struct bpf_program *prog,
				  const char *function);
/* After the links are gone. */
void kretprobes_free(struct kretprobes *k);

/*
 * Definitions of recorders that were killed, as "vfscope_PID/NAME", which is what removes one after
 * "-:" in kprobe_events. None where that cannot be read.
 */
typedef void (*kretprobe_stale_fn)(void *ctx, const char *name);
void kretprobes_each_stale(kretprobe_stale_fn each, void *ctx);

#endif
