/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's page cache and storage device behind the daemons' file system calls.
 *
 * Shared by all VMs. storage_device.c is the device, host_cache.c which pages are cached,
 * host_writeback.c when dirty ones are written, and host_io.c what a request waits for.
 */
#ifndef VFSCOPE_SIM_STORAGE_H
#define VFSCOPE_SIM_STORAGE_H

#include "lib/rng.h"
#include "sim/host.h"

struct file;
struct host_file;
struct host_io;
struct request;

enum device_op {
	DEVICE_READ,
	DEVICE_WRITE,
	DEVICE_FLUSH,
	NR_DEVICE_OPS
};

/* An operation of the device. */
struct device_io {
	struct device_io *next;
	enum device_op op;
	uint64_t bytes;
	struct host_file *file;
	uint64_t first_page; /* of the page cache, if nr_pages */
	uint32_t nr_pages;
	bool by_flusher;
	struct host_io *owner; /* counts it in its pending; or NULL */
	struct host_io *waiters; /* for its pages */
	/* writes of pages: in the file's list, in order of submission */
	uint64_t number;
	struct device_io *older_write;
	struct device_io *newer_write;
};

struct io_list {
	struct device_io *first;
	struct device_io *last;
};

struct channel {
	uint32_t slot;
	struct channel *next_idle;
	struct device_io *io;
};

enum host_page_flags {
	HOST_PAGE_READING = 1u << 0, /* not there yet */
	HOST_PAGE_WRITING = 1u << 1,
	HOST_PAGE_DIRTY = 1u << 2,
	HOST_PAGE_MARKER = 1u << 3, /* reading it starts the next read-ahead */
};

/* In one list at most: by age when clean and idle, else its file's dirty ones. 0 is no page. */
struct host_page {
	uint64_t index;
	struct device_io *io; /* that fills it, or the last that writes it */
	uint32_t file;
	uint32_t same_bucket;
	uint32_t older;
	uint32_t newer;
	uint32_t flags;
};

struct host_page_list {
	uint32_t oldest;
	uint32_t newest;
};

struct host_file {
	uint32_t index;
	struct host_page_list dirty;
	uint64_t dirtied_when_ns; /* since when there is a dirty page */
	struct host_file *next_dirty;
	uint64_t nr_writes; /* of pages, submitted */
	uint64_t nr_flushed; /* of them, before the last flush */
	struct device_io *oldest_write; /* in flight */
	struct device_io *newest_write;
	struct host_io *sync_waiters;
};

/* Where a daemon thread or worker stands in what its request asks of the host. */
struct host_io {
	uint32_t slot;
	int at;
	struct host_io *next; /* who waits for the same */
	struct host_file *file;
	uint64_t page;
	uint64_t end;
	uint64_t old_bytes; /* size of the file before a write */
	uint64_t number; /* of the last write that a sync waits for */
	uint64_t since_ns;
	uint32_t pending; /* operations of its own that have not ended */
};

struct storage {
	struct host *host;
	const struct storage_settings *settings;
	struct storage_stats stats;
	struct rng rng;
	/* device */
	struct sampler latency[NR_DEVICE_OPS];
	struct channel *channels;
	struct channel *idle;
	struct io_list waiting; /* for a channel */
	struct io_list transfers; /* the first is on the link */
	uint32_t link_slot;
	struct device_io *free_ios;
	/* page cache */
	struct host_page *pages;
	uint32_t nr_pages; /* numbers ever handed out, 0 with them */
	uint32_t room;
	uint32_t free_page; /* through newer */
	uint32_t nr_cached;
	uint32_t max_cached;
	uint32_t *buckets;
	uint32_t bucket_bits;
	struct host_page_list clean;
	struct host_file *files;
	uint32_t nr_files;
	/* dirty pages */
	uint64_t nr_dirty;
	uint64_t nr_writing;
	uint64_t dirty_limit;
	uint64_t dirty_background;
	struct host_file *dirty_first; /* by dirtied_when_ns */
	struct host_file *dirty_last;
	uint32_t flusher_slot;
	uint32_t nr_flusher_ios;
	struct host_io *throttled;
};

/* Makes host->storage if the stack has a device. 0 or -errno. */
int storage_init(struct host *host);
void storage_free(struct host *host);
/* A runner of the storage has its event. */
void storage_run(struct host *host, const struct runner *runner);

/* host_io.c, a FLOW: what the request of a VM waits for beside its own work on a CPU. */
bool host_io(struct sim *sim, struct host_io *w, const struct request *req);
void host_io_wake_all(struct host *host, struct host_io **list);

/* The host's file is gone with all that is cached of it: its place is another's. */
void host_file_gone(struct sim *sim, const struct file *file);

/* storage_device.c */
int device_init(struct storage *st);
void device_free(struct storage *st);
/* NULL when out of memory, with the run being stopped. */
struct device_io *device_io_new(struct storage *st, enum device_op op, uint64_t bytes);
void device_submit(struct storage *st, struct device_io *io);
void device_channel_run(struct storage *st, struct channel *channel);
void device_link_run(struct storage *st);
/* Tells pages and whoever waits that it ended, and frees it. In host_io.c. */
void device_io_ended(struct storage *st, struct device_io *io);

/* host_cache.c: pointers to pages are good until the next page is added. */
int host_cache_init(struct storage *st);
void host_cache_free(struct storage *st);
struct host_page *host_page_find(const struct storage *st, const struct host_file *file,
				 uint64_t index);
/* A page that is not there, in no list. NULL when out of memory, with the run being stopped. */
struct host_page *host_page_add(struct storage *st, const struct host_file *file, uint64_t index);
void host_page_drop(struct storage *st, struct host_page *page); /* clean and idle */
void host_page_now_clean(struct storage *st, struct host_page *page); /* youngest of its list */
void host_page_touch(struct storage *st, struct host_page *page); /* if clean and idle */
void host_page_list_add(struct storage *st, struct host_page_list *list, struct host_page *page);
void host_page_list_remove(struct storage *st, struct host_page_list *list, struct host_page *page);

/* host_writeback.c */
void host_page_set_dirty(struct storage *st, struct host_file *file, struct host_page *page);
/* Write dirty pages that follow each other, the file's oldest among them. */
struct device_io *host_write_dirty(struct storage *st, struct host_file *file);
/* Forget its first nr_pages pages, dirty or not, but those in I/O. */
void host_file_drop(struct storage *st, struct host_file *file, uint64_t nr_pages);
bool host_dirty_exceeded(const struct storage *st);
void host_writeback_ended(struct storage *st, struct device_io *io);
/* Write what is due and come back when more is. */
void host_flusher_run(struct storage *st);

#endif
