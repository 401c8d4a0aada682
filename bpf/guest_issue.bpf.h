/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Probes of the moment a request is issued, before it is one. Included by guest.bpf.c alone.
 *
 * Waiting for a free request and in the background queue comes after this, so the time is kept by
 * the address of struct fuse_args and handed to the request at its first enqueue. Functions and
 * arguments differ between kernels: the loader takes one alternative of each pair.
 */
#ifndef VFSCOPE_BPF_GUEST_ISSUE_BPF_H
#define VFSCOPE_BPF_GUEST_ISSUE_BPF_H

#include "bpf/guest_cache.bpf.h"
#include "bpf/guest_maps.bpf.h"

static __always_inline bool to_be_noted(struct fuse_args *args)
{
	return enabled && !(stand_in && SLOT_FIND(issues, (u64)args));
}

static __always_inline void note_issue(struct fuse_conn *fc, struct fuse_args *args)
{
	u32 conn = minor_of(KREAD(fc, dev)), task = current_task();
	struct guest_op_entry *op = NULL;
	struct issue *issue;

	if (!conn_wanted(conn))
		return;
	issue = SLOT_NEW(issues, (u64)args);
	if (!issue) {
		count_loss(LOSS_MAP_FULL, 1);
		return;
	}
	made_up_for();
	issue->task = task;
	issue->op_id = 0;
	issue->flags = 0;
	if (record_ops)
		op = current_op();
	if (op) {
		op->ev.nr_requests++;
		issue->op_id = op->ev.op_id;
		issue->flags = op->request_flags;
	}
	if (!op && record_ops)
		link_dirtied(issue, conn, args);
	if (record_dax)
		issue->flags |= dax_issue_flags(task);
	issue->t_ns = bpf_ktime_get_ns();
}

/* Most issues are matched and gone by now; this is for those that never reached a queue. */
static __always_inline void drop_issue(struct fuse_args *args)
{
	SLOT_REMOVE(issues, (u64)args);
}

/* Until 6.11. */
ON_ENTRY(fuse_simple_request, issue_sync_v61, struct fuse_mount *fm, struct fuse_args *args)
{
	if (to_be_noted(args) && conn_is_virtiofs(KREAD(fm, fc)))
		note_issue(KREAD(fm, fc), args);
	return 0;
}

ON_RETURN(fuse_simple_request, 2, issued_sync_v61, struct fuse_mount *fm, struct fuse_args *args)
{
	if (conn_is_virtiofs(KREAD(fm, fc)))
		drop_issue(args);
	return 0;
}

/* 6.12 (idmapped mounts, aaa3e8e4ce5b) made fuse_simple_request an inline wrapper. */
ON_ENTRY(__fuse_simple_request, issue_sync_v612, void *idmap, struct fuse_mount *fm,
	 struct fuse_args *args)
{
	if (to_be_noted(args) && conn_is_virtiofs(KREAD(fm, fc)))
		note_issue(KREAD(fm, fc), args);
	return 0;
}

ON_RETURN(__fuse_simple_request, 3, issued_sync_v612, void *idmap, struct fuse_mount *fm,
	  struct fuse_args *args)
{
	if (conn_is_virtiofs(KREAD(fm, fc)))
		drop_issue(args);
	return 0;
}

/* 7.2: __fuse_simple_request only jumps here, so one of the two must be probed, not both. */
ON_ENTRY(fuse_chan_send, issue_sync_v72, struct fuse_chan *chan, struct fuse_args *args)
{
	if (to_be_noted(args) && chan_is_virtiofs(chan))
		note_issue(KREAD(chan, conn), args);
	return 0;
}

ON_RETURN(fuse_chan_send, 2, issued_sync_v72, struct fuse_chan *chan, struct fuse_args *args)
{
	if (chan_is_virtiofs(chan))
		drop_issue(args);
	return 0;
}

ON_ENTRY(fuse_simple_background, issue_bg_v61, struct fuse_mount *fm, struct fuse_args *args)
{
	if (to_be_noted(args) && conn_is_virtiofs(KREAD(fm, fc)))
		note_issue(KREAD(fm, fc), args);
	return 0;
}

/* A background request that was accepted owns its args: they may be gone already. */
ON_RETURN(fuse_simple_background, 3, issued_bg_v61, struct fuse_mount *fm, struct fuse_args *args,
	  u32 gfp, int ret)
{
	if (ret && conn_is_virtiofs(KREAD(fm, fc)))
		drop_issue(args);
	return 0;
}

ON_ENTRY(fuse_chan_send_bg, issue_bg_v72, struct fuse_chan *chan, struct fuse_args *args)
{
	if (to_be_noted(args) && chan_is_virtiofs(chan))
		note_issue(KREAD(chan, conn), args);
	return 0;
}

ON_RETURN(fuse_chan_send_bg, 3, issued_bg_v72, struct fuse_chan *chan, struct fuse_args *args,
	  u32 gfp, int ret)
{
	if (ret && chan_is_virtiofs(chan))
		drop_issue(args);
	return 0;
}

#endif
