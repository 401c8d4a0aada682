/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What guest kernels do differently, as data: the model asks these rules, never the version.
 */
#ifndef VFSCOPE_SIM_KERNEL_RULES_H
#define VFSCOPE_SIM_KERNEL_RULES_H

#include <stdbool.h>
#include <stdint.h>

struct kernel_rules {
	/* A request that found the ring full is tried again after 1 jiffy, not at a completion. */
	bool ring_full_timer;
	/* Requests go to the queue mapped to the CPU; else all go to the first request queue. */
	bool queue_by_cpu;
	/* An asynchronous direct write ends in a work item that drops the pages in its way. */
	bool aio_write_ends_in_work;
	/* On FOPEN_DIRECT_IO files asynchronous I/O needs O_DIRECT to be asynchronous. */
	bool async_needs_o_direct;
	/* RELEASE is a background request. */
	bool release_async;
	/* A page under writeback was copied: rewriting it waits for the copy's WRITE. */
	bool rewrite_waits_for_writeback;
	/* The device's share of the dirty limit starts at zero and grows with its writeback. */
	bool dirty_share_starts_at_zero;
	/* A miss and a marker decide apart about read-ahead; else ondemand_readahead() does for both. */
	bool read_ahead_split;
	/* A window that a marker asks for ends at a multiple of 4 pages. */
	bool read_ahead_rounds_end;
	/* A window that was not wholly read, as the connection is congested, keeps its size. */
	bool read_ahead_keeps_size;
	/* A window that reaches the end of the file has no marker. */
	bool no_marker_at_end;
	/* As many cached pages before a miss as were looked for count as all of them, not one less. */
	bool history_counts_all;
	/* Read-ahead learns a read's position at its end, not after each batch of pages. */
	bool position_at_read_end;
	/* A read takes cached pages 31 at a time, not 15. */
	bool reads_31_pages;
	/* There is DAX at all. */
	bool dax;
	/* A fault that maps pages around its own takes one of the misses back, not one for each. */
	bool fault_around_counts_one;
	/* Writing to an FOPEN_DIRECT_IO file drops the cached pages that private mappings have. */
	bool fopen_direct_drops_pages;
	/* Background writeback starts at the device's background limit, not half way to its limit. */
	bool background_at_own_limit;
	/* Each create or unlink makes all attributes of the directory stale, its mode too. */
	bool dir_change_drops_attr;
	/* READDIR asks for as much as the application's buffer takes, not for a page. */
	bool readdir_fills_buffer;
	/* Its reply goes to pages, not through one buffer. */
	bool readdir_into_pages;
	/* Unmounting makes FORGETs, which go nowhere: the queue takes no more. */
	bool umount_forgets;
	/* Copies between files ask for the daemon's 64-bit opcode first. */
	bool copies_64;
	/* Whether a file may get another name is decided by its attributes. */
	bool link_checks_source;
};

/* The rules of KERNEL(major, minor): each names its fact in kernel_rules.c. */
void kernel_rules_get(uint32_t kernel, struct kernel_rules *rules);

#endif
