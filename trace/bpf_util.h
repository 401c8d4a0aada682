/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the guest's and the host's capture share in their use of libbpf.
 */
#ifndef VFSCOPE_TRACE_BPF_UTIL_H
#define VFSCOPE_TRACE_BPF_UTIL_H

#include <stdbool.h>
#include <stdint.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <jansson.h>

/*
 * To be called first. libbpf's own messages become debug messages (-v), and what it asks /sys for
 * is asked now: at the end of a recording that may be out of reach.
 */
void bpf_util_begin(void);

/*
 * Ring buffers are a power of two of pages. Rounds up, saying so if that changes the value.
 * -EINVAL after a message if it cannot be (zero, above 1 GiB).
 */
int bpf_util_ringbuf_bytes(uint64_t wanted, uint64_t *bytes);

/* Message of a failed load or attach, with what to do about it. what: "guest probes". */
void bpf_util_explain(const char *what, int err);

/*
 * Have the kernel count what BPF programs cost, until the descriptor is closed. -1: it cannot, and
 * costs stay unknown.
 */
int bpf_util_count_costs(void);
/* No longer. *fd: what that returned, also -errno; -1 from then on. */
void bpf_util_end_costs(int *fd);
/* What BPF programs cost, as far as it was counted. */
struct bpf_cost {
	uint64_t ns, runs;
};

/* Adds that of an object's programs so far. */
void bpf_util_sum_costs(struct bpf_cost *sum, const struct bpf_object *object);

/* What the kernel says of a program; false, and all zero, if it is NULL or not loaded. */
bool bpf_util_program_info(const struct bpf_program *prog, struct bpf_prog_info *info);

/*
 * Adds what each program cost so far, if it was counted: "NAME": {"runs": N, "ns": N}. The time of
 * entering and leaving a program is not in it.
 */
void bpf_util_add_costs(json_t *cost, const struct bpf_object *object);

/* Sum of a per-CPU array of uint64_t over all CPUs, entry by entry, added to sums. */
int bpf_util_sum_percpu(int map_fd, uint32_t entries, uint64_t *sums);

#endif
