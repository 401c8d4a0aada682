// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The defaults of a stack and the table of its settings, which the model file reader, its writer
 * and --set iterate over: a setting that is not in the table does not exist for users.
 */
#include <stdio.h>
#include <string.h>
#include "lib/compiler.h"
#include "sim/stack.h"

static const char *const daemon_words[] = {"c", "rust", NULL};
static const char *const queue_order_words[] = {"kicked", "priority", NULL};
static const char *const handle_words[] = {"never", "prefer", "mandatory", NULL};
static const char *const readdirplus_words[] = {"auto", "no", "yes", NULL};
static const char *const mode_words[] = {"direct", "writethrough", "writeback", "dax", NULL};

#define SETTING(sect, name, t, field, low, high, text)                                             \
	{                                                                                          \
		.section = #sect, .key = name, .type = t, .offset = offsetof(struct stack, field), \
		.min = low, .max = high, .meaning = text                                           \
	}
#define SETTING_WORDS(sect, name, field, list, text)                                               \
	{                                                                                          \
		.section = #sect, .key = name, .type = SETTING_CHOICE,                             \
		.offset = offsetof(struct stack, field), .max = ARRAY_SIZE(list) - 2,              \
		.words = list, .meaning = text                                                     \
	}
#define DAX_COST(id, name, instead, text)                                                          \
	{                                                                                          \
		.section = "dax", .key = name, .type = SETTING_DIST,                               \
		.offset = offsetof(struct stack, dax.cost) + (id) * sizeof(struct dist),           \
		.given_bit = 1u << (id), .stand_in = instead, .meaning = text                      \
	}
#define COST(id, name, text)                                                                       \
	{                                                                                          \
		.section = "costs", .key = name, .type = SETTING_DIST,                             \
		.offset = offsetof(struct stack, cost) + (id) * sizeof(struct dist),               \
		.meaning = text                                                                    \
	}

const struct stack_setting stack_settings[] = {
	SETTING(guest, "kernel", SETTING_KERNEL, guest.kernel, KERNEL(5, 4), KERNEL(99, 999),
		"guest kernel version; its rules decide which requests are sent"),
	SETTING(guest, "vcpus", SETTING_U32, guest.vcpus, 1, 1024, "guest CPUs"),
	SETTING(guest, "memory", SETTING_SIZE, guest.memory_bytes, 64ULL << 20, 1ULL << 46,
		"guest memory: sets the dirty limits and the page cache's capacity"),
	SETTING(guest, "read_ahead", SETTING_SIZE, guest.read_ahead_bytes, 0, 1ULL << 30,
		"largest read-ahead window (read_ahead_kb of the mount's bdi)"),
	SETTING(guest, "hz", SETTING_U32, guest.hz, 100, 1000, "guest timer ticks per second"),
	SETTING(guest, "irq_cpu", SETTING_U32, guest.irq_cpu, 0, 1023,
		"guest CPU interrupted by hiprio and, before 6.12, by all queues"),

	SETTING(transport, "queue_size", SETTING_U32, transport.queue_size, 8, 32768,
		"descriptors of each virtqueue; READ and WRITE carry at most this - 4 pages"),
	SETTING(transport, "request_queues", SETTING_U32, transport.request_queues, 1, 63,
		"request virtqueues; both virtiofsd serve only one; from 6.12 at most one a CPU"),
	SETTING(transport, "event_idx", SETTING_BOOL, transport.event_idx, 0, 1,
		"VIRTIO_RING_F_EVENT_IDX: kicks and interrupts are suppressed by ring index"),
	SETTING(transport, "indirect_desc", SETTING_BOOL, transport.indirect_desc, 0, 1,
		"VIRTIO_RING_F_INDIRECT_DESC: a request takes one descriptor of the ring"),

	SETTING_WORDS(daemon, "kind", daemon.kind, daemon_words,
		      "c: QEMU's virtiofsd, a thread per queue; rust: one thread, takes batches"),
	SETTING_WORDS(daemon, "queue_order", daemon.queue_order, queue_order_words,
		      "kind=rust without a pool; kicked: the queue kicked first, a batch at a "
		      "time; priority: before each request the first that has one, hiprio first"),
	SETTING_WORDS(daemon, "mode", daemon.mode, mode_words,
		      "how file data moves: cache=never is direct, auto is writethrough, "
		      "--writeback is writeback"),
	SETTING(daemon, "thread_pool_size", SETTING_U32, daemon.thread_pool_size, 0, 4096,
		"worker threads; 0: a queue's own thread serves its requests"),
	SETTING(daemon, "max_write", SETTING_SIZE32, daemon.max_write_bytes, 4096, 256ULL << 20,
		"largest WRITE the daemon accepts (INIT)"),
	SETTING(daemon, "max_pages", SETTING_U32, daemon.max_pages, 1, 65535,
		"largest number of pages in a request (INIT)"),
	SETTING(daemon, "max_background", SETTING_U32, daemon.max_background, 1, 65535,
		"background requests in flight (INIT; 12 is the kernel's own default)"),
	SETTING(daemon, "attr_timeout", SETTING_TIME, daemon.attr_timeout_ns, 0, UINT64_MAX,
		"how long the guest trusts attributes"),
	SETTING(daemon, "entry_timeout", SETTING_TIME, daemon.entry_timeout_ns, 0, UINT64_MAX,
		"how long the guest trusts names"),
	SETTING(daemon, "keep_cache", SETTING_BOOL, daemon.keep_cache, 0, 1,
		"FOPEN_KEEP_CACHE: opening a file keeps its cached pages (cache=always)"),
	SETTING(daemon, "cache_dir", SETTING_BOOL, daemon.cache_dir, 0, 1,
		"FOPEN_CACHE_DIR: the guest caches listings (cache=always, metadata); those of the "
		"C daemon only until the directory is opened again"),
	SETTING_WORDS(daemon, "readdirplus", daemon.readdirplus, readdirplus_words,
		      "READDIRPLUS for the begin of a listing; auto: unless the mode is direct, "
		      "as cache=never has it and cache=metadata has not"),
	SETTING(daemon, "xattr", SETTING_BOOL, daemon.xattr, 0, 1,
		"--xattr: the guest sends GETXATTR before each write"),
	SETTING(daemon, "async_dio", SETTING_BOOL, daemon.async_dio, 0, 1,
		"FUSE_ASYNC_DIO (INIT): O_DIRECT sends the parts of an op in parallel"),
	SETTING(daemon, "parallel_dirops", SETTING_BOOL, daemon.parallel_dirops, 0, 1,
		"FUSE_PARALLEL_DIROPS: names of one directory are looked up and listed at once"),
	SETTING_WORDS(daemon, "inode_file_handles", daemon.inode_file_handles, handle_words,
		      "--inode-file-handles of the Rust daemon, on a file system that has them"),
	SETTING(daemon, "handle_open", SETTING_DIST, daemon.handle_open, 0, 0,
		"daemon thread: open_by_handle_at() of a file that an op needs, and its close()"),
	SETTING(daemon, "handle_name", SETTING_DIST, daemon.handle_name, 0, 0,
		"daemon thread: name_to_handle_at() of a file that was looked up"),
	SETTING(daemon, "locks", SETTING_BOOL, daemon.locks, 0, 1,
		"threads of a pool wait for the daemon's locks"),
	SETTING(daemon, "lock_hold", SETTING_DIST, daemon.lock_hold, 0, 0,
		"daemon thread: a look at the tables of inodes or handles, under their lock"),
	SETTING(daemon, "lock_wakeup", SETTING_DIST, daemon.lock_wakeup, 0, 0,
		"a lock is given back -> the thread that waits for it runs"),
	SETTING(daemon, "allow_direct_io", SETTING_BOOL, daemon.allow_direct_io, 0, 1,
		"--allow-direct-io: O_DIRECT goes past the host's page cache, too"),

	SETTING(host, "vms", SETTING_U32, host.vms, 1, 4096,
		"VMs on the host; each runs the workload, with a daemon of its own"),
	SETTING(host, "cpus", SETTING_U32, host.cpus, 0, 4096,
		"host CPUs that vCPUs and daemon threads share; 0: as many as they want"),
	SETTING(host, "same_directory", SETTING_BOOL, host.same_directory, 0, 1,
		"VMs share the same files, and the host caches them once"),

	SETTING(storage, "channels", SETTING_U32, storage.channels, 0, 4096,
		"operations that the device serves at once; 0: no device, host_io is as measured"),
	SETTING(storage, "read", SETTING_DIST, storage.read, 0, 0,
		"device: latency of a read, without its transfer"),
	SETTING(storage, "write", SETTING_DIST, storage.write, 0, 0,
		"device: latency of a write, without its transfer"),
	SETTING(storage, "flush", SETTING_DIST, storage.flush, 0, 0,
		"device: latency of a cache flush, which ends an fsync"),
	SETTING(storage, "bandwidth", SETTING_SIZE, storage.bandwidth, 0, 1ULL << 50,
		"device: bytes per second that all channels share; 0: transfers take no time"),
	SETTING(storage, "max_io", SETTING_SIZE32, storage.max_io_bytes, 4096, 1 << 30,
		"largest operation of the device"),
	SETTING(storage, "cache", SETTING_SIZE, storage.cache_bytes, 0, 1ULL << 42,
		"host's page cache, of all VMs; 0: none"),
	SETTING(storage, "read_ahead", SETTING_SIZE, storage.read_ahead_bytes, 0, 1ULL << 30,
		"largest read-ahead window of the host (read_ahead_kb of the device)"),
	SETTING(storage, "dirty_background", SETTING_U32, storage.dirty_background_percent, 0, 100,
		"share of the cache that may be dirty before the host writes, percent"),
	SETTING(storage, "dirty_limit", SETTING_U32, storage.dirty_limit_percent, 1, 100,
		"share of the cache that may be dirty before writers wait, percent"),
	SETTING(storage, "warm", SETTING_BOOL, storage.warm, 0, 1,
		"the cache holds the files at the start, as far as it can"),

	COST(COST_SYSCALL, "syscall",
	     "guest CPU: application and system call between two ops of a task"),
	COST(COST_READ_HIT, "read_hit",
	     "guest CPU: cached read op without a request, up to its first page"),
	COST(COST_READ_PREPARE, "read_prepare", "guest CPU: read op's start -> request issued"),
	COST(COST_READ_FINISH, "read_finish",
	     "guest CPU: wake-up from the last request -> read op's end"),
	COST(COST_WRITE_HIT, "write_hit",
	     "guest CPU: writeback cached write op without a request, up to its first page"),
	COST(COST_WRITE_PREPARE, "write_prepare", "guest CPU: write op's start -> request issued"),
	COST(COST_WRITE_FINISH, "write_finish",
	     "guest CPU: wake-up from the last request -> write op's end"),
	COST(COST_ISSUE, "issue",
	     "guest CPU: request issued -> leaves the background queue, if it need not wait there"),
	COST(COST_ENQUEUE, "enqueue",
	     "guest CPU: request leaves the background queue -> visible in the ring"),
	COST(COST_DOORBELL, "doorbell", "guest CPU: virtqueue_notify, the VM exit and back"),
	COST(COST_KICK, "kick", "visible in the ring -> an idle daemon takes it (kicked)"),
	COST(COST_POOL_HANDOFF, "pool_handoff", "taken -> an idle worker starts it"),
	COST(COST_INTERRUPT, "interrupt", "used published -> guest interrupt handler"),
	COST(COST_KWORKER, "kworker", "guest CPU: interrupt handler -> completion work runs"),
	COST(COST_COMPLETE, "complete", "guest CPU: completion work, per request, serial"),
	COST(COST_COMPLETE_HOP, "complete_hop",
	     "guest CPU: completion in a work item of its own, before complete"),
	COST(COST_WAKEUP, "wakeup", "request's end -> the waiting task runs"),
	COST(COST_FAULT, "fault",
	     "guest CPU: page fault of mapped memory, without what it waits for"),
	COST(COST_PAGE_WAKEUP, "page_wakeup",
	     "READ's end -> a task that waits for one of its pages has copied it"),

	SETTING(costs, "read_prepare_ns_per_page", SETTING_DOUBLE, read_prepare_ns_per_page, 0, 0,
		"guest CPU: read_prepare, each further page of the request, ns"),
	SETTING(costs, "write_prepare_ns_per_page", SETTING_DOUBLE, write_prepare_ns_per_page, 0, 0,
		"guest CPU: write_prepare, each further page of the request, ns"),
	SETTING(costs, "read_hit_ns_per_page", SETTING_DOUBLE, read_hit_ns_per_page, 0, 0,
		"guest CPU: each further page of a cached read, ns"),
	SETTING(costs, "write_hit_ns_per_page", SETTING_DOUBLE, write_hit_ns_per_page, 0, 0,
		"guest CPU: each further page of a writeback write, ns"),
	SETTING(costs, "complete_ns_per_byte", SETTING_DOUBLE, complete_ns_per_byte, 0, 0,
		"guest CPU: completion work, per byte of the reply, ns"),

	SETTING(dax, "window_bytes", SETTING_SIZE, dax.window_bytes, 0, 1ULL << 40,
		"DAX window of the device, in ranges of 2 MiB; 0: it has none"),
	SETTING(dax, "huge_pages", SETTING_BOOL, dax.huge_pages, 0, 1,
		"page faults of an mmap map 2 MiB where file and mapping allow it"),
	SETTING(dax, "host_huge_pages", SETTING_BOOL, dax.host_huge_pages, 0, 1,
		"the host backs a range with one huge page: one EPT fault for it, not 512"),
	DAX_COST(DAX_EPT_FAULT, "ept_fault", NULL,
		 "guest CPU stopped: first access to a page since its range was mapped"),
	DAX_COST(DAX_PTE_FAULT, "pte_fault", "fault of [costs]",
		 "guest CPU: page fault of an mmap that maps 4 KiB, without what it waits for"),
	DAX_COST(DAX_PMD_FAULT, "pmd_fault", "fault of [costs]",
		 "guest CPU: page fault of an mmap that maps 2 MiB, without what it waits for"),
};
const unsigned int nr_stack_settings = ARRAY_SIZE(stack_settings);

#define SERVICE(name, t, field, text)                                                              \
	{                                                                                          \
		.key = name, .type = t, .offset = offsetof(struct service_cost, field),            \
		.meaning = text                                                                    \
	}

const struct stack_setting service_settings[] = {
	SERVICE("cpu", SETTING_DIST, cpu, "daemon thread: parsing, locks, reply"),
	SERVICE("host_io", SETTING_DIST, host_io,
		"daemon thread: inside the host's file system calls, at zero bytes"),
	SERVICE("host_io_ns_per_byte", SETTING_DOUBLE, host_io_ns_per_byte,
		"host_io for each byte of the request or its reply, ns"),
	SERVICE("cpu_ns_per_byte", SETTING_DOUBLE, cpu_ns_per_byte,
		"cpu for each byte of the request or its reply, ns"),
};
const unsigned int nr_service_settings = ARRAY_SIZE(service_settings);

static const struct stack_setting *cost_setting(enum cost cost)
{
	size_t offset = offsetof(struct stack, cost) + cost * sizeof(struct dist);

	for (unsigned int i = 0; i < nr_stack_settings; i++)
		if (stack_settings[i].type == SETTING_DIST && stack_settings[i].offset == offset)
			return &stack_settings[i];
	return NULL;
}

const char *cost_name(enum cost cost)
{
	const struct stack_setting *setting = cost_setting(cost);

	return setting ? setting->key : "?";
}

const char *cost_meaning(enum cost cost)
{
	const struct stack_setting *setting = cost_setting(cost);

	return setting ? setting->meaning : "?";
}

const char *dax_cost_name(enum dax_cost cost)
{
	for (unsigned int i = 0; i < nr_stack_settings; i++)
		if (stack_settings[i].given_bit == 1u << cost)
			return stack_settings[i].key;
	return "?";
}

/* docs/calibration.md says where these come from. */
static void dax_init_defaults(struct dax_settings *dax)
{
	dax->huge_pages = true;
	dist_const(&dax->cost[DAX_EPT_FAULT], 4000);
	dist_const(&dax->cost[DAX_PTE_FAULT], 0);
	dist_const(&dax->cost[DAX_PMD_FAULT], 0);
}

static void service_init(struct service_cost *service)
{
	dist_const(&service->cpu, 0);
	dist_const(&service->host_io, 0);
}

void stack_init(struct stack *stack)
{
	memset(stack, 0, sizeof(*stack));
	snprintf(stack->name, sizeof(stack->name), "ideal");
	stack->guest = (struct guest_settings){
		.kernel = KERNEL(6, 1),
		.vcpus = 2,
		.memory_bytes = 1ULL << 30,
		.read_ahead_bytes = 128 << 10,
		.hz = 250,
	};
	stack->transport = (struct transport_settings){
		.queue_size = 128, /* QEMU's vhost-user-fs-pci */
		.request_queues = 1,
		.event_idx = true,
		.indirect_desc = true,
	};
	stack->daemon = (struct daemon_settings){
		.kind = DAEMON_C,
		.mode = MODE_WRITETHROUGH, /* cache=auto */
		.max_write_bytes = 1 << 20,
		.max_pages = 256,
		.max_background = 12, /* the C daemon's INIT says 0: the kernel keeps its own 12 */
		.attr_timeout_ns = NS_PER_SEC,
		.entry_timeout_ns = NS_PER_SEC,
		.async_dio = true,
		.parallel_dirops = true,
	};
	/* Seen on ext4, kernel 6.18, where a stat of the same file takes 1.4 us. */
	dist_const(&stack->daemon.handle_open, 3300);
	dist_const(&stack->daemon.handle_name, 1400);
	dist_const(&stack->daemon.lock_hold, 0);
	dist_const(&stack->daemon.lock_wakeup, 0);
	stack->daemon.locks = true;
	stack->host.vms = 1;
	stack->storage = (struct storage_settings){
		.max_io_bytes = 1 << 20,
		.cache_bytes = 1ULL << 30,
		.read_ahead_bytes = 128 << 10,
		.dirty_background_percent = 10, /* vm.dirty_background_ratio, vm.dirty_ratio */
		.dirty_limit_percent = 20,
	};
	dist_const(&stack->storage.read, 0);
	dist_const(&stack->storage.write, 0);
	dist_const(&stack->storage.flush, 0);
	dax_init_defaults(&stack->dax);
	for (int i = 0; i < NR_COSTS; i++)
		dist_const(&stack->cost[i], 0);
	for (int i = 0; i < FUSE_OPCODE_LIMIT; i++)
		service_init(&stack->service[i]);
	service_init(&stack->service_default);
}
