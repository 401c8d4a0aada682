/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hosts that connect while the agent records for another: refused with the reason, rather than left
 * to wait for an answer. Never waits itself, and looks at one of them at a time.
 *
 * A virtio-serial port has one stream for all: there QEMU keeps the second host waiting.
 */
#ifndef VFSCOPE_TRACE_AGENT_BUSY_H
#define VFSCOPE_TRACE_AGENT_BUSY_H

#include <stdbool.h>
#include <stdint.h>
#include "trace/agent_channel.h"
#include "trace/agent_stream.h"

struct agent_busy {
	struct agent_listener *listener;
	bool open; /* somebody has connected */
	struct agent_stream stream;
	uint64_t since_ns;
};

void agent_busy_look(struct agent_busy *b);
void agent_busy_close(struct agent_busy *b);

#endif
