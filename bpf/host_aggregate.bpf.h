/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * What a daemon's request adds to the counters of an aggregated recording. Included by host.bpf.c
 * alone.
 *
 * The stages notify, pool and service cannot be told apart without looking at a request's events
 * together, which needs all of them: their sum is counted. File system calls are those that the
 * thread made since it last published; with a thread pool, another thread may be the first to see
 * the publication, and the calls are then not counted for any request.
 */
#ifndef VFSCOPE_BPF_HOST_AGGREGATE_BPF_H
#define VFSCOPE_BPF_HOST_AGGREGATE_BPF_H

#include "bpf/aggregate.bpf.h"
#include "lib/span.h"

#define AGGREGATE_MAX_CHAINS 16384

struct aggregate_chain_name {
	u32 daemon; /* slot */
	u16 queue;
	u16 head;
};

struct aggregate_chain {
	u64 t_visible_ns;
	u32 opcode; /* 0: its header could not be read yet */
	u32 size_bytes;
};

/* Requests that the daemon has not answered yet. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, AGGREGATE_MAX_CHAINS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct aggregate_chain_name);
	__type(value, struct aggregate_chain);
} aggregate_chains SEC(".maps");

/* A chain, or the header of one that was seen without. */
static __always_inline void aggregate_chain_seen(struct aggregate_chain_name name,
						 const struct host_chain_event *ev)
{
	struct aggregate_chain chain = {
		.t_visible_ns = ev->h.ts_ns,
		.opcode = ev->opcode,
		.size_bytes = ev->size_bytes,
	};
	struct aggregate_chain *seen = bpf_map_lookup_elem(&aggregate_chains, &name);

	if (seen && !seen->opcode && ev->opcode) {
		seen->opcode = ev->opcode;
		seen->size_bytes = ev->size_bytes;
		return;
	}
	if (bpf_map_update_elem(&aggregate_chains, &name, &chain, BPF_ANY))
		aggregate_lost();
}

static __always_inline u64 aggregate_moved(const struct aggregate_chain *chain, u32 reply_len)
{
	if (chain->opcode == OPCODE_READ)
		return reply_len > OUT_HEADER_BYTES ? reply_len - OUT_HEADER_BYTES : 0;
	return chain->opcode == OPCODE_WRITE ? chain->size_bytes : 0;
}

/* io_ns: in file system calls of the thread that published it; 0: not known. False: not seen. */
static __always_inline bool aggregate_chain_used(struct aggregate_chain_name name, u64 now_ns,
						 u32 reply_len, u64 io_ns)
{
	struct aggregate_chain *chain = bpf_map_lookup_elem(&aggregate_chains, &name);
	u64 spent;
	u16 opcode;
	u8 cls;

	if (!chain)
		return false;
	opcode = chain->opcode;
	cls = opcode_is_forget(opcode) ? SPAN_FORGET : SPAN_OTHER;
	spent = now_ns > chain->t_visible_ns ? now_ns - chain->t_visible_ns : 0;
	aggregate_value(AGG_LATENCY, cls, opcode, spent);
	aggregate_value(AGG_UNSPLIT, 0, opcode, spent);
	if (io_ns)
		aggregate_value(AGG_HOST_IO, 0, opcode, io_ns);
	aggregate_counter(AGG_BYTES, opcode, aggregate_moved(chain, reply_len));
	bpf_map_delete_elem(&aggregate_chains, &name);
	return true;
}

#endif
