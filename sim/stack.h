/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stack to simulate: one guest kernel, VMM, daemon and backing store with its settings and costs.
 *
 * models/ reads these from model files and calibrate writes them; --set SECTION.KEY=VALUE changes
 * one. Settings decide which requests are sent; costs decide how long each step takes.
 */
#ifndef VFSCOPE_SIM_STACK_H
#define VFSCOPE_SIM_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/dist.h"
#include "lib/fuse_opcode.h"
#include "lib/mode.h"

enum daemon_kind {
	DAEMON_C, /* QEMU's C virtiofsd: one thread per queue */
	DAEMON_RUST, /* one epoll thread for hiprio and request queue, takes batches */
};

/* In which order the one thread of DAEMON_RUST serves its queues. */
enum queue_order {
	QUEUE_ORDER_KICKED, /* as they were kicked, a batch at a time */
	QUEUE_ORDER_PRIORITY, /* before each request the first that has one, hiprio before all */
};

/* --inode-file-handles: how the daemon refers to files that nobody has open. */
enum file_handles {
	FILE_HANDLES_NEVER, /* a descriptor for each */
	FILE_HANDLES_PREFER, /* if the host's file system has them */
	FILE_HANDLES_MANDATORY,
};

/* Whether listings begin with READDIRPLUS. */
enum readdirplus {
	READDIRPLUS_AUTO, /* unless the mode is direct */
	READDIRPLUS_NO,
	READDIRPLUS_YES,
};

/* [guest] */
struct guest_settings {
	uint32_t kernel; /* KERNEL(6, 1): data of sim/kernel_rules.c is chosen by it */
	uint32_t vcpus;
	uint64_t memory_bytes; /* sets dirty limits and the page cache's capacity */
	uint64_t read_ahead_bytes;
	uint32_t hz;
	uint32_t irq_cpu; /* takes the interrupts of queues that have no affinity of their own */
};

/* [transport] */
struct transport_settings {
	uint32_t queue_size; /* descriptors of each virtqueue */
	uint32_t request_queues;
	bool event_idx;
	bool indirect_desc;
};

/* [daemon] */
struct daemon_settings {
	enum daemon_kind kind;
	enum queue_order queue_order;
	enum io_mode mode;
	uint32_t thread_pool_size; /* 0: requests are served by the queue's own thread */
	uint32_t max_write_bytes;
	uint32_t max_pages;
	uint32_t max_background;
	uint64_t attr_timeout_ns;
	uint64_t entry_timeout_ns;
	bool keep_cache; /* FOPEN_KEEP_CACHE */
	bool cache_dir; /* FOPEN_CACHE_DIR */
	enum readdirplus readdirplus;
	bool xattr;
	bool async_dio;
	bool parallel_dirops;
	enum file_handles inode_file_handles;
	struct dist handle_open; /* open_by_handle_at() and close() */
	struct dist handle_name; /* name_to_handle_at() */
	bool locks;
	struct dist lock_hold; /* a table's lock, each time it is taken */
	struct dist lock_wakeup; /* of a thread that waited for a lock */
	bool allow_direct_io; /* O_DIRECT reaches the host's open */
};

/* [host] */
struct host_settings {
	uint32_t vms; /* VMs like this one, each with its daemon */
	uint32_t cpus; /* shared by vCPUs and daemon threads; 0: as many as wanted */
	bool same_directory; /* VMs share the same files, and the host caches them once */
};

/* [storage] */
struct storage_settings {
	uint32_t channels; /* operations the device serves at once; 0: host_io is as measured */
	struct dist read; /* latency of an operation, without its transfer */
	struct dist write;
	struct dist flush;
	uint64_t bandwidth; /* bytes/s of all channels; 0: transfers take no time */
	uint32_t max_io_bytes; /* of one operation */
	uint64_t cache_bytes; /* host page cache of all VMs; 0: none */
	uint64_t read_ahead_bytes;
	uint32_t dirty_background_percent; /* of the cache: writing begins */
	uint32_t dirty_limit_percent; /* of the cache: writers wait */
	bool warm; /* at the start the cache holds the files, as far as it can */
};

/* [dax]: costs that a model does not give have defaults, which it says (vfscope-model(5)). */
enum dax_cost {
	DAX_EPT_FAULT, /* g: first access to a page since its range was mapped: VM exit */
	DAX_PTE_FAULT, /* g: page fault of an mmap that maps 4 KiB */
	DAX_PMD_FAULT, /* g: page fault of an mmap that maps 2 MiB */
	NR_DAX_COSTS
};

struct dax_settings {
	uint64_t window_bytes; /* 0: the device has no window */
	bool huge_pages; /* guest: a page fault of an mmap maps 2 MiB where it can */
	bool host_huge_pages; /* an EPT fault maps 2 MiB */
	struct dist cost[NR_DAX_COSTS];
	uint32_t given; /* bit i: the model or --set gave cost i */
};

#define KERNEL(major, minor) ((major)*1000u + (minor))

/*
 * [costs]: one distribution each. COST_* names the model key in lower case.
 * "CPU" marks time in which a guest CPU (g) or a daemon thread (d) is busy.
 */
enum cost {
	COST_SYSCALL, /* g: application and system call between two ops of a task */
	COST_READ_HIT, /* g: cached read op without a request, first page */
	COST_READ_PREPARE, /* g: read op start -> request issued */
	COST_READ_FINISH, /* g: last request's wake-up -> read op end */
	COST_WRITE_HIT, /* g: writeback cached write op without a request, first page */
	COST_WRITE_PREPARE, /* g: write op start -> request issued */
	COST_WRITE_FINISH, /* g: last request's wake-up -> write op end */
	COST_ISSUE, /* g: request issued -> leaves the background queue, if it need not wait there
		     */
	COST_ENQUEUE, /* g: request leaves the background queue -> visible in the ring */
	COST_DOORBELL, /* g: virtqueue_notify: VM exit and back */
	COST_KICK, /* visible in the ring -> idle daemon takes it (kicked) */
	COST_POOL_HANDOFF, /* taken -> idle worker starts it */
	COST_INTERRUPT, /* used published -> guest interrupt handler */
	COST_KWORKER, /* g: interrupt handler -> completion work runs */
	COST_COMPLETE, /* g: completion work, per request, serial */
	COST_COMPLETE_HOP, /* g: completion in a work item of its own, beyond COMPLETE */
	COST_WAKEUP, /* request end -> waiting task runs */
	COST_FAULT, /* g: page fault of mapped memory, without what it waits for */
	COST_PAGE_WAKEUP, /* READ's end -> a task that waits for one of its pages has copied it */
	NR_COSTS
};

/* Linear in size: fixed distribution plus ns per byte. */
struct service_cost {
	bool known; /* false: this opcode was not in the trace; the default is used */
	struct dist cpu; /* d: parse, reply, locks */
	struct dist host_io; /* d: inside host file system calls, at zero bytes */
	double host_io_ns_per_byte;
	double cpu_ns_per_byte;
};

struct stack {
	char name[64];
	struct guest_settings guest;
	struct transport_settings transport;
	struct daemon_settings daemon;
	struct host_settings host;
	struct storage_settings storage;
	struct dax_settings dax;
	struct dist cost[NR_COSTS];
	double read_prepare_ns_per_page; /* each further page of the request: pinned, allocated */
	double write_prepare_ns_per_page; /* each further page of the request: pinned, copied */
	double read_hit_ns_per_page; /* each further page of a cached read */
	double write_hit_ns_per_page; /* each further page of a writeback write */
	double complete_ns_per_byte;
	struct service_cost service[FUSE_OPCODE_LIMIT];
	struct service_cost service_default;
};

/* How a setting's text is read and written; ranges are inclusive and hold for numbers. */
enum setting_type {
	SETTING_U32, /* uint32_t */
	SETTING_SIZE, /* uint64_t bytes: "128k" */
	SETTING_SIZE32, /* uint32_t bytes */
	SETTING_TIME, /* uint64_t ns: "1s" */
	SETTING_BOOL, /* bool: true or false */
	SETTING_DOUBLE, /* double, not negative */
	SETTING_KERNEL, /* uint32_t: KERNEL(), "6.1" */
	SETTING_CHOICE, /* enum (int): index into words */
	SETTING_DIST, /* struct dist */
};

/* One key of a model file. Offsets are into struct stack, or struct service_cost (see below). */
struct stack_setting {
	const char *section;
	const char *key;
	enum setting_type type;
	size_t offset;
	uint64_t min;
	uint64_t max;
	const char *const *words; /* SETTING_CHOICE: NULL-terminated */
	const char *meaning; /* with its unit if the type does not say it */
	uint32_t given_bit; /* of stack.dax.given: a cost that may be left out; 0: any other setting
			     */
	const char *stand_in; /* then this cost stands in; NULL: its default */
};

/* Every key of a stack outside its service times, in the order in which files are written. */
extern const struct stack_setting stack_settings[];
extern const unsigned int nr_stack_settings;

/* The keys of [service.OPCODE] and [service.default]; section is NULL. */
extern const struct stack_setting service_settings[];
extern const unsigned int nr_service_settings;

/* A stack of Debian 12 defaults with zero costs (the ideal model's base). */
void stack_init(struct stack *stack);

const char *dax_cost_name(enum dax_cost cost); /* "ept_fault": the key in [dax] */
const char *cost_name(enum cost cost); /* "kick": the key in [costs] */
const char *cost_meaning(enum cost cost); /* for docs and model file comments */

#endif
