// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What this machine offers for recording, as a guest and as a host.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "lib/compiler.h"
#include "trace/attach.h"
#include "trace/bpf_util.h"
#include "trace/daemon_find.h"
#include "trace/guest_context.h"
#include "trace/guest_devices.h"
#include "trace/guest_mounts.h"
#include "trace/guest_points.h"
#include "trace/host_points.h"
#include "trace/kernel_functions.h"
#include "trace/kretprobe.h"
#include "trace/machine.h"
#include "trace/privilege.h"
#include "trace/probe.h"

/* First line of a file, without its end; NULL if it cannot be read. */
static json_t *file_line(const char *path)
{
	FILE *file = fopen(path, "re");
	char line[256] = "";
	json_t *text;

	if (!file)
		return json_null();
	text = fgets(line, sizeof(line), file) ? json_string(strtok(line, "\n")) : json_null();
	fclose(file);
	return text;
}

static json_t *capabilities_json(void)
{
	json_t *object = json_object();

	for (unsigned int i = 0; object && i < NR_PRIVILEGES; i++)
		json_object_set_new(object, privilege_name(i), json_boolean(privilege_have(i)));
	return object;
}

static json_t *settings_json(void)
{
	return json_pack(
		"{s:o s:o s:o s:o s:b}", "kernel.unprivileged_bpf_disabled",
		file_line("/proc/sys/kernel/unprivileged_bpf_disabled"),
		"kernel.perf_event_paranoid", file_line("/proc/sys/kernel/perf_event_paranoid"),
		"net.core.bpf_jit_enable", file_line("/proc/sys/net/core/bpf_jit_enable"),
		"lockdown", file_line("/sys/kernel/security/lockdown"), "memlock_counts",
		/* Kernels that have this helper (5.11) count BPF memory by cgroup instead. */
		libbpf_probe_bpf_helper(BPF_PROG_TYPE_SOCKET_FILTER, BPF_FUNC_ktime_get_coarse_ns,
					NULL) == 0);
}

static json_t *mechanisms_json(struct kernel_functions *k)
{
	/* Functions of the core kernel that every system has; only offered, so none is attached. */
	return json_pack(
		"{s:s s:s s:s s:s s:s}", "fentry",
		attach_error_text(k ? attach_try_fentry(k, "do_unlinkat", false) : -ENOENT),
		"kprobe", attach_error_text(attach_try_kprobe("do_unlinkat", false)), "tp_btf",
		attach_error_text(attach_try_tp_btf("sys_enter", false)), "raw_tp",
		attach_error_text(attach_try_raw_tp("sys_enter", false)), "uprobe",
		attach_error_text(attach_has_uprobes() ? 0 : -EOPNOTSUPP));
}

static void add_stale(void *ctx, const char *name)
{
	json_array_append_new(ctx, json_string(name));
}

/* What recorders left that were killed: it is disabled and costs nothing, but whose is it? */
static void describe_stale(json_t *machine)
{
	json_t *names = json_array(), *name;
	char pids[160] = "", command[320];
	size_t i, at = 0;
	int last = 0; /* one recorder's are together */

	kretprobes_each_stale(add_stale, names);
	json_array_foreach(names, i, name)
	{
		int pid = atoi(json_string_value(name) + strlen("vfscope_"));

		if (pid != last && at + 12 < sizeof(pids))
			at += (size_t)snprintf(pids + at, sizeof(pids) - at, "%s%d", at ? "|" : "",
					       pid);
		last = pid;
	}
	snprintf(command, sizeof(command),
		 "sudo sh -c 'cd /sys/kernel/tracing && grep -oE \"vfscope_(%s)/[^ ]+\" "
		 "kprobe_events | sed s/^/-:/ >>kprobe_events'",
		 pids);
	if (i)
		json_object_set_new(machine, "stale_definitions",
				    json_pack("{s:O s:s}", "names", names, "remedy", command));
	json_decref(names);
}

json_t *probe_machine(void)
{
	struct kernel_functions *k = NULL;
	struct utsname uts;
	json_t *machine;

	bpf_util_begin();
	if (uname(&uts))
		return NULL;
	kernel_functions_open(&k, guest_modules);
	machine = json_pack("{s:s s:s s:s s:i s:b s:o s:o s:o s:o}", "hostname", uts.nodename,
			    "kernel", uts.release, "arch", uts.machine, "cpus",
			    (int)sysconf(_SC_NPROCESSORS_ONLN), "btf", k != NULL, "btf_modules",
			    k ? kernel_functions_modules(k) : json_array(), "mechanisms",
			    mechanisms_json(k), "capabilities", capabilities_json(), "settings",
			    settings_json());
	kernel_functions_close(k);
	if (machine) {
		machine_describe(machine);
		describe_stale(machine);
	}
	return machine;
}

static void add_problem(json_t *problems, const char *what, const char *remedy)
{
	json_array_append_new(problems, json_pack("{s:s s:s}", "what", what, "remedy", remedy));
}

/* "sudo setcap cap_bpf,cap_perfmon+ep /usr/bin/vfscope": all that are needed, as it replaces. */
static void grant_command(const bool *need, char *buf, size_t len)
{
	char program[PATH_MAX] = "vfscope", list[128] = "";
	ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);
	size_t at = 0;

	if (n > 0)
		program[n] = '\0';
	for (unsigned int i = 0; i < NR_PRIVILEGES; i++)
		if (need[i])
			at += (size_t)snprintf(list + at, sizeof(list) - at, "%s%s", at ? "," : "",
					       privilege_name(i));
	for (char *c = list; *c; c++)
		*c = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
	snprintf(buf, len, "run it with sudo, or: sudo setcap %s+ep %s", list, program);
}

static void check_privileges(json_t *problems, const bool *need)
{
	char remedy[PATH_MAX + 256], what[160];

	grant_command(need, remedy, sizeof(remedy));
	for (unsigned int i = 0; i < NR_PRIVILEGES; i++) {
		if (!need[i] || privilege_have(i))
			continue;
		snprintf(what, sizeof(what), "%s is missing: it %s", privilege_name(i),
			 privilege_purpose(i));
		add_problem(problems, what, remedy);
	}
}

/* What both sides need of the kernel. */
static void check_kernel(json_t *problems)
{
	char lockdown[128] = "";
	FILE *file = fopen("/sys/kernel/security/lockdown", "re");

	if (file && !fgets(lockdown, sizeof(lockdown), file))
		lockdown[0] = '\0';
	if (file)
		fclose(file);
	if (strstr(lockdown, "[confidentiality]"))
		add_problem(problems,
			    "the kernel is locked down for confidentiality: no program "
			    "may read its memory",
			    "boot with lockdown=integrity, or without lockdown");
	if (privilege_have(PRIVILEGE_BPF) &&
	    libbpf_probe_bpf_map_type(BPF_MAP_TYPE_RINGBUF, NULL) == 0)
		add_problem(problems, "the kernel has no BPF ring buffers",
			    "use a kernel from 5.8 on");
}

/* Points that were only refused for want of a capability are no problem of their own. */
static bool is_point_problem(int err, const json_t *problems)
{
	return !json_array_size(problems) || (err != -EPERM && err != -EACCES);
}

static void add_point_problem(json_t *problems, const char *what, const char *functions, int err,
			      const char *remedy)
{
	char text[320];

	if (!is_point_problem(err, problems))
		return;
	snprintf(text, sizeof(text), "no way to see '%s' (%s): %s", what, functions,
		 attach_error_text(err));
	add_problem(problems, text, remedy);
}

static const char *guest_remedy(int err)
{
	if (err == -EPERM || err == -EACCES)
		return "all capabilities are there, so a security module or the sandbox of this "
		       "machine refuses it: record where it does not";
	if (err == -ENOENT)
		return "'modprobe virtiofs' if it is a module; else this kernel is not known: "
		       "please report it with the output of 'vfscope probe --format json'";
	return "use a kernel with CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS (fentry) or "
	       "CONFIG_KPROBES";
}

static void check_guest_points(json_t *problems, const struct guest_point_choice *choices)
{
	char functions[128];

	for (size_t i = 0; i < nr_guest_points; i++) {
		const struct guest_point *point = &guest_points[i];

		if (choices[i].mechanism != ATTACH_NONE ||
		    (point->kind != POINT_NEEDED && point->kind != POINT_OP))
			continue;
		add_point_problem(
			problems, point->what,
			guest_point_function(point, &choices[i], functions, sizeof(functions)),
			choices[i].err, guest_remedy(choices[i].err));
	}
}

/* "present": what can be recorded here at all. */
static json_t *finish(json_t *side, bool present, json_t *problems)
{
	if (!side) {
		json_decref(problems);
		return NULL;
	}
	json_object_set_new(side, "present", json_boolean(present));
	json_object_set_new(side, "possible", json_boolean(!json_array_size(problems)));
	json_object_set_new(side, "problems", problems);
	return side;
}

static json_t *probe_guest_points(struct kernel_functions *k, json_t *problems)
{
	static const struct guest_recorded all = {.level = RECORD_OPS, .dax = true};
	struct guest_point_choice choices[GUEST_POINTS_MAX];
	bool need[NR_PRIVILEGES] = {[PRIVILEGE_BPF] = true, [PRIVILEGE_PERFMON] = true};
	json_t *modules = kernel_functions_modules(k);

	need[PRIVILEGE_SYS_ADMIN] = json_array_size(modules) > 0;
	json_decref(modules);
	guest_points_choose(k, ATTACH_NONE, true, choices);
	check_kernel(problems);
	check_privileges(problems, need);
	check_guest_points(problems, choices);
	return guest_points_json(choices, &all);
}

json_t *probe_guest(void)
{
	struct kernel_functions *k = NULL;
	json_t *problems = json_array(), *points = NULL, *devices = guest_devices_json();
	struct guest_mounts mounts = {};
	bool driver = false;
	json_t *side;

	bpf_util_begin();
	guest_mounts_read(&mounts, "/proc/self/mountinfo");
	if (kernel_functions_open(&k, guest_modules))
		add_problem(problems, "the kernel has no BTF (/sys/kernel/btf/vmlinux)",
			    "use a kernel with CONFIG_DEBUG_INFO_BTF");
	else
		driver = kernel_functions_find(k, "virtio_fs_enqueue_req", NULL);
	if (k && !driver)
		add_problem(problems, "no virtio-fs driver in this kernel",
			    "'modprobe virtiofs' in a guest that has a virtio-fs device");
	else if (k)
		points = probe_guest_points(k, problems);
	side = json_pack("{s:b s:o s:o s:o s:o}", "driver", driver, "devices", devices, "mounts",
			 guest_mounts_json(&mounts), "connections", guest_connections_read(&mounts, GUEST_MAX_CONNS),
			 "points", points ? points : json_array());
	side = finish(side, mounts.count > 0 || json_array_size(devices) > 0, problems);
	guest_mounts_free(&mounts);
	kernel_functions_close(k);
	return side;
}

static bool any_daemon(const json_t *daemons, const char *key, bool value)
{
	const json_t *daemon;
	size_t i;

	json_array_foreach((json_t *)daemons, i, daemon)
	{
		if (json_is_true(json_object_get(daemon, key)) == value)
			return true;
	}
	return false;
}

static void check_host(json_t *problems, const json_t *daemons,
		       const struct host_point_choice *choices)
{
	bool need[NR_PRIVILEGES] = {[PRIVILEGE_BPF] = true, [PRIVILEGE_PERFMON] = true};

	need[PRIVILEGE_SYS_PTRACE] = any_daemon(daemons, "permitted", false);
	check_kernel(problems);
	check_privileges(problems, need);
	if (privilege_have(PRIVILEGE_BPF) && privilege_have(PRIVILEGE_PERFMON) &&
	    libbpf_probe_bpf_helper(BPF_PROG_TYPE_RAW_TRACEPOINT, BPF_FUNC_loop, NULL) == 0)
		add_problem(problems, "the kernel has no bpf_loop()", "use a kernel from 5.17 on");
	for (size_t i = 0; i < nr_host_points; i++)
		if (choices[i].mechanism == ATTACH_NONE &&
		    host_point_wanted(&host_points[i], HOST_BASE))
			add_point_problem(problems, host_points[i].what, host_points[i].tracepoint,
					  choices[i].err,
					  "use a kernel with CONFIG_HAVE_SYSCALL_TRACEPOINTS, "
					  "outside of sandboxes that refuse BPF");
	if (any_daemon(daemons, "permitted", true) && !any_daemon(daemons, "serves_vm", true))
		add_problem(problems, "no daemon serves a VM",
			    "start the VM, with memory that is shared "
			    "(memory-backend-memfd,share=on)");
}

json_t *probe_host(void)
{
	struct host_point_choice choices[HOST_POINTS_MAX];
	json_t *problems = json_array(), *daemons = daemons_json(), *side;

	bpf_util_begin();
	host_points_choose(true, choices);
	check_host(problems, daemons, choices);
	if (!json_array_size(daemons))
		add_problem(problems,
			    "no virtiofsd runs on this machine, or none that this user "
			    "may see",
			    "start the VM, and run this as root to see all processes");
	side = json_pack("{s:O s:o}", "daemons", daemons, "points",
			 host_points_json(choices, HOST_EVERYTHING));
	side = finish(side, json_array_size(daemons) > 0, problems);
	json_decref(daemons);
	return side;
}
