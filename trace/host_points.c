// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The places in the host's kernel that a recording watches, and what this kernel offers for each.
 */
#include <errno.h>
#include "lib/compiler.h"
#include "trace/host_points.h"

#define NOTHING "nothing can be recorded"
#define NO_WAITS "no waits for a CPU (--sched)"
#define NO_EXITS "no exits of the VM (--kvm)"

/* clang-format off */
const struct host_point host_points[] = {
	{"system call entered", NOTHING, HOST_BASE, false,
	 "sys_enter", "btf_sys_enter", "raw_sys_enter", NULL, NULL},
	{"system call returned", NOTHING, HOST_BASE, false,
	 "sys_exit", "btf_sys_exit", "raw_sys_exit", NULL, NULL},
	{"thread woken", NO_WAITS, HOST_SCHED, false,
	 "sched_wakeup", "btf_sched_wakeup", "raw_sched_wakeup", NULL, NULL},
	{"thread switched", NO_WAITS, HOST_SCHED, false,
	 "sched_switch", "btf_sched_switch", "raw_sched_switch", NULL, NULL},
	{"VM's exit", NO_EXITS, HOST_KVM, false,
	 "kvm_exit", NULL, "raw_kvm_exit", "tp_kvm_exit", "kvm/kvm_exit"},
	{"VM entered again", NO_EXITS, HOST_KVM, false,
	 "kvm_entry", NULL, "raw_kvm_entry", NULL, NULL},
	{"exit to the VMM", "which exits the VMM handles", HOST_KVM, true,
	 "kvm_userspace_exit", NULL, "raw_kvm_userspace_exit", NULL, NULL},
	{"fast doorbell", "no doorbells of that kind", HOST_KVM, true,
	 "kvm_fast_mmio", NULL, "raw_kvm_fast_mmio", NULL, NULL},
	{"memory-mapped doorbell", "no doorbells of that kind", HOST_KVM, true,
	 "kvm_mmio", NULL, "raw_kvm_mmio", NULL, NULL},
	{"port doorbell", "no doorbells of that kind", HOST_KVM, true,
	 "kvm_pio", NULL, "raw_kvm_pio", NULL, NULL},
	{"one thread wakes another", "no time of doorbell and call", HOST_KVM, true,
	 "sched_waking", "btf_sched_waking", "raw_sched_waking", NULL, NULL},
	{"halted CPU goes on", "no time of halts", HOST_KVM, true,
	 "kvm_vcpu_wakeup", NULL, "raw_kvm_vcpu_wakeup", NULL, NULL},
	{"interrupt message", "no interrupts by message", HOST_KVM, true,
	 "kvm_msi_set_irq", NULL, "raw_kvm_msi_set_irq", NULL, NULL},
	{"interrupt by number", "no interrupts by number", HOST_KVM, true,
	 "kvm_set_irq", NULL, "raw_kvm_set_irq", NULL, NULL},
	{"interrupt injected", "no injections", HOST_KVM, true,
	 "kvm_inj_virq", NULL, "raw_kvm_inj_virq", NULL, NULL},
};
/* clang-format on */

const size_t nr_host_points = ARRAY_SIZE(host_points);
_Static_assert(ARRAY_SIZE(host_points) <= HOST_POINTS_MAX, "HOST_POINTS_MAX is too small");

static void choose(const struct host_point *point, bool attach, struct host_point_choice *choice)
{
	*choice = (struct host_point_choice){.mechanism = ATTACH_TP};
	if (point->tp_program && !attach_try_tp(point->event))
		return;
	choice->mechanism = ATTACH_TP_BTF;
	if (point->tp_btf_program && !attach_try_tp_btf(point->tracepoint, attach))
		return;
	choice->mechanism = ATTACH_RAW_TP;
	/* Loading a raw one does not ask whether there is such a tracepoint; KVM may be missing. */
	choice->err = attach_try_raw_tp(point->tracepoint, attach || point->group == HOST_KVM);
	if (choice->err)
		choice->mechanism = ATTACH_NONE;
}

void host_points_choose(bool attach, struct host_point_choice *choices)
{
	for (size_t i = 0; i < nr_host_points; i++)
		choose(&host_points[i], attach, &choices[i]);
}

bool host_point_wanted(const struct host_point *point, unsigned int recorded)
{
	return point->group & (recorded | HOST_BASE);
}

const struct host_point *host_points_missing(const struct host_point_choice *choices,
					     unsigned int recorded)
{
	for (size_t i = 0; i < nr_host_points; i++)
		if (choices[i].mechanism == ATTACH_NONE && !host_points[i].spare &&
		    host_point_wanted(&host_points[i], recorded))
			return &host_points[i];
	return NULL;
}

static json_t *point_json(const struct host_point *point, const struct host_point_choice *choice)
{
	json_t *entry =
		json_pack("{s:s s:s s:s}", "point", point->what, "function", point->tracepoint,
			  "mechanism", attach_mechanism_name(choice->mechanism));

	if (entry && choice->mechanism == ATTACH_NONE) {
		json_object_set_new(entry, "reason", json_string(attach_error_text(choice->err)));
		json_object_set_new(entry, "without", json_string(point->without));
	}
	return entry;
}

json_t *host_points_json(const struct host_point_choice *choices, unsigned int recorded)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < nr_host_points; i++) {
		if (!host_point_wanted(&host_points[i], recorded))
			continue;
		if (json_array_append_new(array, point_json(&host_points[i], &choices[i]))) {
			json_decref(array);
			array = NULL;
		}
	}
	return array;
}
