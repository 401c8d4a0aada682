// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Kernel behaviour by version: the one place in the simulator that knows version numbers.
 *
 * A rule holds from its first kernel to before its end. Read in the sources of 6.1.192, 6.12.117,
 * 6.18.15 and 7.2.12 and seen on running guests of those versions; kernels in between follow the
 * older one where the exact release is not known.
 */
#include <stddef.h>
#include <string.h>
#include "lib/compiler.h"
#include "sim/kernel_rules.h"
#include "sim/stack.h"

#define ALWAYS 0
#define STILL UINT32_MAX

struct rule {
	size_t offset; /* bool in struct kernel_rules */
	uint32_t first; /* holds for first <= kernel < end */
	uint32_t end;
	const char *fact;
};

#define RULE(field, from, until, text)                                                             \
	{                                                                                          \
		.offset = offsetof(struct kernel_rules, field), .first = from, .end = until,       \
		.fact = text                                                                       \
	}

static const struct rule rules_by_version[] = {
	RULE(ring_full_timer, ALWAYS, KERNEL(6, 12),
	     "virtio_fs_enqueue_req: -ENOSPC queues schedule_delayed_work(msecs_to_jiffies(1)); "
	     "6.12 lets done_work schedule the dispatch instead"),
	RULE(queue_by_cpu, KERNEL(6, 12), STILL,
	     "virtio_fs_send_req: queue = mq_map[raw_smp_processor_id()]; before, VQ_REQUEST"),
	RULE(aio_write_ends_in_work, KERNEL(7, 2), STILL,
	     "fuse_aio_complete: a write's end goes through s_dio_done_wq if the file has cached "
	     "pages (mapping->nrpages), which are invalidated there"),
	RULE(async_needs_o_direct, ALWAYS, KERNEL(6, 18),
	     "fuse_direct_read_iter, fuse_direct_write_iter: IOCB_DIRECT asked for until 6.18"),
	RULE(release_async, KERNEL(6, 18), KERNEL(7, 1),
	     "6.18.15 sends RELEASE in the background (FR_BACKGROUND seen); 6.1, 6.12, 7.1, 7.2 "
	     "wait for it (auto_submounts)"),
	RULE(rewrite_waits_for_writeback, ALWAYS, KERNEL(6, 18),
	     "fuse_write_begin calls fuse_wait_on_page_writeback; 6.18 writes through iomap and "
	     "fuse sets no stable pages"),
	RULE(dirty_share_starts_at_zero, ALWAYS, KERNEL(6, 13),
	     "wb_calc_thresh floors an idle bdi's share at (thresh - dirty) / 100 from 6.13"),
	RULE(read_ahead_split, KERNEL(6, 12), STILL,
	     "mm/readahead.c: page_cache_sync_ra and page_cache_async_ra in place of "
	     "ondemand_readahead, no merging with the next window; page_cache_next_miss tells "
	     "when it found none"),
	RULE(read_ahead_rounds_end, KERNEL(6, 18), STILL,
	     "page_cache_async_ra: aligned_end = round_down(end, 1 << ra->order), and order is 2 "
	     "there as long as the mapping has no large folios"),
	RULE(read_ahead_keeps_size, KERNEL(6, 18), STILL,
	     "read_pages no longer takes what ->readahead left from ra->size and async_size"),
	RULE(no_marker_at_end, KERNEL(7, 2), STILL,
	     "do_page_cache_ra: lookahead_size = 0 if the window is cut at the end of the file"),
	RULE(history_counts_all, KERNEL(7, 2), STILL,
	     "page_cache_prev_miss returns the index before the range if it has no hole; before, "
	     "the range's first"),
	RULE(position_at_read_end, KERNEL(6, 12), STILL,
	     "filemap_read sets ra->prev_pos behind its loop"),
	RULE(reads_31_pages, KERNEL(6, 12), STILL, "PAGEVEC_SIZE was 15"),
	RULE(fault_around_counts_one, KERNEL(7, 2), STILL,
	     "filemap_map_pages takes from mmap_miss for the faulting page alone, not if retried; "
	     "until 6.12 for each page it sees"),
	RULE(fopen_direct_drops_pages, KERNEL(6, 6), STILL,
	     "fuse_direct_io invalidates the range of FOPEN_DIRECT_IO writes since 6.6"),
	RULE(background_at_own_limit, KERNEL(7, 2), STILL,
	     "balance_dirty_pages: wb_start_background_writeback also if strictlimit && wb_dirty > "
	     "wb_bg_thresh; before, only beyond the freerun ceiling"),
	RULE(dir_change_drops_attr, ALWAYS, KERNEL(7, 2),
	     "fuse_dir_changed invalidates all attributes; 7.2 masks with FUSE_STATX_MODDIR"),
	/*
	 * What changed later in fs/fuse/dax.c alters no request: REMOVEMAPPING's arguments move
	 * behind an empty one in 6.18 (one descriptor as before), and fuse_dax_writepages(), gone
	 * then, only flushed CPU caches.
	 */
	RULE(dax, KERNEL(5, 10), STILL, "fs/fuse/dax.c came with 5.10"),
	RULE(readdir_fills_buffer, KERNEL(6, 18), STILL,
	     "fuse_readdir_uncached: 4096 bytes; 6.18 and later clamp ctx->count to max_pages"),
	RULE(readdir_into_pages, KERNEL(7, 1), STILL,
	     "fuse_readdir_alloc_buf: a descriptor per page from 7.1.13; before, one buffer"),
	RULE(umount_forgets, KERNEL(6, 12), STILL,
	     "fuse_queue_forget asks fiq->connected; virtio_fs_send_forget of 6.12 makes the "
	     "message and send_forget_request drops it"),
	RULE(copies_64, KERNEL(6, 18), STILL,
	     "__fuse_copy_file_range sends FUSE_COPY_FILE_RANGE_64 until no_copy_file_range_64, "
	     "which ENOSYS sets; protocol 7.45 came with 6.18"),
	RULE(link_checks_source, ALWAYS, STILL,
	     "may_linkat calls safe_hardlink_source: Debian sets protected_hardlinks"),
};

void kernel_rules_get(uint32_t kernel, struct kernel_rules *rules)
{
	memset(rules, 0, sizeof(*rules));
	for (size_t i = 0; i < ARRAY_SIZE(rules_by_version); i++) {
		const struct rule *rule = &rules_by_version[i];

		if (kernel >= rule->first && kernel < rule->end)
			*(bool *)((char *)rules + rule->offset) = true;
	}
}
