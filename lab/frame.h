/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The frames between the host and the agent in the lab VM, over one virtio-serial port, and between
 * lab/vm and each lab/guest, over a Unix socket.
 *
 * A frame is a struct frame_head and `len` bytes. Both ends are built from this tree for the same
 * machine, so integers are in its own byte order. A frame that is out of bounds ends the
 * connection.
 *
 * A job is one command in the guest. Its output is bounded: the guest stops reading a job's pipes
 * while FRAME_WINDOW bytes of it are not yet credited, so that one reader that stalls stops neither
 * the other jobs nor the host.
 */
#ifndef VFSCOPE_LAB_FRAME_H
#define VFSCOPE_LAB_FRAME_H

#include <stdint.h>

enum frame_type {
	FRAME_HELLO = 1, /* agent -> host: up, the shares are mounted */
	FRAME_RUN, /* to the agent: struct frame_run, then strings, see run_pack() */
	FRAME_SIGNAL, /* to the agent: u32 signal number for the job's process group */
	FRAME_CREDIT, /* to the agent: u32 bytes of the job's output that were consumed */
	FRAME_STDOUT, /* from the job */
	FRAME_STDERR, /* from the job */
	FRAME_EXIT, /* from the job, its last frame: u32 exit status, 128+n if killed by signal n */
	FRAME_PING, /* to the agent, which answers with FRAME_PONG */
	FRAME_PONG,
	FRAME_SYNC, /* to the agent, which writes all dirty pages, then answers with FRAME_SYNCED */
	FRAME_SYNCED,
	FRAME_ERROR, /* host -> lab/guest, its last frame: why the VM cannot finish the job */
};

#define FRAME_MAGIC 0x4c534656u /* "VFSL" */
#define FRAME_MAX_LEN (512u << 10)
#define FRAME_WINDOW (256u << 10)
#define FRAME_MAX_JOBS 64

struct frame_head {
	uint32_t magic;
	uint32_t type;
	uint32_t job; /* 0: none, or the only one of a lab/guest connection */
	uint32_t len; /* bytes that follow, at most FRAME_MAX_LEN */
};

/* Followed by the working directory, the arguments and the environment, each ended by a NUL. */
struct frame_run {
	uint32_t argc;
	uint32_t envc;
};

#endif
