/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * What all of the host's programs share: the daemons, their threads' system calls, the events on
 * their way to user space and what was lost of them. Included by host.bpf.c alone.
 */
#ifndef VFSCOPE_BPF_HOST_MAPS_BPF_H
#define VFSCOPE_BPF_HOST_MAPS_BPF_H

#include <linux/types.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <bpf/bpf_helpers.h>
#include "bpf/events.h"
#include "bpf/fuse_wire.h"
#include "bpf/host_abi.h"
#include "bpf/losses.bpf.h"

#define CALL_BYTES_WITHOUT_SCHED offsetof(struct host_syscall_event, runnable_ns)

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20); /* user space sets it */
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, HOST_MAX_DAEMONS);
	__type(key, u32);
	__type(value, struct host_daemon);
} daemons SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, HOST_MAX_DAEMONS);
	__type(key, u32);
	__type(value, struct host_control);
} controls SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, u32); /* thread */
	__type(value, struct host_thread_call);
} calls SEC(".maps");

const volatile __ev_u64 wake_bytes = 1 << 20; /* wake the reader when this much waits */

/* A reader that is woken for each event competes with the daemon for the CPU. */
static __always_inline u64 wake_flag(void)
{
	return bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) >= wake_bytes ? BPF_RB_FORCE_WAKEUP
									   : BPF_RB_NO_WAKEUP;
}

static __always_inline void *new_event(u16 type, u16 size, u64 ts_ns)
{
	struct event_header *h = NULL;

	/* The verifier wants a constant size. */
	if (type == EV_HOST_SYSCALL && size == sizeof(struct host_syscall_event))
		h = bpf_ringbuf_reserve(&events, sizeof(struct host_syscall_event), 0);
	else if (type == EV_HOST_SYSCALL)
		h = bpf_ringbuf_reserve(&events, CALL_BYTES_WITHOUT_SCHED, 0);
	else if (type == EV_HOST_USED)
		h = bpf_ringbuf_reserve(&events, sizeof(struct host_used_event), 0);
	else
		h = bpf_ringbuf_reserve(&events, sizeof(struct host_chain_event), 0);
	if (!h) {
		count_loss(LOSS_RINGBUF, 1);
		return NULL;
	}
	h->type = type;
	h->size = size;
	h->cpu = bpf_get_smp_processor_id();
	h->ts_ns = ts_ns;
	return h;
}

static __always_inline struct host_daemon *current_daemon(void)
{
	u32 tgid = bpf_get_current_pid_tgid() >> 32;

	return bpf_map_lookup_elem(&daemons, &tgid);
}

#endif
