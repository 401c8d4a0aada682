// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kvm_guest SOCKET REQUESTS port|memory [ROUNDS]: the smallest VM that uses virtio-fs under KVM. A
 * VMM that connects to a virtiofsd as a vhost-user front end, with one virtual CPU whose guest is
 * the few instructions below: for each request it adds a chain to the avail ring, rings a doorbell
 * that is an ioeventfd, and halts until the interrupt that the daemon sends by an irqfd.
 *
 * It needs no processor that can run a guest: in real mode, KVM may as well emulate every
 * instruction, and what a host has to do with a guest's doorbells and interrupts is the same.
 *
 * Says "ready" once the daemon has answered INIT; begins with the requests (GETATTR of the root)
 * at a line of its standard input; then says what the guest did as JSON. With rounds, it resets the
 * device after that as a driver does that is unbound and bound again: the rings begin anew, at
 * other addresses, and where they were is something else; then it is ready again. It ends with its
 * input.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "lib/compiler.h"
#include "lib/vhost_user.h"

#define MEMORY_BYTES (64 << 20)
#define QUEUES 2 /* hiprio, which stays idle, and one for requests */
#define RING 64

/* Guest physical addresses, all within the first segment of real mode. */
#define VECTOR_TABLE 0x0
#define COUNTERS 0x500
#define CODE 0x1000
#define HANDLER 0x1100
#define STACK_TOP 0x1800
#define HEADER 0x2000
#define REPLY 0x2800
#define QUEUE_BYTES 0x2000
/* In each round somewhere else, as a driver that is bound anew has them. */
#define QUEUE(round, i) (0x4000 + ((round) % 2 * QUEUES + (i)) * QUEUE_BYTES)
#define AVAIL(round, i) (QUEUE(round, i) + RING * 16)
#define USED(round, i) (QUEUE(round, i) + 0x1000)

#define VECTOR 0x40
#define DOOR_PORT 0xc050
#define DOOR_SEGMENT 0xd0000 /* guest physical, no memory there */
#define DOOR_OFFSET 0x50
#define DONE_PORT 0x80
#define APIC 0xfee00000
#define APIC_EOI 0xb0
#define APIC_SPURIOUS 0xf0
#define APIC_ENABLED 0x1ff
#define MSI_GSI 24

#define LOW(x) ((x)&0xff)
#define HIGH(x) (((x) >> 8) & 0xff)
#define WORD(x) LOW(x), HIGH(x)

/* cx: requests to go; dx: doorbell's port; ds: 0; es: the local APIC; fs: the doorbell's segment.
 */
/* clang-format off */
static const uint8_t code[] = {
	0xfa, /* cli */
	0xff, 0x06, 0, 0, /* inc word [avail.idx]: addresses of rings are filled in */
	0x83, 0x06, WORD(HEADER + 8), 2, /* add word [header.unique], 2 */
	0x90, 0x90, 0x90, 0x90, 0x90, /* 10: the doorbell, filled in */
	0xff, 0x06, WORD(COUNTERS + 2), /* inc word [doorbells] */
	/* 19: until the used ring has caught up */
	0xa1, 0, 0, /* mov ax, [used.idx] */
	0x3b, 0x06, 0, 0, /* cmp ax, [avail.idx] */
	0x74, 0x05, /* je served */
	0xfb, 0xf4, /* sti; hlt */
	0xfa, /* cli */
	0xeb, 0xf2, /* jmp 19 */
	/* 33: served */
	0xfb, 0x90, /* sti; nop */
	0xe2, 0xdb, /* loop 0 */
	0xe6, DONE_PORT, /* out DONE_PORT, al */
	0xf4, /* hlt */
};
#define DOOR_AT 10
static const unsigned int avail_at[] = {3, 24}, used_at = 20;

static const uint8_t port_door[] = {0xef, 0x90, 0x90, 0x90, 0x90}; /* out dx, ax */
static const uint8_t memory_door[] = {0x64, 0xa3, WORD(DOOR_OFFSET), 0x90}; /* mov fs:[door], ax */

/* The interrupt's handler. */
static const uint8_t handler[] = {
	0x50, /* push ax */
	0x31, 0xc0, /* xor ax, ax */
	0x66, 0x26, 0xa3, WORD(APIC_EOI), /* mov es:[EOI], eax */
	0xff, 0x06, WORD(COUNTERS), /* inc word [interrupts] */
	0x58, /* pop ax */
	0xcf, /* iret */
};
/* clang-format on */

struct ring_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};

struct fuse_header {
	uint32_t len, opcode;
	uint64_t unique, nodeid;
	uint32_t uid, gid, pid, pad;
};

struct vm {
	int kvm, vm, vcpu, memory_fd, daemon;
	int kick[QUEUES], call[QUEUES];
	uint8_t *memory;
	struct kvm_run *run;
};

static int fail(const char *what)
{
	fprintf(stderr, "kvm_guest: %s: %s\n", what, strerror(errno));
	return -1;
}

/* --- the daemon: vhost-user (QEMU's docs/interop/vhost-user.rst) --- */

struct message {
	uint32_t request, flags, size;
	union {
		uint64_t u64;
		struct {
			uint32_t index, num;
		} state;
		struct {
			uint32_t index, flags;
			uint64_t desc, used, avail, log;
		} addr;
		struct {
			uint32_t regions, pad;
			uint64_t gpa, size, user_addr, offset;
		} memory;
	} body;
} __attribute__((packed));

_Static_assert(offsetof(struct message, body) == VHOST_USER_HEADER_BYTES, "wire format");

/* fd: to send along, or -1. */
static int tell(int to, uint32_t request, struct message *m, size_t size, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = "";
	struct iovec iov = {m, VHOST_USER_HEADER_BYTES + size};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *c;

	m->request = request;
	m->flags = VHOST_USER_VERSION;
	m->size = (uint32_t)size;
	if (fd >= 0) {
		h.msg_control = control;
		h.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&h);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	return sendmsg(to, &h, 0) < 0 ? fail("sendmsg") : 0;
}

/* Also waits until all that was told before has been done. */
static int ask_features(int to, uint64_t *features)
{
	struct message m = {};

	if (tell(to, VHOST_USER_GET_FEATURES, &m, 0, -1))
		return -1;
	if (recv(to, &m, VHOST_USER_HEADER_BYTES + 8, MSG_WAITALL) != VHOST_USER_HEADER_BYTES + 8)
		return fail("the daemon's features");
	*features = m.body.u64;
	return 0;
}

static int tell_queue(struct vm *v, unsigned int round, uint32_t i)
{
	const uint64_t base = (uintptr_t)v->memory;
	struct message num = {.body.state = {i, RING}}, at = {.body.state = {i, 0}};
	struct message addr = {.body.addr = {.index = i,
					     .desc = base + QUEUE(round, i),
					     .avail = base + AVAIL(round, i),
					     .used = base + USED(round, i)}};
	struct message call = {.body.u64 = i}, kick = {.body.u64 = i};

	if (tell(v->daemon, VHOST_USER_SET_VRING_NUM, &num, sizeof(num.body.state), -1) ||
	    tell(v->daemon, VHOST_USER_SET_VRING_BASE, &at, sizeof(at.body.state), -1) ||
	    tell(v->daemon, VHOST_USER_SET_VRING_ADDR, &addr, sizeof(addr.body.addr), -1) ||
	    tell(v->daemon, VHOST_USER_SET_VRING_CALL, &call, 8, v->call[i]))
		return -1;
	return tell(v->daemon, VHOST_USER_SET_VRING_KICK, &kick, 8, v->kick[i]);
}

static int tell_queues(struct vm *v, unsigned int round)
{
	uint64_t features;

	for (uint32_t i = 0; i < QUEUES; i++)
		if (tell_queue(v, round, i))
			return -1;
	return ask_features(v->daemon, &features);
}

static int connect_daemon(struct vm *v, const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	struct message owner = {}, set = {}, memory = {};
	uint64_t features;

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	v->daemon = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(v->daemon, (struct sockaddr *)&to, sizeof(to)))
		return fail(path);
	if (ask_features(v->daemon, &features) ||
	    tell(v->daemon, VHOST_USER_SET_OWNER, &owner, 0, -1))
		return -1;
	set.body.u64 = features & 1ULL << 32; /* VIRTIO_F_VERSION_1 */
	memory.body.memory.regions = 1;
	memory.body.memory.size = MEMORY_BYTES;
	memory.body.memory.user_addr = (uintptr_t)v->memory;
	if (tell(v->daemon, VHOST_USER_SET_FEATURES, &set, 8, -1) ||
	    tell(v->daemon, VHOST_USER_SET_MEM_TABLE, &memory, sizeof(memory.body.memory),
		 v->memory_fd))
		return -1;
	return tell_queues(v, 0);
}

/* The device is reset: the daemon is to leave the rings alone. What is there is something else
 * soon. */
static int stop_queues(struct vm *v, unsigned int round)
{
	for (uint32_t i = 0; i < QUEUES; i++) {
		struct message m = {.body.state = {i, 0}};

		if (tell(v->daemon, VHOST_USER_GET_VRING_BASE, &m, sizeof(m.body.state), -1))
			return -1;
		if (recv(v->daemon, &m, VHOST_USER_HEADER_BYTES + 8, MSG_WAITALL) !=
		    VHOST_USER_HEADER_BYTES + 8)
			return fail("the daemon's ring position");
	}
	memset(v->memory + QUEUE(round, 0), 0xa5, (size_t)QUEUES * QUEUE_BYTES);
	memset(v->memory + QUEUE(round + 1, 0), 0, (size_t)QUEUES * QUEUE_BYTES);
	return 0;
}

/* --- the VM --- */

static int make_memory(struct vm *v)
{
	v->memory_fd = memfd_create("guest", MFD_CLOEXEC);
	if (v->memory_fd < 0 || ftruncate(v->memory_fd, MEMORY_BYTES))
		return fail("memory");
	v->memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, v->memory_fd, 0);
	if (v->memory == MAP_FAILED)
		return fail("memory");
	for (int i = 0; i < QUEUES; i++) {
		v->kick[i] = eventfd(0, EFD_CLOEXEC);
		v->call[i] = eventfd(0, EFD_CLOEXEC);
	}
	return 0;
}

/* The doorbell is an ioeventfd, the call an irqfd with a message of its own. */
static int wire(struct vm *v, bool port)
{
	struct {
		struct kvm_irq_routing head;
		struct kvm_irq_routing_entry entry;
	} routing = {.head.nr = 1,
		     .entry = {.gsi = MSI_GSI,
			       .type = KVM_IRQ_ROUTING_MSI,
			       .u.msi = {.address_lo = APIC, .data = VECTOR}}};
	struct kvm_irqfd irqfd = {.fd = (uint32_t)v->call[1], .gsi = MSI_GSI};
	struct kvm_ioeventfd door = {
		.fd = v->kick[1],
		.len = 2,
		.addr = port ? DOOR_PORT : DOOR_SEGMENT + DOOR_OFFSET,
		.flags = port ? KVM_IOEVENTFD_FLAG_PIO : 0,
	};

	if (ioctl(v->vm, KVM_SET_GSI_ROUTING, &routing) || ioctl(v->vm, KVM_IRQFD, &irqfd) ||
	    ioctl(v->vm, KVM_IOEVENTFD, &door))
		return fail("ioeventfd and irqfd");
	return 0;
}

static int make_vm(struct vm *v)
{
	struct kvm_userspace_memory_region memory = {.memory_size = MEMORY_BYTES};
	int bytes;

	v->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (v->kvm < 0)
		return fail("/dev/kvm");
	/* Where devices are and doorbells shall be, there is no memory. */
	memory.memory_size = DOOR_SEGMENT;
	memory.userspace_addr = (uintptr_t)v->memory;
	v->vm = ioctl(v->kvm, KVM_CREATE_VM, 0);
	if (v->vm < 0 || ioctl(v->vm, KVM_CREATE_IRQCHIP, 0) ||
	    ioctl(v->vm, KVM_SET_USER_MEMORY_REGION, &memory))
		return fail("a VM");
	v->vcpu = ioctl(v->vm, KVM_CREATE_VCPU, 0);
	bytes = ioctl(v->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (v->vcpu < 0 || bytes < (int)sizeof(*v->run))
		return fail("a virtual CPU");
	v->run = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED, v->vcpu, 0);
	return v->run == MAP_FAILED ? fail("a virtual CPU") : 0;
}

static int begin_at_code(struct vm *v, uint16_t requests)
{
	struct kvm_regs regs = {
		.rip = CODE, .rsp = STACK_TOP, .rflags = 2, .rcx = requests, .rdx = DOOR_PORT};
	struct kvm_mp_state runnable = {.mp_state = KVM_MP_STATE_RUNNABLE};
	struct kvm_sregs sregs;
	struct kvm_lapic_state apic;
	uint32_t enabled = APIC_ENABLED;

	if (ioctl(v->vcpu, KVM_GET_SREGS, &sregs) || ioctl(v->vcpu, KVM_GET_LAPIC, &apic))
		return fail("registers");
	sregs.cs.base = sregs.cs.selector = 0;
	sregs.es.base = APIC;
	sregs.fs.base = DOOR_SEGMENT;
	memcpy(apic.regs + APIC_SPURIOUS, &enabled, sizeof(enabled));
	if (ioctl(v->vcpu, KVM_SET_SREGS, &sregs) || ioctl(v->vcpu, KVM_SET_LAPIC, &apic) ||
	    ioctl(v->vcpu, KVM_SET_REGS, &regs) || ioctl(v->vcpu, KVM_SET_MP_STATE, &runnable))
		return fail("registers");
	return 0;
}

static void load_guest(struct vm *v, unsigned int round, bool port)
{
	const uint16_t vector[2] = {HANDLER, 0};
	const uint16_t avail = AVAIL(round, 1) + 2, used = USED(round, 1) + 2;

	memcpy(v->memory + CODE, code, sizeof(code));
	memcpy(v->memory + CODE + DOOR_AT, port ? port_door : memory_door, sizeof(port_door));
	for (size_t i = 0; i < ARRAY_SIZE(avail_at); i++)
		memcpy(v->memory + CODE + avail_at[i], &avail, sizeof(avail));
	memcpy(v->memory + CODE + used_at, &used, sizeof(used));
	memcpy(v->memory + HANDLER, handler, sizeof(handler));
	memcpy(v->memory + VECTOR_TABLE + VECTOR * 4, vector, sizeof(vector));
}

/* Every request is the chain with head 0, which is what the avail ring's entries are. */
static void put_request(struct vm *v, unsigned int round, uint32_t opcode, const void *args,
			uint32_t arg_bytes)
{
	struct fuse_header header = {.len = (uint32_t)sizeof(header) + arg_bytes,
				     .opcode = opcode,
				     .unique = 2,
				     .nodeid = 1};
	const struct ring_desc desc[2] = {
		{.addr = HEADER, .len = header.len, .flags = 1, .next = 1},
		{.addr = REPLY, .len = 256, .flags = 2},
	};

	memcpy(v->memory + HEADER, &header, sizeof(header));
	memcpy(v->memory + HEADER + sizeof(header), args, arg_bytes);
	memcpy(v->memory + QUEUE(round, 1), desc, sizeof(desc));
}

/* Until the guest is through. */
static int run_guest(struct vm *v, uint16_t requests)
{
	int32_t error;

	if (begin_at_code(v, requests))
		return -1;
	for (;;) {
		if (ioctl(v->vcpu, KVM_RUN, 0))
			return fail("KVM_RUN");
		if (v->run->exit_reason == KVM_EXIT_IO && v->run->io.port == DONE_PORT)
			break;
		fprintf(stderr, "kvm_guest: the guest ended with %u\n", v->run->exit_reason);
		return -1;
	}
	memcpy(&error, v->memory + REPLY + 4, sizeof(error));
	if (error)
		fprintf(stderr, "kvm_guest: the daemon answered with error %d\n", -error);
	return error ? -1 : 0;
}

/* The requests of one round, once a line says so. */
static int play(struct vm *v, unsigned int round, uint16_t requests)
{
	const uint64_t getattr[2] = {};
	uint16_t counters[2] = {};

	memcpy(v->memory + COUNTERS, counters, sizeof(counters));
	put_request(v, round, 3, getattr, sizeof(getattr));
	puts("ready");
	fflush(stdout);
	getchar();
	if (run_guest(v, requests))
		return -1;
	memcpy(counters, v->memory + COUNTERS, sizeof(counters));
	printf("{\"requests\": %u, \"doorbells\": %u, \"interrupts\": %u}\n", requests, counters[1],
	       counters[0]);
	fflush(stdout);
	return 0;
}

static int serve(struct vm *v, const char *path, uint16_t requests, bool port, unsigned int rounds)
{
	const uint32_t init[4] = {7, 31, 65536, 0}; /* version, max_readahead, flags */

	if (make_memory(v) || make_vm(v) || wire(v, port) || connect_daemon(v, path))
		return -1;
	load_guest(v, 0, port);
	put_request(v, 0, 26, init, sizeof(init));
	if (run_guest(v, 1) || play(v, 0, requests))
		return -1;
	for (unsigned int i = 1; i < rounds; i++) {
		if (stop_queues(v, i - 1) || tell_queues(v, i))
			return -1;
		load_guest(v, i, port);
		if (play(v, i, requests))
			return -1;
	}
	while (getchar() != EOF)
		;
	return 0;
}

int main(int argc, char **argv)
{
	struct vm v = {};
	long requests = argc >= 4 ? strtol(argv[2], NULL, 10) : 0;
	long rounds = argc == 5 ? strtol(argv[4], NULL, 10) : 1;

	if (requests < 1 || requests > 30000 || rounds < 1 || rounds > 100) {
		fprintf(stderr, "usage: kvm_guest SOCKET REQUESTS port|memory [ROUNDS]\n");
		return 2;
	}
	return serve(&v, argv[1], (uint16_t)requests, !strcmp(argv[3], "port"),
		     (unsigned int)rounds)
		       ? 1
		       : 0;
}
