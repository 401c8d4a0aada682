/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * How long threads of daemons were runnable without running (--sched). Included by host.bpf.c
 * alone.
 *
 * A thread is runnable from its wake-up, or from being preempted, until it runs. The scheduler's
 * tracepoints fire for every task of the host, so what decides whether one is of interest is a
 * single byte: of a table by process id, in which daemons have marked themselves when they made a
 * system call. Only behind it, maps are looked at. Nothing is inserted there: the run queue's lock
 * is held.
 */
#ifndef VFSCOPE_BPF_HOST_SCHED_BPF_H
#define VFSCOPE_BPF_HOST_SCHED_BPF_H

#include <bpf/bpf_core_read.h>
#include "bpf/host_maps.bpf.h"

#define SCHED_MARKS 4096 /* a power of two */

const volatile bool sched = false;
unsigned char sched_marks[SCHED_MARKS];

/* Linux 5.14 renamed the field (2f064a59a11f). */
struct task_struct {
	int pid;
	int tgid;
	unsigned int __state;
} __attribute__((preserve_access_index));

struct task_struct___before_5_14 {
	long state;
} __attribute__((preserve_access_index));

struct sched_thread {
	u64 runnable_at_ns; /* 0: it runs or sleeps */
	u64 waited_ns; /* since its last event */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, u32); /* thread */
	__type(value, struct sched_thread);
} sched_threads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, HOST_MAX_DAEMONS);
	__type(key, u32); /* slot */
	__type(value, struct host_sched_total);
} sched_totals SEC(".maps");

/* Outside of the scheduler. */
static __always_inline void sched_mark(u32 tgid)
{
	u8 *mark = &sched_marks[tgid & (SCHED_MARKS - 1)];

	if (!*mark)
		*mark = 1;
}

/* In a daemon's thread, outside of the scheduler. False: no room for it. */
static __always_inline bool sched_know_thread(u32 tgid, u32 tid)
{
	struct sched_thread fresh = {};

	sched_mark(tgid);
	if (bpf_map_lookup_elem(&sched_threads, &tid))
		return true;
	return !bpf_map_update_elem(&sched_threads, &tid, &fresh, BPF_NOEXIST);
}

/* What the thread has waited since this was last asked. */
static __always_inline u64 sched_take_wait(u32 tid)
{
	struct sched_thread *t = bpf_map_lookup_elem(&sched_threads, &tid);

	return t ? __sync_fetch_and_and(&t->waited_ns, 0) : 0;
}

static __always_inline bool sched_marked(u32 tgid)
{
	return sched_marks[tgid & (SCHED_MARKS - 1)];
}

static __always_inline void sched_runnable(u32 tid)
{
	struct sched_thread *t = bpf_map_lookup_elem(&sched_threads, &tid);

	if (t)
		t->runnable_at_ns = bpf_ktime_get_ns();
}

static __always_inline void sched_left(u32 tid, bool runnable)
{
	struct sched_thread *t = bpf_map_lookup_elem(&sched_threads, &tid);

	if (t)
		t->runnable_at_ns = runnable ? bpf_ktime_get_ns() : 0;
}

static __always_inline void sched_runs(u32 slot, u32 tid)
{
	struct sched_thread *t = bpf_map_lookup_elem(&sched_threads, &tid);
	struct host_sched_total *total;
	u64 waited, now_ns;

	if (!t || !t->runnable_at_ns)
		return;
	now_ns = bpf_ktime_get_ns();
	waited = now_ns > t->runnable_at_ns ? now_ns - t->runnable_at_ns : 0;
	t->runnable_at_ns = 0;
	__sync_fetch_and_add(&t->waited_ns, waited);
	total = bpf_map_lookup_elem(&sched_totals, &slot);
	if (!total)
		return;
	__sync_fetch_and_add(&total->waits, 1);
	__sync_fetch_and_add(&total->waited_ns, waited);
}

static __always_inline bool task_is_runnable(struct task_struct *task)
{
	struct task_struct___before_5_14 *old = (void *)task;

	if (bpf_core_field_exists(task->__state))
		return !BPF_CORE_READ(task, __state);
	return !BPF_CORE_READ(old, state);
}

static __always_inline struct host_daemon *marked_daemon(u32 tgid)
{
	return sched_marked(tgid) ? bpf_map_lookup_elem(&daemons, &tgid) : NULL;
}

static __always_inline int on_wakeup(u32 tgid, u32 tid)
{
	if (marked_daemon(tgid))
		sched_runnable(tid);
	return 0;
}

/* The task that is left is still the current one. */
static __always_inline int on_switch(struct task_struct *prev, u32 next_tgid, u32 next_tid)
{
	u64 current = bpf_get_current_pid_tgid();
	struct host_daemon *daemon;

	if (marked_daemon(current >> 32))
		sched_left((u32)current, task_is_runnable(prev));
	daemon = marked_daemon(next_tgid);
	if (daemon)
		sched_runs(daemon->slot, next_tid);
	return 0;
}

SEC("tp_btf/sched_wakeup")
int BPF_PROG(btf_sched_wakeup, struct task_struct *task)
{
	return on_wakeup(task->tgid, task->pid);
}

SEC("raw_tp/sched_wakeup")
int BPF_PROG(raw_sched_wakeup, struct task_struct *task)
{
	return on_wakeup(BPF_CORE_READ(task, tgid), BPF_CORE_READ(task, pid));
}

SEC("tp_btf/sched_switch")
int BPF_PROG(btf_sched_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	return on_switch(prev, next->tgid, next->pid);
}

SEC("raw_tp/sched_switch")
int BPF_PROG(raw_sched_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	return on_switch(prev, BPF_CORE_READ(next, tgid), BPF_CORE_READ(next, pid));
}

#endif
