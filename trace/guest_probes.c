// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The guest's BPF programs: which to load on this kernel, attaching them, and what they cost.
 */
#include "trace/guest_probes.h"
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/compiler.h"
#include "lib/msg.h"
#include "trace/bpf_util.h"
#include "trace/machine.h"

/* The skeletons name their types after the files, not after our rules. */
#include "bpf/guest.skel.h"
#include "bpf/guest_kprobe.skel.h"

static struct bpf_object *object_of(const struct guest_probes *p, enum attach_mechanism mechanism)
{
	if (mechanism == ATTACH_FENTRY)
		return p->bpf->obj;
	return mechanism == ATTACH_KPROBE && p->kprobes ? p->kprobes->obj : NULL;
}

/* The program's own, and the one that keeps a return's arguments (ON_RETURN). */
static void autoload(struct bpf_object *object, const char *name)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(object, name);
	char args[64];

	if (prog)
		bpf_program__set_autoload(prog, true);
	else
		msg_error("guest probes have no program '%s': the build is broken", name);
	snprintf(args, sizeof(args), "%s_args", name);
	prog = bpf_object__find_program_by_name(object, args);
	if (prog)
		bpf_program__set_autoload(prog, true);
}

static int nr_programs(const struct guest_probes *p, size_t point)
{
	return guest_point_programs(&guest_points[point], &p->what);
}

static bool is_used(const struct guest_probes *p, size_t point, enum attach_mechanism mechanism)
{
	return p->choices[point].mechanism == mechanism && nr_programs(p, point);
}

static const char *const *programs_of(const struct guest_probes *p, size_t point)
{
	return guest_points[point].alternative[p->choices[point].alternative].programs;
}

/* stand_in: which one, from 1, or 0. True if there is anything to load. */
static bool choose_programs(struct guest_probes *p, struct bpf_object *object,
			    enum attach_mechanism mechanism, int stand_in)
{
	struct bpf_program *prog;
	bool any = false;

	bpf_object__for_each_program(prog, object) bpf_program__set_autoload(prog, false);
	for (size_t i = 0; i < nr_guest_points; i++) {
		const char *const *programs = programs_of(p, i);

		if (!is_used(p, i, mechanism))
			continue;
		any = true;
		for (int n = 0; n < nr_programs(p, i) && programs[n]; n++)
			if (guest_point_stand_ins(&guest_points[i], programs[n]) >= stand_in)
				autoload(object, programs[n]);
	}
	return any;
}

static int check_driver(const struct kernel_functions *kernel)
{
	if (kernel_functions_find(kernel, "virtio_fs_enqueue_req", NULL))
		return 0;
	msg_error(
		"no virtio-fs driver in this kernel, so there is nothing to record; run inside a "
		"guest with a share mounted, 'modprobe virtiofs' first, or let --wait 60s wait for "
		"it");
	return -ENOENT;
}

static int check_points(const struct guest_point_choice *choices, const struct guest_recorded *what)
{
	const struct guest_point *missing = guest_points_missing(choices, what);
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

static void log_choices(const struct guest_probes *p)
{
	for (size_t i = 0; i < nr_guest_points; i++) {
		const struct guest_point_choice *choice = &p->choices[i];

		if (choice->mechanism != ATTACH_NONE)
			msg_debug("probing %s by %s",
				  guest_points[i].alternative[choice->alternative].function,
				  attach_mechanism_name(choice->mechanism));
	}
}

static int choose(struct guest_probes *p, enum attach_mechanism only)
{
	int err = kernel_functions_open(&p->kernel, guest_modules);

	if (err) {
		msg_error("cannot read the kernel's BTF, /sys/kernel/btf/vmlinux: %s; the kernel "
			  "must be built with CONFIG_DEBUG_INFO_BTF",
			  strerror(-err));
		return err;
	}
	err = check_driver(p->kernel);
	if (err)
		return err;
	guest_points_choose(p->kernel, only, false, p->choices);
	return check_points(p->choices, &p->what);
}

/* "fentry/fuse_flush", "kretprobe/fuse_flush": the function. */
static const char *function_of(const struct bpf_program *prog)
{
	const char *slash = strchr(bpf_program__section_name(prog), '/');

	return slash ? slash + 1 : "";
}

/* Called by libbpf before it loads a program; cookie: struct guest_probes. */
static int set_target(struct bpf_program *prog, struct bpf_prog_load_opts *opts, long cookie)
{
	struct guest_probes *p = (struct guest_probes *)cookie;
	struct kernel_function f;
	int fd;

	if (!kernel_functions_find(p->kernel, function_of(prog), &f))
		return -ESRCH;
	fd = kernel_functions_btf_fd(p->kernel, &f);
	if (fd < 0)
		return fd;
	opts->attach_btf_obj_fd = (uint32_t)fd;
	opts->attach_btf_id = (uint32_t)f.btf_id;
	return 0;
}

static int attach_to_target(const struct bpf_program *prog, long cookie, struct bpf_link **link)
{
	(void)cookie;
	*link = bpf_program__attach_trace(prog);
	return *link ? 0 : -errno;
}

/*
 * libbpf itself looks for the function of each program among all types of vmlinux, one by one,
 * which took half of the time until a recording had started.
 */
static int add_handlers(struct guest_probes *p)
{
	LIBBPF_OPTS(libbpf_prog_handler_opts, opts, .cookie = (long)p,
		    .prog_prepare_load_fn = set_target, .prog_attach_fn = attach_to_target);
	static const struct {
		const char *section;
		enum bpf_attach_type type;
	} sections[ARRAY_SIZE(p->handlers)] = {
		{"fentry+", BPF_TRACE_FENTRY},
		{"fexit+", BPF_TRACE_FEXIT},
	};

	for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
		int id = libbpf_register_prog_handler(sections[i].section, BPF_PROG_TYPE_TRACING,
						      sections[i].type, &opts);

		if (id < 0)
			return id;
		p->handlers[i] = id;
	}
	return 0;
}

static void remove_handlers(struct guest_probes *p)
{
	for (size_t i = 0; i < ARRAY_SIZE(p->handlers); i++)
		if (p->handlers[i])
			libbpf_unregister_prog_handler(p->handlers[i]);
}

int guest_probes_open(struct guest_probes *p, const struct guest_recorded *what,
		      enum attach_mechanism only)
{
	int err;

	*p = (struct guest_probes){.what = *what, .kretprobes = KRETPROBES_NONE};
	err = choose(p, only);
	if (err)
		return err;
	log_choices(p);
	err = add_handlers(p);
	p->bpf = err ? NULL : guest_bpf__open();
	if (!p->bpf) {
		err = err ?: -errno;
		bpf_util_explain("guest probes", err);
		return err;
	}
	choose_programs(p, p->bpf->obj, ATTACH_FENTRY, 0);
	return 0;
}

/* libbpf puts the object's name before .bss and .rodata. */
static struct bpf_map *same_map(const struct bpf_object *object, const char *name)
{
	const char *section = strchr(name, '.');
	struct bpf_map *map;

	bpf_object__for_each_map(map, object)
	{
		const char *other = bpf_map__name(map), *dot = strchr(other, '.');

		if (section && dot ? !strcmp(section, dot) : !strcmp(name, other))
			return map;
	}
	return NULL;
}

/* Of an object that is not loaded yet. constants: those, too. */
static int share_maps(struct guest_probes *p, struct bpf_object *object, bool constants)
{
	struct bpf_map *map;
	int err = 0;

	bpf_object__for_each_map(map, object)
	{
		const char *name = bpf_map__name(map);
		struct bpf_map *owner = same_map(p->bpf->obj, name);

		if (owner && !err && (constants || !strstr(name, ".rodata")))
			err = bpf_map__reuse_fd(map, bpf_map__fd(owner));
	}
	return err;
}

/* Of the points that have no fentry; the fentry object, which owns the maps, is loaded. */
static int load_kprobes(struct guest_probes *p)
{
	int err;

	p->kprobes = guest_kprobe_bpf__open();
	if (!p->kprobes)
		return -errno;
	if (!choose_programs(p, p->kprobes->obj, ATTACH_KPROBE, 0)) {
		guest_kprobe_bpf__destroy(p->kprobes);
		p->kprobes = NULL;
		return 0;
	}
	/* As many calls as can be known: an op is in one of its own and one that waits. */
	err = bpf_map__set_max_entries(p->kprobes->maps.kept_calls,
				       2 * bpf_map__max_entries(p->bpf->maps.requests));
	if (!err)
		err = share_maps(p, p->kprobes->obj, true);
	return err ? err : guest_kprobe_bpf__load(p->kprobes);
}

static int load_stand_in(struct guest_probes *p, struct guest_bpf *bpf, int number)
{
	int err;

	*bpf->rodata = *p->bpf->rodata;
	bpf->rodata->stand_in = true;
	if (!choose_programs(p, bpf->obj, ATTACH_FENTRY, number))
		return 0;
	err = share_maps(p, bpf->obj, false);
	return err ? err : guest_bpf__load(bpf);
}

/* Without them, what is skipped is lost, and counted. */
static void load_stand_ins(struct guest_probes *p)
{
	if (!machine_preempts())
		return;
	for (int i = 0; i < GUEST_STAND_INS; i++) {
		struct guest_bpf *bpf = guest_bpf__open();
		int err = bpf ? load_stand_in(p, bpf, i + 1) : -errno;

		if (err) {
			msg_warn("cannot load the programs that make up for those which this "
				 "preemptible kernel skips: %s",
				 strerror(-err));
			guest_bpf__destroy(bpf);
			return;
		}
		p->stand_ins[i] = bpf;
	}
}

bool guest_probes_has(const struct guest_probes *p, const char *what)
{
	for (size_t i = 0; i < nr_guest_points; i++)
		if (!strcmp(guest_points[i].what, what))
			return p->choices[i].mechanism != ATTACH_NONE && nr_programs(p, i);
	return false;
}

int guest_probes_load(struct guest_probes *p)
{
	int err = guest_bpf__load(p->bpf);

	if (!err)
		load_stand_ins(p);
	kernel_functions_close(p->kernel);
	p->kernel = NULL;
	if (!err)
		err = load_kprobes(p);
	if (err)
		bpf_util_explain("guest probes", err);
	return err;
}

static int add_link(struct guest_probes *p, struct bpf_program *prog)
{
	static const char at_return[] = "kretprobe/";
	struct bpf_link **grown, *link;

	if (!prog || bpf_program__fd(prog) < 0)
		return 0;
	grown = reallocarray(p->links, p->nr_links + 1, sizeof(*p->links));
	if (!grown)
		return -ENOMEM;
	p->links = grown;
	if (!strncmp(bpf_program__section_name(prog), at_return, strlen(at_return)))
		link = kretprobe_attach(&p->kretprobes, prog, function_of(prog));
	else
		link = bpf_program__attach(prog);
	if (!link)
		return -errno;
	p->links[p->nr_links++] = link;
	return 0;
}

static void drop_links(struct guest_probes *p, size_t keep)
{
	while (p->nr_links > keep)
		bpf_link__destroy(p->links[--p->nr_links]);
}

static int attach_stand_ins(struct guest_probes *p, const char *program)
{
	int err = 0;

	for (int i = 0; !err && i < GUEST_STAND_INS && p->stand_ins[i]; i++)
		err = add_link(p, bpf_object__find_program_by_name(p->stand_ins[i]->obj, program));
	return err;
}

/* All programs of a point, or none. */
static int attach_point(struct guest_probes *p, size_t point)
{
	struct bpf_object *object = object_of(p, p->choices[point].mechanism);
	const char *const *programs = programs_of(p, point);
	size_t had = p->nr_links;
	int err = 0;

	for (int n = 0; !err && object && n < nr_programs(p, point) && programs[n]; n++) {
		char args[64];

		snprintf(args, sizeof(args), "%s_args", programs[n]);
		err = add_link(p, bpf_object__find_program_by_name(object, args));
		if (!err && p->choices[point].mechanism == ATTACH_FENTRY)
			err = attach_stand_ins(p, programs[n]);
		if (!err)
			err = add_link(p, bpf_object__find_program_by_name(object, programs[n]));
	}
	if (err)
		drop_links(p, had);
	return err;
}

static int attach_all(struct guest_probes *p, enum attach_mechanism mechanism, bool *refused)
{
	for (size_t i = 0; i < nr_guest_points; i++) {
		struct guest_point_choice *choice = &p->choices[i];
		int err = is_used(p, i, mechanism) ? attach_point(p, i) : 0;

		if (!err)
			continue;
		if (mechanism != ATTACH_FENTRY)
			return err;
		msg_info("the kernel refuses fentry for %s (%s): using a kprobe",
			 guest_points[i].alternative[choice->alternative].function,
			 attach_error_text(err));
		choice->fentry_err = err;
		choice->mechanism = ATTACH_KPROBE;
		*refused = true;
	}
	return 0;
}

int guest_probes_attach(struct guest_probes *p)
{
	bool refused = false;
	int err = attach_all(p, ATTACH_FENTRY, &refused);

	p->fell_back = refused;
	if (!err && refused) {
		/* Nothing of it is attached yet: load it again with what it now needs, too. */
		guest_kprobe_bpf__destroy(p->kprobes);
		err = load_kprobes(p);
	}
	if (!err)
		err = attach_all(p, ATTACH_KPROBE, &refused);
	if (err)
		bpf_util_explain("guest probes", err);
	return err;
}

void guest_probes_detach(struct guest_probes *p)
{
	drop_links(p, 0);
	kretprobes_free(&p->kretprobes);
}

void guest_probes_close(struct guest_probes *p)
{
	guest_probes_detach(p);
	free(p->links);
	guest_kprobe_bpf__destroy(p->kprobes);
	for (int i = 0; i < GUEST_STAND_INS; i++)
		guest_bpf__destroy(p->stand_ins[i]);
	guest_bpf__destroy(p->bpf);
	remove_handlers(p); /* programs refer to them */
	kernel_functions_close(p->kernel);
	*p = (struct guest_probes){};
}

json_t *guest_probes_cost(const struct guest_probes *p)
{
	json_t *cost = json_object();

	if (cost && p->bpf)
		bpf_util_add_costs(cost, p->bpf->obj);
	if (cost && p->kprobes)
		bpf_util_add_costs(cost, p->kprobes->obj);
	for (int i = 0; cost && i < GUEST_STAND_INS && p->stand_ins[i]; i++)
		bpf_util_add_costs(cost, p->stand_ins[i]->obj);
	return cost;
}

struct bpf_cost guest_probes_cost_of_all(const struct guest_probes *p)
{
	struct bpf_cost cost = {0};

	if (p->bpf)
		bpf_util_sum_costs(&cost, p->bpf->obj);
	if (p->kprobes)
		bpf_util_sum_costs(&cost, p->kprobes->obj);
	for (int i = 0; i < GUEST_STAND_INS && p->stand_ins[i]; i++)
		bpf_util_sum_costs(&cost, p->stand_ins[i]->obj);
	return cost;
}

static uint64_t program_missed(const struct bpf_object *object, const char *name, const char *is)
{
	struct bpf_prog_info info;

	if (!bpf_util_program_info(bpf_object__find_program_by_name(object, name), &info))
		return 0;
	if (info.recursion_misses)
		msg_debug("%-18s %smissed %llu times", name, is,
			  (unsigned long long)info.recursion_misses);
	return info.recursion_misses;
}

uint64_t guest_probes_missed(const struct guest_probes *p)
{
	uint64_t missed = 0, made_up_for = p->bpf->bss->stood_in;

	for (size_t i = 0; i < nr_guest_points; i++) {
		const struct bpf_object *object = object_of(p, p->choices[i].mechanism);
		const char *const *programs = programs_of(p, i);

		for (int n = 0; object && n < GUEST_POINT_PROGRAMS && programs[n]; n++) {
			uint64_t count = program_missed(object, programs[n], "");

			for (int s = 0; s < GUEST_STAND_INS && p->stand_ins[s]; s++)
				program_missed(p->stand_ins[s]->obj, programs[n], "stand-in ");
			if (guest_point_loses(&guest_points[i], programs[n]))
				missed += count;
		}
	}
	msg_debug("stand-ins made up for %llu", (unsigned long long)made_up_for);
	return missed > made_up_for ? missed - made_up_for : 0;
}
