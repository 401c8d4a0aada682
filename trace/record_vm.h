/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest and host recorded as one: `vfscope record --vm`. The host's recording starts first and ends
 * last, so that each request of the guest's has its other half.
 */
#ifndef VFSCOPE_TRACE_RECORD_VM_H
#define VFSCOPE_TRACE_RECORD_VM_H

#include <stdbool.h>
#include <stdint.h>
#include "trace/agent_channel.h"
#include "trace/record_session.h"

struct record_vm_config {
	struct agent_address address; /* of the agent */
	/* Of both sides, but duration and command, which run the whole; output: the host's file. */
	struct record_config record;
	const char *guest_output;
	uint64_t guest_limit_bytes; /* larger files of the guest's are not taken */
	const char *guest_command; /* for sh -c in the guest; NULL: none */
	uint32_t silence_ms; /* a guest that says nothing for so long is gone */
};

struct record_vm_result {
	bool guest_file, host_file; /* were written, and are readable as far as they go */
};

/*
 * Until the commands end, the duration has passed, or a signal. 0 if both files are whole; -errno
 * after a message. Gives up this process's privileges once the host's command runs.
 */
int record_vm_run(const struct record_vm_config *config, struct record_vm_result *result);

/*
 * Nothing is attached or run, here or there. 0 and what would be the headers of both files, new
 * references; or -errno after a message.
 */
int record_vm_plan(const struct record_vm_config *config, json_t **guest, json_t **host);

#endif
