// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * The host side of a recording: what a virtio-fs daemon takes, does and gives back.
 *
 * The daemon needs no symbols. Whenever one of its threads enters or leaves a system call, the
 * program looks at the daemon's virtqueues in the daemon's own memory: a new avail entry is a
 * request that became visible, a new used element is a request that was answered. FUSE header and
 * arguments are read through the descriptors, so requests carry the guest's "unique".
 *
 * sys_enter and sys_exit are attached as BTF tracepoints or, where those do not load, as raw
 * ones. Both run in the thread that made the call, so the daemon's memory is at hand.
 */
#include <linux/types.h>
#include <linux/bpf.h>
#include <asm/ptrace.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "bpf/host_rings.bpf.h"
#include "bpf/host_control.bpf.h"
#include "bpf/host_sched.bpf.h"
#include "bpf/host_kvm.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile struct host_syscall_rule rules[HOST_MAX_SYSCALL_NR] = {};

static __always_inline void aggregate_lost(void)
{
	count_loss(LOSS_MAP_FULL, 1);
}

static __always_inline void aggregate_found(void)
{
	count_loss(LOSS_END_NO_START, -1);
}

#define SYSCALL_ARG(regs, n)                                                                       \
	({                                                                                         \
		unsigned long __arg = 0;                                                           \
		bpf_probe_read_kernel(&__arg, sizeof(__arg), &PT_REGS_PARM##n##_SYSCALL(regs));    \
		__arg;                                                                             \
	})

/* Registers hold a call's number and arguments until it has returned. */
#if defined(__TARGET_ARCH_x86)
#define SYSCALL_NR(regs) ((regs)->orig_rax)
#elif defined(__TARGET_ARCH_arm64)
#define SYSCALL_NR(regs) (((struct user_pt_regs *)(regs))->regs[8])
#endif

static __always_inline u16 call_class(struct pt_regs *regs,
				      const volatile struct host_syscall_rule *rule)
{
	if (rule->eventfd_cls && SYSCALL_ARG(regs, 3) == 8)
		return rule->eventfd_cls;
	return rule->cls;
}

/* Waiting for work or a lock is no loss: idle threads do that whenever recording begins. */
static __always_inline bool class_is_io(u16 cls)
{
	return cls == SYSC_DATA || cls == SYSC_META;
}

/* It was under way when recording began. */
static __always_inline void count_unseen_enter(struct pt_regs *regs)
{
#ifdef SYSCALL_NR
	unsigned long nr = HOST_MAX_SYSCALL_NR;

	bpf_probe_read_kernel(&nr, sizeof(nr), &SYSCALL_NR(regs));
	if (!aggregate && nr < HOST_MAX_SYSCALL_NR && class_is_io(call_class(regs, &rules[nr])))
		count_loss(LOSS_END_NO_START, 1);
#endif
}

static __always_inline u64 io_so_far(u32 tid)
{
	struct host_thread_call *call = bpf_map_lookup_elem(&calls, &tid);

	return call ? call->io_ns : 0;
}

static __always_inline int on_enter(struct pt_regs *regs, long nr)
{
	struct host_daemon *daemon = current_daemon();
	u32 tid = (u32)bpf_get_current_pid_tgid();
	const volatile struct host_syscall_rule *rule = &rules[nr & (HOST_MAX_SYSCALL_NR - 1)];
	struct host_thread_call call = {};
	u64 buffer;

	if (!daemon)
		return 0;

	call.nr = nr;
	call.fd = SYSCALL_ARG(regs, 1);
	call.cls = call_class(regs, rule);
	if (call.cls == SYSC_DATA && rule->buffer) {
		buffer = SYSCALL_ARG(regs, 2);
		if (rule->buffer == HOST_BUFFER_PLAIN)
			call.iov_base = buffer;
		else
			bpf_probe_read_user(&call.iov_base, sizeof(call.iov_base), (void *)buffer);
	}
	if (rule->buffer == HOST_BUFFER_MESSAGE)
		call.iov_base = control_buffer(SYSCALL_ARG(regs, 2));
	scan_queues(daemon, call.cls == SYSC_WAIT ? HCHAIN_AT_WAIT : 0);
	if (kvm)
		sched_mark(bpf_get_current_pid_tgid() >> 32);
	if (sched && !sched_know_thread(bpf_get_current_pid_tgid() >> 32, tid))
		count_loss(LOSS_MAP_FULL, 1);
	if (rule->ends_thread) {
		bpf_map_delete_elem(&calls, &tid);
		if (sched)
			bpf_map_delete_elem(&sched_threads, &tid);
		return 0;
	}
	if (aggregate)
		call.io_ns = io_so_far(tid);
	call.t_enter_ns = bpf_ktime_get_ns();
	if (bpf_map_update_elem(&calls, &tid, &call, BPF_ANY)) {
		count_loss(LOSS_MAP_FULL, 1);
		if (!aggregate && class_is_io(call.cls)) /* its return will be counted, too */
			count_loss(LOSS_END_NO_START, -1);
	}
	return 0;
}

static __always_inline void report_call(struct host_thread_call *call, u32 slot, long result, u64 now_ns)
{
	struct host_syscall_event *event;

	if (aggregate) {
		if (class_is_io(call->cls))
			call->io_ns += now_ns - call->t_enter_ns;
		else if (call->cls == SYSC_WAIT)
			call->io_ns = 0;
		return;
	}
	event = new_event(EV_HOST_SYSCALL, sched ? sizeof(*event) : CALL_BYTES_WITHOUT_SCHED,
			  now_ns);
	if (!event)
		return;
	if (sched)
		event->runnable_ns = sched_take_wait((u32)bpf_get_current_pid_tgid());
	event->t_enter_ns = call->t_enter_ns;
	event->iov_base = call->iov_base;
	event->result = result;
	event->tid = (u32)bpf_get_current_pid_tgid();
	event->fd = call->fd;
	event->nr = call->nr;
	event->cls = call->cls;
	if ((call->cls == SYSC_KICK || call->cls == SYSC_CALL) && result != 8)
		event->cls = SYSC_OTHER;
	event->daemon = slot;
	event->pad16 = 0;
	bpf_ringbuf_submit(event, wake_flag());
}

static __always_inline int on_exit(struct pt_regs *regs, long result)
{
	struct host_daemon *daemon = current_daemon();
	u32 tid = (u32)bpf_get_current_pid_tgid();
	struct host_thread_call *call;
	u64 now_ns, message = 0;

	if (!daemon)
		return 0;
	now_ns = bpf_ktime_get_ns();
	call = bpf_map_lookup_elem(&calls, &tid);
	if (call && call->t_enter_ns) {
		if (kvm)
			kvm_wait_ended(daemon, call, now_ns);
		if (rules[call->nr & (HOST_MAX_SYSCALL_NR - 1)].buffer == HOST_BUFFER_MESSAGE) {
			message = call->iov_base;
			call->iov_base = 0;
		}
		report_call(call, daemon->slot, result, now_ns);
		call->t_enter_ns = 0;
	} else if (!call) {
		count_unseen_enter(regs);
	}
	scan_queues(daemon, 0);
	if (message)
		control_received(daemon, message, result);
	return 0;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(btf_sys_enter, struct pt_regs *regs, long nr)
{
	return on_enter(regs, nr);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(btf_sys_exit, struct pt_regs *regs, long result)
{
	return on_exit(regs, result);
}

SEC("raw_tp/sys_enter")
int BPF_PROG(raw_sys_enter, struct pt_regs *regs, long nr)
{
	return on_enter(regs, nr);
}

SEC("raw_tp/sys_exit")
int BPF_PROG(raw_sys_exit, struct pt_regs *regs, long result)
{
	return on_exit(regs, result);
}
