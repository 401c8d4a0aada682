/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a capture's events come from: the ring buffer of its BPF programs, and of an aggregated
 * recording the counters, which are read now and then. The same for guest and host.
 */
#ifndef VFSCOPE_TRACE_EVENT_SOURCE_H
#define VFSCOPE_TRACE_EVENT_SOURCE_H

#include <stdbool.h>
#include <stdint.h>
#include "trace/record_session.h"

struct aggregate_counts;
struct bpf_map;
struct ring_buffer;

struct event_source {
	struct ring_buffer *ring;
	struct aggregate_counts *counts; /* NULL: not an aggregated recording */
	uint64_t counted_ns; /* when they were read last */
	capture_event_fn emit;
	void *ctx;
	bool finishing; /* nothing is attached any more */
	int err; /* what emit returned first */
};

/* 0, or -errno after a message that names what. */
int event_source_open(struct event_source *s, const char *what, int ring_fd, capture_event_fn emit,
		      void *ctx);
/* Its counters, in an aggregated recording: see aggregate_counts_new(). */
int event_source_count(struct event_source *s, const struct bpf_map *aggregates,
		       const struct bpf_map *cells);
void event_source_close(struct event_source *s); /* also of one that is all zero */

/* Hand over what has arrived; wait up to timeout_ms for it. 0 (also on EINTR) or -errno. */
int event_source_poll(struct event_source *s, int timeout_ms);
/* Hand over what has been counted so far; nothing unless it is an aggregated recording. */
int event_source_count_now(struct event_source *s);
/* Hand over all that is left, after the programs were detached. */
int event_source_finish(struct event_source *s);

#endif
