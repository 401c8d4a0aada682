/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two halves of a request that join puts together: what the guest saw and what the host saw.
 *
 * The guest half is guest_request_event as it is. The host half is assembled from raw host events
 * by host_assembler, which knows how each daemon works (inline or pool) but nothing of BPF, so that
 * it is tested on made-up event lists.
 */
#ifndef VFSCOPE_TRACE_HALVES_H
#define VFSCOPE_TRACE_HALVES_H

#include <stdbool.h>
#include <stdint.h>
#include "bpf/events.h"

#define MAX_DAEMONS_OF_FILE 16 /* events of slots beyond are left out: the file is damaged */

enum host_half_flags {
	HHALF_SIGNALLED = 1u << 0, /* a call followed before the next element was published */
	HHALF_NO_HEADER = 1u << 1, /* header never readable: only queue and avail_idx name it */
	HHALF_POOL = 1u << 2, /* served by another thread than the one that takes kicks */
};

struct host_half {
	uint64_t unique;
	uint64_t nodeid;
	uint64_t offset_bytes;
	uint64_t t_visible_ns; /* seen in the avail ring: never before the guest put it there */
	uint64_t t_taken_ns; /* daemon takes it: kick receipt, or end of the chain before it */
	uint64_t t_start_ns; /* a worker starts it; equal to t_taken_ns without a pool */
	uint64_t t_io_end_ns; /* last time known to be before it was published: its last file system
				 call returned, or a later look at the ring; may be before
				 t_start_ns, and 0 if there was none */
	uint64_t t_used_ns; /* seen in the used ring */
	uint64_t t_call_ns; /* call written; 0 if suppressed */
	uint64_t host_io_ns; /* inside the host's file system calls, between start and used */
	uint64_t cpu_wait_ns; /* the thread that took it was woken, but waited for a CPU */
	uint32_t nr_io_calls;
	uint32_t opcode;
	uint32_t size_bytes;
	uint32_t reply_len; /* used length: FUSE header and payload; 0 for FORGET */
	uint32_t tid; /* thread that served it */
	uint16_t queue;
	uint16_t avail_idx;
	uint16_t head;
	uint16_t flags; /* enum host_half_flags */
	uint16_t daemon; /* slot */
};

struct host_assembler;

struct host_assembler_stats {
	uint64_t chains;
	uint64_t used;
	uint64_t without_end; /* in flight at the end */
	uint64_t without_start; /* used elements whose chain was taken before recording began */
	uint64_t without_header;
	uint64_t kicks; /* kick receipts */
	uint64_t calls;
	uint64_t system_calls;
	uint64_t missing_chains; /* gaps in avail_idx: events that were lost */
	uint64_t missing_used; /* gaps in used_idx */
	uint64_t duplicates; /* ring positions that came twice: left out */
	uint64_t unattributed_calls; /* file system calls that belong to no request */
};

typedef int (*host_half_fn)(void *ctx, const struct host_half *half);

/*
 * Events of several daemons may be mixed: each is a system of its own, told apart by its slot.
 *
 * Events may come slightly out of time order (one ring buffer, several CPUs): the assembler sorts
 * them within a window. Each is as long as its structure, as vft_read() hands it out. emit gets
 * each half when its end is known; non-zero from it stops with that value.
 */
int host_assembler_new(struct host_assembler **out, host_half_fn emit, void *ctx);
int host_assembler_add(struct host_assembler *a, const struct event_header *event);
int host_assembler_finish(struct host_assembler *a); /* end of events: emits what is left whole */
const struct host_assembler_stats *host_assembler_stats(const struct host_assembler *a);
void host_assembler_free(struct host_assembler *a);

#endif
