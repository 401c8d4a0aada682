/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * What user space tells host.bpf.c before it attaches, and the ring positions it reads back.
 *
 * Not stored in files: only the two builds of one vfscope have to agree.
 */
#ifndef VFSCOPE_BPF_HOST_ABI_H
#define VFSCOPE_BPF_HOST_ABI_H

#include "bpf/events.h"

#define HOST_MAX_DAEMONS 16
#define HOST_MAX_QUEUES 16 /* of one daemon; a power of two */
#define HOST_MAX_REGIONS 8 /* of guest memory; the most that libvhost-user took before 8.1 */
#define HOST_MAX_RETRIES 256 /* unread headers of a queue: a power of two */
#define HOST_MAX_SYSCALL_NR 512 /* a power of two */

/* Guest physical [gpa, gpa + size) is at addr in the daemon. */
struct host_region {
	__ev_u64 gpa;
	__ev_u64 size;
	__ev_u64 addr;
};

/* One split virtqueue, by the daemon's addresses. */
struct host_queue {
	__ev_u64 desc;
	__ev_u64 avail;
	__ev_u64 used;
	__ev_u32 size; /* descriptors: a power of two */
	__ev_u32 pad;
};

enum host_rings {
	HOST_RINGS_IN_USE,
	HOST_RINGS_STOPPED, /* what is where they were may be anything by now */
	HOST_RINGS_STARTED, /* again, maybe elsewhere */
};

/*
 * Value of the map "controls", by the first slot of a process: what the VMM told the daemon about
 * its rings. Rings that were looked for before the last message are not to be touched.
 */
struct host_control {
	__ev_u32 messages;
	__ev_u32 rings; /* enum host_rings */
};

/* Value of the map "daemons", whose key is the process id. */
struct host_daemon {
	__ev_u32 slot; /* its queues' states start at slot * HOST_MAX_QUEUES */
	__ev_u32 nr_queues;
	__ev_u32 nr_regions;
	__ev_u32 vmm; /* process id of its VM; 0: not known */
	__ev_u32 control; /* its struct host_control */
	__ev_u32 messages; /* of that, when its rings were looked for */
	__ev_u32 anew; /* its rings began at position 0 while nobody looked */
	__ev_u32 pad;
	struct host_region regions[HOST_MAX_REGIONS];
	struct host_queue queues[HOST_MAX_QUEUES];
};

enum host_retry_state {
	HOST_RETRY_FREE,
	HOST_RETRY_BUSY, /* one thread reads or writes the slot */
	HOST_RETRY_READY,
};

struct host_retry {
	__ev_u32 state; /* enum host_retry_state */
	__ev_u16 avail_idx;
	__ev_u16 head;
};

#define HOST_POSITION_KNOWN (1u << 31)

/* Value of the map "queue_states". Positions are mod 2^16, with HOST_POSITION_KNOWN once set. */
struct host_queue_state {
	__ev_u32 avail_next; /* first avail entry not reported yet */
	__ev_u32 used_next; /* first used element not reported yet */
	__ev_u64 absent_ns; /* when used_next was last seen not to be there */
	__ev_u64 chains; /* reported, or lost for want of buffer */
	__ev_u64 used;
	__ev_u64 unreadable; /* headers that could not be read at first sight */
	__ev_u64 recovered; /* of these, read later */
	__ev_u32 under_way_at_start; /* chains in flight when recording began */
	__ev_u32 idle_at; /* set by user space: both indices, if they were equal, and the flag */
	__ev_u32 nr_retries; /* slots of retries[] in use */
	__ev_u32 left; /* entries that the last look had to leave: 1, if it could not read the ring */
	struct host_retry retries[HOST_MAX_RETRIES];
};

/* Value of the map "calls", by thread: a system call under way. */
struct host_thread_call {
	__ev_u64 t_enter_ns; /* 0: it has returned */
	__ev_u64 iov_base;
	__ev_u64 io_ns; /* aggregate: in file system calls since the thread last published */
	__ev_u64 t_door_ns; /* --kvm: of the doorbell that ended this wait; 0: none */
	__ev_u64 t_woken_ns;
	__ev_s32 fd;
	__ev_u16 nr;
	__ev_u16 cls;
};

/* Value of the map "sched_totals", by slot. */
struct host_sched_total {
	__ev_u64 waits; /* a thread of the daemon was runnable, but did not run at once */
	__ev_u64 waited_ns;
};

/* Map sizes with --kvm. */
#define HOST_KVM_MAX_COUNTS 16384
#define HOST_KVM_MAX_DOORS 4096
#define HOST_KVM_MAX_VCPUS 4096

/* Where in a record of the tracepoint kvm_exit its fields are; 0: not known. */
struct host_kvm_fields {
	__ev_u32 reason; /* 4 bytes */
	__ev_u32 isa; /* 4 bytes */
};

enum host_kvm_what {
	/* Times from leaving the guest to entering it again. of: the reason, isa: whose reason */
	HKVM_EXIT, /* that KVM handled itself */
	HKVM_EXIT_DOOR, /* the same, and a doorbell was written */
	HKVM_EXIT_VMM, /* that the VMM's own code handled */
	/* Times */
	HKVM_DOOR_TO_WAKE, /* of a doorbell whose thread of the daemon slept */
	HKVM_WAKE_TO_RUN, /* from there until that thread's wait returned */
	HKVM_CALL_TO_MSI, /* of the daemon's call, until KVM took it as an interrupt message */
	HKVM_CALL_TO_INJECTION, /* until KVM put its vector into a virtual CPU */
	HKVM_CALL_TO_AWAKE, /* until the virtual CPU that it woke was awake */
	HKVM_HALT_WAIT, /* a halted virtual CPU slept */
	HKVM_HALT_POLL, /* a halted virtual CPU polled, and was not put to sleep */
	/* Counters: the bucket is 0 */
	HKVM_TO_VMM, /* returns to the VMM's code. of: KVM_EXIT_..., or HKVM_ERRNO + errno */
	HKVM_MSI_OTHER, /* interrupt messages that were not by one of the recorded daemons */
	HKVM_LINE, /* interrupts by number */
	HKVM_INJECTED, /* interrupts that KVM put into a virtual CPU, whoever they are from */
	NR_HKVM
};

#define HKVM_ERRNO 0x10000

/* Key of the map "kvm_counts"; the value is a struct aggregate_count. */
struct host_kvm_key {
	__ev_u32 vmm;
	__ev_u32 of;
	__ev_u16 what; /* enum host_kvm_what */
	__ev_u16 isa; /* KVM's number of it: 1 VMX, 2 SVM; 0: of is not known either */
	__ev_u32 bucket; /* of lib/hist.h */
};

enum host_door_space {
	HOST_DOOR_NONE,
	HOST_DOOR_MMIO,
	HOST_DOOR_PIO,
};

/* Key of the map "kvm_doors": an address that guests write and KVM itself takes. */
struct host_door {
	__ev_u64 addr;
	__ev_u32 space; /* enum host_door_space */
	__ev_u32 vmm;
};

struct host_door_count {
	__ev_u64 writes;
	__ev_u64 wakes; /* of them, a thread of a recorded daemon was woken */
};

/* Value of the map "kvm_vcpus", by thread. */
struct host_vcpu {
	__ev_u64 t_exit_ns; /* when it left the guest; 0: it is in there, or that was not seen */
	__ev_u64 t_door_ns;
	__ev_u64 t_call_ns; /* of the daemon's call that woke it; 0: none */
	struct host_door door; /* written since it left, and not taken by the VMM */
	__ev_u32 vmm;
	__ev_u32 reason;
	__ev_u16 isa;
	unsigned char to_vmm; /* the VMM's code ran since it left the guest */
	unsigned char woke; /* a recorded daemon, since it left the guest */
	__ev_u32 pad;
};

/* How a system call is classed, one per number. */
struct host_syscall_rule {
	unsigned char cls; /* enum syscall_class */
	unsigned char buffer; /* enum host_syscall_buffer */
	unsigned char eventfd_cls; /* class instead, if the count is 8; SYSC_OTHER: none */
	unsigned char ends_thread; /* never returns */
};

enum host_syscall_buffer {
	HOST_BUFFER_NONE,
	HOST_BUFFER_PLAIN, /* second argument is the buffer */
	HOST_BUFFER_IOVEC, /* second argument is an array of struct iovec */
	HOST_BUFFER_MESSAGE, /* second argument is a struct msghdr */
};

#endif
