/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The events that BPF programs hand to user space: the ABI between bpf/ and trace/.
 *
 * The same structures, unchanged, are what raw .vft files store (docs/vft-format.md), so a field
 * may be appended but never moved. Each starts with an event_header; readers skip types they do not
 * know and bytes beyond the size they know. All times are bpf_ktime_get_ns(): CLOCK_MONOTONIC of
 * the machine that recorded.
 */
#ifndef VFSCOPE_BPF_EVENTS_H
#define VFSCOPE_BPF_EVENTS_H

#include "lib/aggregate.h"

#ifndef __bpf__
#include <stdint.h>
typedef uint64_t __ev_u64;
typedef int64_t __ev_s64;
typedef uint32_t __ev_u32;
typedef int32_t __ev_s32;
typedef uint16_t __ev_u16;
#else
typedef unsigned long long __ev_u64;
typedef long long __ev_s64;
typedef unsigned int __ev_u32;
typedef int __ev_s32;
typedef unsigned short __ev_u16;
#endif

enum event_type {
	EV_GUEST_REQUEST =
		1, /* struct guest_request_event: one whole request as the guest saw it */
	EV_GUEST_OP = 2, /* struct guest_op_event */
	EV_GUEST_WRITEBACK = 3, /* struct guest_writeback_event */
	EV_GUEST_PATH = 4, /* struct guest_path_event: only if names were asked for */
	EV_AGGREGATE = 15, /* struct aggregate_event, of guest or host */
	EV_HOST_CHAIN = 16, /* struct host_chain_event: a chain appeared in an avail ring */
	EV_HOST_SYSCALL =
		17, /* struct host_syscall_event: a daemon thread's system call returned */
	EV_HOST_USED = 18, /* struct host_used_event: an element appeared in a used ring */
	EV_HOST_HEADER = 19, /* struct host_chain_event: a header that could not be read before */
};

struct event_header {
	__ev_u16 type; /* enum event_type */
	__ev_u16 size; /* bytes of the whole event, a multiple of 8 */
	__ev_u32 cpu;
	__ev_u64 ts_ns; /* when the event was completed; see each event */
};

enum guest_request_flags {
	GREQ_BACKGROUND = 1u << 0, /* FR_BACKGROUND */
	GREQ_KICKED = 1u << 1, /* virtqueue_kick_prepare() said yes */
	GREQ_KICK_KNOWN = 1u << 2, /* kick decision was seen */
	GREQ_FORGET = 1u << 3, /* FORGET on hiprio: no fuse_req, no reply */
	GREQ_NO_ISSUE =
		1u << 4, /* issue was not seen (was under way at attach): t_issue = t_send */
	GREQ_LOCKOWNER = 1u << 5, /* FUSE_READ_LOCKOWNER or FUSE_WRITE_LOCKOWNER: direct I/O */
	GREQ_WRITE_CACHE = 1u << 6, /* FUSE_WRITE_CACHE: writeback */
	GREQ_DIRECT_FILE = 1u << 7, /* issued inside an op on a direct file */
	GREQ_IN_WRITE_OP = 1u << 8, /* issued inside a write op: a READ is read-modify */
	GREQ_IN_READ_OP = 1u << 9,
	GREQ_ABORTED = 1u << 10, /* ended without having been in the ring */
	/* Of DAX mappings; a REMOVEMAPPING with neither is by a task that needs the range */
	GREQ_DAX_UPGRADE = 1u << 11, /* SETUPMAPPING: was mapped for reading, now for writing */
	GREQ_DAX_WORKER = 1u << 12, /* REMOVEMAPPING: by the worker that keeps ranges free */
	GREQ_DAX_EVICT = 1u << 13, /* REMOVEMAPPING: the inode leaves the cache */
	GREQ_LATER = 1u << 14, /* WRITE of what op_id dirtied, issued by no op's task */
};

/*
 * ts_ns is the end: of the waiter's sleep for synchronous requests, of the request otherwise.
 * A time that was not seen is 0.
 */
struct guest_request_event {
	struct event_header h;
	__ev_u64 unique;
	__ev_u64 nodeid;
	__ev_u64 offset_bytes; /* READ, WRITE, SETUPMAPPING */
	__ev_u64 op_id; /* op it was issued in, or 0 */
	__ev_u64 t_issue_ns; /* fuse_simple_request / fuse_simple_background entered */
	__ev_u64 t_send_ns; /* first virtio_fs_enqueue_req entered: left the background queue */
	__ev_u64 t_queued_ns; /* the successful virtio_fs_enqueue_req entered */
	__ev_u64 t_add_ns; /* its virtqueue_add_sgs entered: the ring did not hold it before this */
	__ev_u64 t_kick_ns; /* virtqueue_kick_prepare said yes; 0 if suppressed */
	__ev_u64 doorbell_ns; /* from then until virtqueue_notify returned; 0 if unknown or
				 suppressed */
	__ev_u64 t_irq_ns; /* last virtqueue interrupt of its queue before it was dequeued */
	__ev_u64 t_work_ns; /* start of the completion work run that dequeued it */
	__ev_u64 t_complete_ns; /* virtio_fs_request_complete entered */
	__ev_u64 t_end_ns; /* fuse_request_end entered */
	__ev_u64 t_wake_ns; /* request_wait_answer returned in the waiting task; 0: nobody waits */
	__ev_u32 conn; /* s_dev of the mount (MINOR) */
	__ev_u32 opcode;
	__ev_u32 task; /* thread that issued it */
	__ev_u32 size_bytes; /* READ, WRITE; SETUPMAPPING, REMOVEMAPPING: of all ranges */
	__ev_u32 in_len; /* in.h.len */
	__ev_u32 reply_bytes; /* out.h.len - 16 */
	__ev_s32 error;
	__ev_u32 flags; /* enum guest_request_flags */
	__ev_u32 fuse_flags; /* read_flags, write_flags, or the flags of SETUPMAPPING */
	__ev_u16 queue;
	__ev_u16 sg_out;
	__ev_u16 sg_in;
	__ev_u16 ring_full_retries;
	__ev_u16 inflight; /* others of this queue in flight when queued */
	__ev_u16 avail_idx; /* ring index it got, mod 2^16; valid with avail_idx_known */
	__ev_u16 avail_idx_known;
	__ev_u16 pad16;
	__ev_u32 end_cpu;
	__ev_u32 window_range; /* SETUPMAPPING, REMOVEMAPPING: (first) range of the DAX window */
	__ev_u32 pad;
};

struct guest_op_event {
	struct event_header h; /* ts_ns: the op returned */
	__ev_u64 t_start_ns;
	__ev_u64 op_id;
	__ev_u64 nodeid;
	__ev_u64 offset_bytes;
	__ev_s64 result;
	__ev_u32 size_bytes;
	__ev_u32 conn;
	__ev_u32 task;
	__ev_u16 op_type; /* enum op_type */
	__ev_u16 flags; /* enum op_flags */
	__ev_u32 nr_requests;
	__ev_u32 pages_missed; /* valid with OP_PAGES_KNOWN: pages of its range that it had to add
				  to the page cache */
	__ev_u64 range_wait_ns; /* without a free range of the DAX window that it needed */
	__ev_u64 dir_nodeid; /* ops on a name: of the (new) directory that it is in; else 0 */
	__ev_u64 throttled_ns; /* made to sleep since there is too much that is not written back */
	__ev_u32 nr_throttled; /* how often */
	__ev_u32 pad;
};

/* ts_ns: a pass over the dirty pages of one inode (fuse_writepages) returned, which wrote some. */
struct guest_writeback_event {
	struct event_header h;
	__ev_u64 t_start_ns;
	__ev_u64 nodeid;
	__ev_u64 op_id; /* op that it is part of, or 0: the kernel's flusher */
	__ev_u32 conn;
	__ev_u32 task;
	__ev_u32 pages;
	__ev_s32 result; /* 0 or -errno */
	__ev_u32 waits; /* 1: for the writing to end (WB_SYNC_ALL) */
	__ev_u32 pad;
};

#define GUEST_PATH_BYTES 512

/* ts_ns: when an op first met the file under this name. */
struct guest_path_event {
	struct event_header h;
	__ev_u64 nodeid;
	__ev_u32 conn;
	__ev_u16 nr_names;
	__ev_u16 cut; /* 1: there are directories above these */
	char names[GUEST_PATH_BYTES]; /* the file's, its directory's and so on, each with its end */
};

enum host_chain_flags {
	HCHAIN_NO_HEADER = 1u << 0, /* header page not mapped yet; EV_HOST_HEADER may follow */
	HCHAIN_LATE =
		1u << 1, /* header read when the chain may have been used and its memory reused:
			    if unique and (queue, avail_idx) disagree, trust the latter */
	HCHAIN_AT_WAIT = 1u << 2, /* seen when tid entered its wait: tid takes it after the wait */
};

/* ts_ns: when a daemon thread first ran with the chain visible in the avail ring. */
struct host_chain_event {
	struct event_header h;
	__ev_u64 unique;
	__ev_u64 nodeid;
	__ev_u64 offset_bytes;
	__ev_u64 data_addr; /* daemon's address of the first data page of a READ or WRITE; else 0 */
	__ev_u32 opcode;
	__ev_u32 size_bytes;
	__ev_u32 in_len;
	__ev_u32 tid; /* thread that ran */
	__ev_u32 flags; /* enum host_chain_flags */
	__ev_u16 queue;
	__ev_u16 head; /* descriptor chain head: names the request while it is in flight */
	__ev_u16 avail_idx; /* ring index */
	__ev_u16 daemon; /* which of those recorded: its slot; tells apart equal queues */
	__ev_u32 pad;
};

enum syscall_class {
	SYSC_OTHER,
	SYSC_DATA, /* preadv, pwritev, ...: moves file data */
	SYSC_META, /* openat, statx, fsync, close, ...: other file system work */
	SYSC_WAIT, /* ppoll, epoll_wait: waits for a kick */
	SYSC_FUTEX, /* lock or pool hand-off */
	SYSC_KICK, /* 8-byte read of an eventfd: kick receipt */
	SYSC_CALL, /* 8-byte write: call */
	NR_SYSCALL_CLASSES
};

/*
 * ts_ns: the system call returned. Rings are looked at before t_enter_ns and after ts_ns, so a
 * chain is visible before the first call that serves it, and a used element before the call that
 * signals it. Calls that were under way when recording began are not reported.
 */
struct host_syscall_event {
	struct event_header h;
	__ev_u64 t_enter_ns;
	__ev_u64 iov_base; /* first buffer of a data call; else 0 */
	__ev_s64 result;
	__ev_u32 tid;
	__ev_s32 fd; /* first argument */
	__ev_u16 nr; /* system call number */
	__ev_u16 cls; /* enum syscall_class */
	__ev_u16 daemon; /* slot */
	__ev_u16 pad16;
	/* Only in recordings with --sched; others end before it. */
	__ev_u64 runnable_ns; /* that the thread waited for a CPU since its event before this one */
};

/* ts_ns: when a daemon thread first ran with the element visible in the used ring. */
struct host_used_event {
	struct event_header h;
	__ev_u32 tid; /* thread that ran */
	__ev_u32 len; /* bytes written by the device */
	__ev_u16 queue;
	__ev_u16 head;
	__ev_u16 used_idx;
	__ev_u16 daemon; /* slot */
	__ev_u64 t_absent_ns; /* last time the ring was seen without it, or 0: published between
				 this and ts_ns */
};

/*
 * Made by the recorder, not by BPF, of an aggregated recording. ts_ns: when the counters were read;
 * added: since they were read before.
 */
struct aggregate_event {
	struct event_header h;
	struct aggregate_key key;
	struct aggregate_count added;
};

/* Loss counters, one slot per class, kept in BPF maps and copied into the file's footer. */
enum loss_class {
	LOSS_RINGBUF, /* an event did not fit into the ring buffer */
	LOSS_MAP_FULL, /* no room to remember a request in flight */
	LOSS_START_NO_END, /* in flight when recording stopped */
	LOSS_END_NO_START, /* ended, but was under way when recording started */
	LOSS_HEADER, /* FUSE header in guest memory could not be read */
	LOSS_RING_OVERRUN, /* more ring entries at once than one scan may follow */
	LOSS_UNMATCHED_GUEST, /* join: guest half without host half */
	LOSS_UNMATCHED_HOST, /* join: host half without guest half */
	LOSS_SKEWED, /* join: clock band violated */
	LOSS_DAMAGED, /* reader: events in chunks that were cut off or failed their checksum */
	LOSS_PROBE_MISSED, /* a probe did not run: it was preempted on that CPU while running */
	LOSS_LEFT_OUT, /* a connection that is not described, a daemon that is not followed */
	LOSS_RING_MOVED, /* made after the rings were set up anew, before they were found again */
	NR_LOSS_CLASSES
};

#endif
