/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Read a FUSE request through its descriptor chain in a daemon's memory: what host.bpf.c reports of
 * a new avail entry. Descriptors hold guest physical addresses, whoever the daemon is.
 */
#ifndef VFSCOPE_BPF_HOST_REQUEST_BPF_H
#define VFSCOPE_BPF_HOST_REQUEST_BPF_H

#include "bpf/host_maps.bpf.h"

#define MAX_DESCRIPTORS 6 /* header, arguments, reply header, first data: 4 in every driver */

/* virtio 1.2, 2.7.5 */
#define DESC_F_NEXT 1
#define DESC_F_WRITE 2
#define DESC_F_INDIRECT 4
#define RW_ARGS_END 80 /* fuse_read_in and fuse_write_in have 40 bytes each */

struct wire_desc {
	u64 addr;
	u32 len;
	u16 flags;
	u16 next;
};

/* Daemon's address of guest physical memory, or 0. */
static __always_inline u64 guest_address(const struct host_daemon *daemon, u64 gpa)
{
	for (u32 i = 0; i < HOST_MAX_REGIONS; i++) {
		if (i >= daemon->nr_regions)
			break;
		if (gpa - daemon->regions[i].gpa < daemon->regions[i].size)
			return gpa - daemon->regions[i].gpa + daemon->regions[i].addr;
	}
	return 0;
}

/* Where the parts of a FUSE request are, found by the bytes that precede them in the chain. */
struct chain_parts {
	u64 header;
	u64 args; /* behind the header */
	u64 written; /* payload of a WRITE */
	u64 read; /* first page that a READ fills */
};

static __always_inline void add_part(struct chain_parts *parts, const struct wire_desc *desc,
				     u32 *out_bytes, u32 *in_bytes)
{
	if (desc->flags & DESC_F_WRITE) {
		if (WIRE_OUT_HEADER_BYTES - *in_bytes < desc->len &&
		    *in_bytes <= WIRE_OUT_HEADER_BYTES)
			parts->read = desc->addr + (WIRE_OUT_HEADER_BYTES - *in_bytes);
		*in_bytes += desc->len;
		return;
	}
	if (*out_bytes == 0 && desc->len >= WIRE_IN_HEADER_BYTES)
		parts->header = desc->addr;
	if (*out_bytes <= WIRE_IN_HEADER_BYTES && WIRE_IN_HEADER_BYTES - *out_bytes < desc->len)
		parts->args = desc->addr + (WIRE_IN_HEADER_BYTES - *out_bytes);
	if (*out_bytes <= RW_ARGS_END && RW_ARGS_END - *out_bytes < desc->len)
		parts->written = desc->addr + (RW_ARGS_END - *out_bytes);
	*out_bytes += desc->len;
}

/* Walk the chain as far as the parts we look for can be. 0, or -1 if a page is not there. */
static __always_inline int find_parts(const struct host_daemon *daemon,
				      const struct host_queue *queue, u16 head,
				      struct chain_parts *parts)
{
	u32 out_bytes = 0, in_bytes = 0, count = queue->size;
	u64 table = queue->desc;
	struct wire_desc desc;
	u16 at = head;

	if (at >= count || bpf_probe_read_user(&desc, sizeof(desc), (void *)(table + 16 * (u64)at)))
		return -1;
	if (desc.flags & DESC_F_INDIRECT) {
		table = guest_address(daemon, desc.addr);
		count = desc.len / sizeof(desc);
		at = 0;
		if (!table || bpf_probe_read_user(&desc, sizeof(desc), (void *)table))
			return -1;
	}
	for (int i = 0; i < MAX_DESCRIPTORS; i++) {
		add_part(parts, &desc, &out_bytes, &in_bytes);
		at = desc.next;
		if (!(desc.flags & DESC_F_NEXT) || at >= count)
			break;
		if (bpf_probe_read_user(&desc, sizeof(desc), (void *)(table + 16 * (u64)at)))
			return -1;
	}
	return 0;
}

/* Fill the request's part of the event. 0, or -1 if guest memory could not be read. */
static __noinline int read_request(const struct host_daemon *daemon, const struct host_queue *queue,
				   struct host_chain_event *event)
{
	struct chain_parts parts = {};
	struct wire_in_header header;
	struct wire_rw_in args;
	u64 addr;

	if (find_parts(daemon, queue, event->head, &parts))
		return -1;
	addr = guest_address(daemon, parts.header);
	if (!parts.header || !addr || bpf_probe_read_user(&header, sizeof(header), (void *)addr))
		return -1;
	if (header.opcode == WIRE_OPCODE_READ || header.opcode == WIRE_OPCODE_WRITE) {
		addr = guest_address(daemon, parts.args);
		if (!parts.args || !addr || bpf_probe_read_user(&args, sizeof(args), (void *)addr))
			return -1;
		event->offset_bytes = args.offset;
		event->size_bytes = args.size;
		addr = header.opcode == WIRE_OPCODE_READ ? parts.read : parts.written;
		event->data_addr = addr ? guest_address(daemon, addr) : 0;
	}
	event->unique = header.unique;
	event->nodeid = header.nodeid;
	event->opcode = header.opcode;
	event->in_len = header.len;
	return 0;
}

#endif
