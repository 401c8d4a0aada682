/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What bpf/host_kvm.bpf.h counted of the VMs' exits and interrupts, as it goes into a file's
 * footer.
 */
#ifndef VFSCOPE_TRACE_HOST_KVM_H
#define VFSCOPE_TRACE_HOST_KVM_H

#include <jansson.h>
#include <stdint.h>
#include "trace/host_points.h"
#include "trace/host_targets.h"

struct host_kvm_maps {
	int counts, doors, vcpus;
};

/*
 * Where kvm_exit's records have their fields, if choices has it as a classic tracepoint. Falls back
 * to the raw one if they are not as expected.
 */
void host_kvm_find_fields(struct host_point_choice *choices, struct host_kvm_fields *fields);

/* "kvm" of a footer (docs/vft-format.md): one object for each VM. A new array, or NULL. */
json_t *host_kvm_json(const struct host_kvm_maps *maps, const struct host_targets *targets);

/* Says so if a VM's process does not use KVM: then nothing of it will be seen. */
void host_kvm_check(const struct host_targets *targets);

#endif
