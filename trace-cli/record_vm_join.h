/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vfscope record --vm: both recordings, then what "vfscope join" does with their files; of
 * aggregated ones, which cannot be joined, the means.
 */
#ifndef VFSCOPE_TRACE_CLI_RECORD_VM_JOIN_H
#define VFSCOPE_TRACE_CLI_RECORD_VM_JOIN_H

#include <stdbool.h>
#include <stdint.h>
#include "trace/record_session.h"

struct record_vm_options {
	const char *target;
	const char *guest_command;
	uint64_t guest_limit_bytes;
	uint64_t guest_timeout_ns;
	bool keep; /* the files of guest and host as well */
};

/* session.capture.output is the joined file. Both return an enum exit_status. */
int record_vm_join(const struct record_config *session, const struct record_vm_options *options);
int record_vm_print_plan(const struct record_config *session,
			 const struct record_vm_options *options);

#endif
