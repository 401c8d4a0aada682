/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of a running simulation, shared by the files of sim/ and by nobody else: struct sim is
 * one VM with its transport and daemon. What the VMs share is in host.h.
 */
#ifndef VFSCOPE_SIM_MODEL_H
#define VFSCOPE_SIM_MODEL_H

#include "lib/compiler.h"
#include "lib/rng.h"
#include "sim/directory.h"
#include "sim/host.h"
#include "sim/kernel_rules.h"
#include "sim/open_file.h"
#include "sim/rw_lock.h"

#define PAGE_BYTES 4096u
#define ROOT_NODEID 1u
#define HIPRIO_QUEUE 0u
/*
 * A runner's random stream is this plus its slot within its VM. Workloads number theirs from 0,
 * under the same seed: were they shared, arrivals and costs would be drawn alike.
 */
#define RUNNER_STREAMS (1ULL << 32)

struct thread;
struct file;
struct aio;

/* Who takes a request's end, besides a waiting thread. */
enum request_use {
	USE_NONE,
	USE_PAGES_READ, /* fills pages first_page .. + nr_pages of file */
	USE_PAGES_WRITTEN, /* ends their writeback */
	USE_PAGES_LOCKED, /* write-through: holds a page locked until its reply */
	USE_AIO, /* part of a direct op whose parts go in parallel */
};

/* What a request is about, as far as it matters to the tables and locks of its daemon. */
struct request_subject {
	bool has_handle; /* SETATTR of an open file */
	bool one_did_not_fit; /* READDIRPLUS: there are more names than its reply takes */
	uint16_t nr_known; /* names looked up of inodes that the guest knows, */
	uint16_t nr_new; /* and of others. RENAME: nr_known, if the new name is there */
};

struct request {
	struct request *next; /* in whichever list it is */
	struct thread *waiter; /* synchronous: who sleeps on it */
	struct file *file;
	struct aio *aio;
	enum request_use use;
	bool ended;
	bool host_direct; /* the daemon has the file open with O_DIRECT */
	bool may_block; /* completed by a second work item */
	bool op_is_left; /* ended; a second work item ends its op */
	uint32_t queue;
	uint32_t ring_slots;
	uint64_t first_page;
	uint32_t nr_pages;
	struct request_subject about;
	uint32_t nr_ranges; /* SETUPMAPPING, REMOVEMAPPING: each is a mapping of the VMM */
	struct thread *page_waiters; /* threads that wait for its pages */
	uint64_t t_left_ns; /* left the background queue */
	uint64_t t_added_ns; /* attempt that succeeded began */
	uint64_t t_visible_ns;
	uint64_t t_taken_ns;
	uint64_t t_started_ns;
	uint64_t t_used_ns;
	uint64_t t_irq_ns;
	uint64_t t_work_ns;
	uint64_t t_turn_ns;
	uint64_t t_end_ns;
	struct span span;
};

struct request_list {
	struct request *first;
	struct request *last;
};

struct virtqueue {
	uint32_t index;
	uint32_t nr_free;
	uint32_t in_flight;
	struct request_list avail; /* visible, not yet popped by the daemon */
	struct request_list used; /* published, not yet collected by the guest */
	struct request_list retry; /* found the ring full */
	uint64_t avail_idx; /* entries ever made visible; the ring's index without its wrap */
	uint64_t avail_event; /* kick when entry number avail_event becomes visible */
	bool no_notify; /* without EVENT_IDX: the daemon asked for no kicks */
	bool call_armed; /* the next publication interrupts the guest */
	bool irq_again; /* interrupt came while the completion work ran */
	uint32_t nr_notifying; /* found it full, ring the doorbell and hold fsvq->lock */
	bool collect_waits; /* completion work waits for that lock */
	uint64_t t_irq_ns;
	uint32_t daemon; /* index of the daemon thread that serves it */
	bool kick_pending; /* the thread has not read the kick yet */
	uint64_t kick_order;
};

/* An asynchronous op in flight, or the parts of a synchronous one that go in parallel. */
struct aio {
	struct aio *next;
	struct thread *task;
	struct file *file;
	struct op_record op;
	uint32_t parts; /* requests not ended, plus one while it is being submitted */
	bool blocking; /* its task waits for it inside the op */
	uint64_t bytes;
};

struct page_chunk;

struct file {
	uint32_t index;
	uint64_t nodeid;
	bool was_used; /* as a file: another gets a nodeid of its own */
	enum workload_file_type type;
	struct directory *directory; /* if it is one */
	uint32_t link_text; /* of a symbolic link: the workload's path that it says */
	uint32_t nr_links; /* entries that name it */
	uint32_t nr_names_cached; /* that the guest knows; at 0 the inode is forgotten */
	uint32_t nr_open;
	uint64_t size_bytes; /* i_size in the guest */
	uint64_t host_size_bytes;
	uint64_t attr_until_ns; /* 0: never looked up */
	bool mode_stale; /* mode or owner invalid: GETATTR before permissions are checked */
	bool is_listed; /* last told of by READDIRPLUS: FUSE_I_INIT_RDPLUS */
	bool attr_stale; /* size invalid: GETATTR before it is used */
	bool stat_stale; /* access time or blocks invalid: GETATTR at stat(2) */
	bool host_newer; /* host mtime moved on: GETATTR's reply drops cached pages */
	bool times_dirty; /* writeback: SETATTR due */
	uint64_t mtime_tick; /* writeback: timer tick of the last local mtime */
	struct rw_lock lock; /* i_rwsem */
	/* Page cache: chunks of page slots by index, NULL where never cached. */
	struct page_chunk **chunks;
	uint64_t nr_chunks;
	uint64_t nr_cached;
	uint64_t nr_dirty;
	uint64_t nr_writeback;
	uint64_t dirtied_when_ns;
	uint64_t writeback_index; /* page at which the flusher goes on */
	struct mapping *mappings;
	bool outdated; /* attributes came that say so: cached pages are to be dropped */
};

/* What a cached read waited for last. */
enum read_end {
	READ_ENDS_WITH_HIT, /* nothing */
	READ_ENDS_WITH_REQUEST, /* a READ of its own */
	READ_ENDS_WITH_PAGE, /* a page that read-ahead fills */
};

/* Flow positions and what survives waits. One member per flow function, named after it. */
struct thread {
	uint32_t slot;
	uint32_t index;
	struct rng rng;
	bool blocked;
	struct thread *wait_next;

	struct {
		int at;
		enum rw_want want; /* of the lock it waits for */
		uint64_t t_began_ns;
	} rw;
	/* the request being sent or waited for, the aio being built */
	struct {
		int at;
		struct request *req;
		uint32_t reply_bytes;
	} simple;
	struct {
		int at;
		struct request *req;
		bool force;
	} background;
	struct {
		int at;
		bool background; /* the request that just ended was one */
	} flush;
	struct {
		int at;
		int full_at;
		struct request *req;
		bool is_full; /* the last try found the ring full */
		uint64_t doorbell_ns;
	} send;
	/* tasks */
	const struct workload_task *spec;
	struct open_file **files;
	struct {
		int at;
		uint64_t t_started_ns;
		uint64_t t_prev_end_ns;
		bool have_op;
		uint32_t nr_still; /* ops since simulated time last moved */
		bool waits_for_aio; /* in io_getevents() */
		bool pauses; /* between ops: what ends meanwhile is taken at once */
	} task;
	struct workload_op op;
	struct file *file; /* the op's, if it has it open */
	struct op_record record;
	bool issued_async; /* the op went on without its task */
	struct {
		int at;
		uint64_t pos;
		uint64_t left;
		uint64_t done;
		uint32_t part;
		struct aio *aio;
		bool parallel; /* all parts at once, as background requests */
		bool blocking; /* the task waits for them */
	} dio;
	struct {
		int at;
	} parts;
	struct {
		int at;
		uint64_t page;
		uint64_t end; /* page behind the last */
		uint64_t asked_end; /* the same, also beyond the end of the file */
		uint64_t pos;
		uint64_t left;
		uint32_t count;
		uint32_t nr_pages;
		bool prepared;
		bool waited; /* write: for a READ */
		enum read_end finish;
	} io;
	struct {
		int at;
	} fill;
	struct {
		int at;
		uint32_t file;
	} sync, unmap_all;
	struct fault_flow fault;
	struct unmap_flow unmap;
	struct {
		int at;
		uint64_t page;
	} launder;
	struct {
		int at;
		struct entry *entry;
	} release;
	struct {
		int at;
	} meta, evict;
	struct path_flow path;
	struct {
		int at;
		struct aio *aio;
	} reap;
	struct {
		int at;
		struct read_ahead *state;
		struct request_list made;
	} ra;
	struct {
		int at;
		uint64_t next;
		uint64_t last; /* page written */
		uint64_t first; /* pages to write: from first to before end */
		uint64_t end;
	} wb;
	struct {
		int at;
	} pages;
	struct {
		int at;
		uint32_t nr_dirtied; /* pages since the dirty limits were last looked at */
		uint32_t check_after; /* look again when it is this many */
		uint64_t paused_at; /* timer tick up to which the task has paid for its pages */
		bool again; /* over the limit: no end of pauses until it is below */
	} throttle;
	struct {
		int at;
		bool idle; /* waits for a kick, or for the end of its period */
		bool has_period;
		bool kicked;
		bool over; /* this pass takes every dirty file */
		uint64_t nr_dirty; /* when it began */
		uint32_t file;
	} flusher;
	uint32_t aio_in_flight;
	struct aio *aio_pool;
	struct aio *aio_free; /* of the pool, not in use */
	struct aio *reap_first; /* ended, not yet seen by the task */
	struct aio *reap_last;

	/* kworkers */
	struct {
		int at;
		struct request_list inline_list;
		struct request_list deferred;
		int complete_at;
		struct request *req;
		bool is_hop; /* req is completed by a work item of its own */
		bool starts_dispatch;
		bool again; /* scheduled while it ran */
	} work;
};

struct page_cache;

/* The device's rates in pages a second, as dirty_throttle.c estimates them. */
struct dirty_rates {
	uint64_t dirtied; /* pages ever */
	uint64_t written;
	uint64_t dirtied_then; /* at the last estimate, */
	uint64_t written_then;
	uint64_t tick; /* which was at this timer tick */
	uint64_t write_rate;
	uint64_t average_write_rate;
	uint64_t rate_limit; /* of a task */
	uint64_t balanced_rate_limit;
	bool has_share; /* its share of the dirty limit is no longer zero */
	bool exceeded; /* more than the limit is dirty */
};

#define MAX_VCPUS 1024u

struct guest_cpus {
	uint32_t nr;
	uint64_t idle[MAX_VCPUS / 64]; /* one bit each */
	struct cpu_pool any; /* all of them, and who waits for whichever comes free first */
	struct cpu_pool *own; /* each by itself, and who waits for that one */
	uint64_t nr_waits;
};

struct sim {
	struct host *host;
	uint32_t index; /* its number on the host */
	uint64_t seed;
	int stop; /* what a sink or stream returned, or -ENOMEM; -ECANCELED: a limit was reached */
	const struct stack *stack;
	struct workload *workload;
	const struct sim_options *options;
	const struct sim_sink *sink;
	struct sim_stats stats;
	struct kernel_rules rules;

	uint32_t first_slot[NR_RUNNER_KINDS];
	struct guest_cpus guest_cpus;

	struct thread *threads; /* tasks, then kworkers in the order of enum runner_kind */
	uint32_t nr_threads;
	uint32_t nr_tasks;
	struct thread *done_work; /* one per queue */
	struct thread *dispatch_work;
	struct thread *flusher;
	uint32_t group;
	uint32_t tasks_left_in_group;
	uint32_t tasks_left;

	struct file *files; /* of each path of the workload, then the root and more */
	uint32_t nr_files;
	struct file *root;
	struct names *names;
	struct rw_lock rename_lock; /* s_vfs_rename_mutex */
	struct page_cache *cache;
	uint64_t nr_dirty; /* pages of all files */
	uint64_t nr_writeback;
	struct dirty_rates dirty;
	struct dax *dax; /* dax.h; NULL unless the mode is dax */

	/* fuse_conn */
	uint64_t unique;
	uint32_t max_pages;
	uint32_t num_background;
	uint32_t active_background;
	uint32_t congestion_threshold;
	bool background_blocked;
	struct request_list background_queue;
	struct thread *blocked_first;
	struct thread *blocked_last;
	bool no_getxattr;
	bool no_copy_64;

	struct virtqueue *queues;
	uint32_t nr_queues;
	uint64_t kicks_sent;
	uint64_t jiffy_ns;
	uint64_t jiffy_phase_ns;

	struct daemon_thread *daemons;
	uint32_t nr_daemons;
	struct worker *workers;
	struct daemon_locks *daemon_locks;
	bool daemon_locks_matter;
	uint32_t nr_workers;

	struct request *free_requests;
	struct request_chunk *request_chunks;
};

static inline uint64_t sim_cost(struct sim *sim, struct rng *rng, enum cost cost)
{
	return sampler_draw(&sim->host->cost[cost], rng);
}

static inline void runner_rng_init(const struct sim *sim, struct rng *rng, uint32_t slot)
{
	rng_init(rng, sim->seed, RUNNER_STREAMS + slot - sim->first_slot[RUN_TASK]);
}

static inline void list_append(struct request_list *list, struct request *req)
{
	req->next = NULL;
	if (list->last)
		list->last->next = req;
	else
		list->first = req;
	list->last = req;
}

static inline struct request *list_take(struct request_list *list)
{
	struct request *req = list->first;

	if (!req)
		return NULL;
	list->first = req->next;
	if (!list->first)
		list->last = NULL;
	return req;
}

/* cpu.c: every function that returns bool says whether the caller must now wait. */
int guest_cpus_init(struct sim *sim);
void guest_cpus_release(struct sim *sim);
bool cpu_burst(struct sim *sim, uint32_t slot, uint64_t ns);
/* The burst is over: its CPUs go to others, but that of a turn only after what follows the wait. */
void cpu_release(struct host *host, struct runner *runner);
void cpu_release_turn(struct host *host, struct runner *runner);
/* Wait for a CPU to be free, as a thread that became runnable does. */
bool cpu_wait_turn(struct sim *sim, uint32_t slot);

static inline bool thread_spend(struct sim *sim, struct thread *th, uint64_t ns)
{
	return ns && cpu_burst(sim, th->slot, ns);
}

static inline bool thread_spend_cost(struct sim *sim, struct thread *th, enum cost cost)
{
	return thread_spend(sim, th, sim_cost(sim, &th->rng, cost));
}

/* The guest CPU that the thread runs on. */
static inline uint32_t thread_cpu(const struct sim *sim, const struct thread *th)
{
	return sim->host->runners[th->slot].cpu;
}

static inline bool thread_block(struct thread *th)
{
	th->blocked = true;
	return true;
}

static inline bool thread_sleep_until(struct sim *sim, struct thread *th, uint64_t time_ns)
{
	if (time_ns <= sim->host->now_ns)
		return false;
	eventq_arm(&sim->host->events, th->slot, time_ns);
	return true;
}

static inline void thread_wake_after(struct sim *sim, struct thread *th, uint64_t delay_ns)
{
	th->blocked = false;
	eventq_arm(&sim->host->events, th->slot, sim->host->now_ns + delay_ns);
}

/* request.c */
struct request *request_new(struct sim *sim, uint32_t opcode, const struct file *file);
void request_free(struct sim *sim, struct request *req);
void requests_release(struct sim *sim);
/* READ or WRITE: sizes and descriptors for nr_pages pages. */
void request_set_data(struct request *req, uint64_t offset, uint32_t size, uint32_t nr_pages);
/* The span of a request whose end and wake-up are known, to the sink. */
void request_report(struct sim *sim, struct request *req, uint64_t wakeup_ns);

/* queue_map.c */
uint32_t queue_of_cpu(const struct sim *sim, uint32_t cpu);
uint32_t irq_cpu_of_queue(const struct sim *sim, uint32_t queue);

/* virtqueue.c; flows marked FLOW are called through FLOW_CALL */
void virtqueues_init(struct sim *sim);
/* Put req into the ring. -ENOSPC, or 0 with *kick. */
int virtqueue_add(struct sim *sim, struct request *req, bool *kick);
bool send_request(struct sim *sim, struct thread *th); /* FLOW: th->send.req */
void virtqueue_kick(struct sim *sim, struct virtqueue *vq);
void virtqueue_publish(struct sim *sim, struct request *req);
void virtqueue_irq(struct sim *sim, struct virtqueue *vq);
void done_work_run(struct sim *sim, struct thread *th);
void dispatch_work_run(struct sim *sim, struct thread *th);

/* fuse_client.c: FLOWs */
bool simple_request(struct sim *sim, struct thread *th); /* th->simple.req; frees it */
bool simple_background(struct sim *sim, struct thread *th); /* th->background.req, .force */
bool flush_background(struct sim *sim, struct thread *th);
/* Says whether req stays, to be given to request_end_op() by a second work item. */
bool request_end(struct sim *sim, struct request *req);
void request_end_op(struct sim *sim, struct request *req);
bool send_forget(struct sim *sim, struct thread *th, const struct file *file);
void forget_issue(struct sim *sim, struct thread *th, struct request *req); /* not a FLOW */

/* virtqueue.c: the next tick of the guest's timer after at least one whole jiffy has begun. */
uint64_t next_jiffy(const struct sim *sim);

/* task.c */
int tasks_init(struct sim *sim);
void tasks_release(struct sim *sim);
void tasks_start_group(struct sim *sim);
void task_run(struct sim *sim, struct thread *th);
struct open_file *task_open_file(struct sim *sim, struct thread *th);
void task_file_opened(struct sim *sim, struct thread *th, struct place *place);
struct aio *aio_new(struct thread *th, bool blocking);
void aio_release(struct thread *th, struct aio *aio);
/* Says whether the op has ended but for a work item, which then calls aio_finish(). */
bool aio_put_part(struct sim *sim, struct aio *aio, uint32_t bytes);
void aio_finish(struct sim *sim, struct aio *aio);

/* direct_io.c, file_ops.c: FLOWs; the op is th->op */
bool file_is_direct(const struct sim *sim, const struct thread *th);
bool direct_read(struct sim *sim, struct thread *th);
bool direct_write(struct sim *sim, struct thread *th);
/* The op's bytes in WRITEs one after the other, and nothing around them. */
bool direct_write_parts(struct sim *sim, struct thread *th);
bool file_open(struct sim *sim, struct thread *th);
bool file_close(struct sim *sim, struct thread *th);
/* The last user of an open file is gone: RELEASE. */
bool file_release(struct sim *sim, struct thread *th, struct file *file, struct open_file *open);
/* fsync() of the dirty pages from first to before end. */
bool file_sync_range(struct sim *sim, struct thread *th, uint64_t first, uint64_t end);
/* A request on the file without more to it than its opcode. */
bool send_simple(struct sim *sim, struct thread *th, uint32_t opcode, const struct file *file);
bool send_about(struct sim *sim, struct thread *th, uint32_t opcode, const struct file *file,
		struct request_subject about);
bool send_release(struct sim *sim, struct thread *th, uint32_t opcode, const struct file *file);
/* The last name that the guest knew and the last opener are gone. */
bool file_evict(struct sim *sim, struct thread *th, struct file *file);
/* What attributes have told of: pages older than the host's file are dropped. */
bool file_drop_outdated(struct sim *sim, struct thread *th, struct file *file);
/* Not FLOWs: what a reply with attributes tells, and until when. */
void file_take_attributes(struct sim *sim, struct file *file);
uint64_t valid_until(const struct sim *sim, uint64_t timeout_ns);
/* truncate_inode_pages_range(): pages go, dirty or not; what is in I/O is waited for. */
bool file_drop_range(struct sim *sim, struct thread *th, struct file *file, uint64_t first,
		     uint64_t end);
/* truncate_pagecache(): the same of those behind the end. */
bool file_drop_behind(struct sim *sim, struct thread *th, struct file *file);
bool file_copy(struct sim *sim, struct thread *th);
/* What an op is about if it needs no walk. A recording may begin with files open. */
struct file *task_file(const struct sim *sim, const struct thread *th, uint32_t path);
/* Not a FLOW: fuse_write_update_attr(), sizes grow, attributes must be asked for again. */
void file_written(struct sim *sim, struct file *file, uint64_t end);
/* SETATTR of the times that the guest keeps. */
bool send_times(struct sim *sim, struct thread *th, struct file *file);
static inline bool opens_truncating(const struct thread *th)
{
	return th->op.flags & OP_TRUNCATES && th->record.type != OP_CREATE;
}
bool file_remove_privs(struct sim *sim, struct thread *th, struct file *file);
/* GETATTR if the attributes are too old or the size is known to be wrong. */
bool file_update_attr(struct sim *sim, struct thread *th, struct file *file);
/* Not a FLOW. The inode's times change: in writeback mode they are to be sent one day. */
void file_update_time(struct sim *sim, struct file *file);
/* Not FLOWs: inode_lock() says whether the caller must wait to get it. */
bool inode_lock(struct thread *th, struct file *file);
void inode_unlock(struct sim *sim, struct file *file);

/* page_cache.c is in page_cache.h; read_ahead.c, cached_read.c, cached_write.c, writeback.c: FLOWs
 */
enum writeback_how {
	WRITEBACK_START, /* WB_SYNC_NONE: send what is dirty, and the times */
	WRITEBACK_SEND, /* the same without the times */
	WRITEBACK_DATA, /* send and wait, without the times */
	WRITEBACK_SYNC, /* WB_SYNC_ALL: send and wait, then the times */
};

void read_ahead_init(struct sim *sim, struct read_ahead *ra, uint32_t open_flags);
/*
 * Read ahead for the task's open file: it misses page index and wants asked pages from there on, or
 * it reached a marker. Returns when the READs are sent, not when they end.
 */
bool read_ahead(struct sim *sim, struct thread *th, struct file *file, uint64_t index,
		uint32_t asked, bool marker);
bool cached_read(struct sim *sim, struct thread *th);
/* Read one page and wait: read_folio(), or the read-modify of a partly written one. */
bool read_page(struct sim *sim, struct thread *th, struct file *file, uint64_t index,
	       enum span_class cls);
bool cached_write(struct sim *sim, struct thread *th);
bool writeback_file(struct sim *sim, struct thread *th, struct file *file, enum writeback_how how);
/* Send and wait for the dirty pages of the task's op only, without the times. */
bool writeback_op_range(struct sim *sim, struct thread *th, struct file *file);
void flusher_run(struct sim *sim, struct thread *th);
/* There are dirty pages now. */
void writeback_dirtied(struct sim *sim);
/* There are too many of them. */
void writeback_start_background(struct sim *sim);
/* A WRITE of dirty pages ended. */
void writeback_ended(struct sim *sim, struct request *req);

/* dirty_throttle.c */
void dirty_throttle_init(struct sim *sim);
uint64_t dirty_limit(const struct sim *sim); /* pages, of all files */
uint64_t dirty_background_limit(const struct sim *sim);
void dirty_written(struct sim *sim, uint32_t nr_pages);
/* FLOW: a task that made pages dirty may have to pause. */
bool dirty_throttle(struct sim *sim, struct thread *th);

#endif
