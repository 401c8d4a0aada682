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
	u64 t_used_ns; /* not 0: it was used before it was put in here; then these are known, too */
	u64 io_ns;
	u32 reply_len;
	u32 pad;
};

/* Requests that the daemon has not answered yet. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, AGGREGATE_MAX_CHAINS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct aggregate_chain_name);
	__type(value, struct aggregate_chain);
} aggregate_chains SEC(".maps");

static __always_inline u64 aggregate_moved(const struct aggregate_chain *chain, u32 reply_len)
{
	if (chain->opcode == WIRE_OPCODE_READ)
		return reply_len > WIRE_OUT_HEADER_BYTES ? reply_len - WIRE_OUT_HEADER_BYTES : 0;
	return chain->opcode == WIRE_OPCODE_WRITE ? chain->size_bytes : 0;
}

static __always_inline void aggregate_chain_done(const struct aggregate_chain *chain)
{
	u16 opcode = chain->opcode;
	u8 cls = opcode_is_forget(opcode) ? SPAN_FORGET : SPAN_OTHER;
	u64 spent = chain->t_used_ns > chain->t_visible_ns ? chain->t_used_ns - chain->t_visible_ns
							   : 0;

	aggregate_value(AGG_LATENCY, cls, opcode, spent);
	aggregate_value(AGG_UNSPLIT, 0, opcode, spent);
	if (chain->io_ns)
		aggregate_value(AGG_HOST_IO, 0, opcode, chain->io_ns);
	aggregate_counter(AGG_BYTES, opcode, aggregate_moved(chain, chain->reply_len));
}

/* A chain that counted as used without having been seen was seen after all. */
static __always_inline void aggregate_found(void);

/*
 * The thread that found a chain may be preempted before it gets here, and meanwhile another one serves
 * the chain and finds it used: that one left the chain's end. An end that is older than the chain is
 * of an earlier one, which began before the recording.
 */
static __always_inline bool aggregate_used_early(struct aggregate_chain_name name,
						 struct aggregate_chain *chain)
{
	struct aggregate_chain *end = bpf_map_lookup_elem(&aggregate_chains, &name);

	if (!end || end->t_used_ns < chain->t_visible_ns)
		return false;
	chain->t_used_ns = end->t_used_ns;
	chain->io_ns = end->io_ns;
	chain->reply_len = end->reply_len;
	bpf_map_delete_elem(&aggregate_chains, &name);
	return true;
}

static __always_inline void aggregate_chain_seen(struct aggregate_chain_name name,
						 const struct host_chain_event *ev)
{
	struct aggregate_chain chain = {
		.t_visible_ns = ev->h.ts_ns,
		.opcode = ev->opcode,
		.size_bytes = ev->size_bytes,
	};

	if (!bpf_map_update_elem(&aggregate_chains, &name, &chain, BPF_NOEXIST))
		return;
	if (aggregate_used_early(name, &chain)) {
		aggregate_found();
		aggregate_chain_done(&chain);
	} else if (bpf_map_update_elem(&aggregate_chains, &name, &chain, BPF_ANY)) {
		aggregate_lost();
	}
}

/* The header of a chain that was seen without; if the chain is still there. */
static __always_inline void aggregate_header_seen(struct aggregate_chain_name name,
						  const struct host_chain_event *ev)
{
	struct aggregate_chain *seen = bpf_map_lookup_elem(&aggregate_chains, &name);

	if (!seen || seen->opcode)
		return;
	seen->opcode = ev->opcode;
	seen->size_bytes = ev->size_bytes;
}

/*
 * io_ns: in file system calls of the thread that published it; 0: not known. False: not seen, though
 * aggregate_found() may follow.
 */
static __always_inline bool aggregate_chain_used(struct aggregate_chain_name name, u64 now_ns,
						 u32 reply_len, u64 io_ns)
{
	struct aggregate_chain end = {
		.t_used_ns = now_ns,
		.io_ns = io_ns,
		.reply_len = reply_len,
	};
	struct aggregate_chain *chain = bpf_map_lookup_elem(&aggregate_chains, &name);

	if (!chain) {
		if (!bpf_map_update_elem(&aggregate_chains, &name, &end, BPF_NOEXIST))
			return false;
		/* It came between the two; or there is no room, then none for the chain either. */
		chain = bpf_map_lookup_elem(&aggregate_chains, &name);
	}
	if (!chain || chain->t_used_ns)
		return false;
	end.t_visible_ns = chain->t_visible_ns;
	end.opcode = chain->opcode;
	end.size_bytes = chain->size_bytes;
	bpf_map_delete_elem(&aggregate_chains, &name);
	aggregate_chain_done(&end);
	return true;
}

#endif
