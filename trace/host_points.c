// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The places in the host's kernel that a recording watches, and what this kernel offers for each.
 */
#include "lib/compiler.h"
#include "trace/host_points.h"

const struct host_point host_points[] = {
	{"system call entered", "nothing can be recorded", false, "sys_enter", "btf_sys_enter",
	 "raw_sys_enter"},
	{"system call returned", "nothing can be recorded", false, "sys_exit", "btf_sys_exit",
	 "raw_sys_exit"},
	{"thread woken", "no waits for a CPU (--sched)", true, "sched_wakeup", "btf_sched_wakeup",
	 "raw_sched_wakeup"},
	{"thread switched", "no waits for a CPU (--sched)", true, "sched_switch",
	 "btf_sched_switch", "raw_sched_switch"},
};

const size_t nr_host_points = ARRAY_SIZE(host_points);
_Static_assert(ARRAY_SIZE(host_points) <= HOST_POINTS_MAX, "HOST_POINTS_MAX is too small");

void host_points_choose(bool attach, struct host_point_choice *choices)
{
	for (size_t i = 0; i < nr_host_points; i++) {
		const char *tracepoint = host_points[i].tracepoint;
		struct host_point_choice *choice = &choices[i];

		*choice = (struct host_point_choice){.mechanism = ATTACH_TP_BTF};
		choice->tp_btf_err = attach_try_tp_btf(tracepoint, attach);
		if (!choice->tp_btf_err)
			continue;
		choice->err = attach_try_raw_tp(tracepoint, attach);
		choice->mechanism = choice->err ? ATTACH_NONE : ATTACH_RAW_TP;
	}
}

const struct host_point *host_points_missing(const struct host_point_choice *choices, bool optional)
{
	for (size_t i = 0; i < nr_host_points; i++)
		if (choices[i].mechanism == ATTACH_NONE && (optional || !host_points[i].optional))
			return &host_points[i];
	return NULL;
}

json_t *host_points_json(const struct host_point_choice *choices, bool optional)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < nr_host_points; i++) {
		const struct host_point_choice *choice = &choices[i];
		json_t *entry;

		if (host_points[i].optional && !optional)
			continue;
		entry = json_pack("{s:s s:s s:s}", "point", host_points[i].what, "function",
				  host_points[i].tracepoint, "mechanism",
				  attach_mechanism_name(choice->mechanism));

		if (entry && choice->mechanism == ATTACH_NONE) {
			json_object_set_new(entry, "reason",
					    json_string(attach_error_text(choice->err)));
			json_object_set_new(entry, "without", json_string(host_points[i].without));
		}
		if (json_array_append_new(array, entry)) {
			json_decref(array);
			array = NULL;
		}
	}
	return array;
}
