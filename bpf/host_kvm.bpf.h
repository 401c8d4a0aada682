/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Exits and interrupts of the recorded daemons' VMs, where they run under KVM (--kvm). Included by
 * host.bpf.c alone.
 *
 * Nothing is reported per exit: times are counted in histograms by reason, in one sparse map. What
 * belongs together is found by who does what: a virtual CPU is a thread of the VMM that KVM's
 * tracepoints fire in; a doorbell that woke a daemon is seen by the scheduler, in the thread that
 * wakes; and so is a virtual CPU that is woken by a daemon's call. No address and no vector of the
 * guest has to be known.
 *
 * KVM's tracepoints have arguments that are plain numbers and the same from Linux 6.1 to 7.2,
 * except for kvm_exit: that has had the virtual CPU instead of the reason since 5.16
 * (0a62a0319abb), and gets the reason from the vendor's module when its record is made. So kvm_exit
 * is attached as a classic tracepoint, whose record has reason and isa where its format file says;
 * as a raw one, without reasons, where that cannot be read. kvm_inj_virq has had three arguments
 * since 6.0 (2d61391270a3).
 */
#ifndef VFSCOPE_BPF_HOST_KVM_BPF_H
#define VFSCOPE_BPF_HOST_KVM_BPF_H

#include "bpf/host_maps.bpf.h"
#include "bpf/host_sched.bpf.h"
#include "lib/aggregate.h"
#include "lib/hist.h"

/* include/trace/events/kvm.h and arch/x86/kvm/trace.h */
#define KVM_TRACE_MMIO_WRITE 2
#define KVM_PIO_OUT 1
/* include/uapi/linux/kvm.h */
#define KVM_EXIT_IO 2
#define KVM_EXIT_MMIO 6
/* A VMX reason: the basic one, and flags above (SDM volume 3, 25.9.1). */
#define KVM_ISA_VMX 1
#define VMX_BASIC_REASON 0xffff

const volatile bool kvm = false;
const volatile struct host_kvm_fields kvm_fields = {};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, HOST_MAX_DAEMONS);
	__type(key, u32); /* process id of the VMM */
	__type(value, u32); /* unused */
} kvm_vmms SEC(".maps");

/* The loader gives this one and the next ones their size if they are used. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, u32); /* thread */
	__type(value, struct host_vcpu);
} kvm_vcpus SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 1);
	__type(key, struct host_kvm_key);
	__type(value, struct aggregate_count);
} kvm_counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct host_door);
	__type(value, struct host_door_count);
} kvm_doors SEC(".maps");

/* Calls whose interrupt KVM has, but has not been seen to put into a virtual CPU. */
struct kvm_vector {
	u32 vmm;
	u32 vector;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256 * HOST_MAX_DAEMONS);
	__type(key, struct kvm_vector);
	__type(value, u64); /* time of the call */
} kvm_vectors SEC(".maps");

/* On preemptible kernels, one program may interrupt another on the same CPU: hence atomic. */
static __always_inline void kvm_add(const struct host_kvm_key *key, u64 value)
{
	struct aggregate_count fresh = {}, *c = bpf_map_lookup_elem(&kvm_counts, key);

	if (!c) {
		bpf_map_update_elem(&kvm_counts, key, &fresh, BPF_NOEXIST);
		c = bpf_map_lookup_elem(&kvm_counts, key);
	}
	if (!c) {
		count_loss(LOSS_MAP_FULL, 1);
		return;
	}
	__sync_fetch_and_add(&c->count, 1);
	__sync_fetch_and_add(&c->sum, value);
}

static __always_inline void kvm_time(u32 vmm, u16 what, u64 from_ns, u64 to_ns)
{
	u64 ns = to_ns > from_ns ? to_ns - from_ns : 0;
	struct host_kvm_key key = {.vmm = vmm, .what = what, .bucket = hist_bucket(ns)};

	kvm_add(&key, ns);
}

static __always_inline void kvm_count(u32 vmm, u16 what, u32 of)
{
	struct host_kvm_key key = {.vmm = vmm, .what = what, .of = of};

	kvm_add(&key, 0);
}

/* The current process, if it is the VMM of a recorded daemon; else 0. */
static __always_inline u32 current_vmm(void)
{
	u32 tgid = bpf_get_current_pid_tgid() >> 32;

	return bpf_map_lookup_elem(&kvm_vmms, &tgid) ? tgid : 0;
}

/* The current thread, in which KVM runs a virtual CPU of a VM of ours, or NULL. */
static __always_inline struct host_vcpu *current_vcpu(u32 *vmm)
{
	u32 tid = (u32)bpf_get_current_pid_tgid();
	struct host_vcpu fresh = {}, *v;

	*vmm = current_vmm();
	if (!*vmm)
		return NULL;
	v = bpf_map_lookup_elem(&kvm_vcpus, &tid);
	if (v)
		return v;
	sched_mark(*vmm);
	fresh.vmm = *vmm;
	bpf_map_update_elem(&kvm_vcpus, &tid, &fresh, BPF_NOEXIST);
	v = bpf_map_lookup_elem(&kvm_vcpus, &tid);
	if (!v)
		count_loss(LOSS_MAP_FULL, 1);
	return v;
}

/* What was written last was KVM's own to take: nothing else has come between. */
static __always_inline void door_taken(struct host_vcpu *v)
{
	struct host_door door = v->door;
	struct host_door_count fresh = {}, *c;

	if (door.space == HOST_DOOR_NONE)
		return;
	v->door.space = HOST_DOOR_NONE;
	c = bpf_map_lookup_elem(&kvm_doors, &door);
	if (!c) {
		bpf_map_update_elem(&kvm_doors, &door, &fresh, BPF_NOEXIST);
		c = bpf_map_lookup_elem(&kvm_doors, &door);
	}
	if (!c) {
		count_loss(LOSS_MAP_FULL, 1);
		return;
	}
	__sync_fetch_and_add(&c->writes, 1);
	__sync_fetch_and_add(&c->wakes, v->woke);
	v->woke = 0;
}

/* Interrupt controllers and the timer, which KVM emulates: their registers are no doorbells. */
static __always_inline bool is_kvm_chip(u32 space, u64 addr)
{
	if (space == HOST_DOOR_MMIO)
		return (addr >> 12) == 0xfec00 || (addr >> 20) == 0xfee; /* IOAPIC, local APIC */
	switch (addr) {
	case 0x20: /* PIC */
	case 0x21:
	case 0xa0:
	case 0xa1:
	case 0x4d0:
	case 0x4d1:
	case 0x40: /* PIT */
	case 0x41:
	case 0x42:
	case 0x43:
	case 0x61:
		return true;
	default:
		return false;
	}
}

static __always_inline int door_written(u32 space, u64 addr)
{
	struct host_vcpu *v;
	u32 vmm;

	if (is_kvm_chip(space, addr))
		return 0;
	v = current_vcpu(&vmm);
	if (!v)
		return 0;
	door_taken(v);
	if (!v->t_exit_ns)
		v->woke = 0;
	v->door = (struct host_door){.addr = addr, .space = space, .vmm = vmm};
	v->t_door_ns = v->t_exit_ns ? v->t_exit_ns : bpf_ktime_get_ns();
	return 0;
}

static __always_inline int guest_left(u32 reason, u32 isa)
{
	u32 vmm;
	struct host_vcpu *v = current_vcpu(&vmm);

	if (!v)
		return 0;
	door_taken(v);
	v->t_exit_ns = bpf_ktime_get_ns();
	v->reason = isa == KVM_ISA_VMX ? reason & VMX_BASIC_REASON : reason;
	v->isa = isa;
	v->to_vmm = 0;
	v->woke = 0;
	return 0;
}

SEC("tp/kvm/kvm_exit")
int tp_kvm_exit(void *record)
{
	u32 reason = 0, isa = 0;

	/* Its own offsets are constants, but the verifier of a context wants to see them. */
	bpf_probe_read_kernel(&reason, sizeof(reason), record + kvm_fields.reason);
	bpf_probe_read_kernel(&isa, sizeof(isa), record + kvm_fields.isa);
	return guest_left(reason, isa);
}

SEC("raw_tp/kvm_exit")
int raw_kvm_exit(void *ctx)
{
	return guest_left(0, 0);
}

SEC("raw_tp/kvm_entry")
int raw_kvm_entry(void *ctx)
{
	struct host_kvm_key key = {};
	struct host_vcpu *v = current_vcpu(&key.vmm);
	u64 ns;

	if (!v)
		return 0;
	key.what = v->to_vmm			     ? HKVM_EXIT_VMM
		   : v->door.space != HOST_DOOR_NONE ? HKVM_EXIT_DOOR
						     : HKVM_EXIT;
	door_taken(v);
	if (!v->t_exit_ns)
		return 0;
	ns = bpf_ktime_get_ns() - v->t_exit_ns;
	key.of = v->reason;
	key.isa = v->isa;
	key.bucket = hist_bucket(ns);
	v->t_exit_ns = 0;
	kvm_add(&key, ns);
	return 0;
}

/* On kernels with VMX: only said once the write was taken. */
SEC("raw_tp/kvm_fast_mmio")
int BPF_PROG(raw_kvm_fast_mmio, u64 gpa)
{
	return door_written(HOST_DOOR_MMIO, gpa);
}

SEC("raw_tp/kvm_mmio")
int BPF_PROG(raw_kvm_mmio, int type, int len, u64 gpa)
{
	return type == KVM_TRACE_MMIO_WRITE ? door_written(HOST_DOOR_MMIO, gpa) : 0;
}

SEC("raw_tp/kvm_pio")
int BPF_PROG(raw_kvm_pio, u32 rw, u32 port)
{
	return rw == KVM_PIO_OUT ? door_written(HOST_DOOR_PIO, port) : 0;
}

/* A signal may be why: then what was written before has been taken. */
SEC("raw_tp/kvm_userspace_exit")
int BPF_PROG(raw_kvm_userspace_exit, u32 reason, int err)
{
	u32 vmm;
	struct host_vcpu *v = current_vcpu(&vmm);

	if (!v)
		return 0;
	if (err >= 0 && (reason == KVM_EXIT_IO || reason == KVM_EXIT_MMIO))
		v->door.space = HOST_DOOR_NONE;
	v->to_vmm = 1;
	kvm_count(vmm, HKVM_TO_VMM, err < 0 ? HKVM_ERRNO + (u32)-err : reason);
	return 0;
}

SEC("raw_tp/kvm_vcpu_wakeup")
int BPF_PROG(raw_kvm_vcpu_wakeup, u64 ns, bool waited)
{
	u32 vmm;
	struct host_vcpu *v = current_vcpu(&vmm);

	if (!v)
		return 0;
	door_taken(v);
	kvm_time(vmm, waited ? HKVM_HALT_WAIT : HKVM_HALT_POLL, 0, ns);
	if (waited && v->t_call_ns)
		kvm_time(vmm, HKVM_CALL_TO_AWAKE, v->t_call_ns, bpf_ktime_get_ns());
	v->t_call_ns = 0;
	return 0;
}

/* The call that the current thread, of a daemon, is making; NULL: it makes none. */
static __always_inline struct host_thread_call *current_call(void)
{
	u32 tid = (u32)bpf_get_current_pid_tgid();
	struct host_thread_call *call = bpf_map_lookup_elem(&calls, &tid);

	return call && call->t_enter_ns && call->cls == SYSC_CALL ? call : NULL;
}

/*
 * An irqfd that is written takes its message in the writer's thread, as long as KVM need not sleep
 * for that (irqfd_wakeup() in virt/kvm/eventfd.c); it never need for a message to one CPU.
 */
SEC("raw_tp/kvm_msi_set_irq")
int BPF_PROG(raw_kvm_msi_set_irq, u64 address, u64 data)
{
	struct host_daemon *daemon = current_daemon();
	struct kvm_vector key = {.vector = data & 0xff};
	struct host_thread_call *call;
	u64 t_call_ns;

	if (!daemon) {
		u32 vmm = current_vmm();

		if (vmm)
			kvm_count(vmm, HKVM_MSI_OTHER, 0);
		return 0;
	}
	call = current_call();
	if (!call || !daemon->vmm)
		return 0;
	key.vmm = daemon->vmm;
	t_call_ns = call->t_enter_ns;
	kvm_time(key.vmm, HKVM_CALL_TO_MSI, t_call_ns, bpf_ktime_get_ns());
	if (bpf_map_update_elem(&kvm_vectors, &key, &t_call_ns, BPF_ANY))
		count_loss(LOSS_MAP_FULL, 1);
	return 0;
}

SEC("raw_tp/kvm_set_irq")
int raw_kvm_set_irq(void *ctx)
{
	u32 vmm = current_vmm();

	if (vmm)
		kvm_count(vmm, HKVM_LINE, 0);
	return 0;
}

SEC("raw_tp/kvm_inj_virq")
int BPF_PROG(raw_kvm_inj_virq, u32 vector, bool soft, bool again)
{
	struct kvm_vector key = {.vmm = current_vmm(), .vector = vector};
	u64 *t_call_ns;

	if (!key.vmm || soft || again)
		return 0;
	kvm_count(key.vmm, HKVM_INJECTED, 0);
	t_call_ns = bpf_map_lookup_elem(&kvm_vectors, &key);
	if (!t_call_ns)
		return 0;
	kvm_time(key.vmm, HKVM_CALL_TO_INJECTION, *t_call_ns, bpf_ktime_get_ns());
	bpf_map_delete_elem(&kvm_vectors, &key);
	return 0;
}

/* A virtual CPU wakes a thread of its daemon that waits, or is in an interrupt that does. */
static __always_inline void daemon_woken(struct host_daemon *daemon, u32 tid)
{
	struct host_thread_call *call = bpf_map_lookup_elem(&calls, &tid);
	u32 self = (u32)bpf_get_current_pid_tgid();
	struct host_vcpu *v;

	if (!call || !call->t_enter_ns || call->cls != SYSC_WAIT || call->t_woken_ns)
		return;
	v = bpf_map_lookup_elem(&kvm_vcpus, &self);
	if (!v)
		return;
	/* The tracepoint of a fast doorbell comes after its write was taken. */
	call->t_door_ns = v->door.space != HOST_DOOR_NONE ? v->t_door_ns : v->t_exit_ns;
	if (!call->t_door_ns)
		return;
	call->t_woken_ns = bpf_ktime_get_ns();
	v->woke = 1;
}

/* A daemon's call wakes a virtual CPU that was halted. */
static __always_inline void vcpu_woken(u32 tid)
{
	struct host_vcpu *v = bpf_map_lookup_elem(&kvm_vcpus, &tid);
	struct host_thread_call *call = current_call();

	if (v && call && !v->t_call_ns)
		v->t_call_ns = call->t_enter_ns;
}

/* In the thread that wakes another: nothing is inserted here, as its locks are held. */
static __always_inline int on_waking(u32 tgid, u32 tid)
{
	u32 self = bpf_get_current_pid_tgid() >> 32;
	struct host_daemon *daemon;

	if (!sched_marked(tgid) || !sched_marked(self))
		return 0;
	daemon = bpf_map_lookup_elem(&daemons, &tgid);
	if (daemon && daemon->vmm == self) {
		daemon_woken(daemon, tid);
		return 0;
	}
	daemon = bpf_map_lookup_elem(&daemons, &self);
	if (daemon && daemon->vmm == tgid)
		vcpu_woken(tid);
	return 0;
}

SEC("tp_btf/sched_waking")
int BPF_PROG(btf_sched_waking, struct task_struct *task)
{
	return on_waking(task->tgid, task->pid);
}

SEC("raw_tp/sched_waking")
int BPF_PROG(raw_sched_waking, struct task_struct *task)
{
	return on_waking(BPF_CORE_READ(task, tgid), BPF_CORE_READ(task, pid));
}

/* In the thread that a doorbell had woken. */
static __always_inline void kvm_wait_ended(struct host_daemon *daemon, struct host_thread_call *call,
					   u64 now_ns)
{
	if (!call->t_woken_ns || !daemon->vmm)
		return;
	kvm_time(daemon->vmm, HKVM_DOOR_TO_WAKE, call->t_door_ns, call->t_woken_ns);
	kvm_time(daemon->vmm, HKVM_WAKE_TO_RUN, call->t_woken_ns, now_ns);
	call->t_woken_ns = 0;
}

#endif
