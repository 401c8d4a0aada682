// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which of guest.bpf.c's programs to load on this kernel.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include "lib/compiler.h"
#include "lib/msg.h"
#include "trace/guest_probes.h"

static int set_autoload(struct bpf_object *object, const char *const *programs, bool load)
{
	for (int i = 0; i < GUEST_POINT_PROGRAMS && programs[i]; i++) {
		struct bpf_program *prog = bpf_object__find_program_by_name(object, programs[i]);

		if (!prog) {
			msg_error("guest probes have no program '%s': the build is broken",
				  programs[i]);
			return -EINVAL;
		}
		bpf_program__set_autoload(prog, load);
	}
	return 0;
}

static int choose_programs(struct bpf_object *object, const struct guest_point *point,
			   const struct guest_point_choice *choice, bool ops)
{
	int err = 0;

	for (int i = 0; !err && i < GUEST_POINT_ALTERNATIVES && point->alternative[i].function;
	     i++) {
		bool use = choice->mechanism != ATTACH_NONE && choice->alternative == i &&
			   (ops || !guest_point_is_op(point));

		err = set_autoload(object, point->alternative[i].programs, use);
		if (use)
			msg_debug("probing %s by %s", point->alternative[i].function,
				  attach_mechanism_name(choice->mechanism));
	}
	return err;
}

static int check_driver(const struct kernel_functions *kernel)
{
	if (kernel_functions_find(kernel, "virtio_fs_enqueue_req", NULL))
		return 0;
	msg_error("no virtio-fs driver in this kernel, so there is nothing to record; run inside a "
		  "guest with a share mounted, or 'modprobe virtiofs' first");
	return -ENOENT;
}

static int check_points(const struct guest_point_choice *choices, bool ops)
{
	const struct guest_point *missing = guest_points_missing(choices, ops);
	const struct guest_point_choice *choice;
	char functions[128];

	if (!missing)
		return 0;
	choice = &choices[missing - guest_points];
	msg_error("cannot record on this kernel: no way to see '%s' (%s): %s; 'vfscope probe' "
		  "tells what is missing",
		  missing->what,
		  guest_point_function(missing, choice, functions, sizeof(functions)),
		  attach_error_text(choice->err));
	return choice->err;
}

int guest_probes_choose(struct bpf_object *object, bool ops, struct guest_point_choice *choices)
{
	struct kernel_functions *kernel;
	int err = kernel_functions_open(&kernel, guest_modules);

	if (err) {
		msg_error("cannot read the kernel's BTF, /sys/kernel/btf/vmlinux: %s; the kernel "
			  "must be built with CONFIG_DEBUG_INFO_BTF",
			  strerror(-err));
		return err;
	}
	err = check_driver(kernel);
	if (!err) {
		guest_points_choose(kernel, ATTACH_FENTRY, false, choices);
		err = check_points(choices, ops);
	}
	for (size_t i = 0; !err && i < nr_guest_points; i++)
		err = choose_programs(object, &guest_points[i], &choices[i], ops);
	kernel_functions_close(kernel);
	return err;
}

static bool program_info(struct bpf_program *prog, struct bpf_prog_info *info)
{
	uint32_t len = sizeof(*info);

	*info = (struct bpf_prog_info){};
	return prog && bpf_program__fd(prog) >= 0 &&
	       !bpf_obj_get_info_by_fd(bpf_program__fd(prog), info, &len);
}

json_t *guest_probes_cost(struct bpf_object *object)
{
	json_t *cost = json_object();
	struct bpf_prog_info info;
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, object)
	{
		if (!program_info(prog, &info) || !info.run_cnt)
			continue;
		json_object_set_new(cost, bpf_program__name(prog),
				    json_pack("{s:I s:I}", "runs", (json_int_t)info.run_cnt, "ns",
					      (json_int_t)info.run_time_ns));
	}
	return cost;
}

static uint64_t program_missed(struct bpf_object *object, const char *name)
{
	struct bpf_prog_info info;

	if (!program_info(bpf_object__find_program_by_name(object, name), &info))
		return 0;
	if (info.recursion_misses)
		msg_debug("%-18s missed %llu times", name,
			  (unsigned long long)info.recursion_misses);
	return info.recursion_misses;
}

uint64_t guest_probes_missed(struct bpf_object *object)
{
	uint64_t missed = 0;

	for (size_t i = 0; i < nr_guest_points; i++)
		for (int a = 0; a < GUEST_POINT_ALTERNATIVES; a++)
			for (int n = 0; n < GUEST_POINT_PROGRAMS; n++) {
				const char *name = guest_points[i].alternative[a].programs[n];
				uint64_t count = name ? program_missed(object, name) : 0;

				/* These are mostly misses of other devices. */
				if (!guest_points[i].all_devices)
					missed += count;
			}
	return missed;
}
