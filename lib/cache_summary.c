// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Folds and prints what the page cache did: cached reads, throttled writers, write-back.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include "lib/cache_summary.h"
#include "lib/compiler.h"
#include "lib/fuse_opcode.h"
#include "lib/units.h"

#define PAGE_BYTES 4096u

static struct cache_summary *get(struct cache_summary **cache)
{
	if (*cache)
		return *cache;
	*cache = calloc(1, sizeof(**cache));
	if (*cache) {
		hist_init(&(*cache)->throttled);
		hist_init(&(*cache)->passes);
	}
	return *cache;
}

static void add_read(struct cache_summary *c, const struct op_record *op)
{
	uint64_t first = op->offset_bytes / PAGE_BYTES;
	uint64_t end = op->offset_bytes + (uint64_t)op->result;
	uint64_t pages = (end + PAGE_BYTES - 1) / PAGE_BYTES - first;

	c->reads++;
	c->cached_reads += !op->pages_missed;
	c->read_pages += pages;
	c->read_missed += min_u64(op->pages_missed, pages);
}

int cache_summary_add_op(struct cache_summary **cache, const struct op_record *op)
{
	bool known = op->flags & OP_PAGES_KNOWN && op->result > 0;
	struct cache_summary *c;

	if (!known && !op->nr_throttled)
		return 0;
	c = get(cache);
	if (!c)
		return -ENOMEM;
	if (known && op->type == OP_READ)
		add_read(c, op);
	if (known && op->type == OP_MMAP_FAULT) {
		c->faults++;
		c->cached_faults += !op->pages_missed;
	}
	if (op->nr_throttled) {
		c->pauses += op->nr_throttled;
		hist_add(&c->throttled, op->throttled_ns);
	}
	return 0;
}

int cache_summary_add_span(struct cache_summary **cache, const struct span *span)
{
	struct cache_summary *c;

	if (span->cls != SPAN_WRITEBACK || (span->op_id && !(span->flags & SPAN_LATER)))
		return 0;
	c = get(cache);
	if (!c)
		return -ENOMEM;
	c->later_linked += !!span->op_id;
	c->later_unlinked += !span->op_id;
	return 0;
}

int cache_summary_add_pass(struct cache_summary **cache, uint64_t ns, uint64_t pages,
			   uint64_t op_id)
{
	struct cache_summary *c = get(cache);

	if (!c)
		return -ENOMEM;
	c->pass_pages += pages;
	c->passes_in_ops += !!op_id;
	hist_add(&c->passes, ns);
	return 0;
}

int cache_summary_merge(struct cache_summary **into, const struct cache_summary *from)
{
	struct cache_summary *c;

	if (!from)
		return 0;
	c = get(into);
	if (!c)
		return -ENOMEM;
	c->reads += from->reads;
	c->cached_reads += from->cached_reads;
	c->read_pages += from->read_pages;
	c->read_missed += from->read_missed;
	c->faults += from->faults;
	c->cached_faults += from->cached_faults;
	c->pauses += from->pauses;
	c->later_linked += from->later_linked;
	c->later_unlinked += from->later_unlinked;
	c->pass_pages += from->pass_pages;
	c->passes_in_ops += from->passes_in_ops;
	hist_merge(&c->throttled, &from->throttled);
	hist_merge(&c->passes, &from->passes);
	return 0;
}

static void print_write_back(const struct cache_summary *c, bool has_ops, FILE *out)
{
	char mean[32], total[32];

	if (c->throttled.count)
		fprintf(out,
			"  throttled: %" PRIu64 " writes paused %" PRIu64 " times, %s in all, %s "
			"each on average\n",
			c->throttled.count, c->pauses,
			format_ns((double)c->throttled.sum, total, sizeof(total)),
			format_ns(hist_mean(&c->throttled), mean, sizeof(mean)));
	if (c->passes.count)
		fprintf(out,
			"  write-back: %" PRIu64 " passes over a file, %" PRIu64
			" of them by an op, %" PRIu64 " pages, %s each on average\n",
			c->passes.count, c->passes_in_ops, c->pass_pages,
			format_ns(hist_mean(&c->passes), mean, sizeof(mean)));
	if (has_ops && (c->later_linked || c->later_unlinked))
		fprintf(out,
			"  WRITEs after their op: %" PRIu64 ", of which %" PRIu64
			" could not be linked to it\n",
			c->later_linked + c->later_unlinked, c->later_unlinked);
}

void cache_summary_print(const struct cache_summary *c, bool has_ops, FILE *out)
{
	if (!c || (!has_ops && !c->passes.count))
		return;
	fputs("\npage cache\n", out);
	if (c->reads)
		fprintf(out,
			"  cached reads: %" PRIu64 " of %" PRIu64 "; %" PRIu64 " of %" PRIu64
			" pages in the cache or read ahead\n",
			c->cached_reads, c->reads, c->read_pages - c->read_missed, c->read_pages);
	if (c->faults)
		fprintf(out, "  faults: %" PRIu64 ", %" PRIu64 " of them on a cached page\n",
			c->faults, c->cached_faults);
	print_write_back(c, has_ops, out);
}
