/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `vfscope agent`: records in a guest what its host asks for, and sends the file there. One host at
 * a time, one recording in a conversation; the agent goes on after it, however it ends.
 */
#ifndef VFSCOPE_TRACE_AGENT_SERVE_H
#define VFSCOPE_TRACE_AGENT_SERVE_H

#include <stdbool.h>
#include "trace/agent_channel.h"

struct agent_config {
	struct agent_address address;
	bool allow_commands; /* run what the host says, with this process's privileges */
	const char *version; /* of vfscope */
};

/* Until SIGINT or SIGTERM. Returns an enum exit_status. */
int agent_serve(const struct agent_config *config);

#endif
