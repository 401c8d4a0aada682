/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the bytes of a .vft file go: a file, or a pipe, FIFO or socket whose reader may be slow,
 * may stop reading without closing, and may go away. None of these raises a signal or hangs who
 * writes for longer than it wants to wait.
 */
#ifndef VFSCOPE_TRACE_VFT_OUTPUT_H
#define VFSCOPE_TRACE_VFT_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "trace/vft.h"

struct vft_output {
	int fd;
	bool regular; /* ours alone: can be cut */
	bool may_stall; /* something has to read what is written */
	vft_stall_fn stalled; /* NULL: wait for as long as it takes */
	void *stalled_ctx;
	uint64_t waited_ns, taken_bytes; /* for the reader, and by it */
};

/* Create path (mode 0600, truncating). 0 or -errno. */
int vft_output_open(struct vft_output *o, const char *path);

/* All of it, or -errno: -EPIPE if the reader is gone, or what o->stalled returned. */
int vft_output_write(struct vft_output *o, const void *data, size_t len);

/* Take back what lies behind the first bytes, where that can be done. */
void vft_output_cut(struct vft_output *o, uint64_t bytes);

#endif
