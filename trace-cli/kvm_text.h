/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a recording with --kvm counted, as tables.
 */
#ifndef VFSCOPE_TRACE_CLI_KVM_TEXT_H
#define VFSCOPE_TRACE_CLI_KVM_TEXT_H

#include <stdio.h>
#include <jansson.h>
#include "trace-cli/trace_summary.h"

/* "kvm" of a host's footer, or of the host's header in a joined file; NULL: not recorded. */
json_t *kvm_of_trace(const struct trace_summary *t);
/* Nothing for NULL. */
void kvm_print(FILE *out, const json_t *kvm);

#endif
