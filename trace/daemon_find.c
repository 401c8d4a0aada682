// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Find the virtio-fs daemon to record: the process that has a guest's memory mapped and serves its
 * queues, by process id or by looking through /proc.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lib/msg.h"
#include "lib/units.h"
#include "trace/daemon_find.h"
#include "trace/proc_maps.h"
#include "trace/program_info.h"
#include "trace/vmm_info.h"
#include "trace/vring_find.h"

#define MAX_DAEMONS 64

struct pid_list {
	pid_t pids[MAX_DAEMONS];
	size_t count; /* may be more than fit */
};

/* Guest memory that a process maps: its inode, 0 if none. */
static uint64_t guest_memory_inode(pid_t pid)
{
	const struct proc_map *memory;
	struct proc_maps maps;
	uint64_t inode = 0;

	if (proc_maps_read(&maps, pid))
		return 0;
	memory = vring_guest_memory(&maps);
	if (memory)
		inode = memory->inode;
	proc_maps_free(&maps);
	return inode;
}

static int split_args(char *text, size_t len, char **argv)
{
	int argc = 0;

	for (size_t at = 0; at < len && argc < DAEMON_MAX_ARGS; at += strlen(text + at) + 1)
		argv[argc++] = text + at;
	return argc;
}

/* The program that a dynamic loader was told to run. False if it cannot be read. */
static bool loaded_program(pid_t pid, char *path, size_t size)
{
	char *argv[DAEMON_MAX_ARGS], *text;
	size_t len;
	int argc, at;

	if (proc_read_file(pid, "cmdline", &text, &len))
		return false;
	argc = split_args(text, len, argv);
	at = daemon_loader_args(argc, argv);
	if (at < argc)
		snprintf(path, size, "%s", argv[at]);
	free(text);
	return at < argc;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/*
 * Path of the program, without " (deleted)"; empty if it cannot be read. A program that its loader
 * was started to run, with libraries of its own, is not its own exe.
 */
static void program_path(pid_t pid, char *path, size_t size, bool *loader)
{
	char link[64];
	char *deleted;
	ssize_t n;

	*loader = false;
	path[0] = '\0';
	snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
	n = readlink(link, path, size - 1);
	if (n < 0)
		return;
	path[n] = '\0';
	deleted = strstr(path, " (deleted)");
	if (deleted)
		*deleted = '\0';
	if (daemon_is_loader(base_name(path)))
		*loader = loaded_program(pid, path, size);
}

/* Base name of the program; empty if it cannot be read. */
static void program_name(pid_t pid, char *name, size_t len)
{
	char path[PATH_MAX];
	bool loader;

	program_path(pid, path, sizeof(path), &loader);
	snprintf(name, len, "%.*s", (int)len - 1, base_name(path));
}

static bool is_virtiofsd(pid_t pid)
{
	char name[NAME_MAX + 1];

	program_name(pid, name, sizeof(name));
	return !strncmp(name, "virtiofsd", 9);
}

static pid_t parent_of(pid_t pid)
{
	char *text, *at;
	int parent = 0;

	if (proc_read_file(pid, "stat", &text, NULL))
		return 0;
	at = strrchr(text, ')'); /* the name may hold anything */
	if (at)
		sscanf(at + 1, " %*c %d", &parent);
	free(text);
	return parent;
}

/* proc(5): starttime is the 20th after the name. 0: not known. */
static uint64_t start_time_ns(pid_t pid)
{
	unsigned long long ticks = 0;
	char *text, *at;

	if (proc_read_file(pid, "stat", &text, NULL))
		return 0;
	at = strrchr(text, ')');
	if (at && sscanf(at + 1,
			 " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d "
			 "%*d %*d %llu",
			 &ticks) != 1)
		ticks = 0;
	free(text);
	return ticks * (NS_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK));
}

typedef bool (*pid_filter)(pid_t pid, uint64_t arg);

static void each_process(struct pid_list *list, pid_filter wanted, uint64_t arg)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	uint64_t pid;

	list->count = 0;
	while (dir && (entry = readdir(dir))) {
		if (parse_u64(entry->d_name, &pid) || !wanted((pid_t)pid, arg))
			continue;
		if (list->count < MAX_DAEMONS)
			list->pids[list->count] = (pid_t)pid;
		list->count++;
	}
	if (dir)
		closedir(dir);
}

static bool serves_guest(pid_t pid, uint64_t arg)
{
	return is_virtiofsd(pid) && guest_memory_inode(pid);
}

static bool is_daemon(pid_t pid, uint64_t arg)
{
	return is_virtiofsd(pid);
}

static bool is_serving_child(pid_t pid, uint64_t parent)
{
	return (uint64_t)parent_of(pid) == parent && guest_memory_inode(pid);
}

static bool shares_memory(pid_t pid, uint64_t inode)
{
	return guest_memory_inode(pid) == inode;
}

static int read_daemon(struct daemon *d, pid_t pid)
{
	char *argv[DAEMON_MAX_ARGS], exe[PATH_MAX];
	int argc, skip = 0, err;
	bool loader;

	d->pid = pid;
	d->started_ns = start_time_ns(pid);
	err = proc_read_file(pid, "cmdline", &d->args, &d->args_len);
	if (err)
		return err;
	d->parsed = malloc(d->args_len + 1);
	if (!d->parsed)
		return -ENOMEM;
	memcpy(d->parsed, d->args, d->args_len + 1);
	argc = split_args(d->parsed, d->args_len, argv);
	program_path(pid, exe, sizeof(exe), &loader);
	if (loader)
		skip = daemon_loader_args(argc, argv);
	daemon_options_parse(&d->options, argc - skip, argv + skip);
	if (!is_virtiofsd(pid))
		d->options.kind = DAEMON_OTHER;
	if (*exe)
		d->exe = strdup(exe);
	return 0;
}

void daemon_free(struct daemon *d)
{
	free(d->exe);
	free(d->args);
	free(d->parsed);
	*d = (struct daemon){};
}

static int compare_pids(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return x < y ? -1 : x > y;
}

static int read_listed(struct pid_list *list, struct daemon *daemons, int max)
{
	size_t listed = list->count < MAX_DAEMONS ? list->count : MAX_DAEMONS;
	int count = 0;

	qsort(list->pids, listed, sizeof(list->pids[0]), compare_pids);
	for (size_t i = 0; i < listed && count < max; i++) {
		daemons[count] = (struct daemon){};
		if (read_daemon(&daemons[count], list->pids[i]))
			daemon_free(&daemons[count]);
		else
			count++;
	}
	return count;
}

int daemon_find_all(struct daemon *list, int max, bool serving)
{
	struct pid_list pids;

	each_process(&pids, serving ? serves_guest : is_daemon, 0);
	return read_listed(&pids, list, max);
}

static void list_daemons(const struct pid_list *list)
{
	for (size_t i = 0; i < list->count && i < MAX_DAEMONS; i++) {
		struct daemon d = {};

		if (!read_daemon(&d, list->pids[i]))
			msg_info("  --daemon %-7d shares %s, socket %s, %s", (int)d.pid,
				 d.options.shared_dir ? d.options.shared_dir : "?",
				 d.options.socket ? d.options.socket : "?", d.exe ? d.exe : d.args);
		daemon_free(&d);
	}
}

static int find_only(struct daemon *daemon, bool patient)
{
	struct pid_list list;

	each_process(&list, serves_guest, 0);
	if (!list.count && patient) {
		each_process(&list, is_daemon, 0);
		if (list.count)
			return -EAGAIN;
	}
	if (!list.count) {
		msg_error("found no virtiofsd that serves a VM on this machine; start the VM "
			  "first, run "
			  "as root to see all processes, or name another daemon with --daemon PID");
		return -ESRCH;
	}
	if (list.count > 1) {
		msg_error("%zu virtiofsd processes serve VMs on this machine; choose one, or "
			  "several by repeating the option, or --daemon all:",
			  list.count);
		list_daemons(&list);
		return -EINVAL;
	}
	return read_daemon(daemon, list.pids[0]);
}

/* Why a process cannot be recorded; says what could. */
static int refuse(pid_t pid)
{
	char name[NAME_MAX + 1];
	struct pid_list list;

	program_name(pid, name, sizeof(name));
	msg_error("process %d (%s) is not a virtio-fs daemon that serves a VM: it maps no guest "
		  "memory, "
		  "and none of its children does; is the VM started, with memory that is shared "
		  "(memory-backend-memfd,share=on)?",
		  (int)pid, *name ? name : "program not readable: run as root");
	each_process(&list, serves_guest, 0);
	if (list.count)
		msg_info("these do serve VMs:");
	list_daemons(&list);
	return -EINVAL;
}

static int find_pid(struct daemon *daemon, const char *which, bool patient)
{
	char name[NAME_MAX + 1];
	struct pid_list children;
	struct proc_maps maps = {};
	uint64_t pid;

	if (parse_u64(which, &pid) || !pid || pid > INT32_MAX) {
		msg_error("--daemon '%s' is neither a process id nor 'auto' or 'all'", which);
		return -EINVAL;
	}
	/* Signal 0 only asks; without permission to signal there is a process, too. */
	if (kill((pid_t)pid, 0) && errno == ESRCH) {
		msg_error("there is no process %llu; 'pgrep virtiofsd' lists daemons, or use "
			  "--daemon "
			  "auto",
			  (unsigned long long)pid);
		return -ESRCH;
	}
	if (proc_maps_read(&maps, (pid_t)pid) == -EACCES) {
		msg_error(
			"may not look into process %llu: Permission denied; run as root, or as its "
			"user with CAP_SYS_PTRACE, CAP_BPF and CAP_PERFMON",
			(unsigned long long)pid);
		return -EACCES;
	}
	proc_maps_free(&maps);
	program_name((pid_t)pid, name, sizeof(name));
	if (!strncmp(name, "qemu-", 5)) {
		msg_error(
			"process %llu is the VMM (%s), not the daemon that serves its file system; "
			"'pgrep virtiofsd' lists daemons, or use --daemon auto",
			(unsigned long long)pid, name);
		return -EINVAL;
	}
	if (guest_memory_inode((pid_t)pid))
		return read_daemon(daemon, (pid_t)pid);
	each_process(&children, is_serving_child, pid);
	if (children.count != 1)
		return patient && is_virtiofsd((pid_t)pid) ? -EAGAIN : refuse((pid_t)pid);
	msg_info("process %llu has left the work to its child %d: recording that",
		 (unsigned long long)pid, (int)children.pids[0]);
	return read_daemon(daemon, children.pids[0]);
}

int daemon_find(struct daemon *daemon, const char *which, bool patient)
{
	int err;

	*daemon = (struct daemon){};
	err = !strcmp(which, "auto") ? find_only(daemon, patient)
				     : find_pid(daemon, which, patient);
	if (err)
		daemon_free(daemon);
	return err;
}

static json_t *string_or_null(const char *text)
{
	return text ? json_stringn_nocheck(text, strlen(text)) : json_null();
}

/* What can be told of a VMM: its program, its version, its VM. */
static json_t *describe_vmm(pid_t pid)
{
	char name[NAME_MAX + 1], path[PATH_MAX], link[64], *args;
	json_t *vmm;
	bool loader;
	size_t len;

	program_name(pid, name, sizeof(name));
	vmm = json_pack("{s:i s:s}", "pid", (int)pid, "program", name);
	program_path(pid, path, sizeof(path), &loader);
	snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
	if (vmm)
		program_info_describe(vmm, loader ? path : link);
	if (!vmm || proc_read_file(pid, "cmdline", &args, &len))
		return vmm;
	vmm_describe_args(vmm, args, len);
	free(args);
	return vmm;
}

/* The other processes that map the same memory and are no daemons: the VMM. */
static json_t *vmm_json(const struct daemon *d)
{
	uint64_t inode = guest_memory_inode(d->pid);
	struct pid_list list = {};

	if (inode)
		each_process(&list, shares_memory, inode);
	for (size_t i = 0; i < list.count && i < MAX_DAEMONS; i++)
		if (list.pids[i] != d->pid && !is_virtiofsd(list.pids[i]))
			return describe_vmm(list.pids[i]);
	return json_null();
}

/* Its file: through /proc, as its own root may be another; but behind a loader by its path. */
static void describe_program(json_t *object, const struct daemon *d)
{
	char path[PATH_MAX], link[64];
	bool loader;

	snprintf(link, sizeof(link), "/proc/%d/exe", (int)d->pid);
	program_path(d->pid, path, sizeof(path), &loader);
	program_info_describe(object, loader ? path : link);
}

json_t *daemon_json(const struct daemon *d)
{
	const struct daemon_options *o = &d->options;
	json_t *args = json_array(), *object;

	for (size_t at = 0; args && at < d->args_len; at += strlen(d->args + at) + 1)
		json_array_append_new(args, string_or_null(d->args + at));
	object = json_pack(
		"{s:i s:o s:s s:o s:o s:o s:o s:o s:i s:b s:b s:b s:o}", "pid", (int)d->pid, "exe",
		string_or_null(d->exe), "kind", daemon_kind_name(o->kind), "args", args,
		"shared_dir", string_or_null(o->shared_dir), "cache",
		string_or_null(o->cache ? o->cache : "auto"), "sandbox",
		string_or_null(o->sandbox ? o->sandbox : "namespace"), "inode_file_handles",
		string_or_null(o->inode_file_handles), "thread_pool", (int)o->thread_pool,
		"writeback", o->writeback, "allow_direct_io", o->allow_direct_io, "xattr", o->xattr,
		"vmm", vmm_json(d));
	if (object)
		describe_program(object, d);
	return object;
}

static bool may_look_into(pid_t pid)
{
	struct proc_maps maps = {};
	int err = proc_maps_read(&maps, pid);

	proc_maps_free(&maps);
	return !err;
}

static bool child_serves(pid_t pid)
{
	struct pid_list children;

	each_process(&children, is_serving_child, (uint64_t)pid);
	return children.count > 0;
}

json_t *daemons_json(void)
{
	json_t *array = json_array();
	struct pid_list list;

	each_process(&list, is_daemon, 0);
	for (size_t i = 0; array && i < list.count && i < MAX_DAEMONS; i++) {
		bool serves = guest_memory_inode(list.pids[i]) != 0;
		struct daemon d = {};
		json_t *entry = NULL;

		/* A parent that only waits for its child, which is in the list itself. */
		if (!serves && child_serves(list.pids[i]))
			continue;
		if (!read_daemon(&d, list.pids[i]))
			entry = daemon_json(&d);
		if (entry) {
			json_object_set_new(entry, "permitted",
					    json_boolean(may_look_into(list.pids[i])));
			json_object_set_new(entry, "serves_vm", json_boolean(serves));
			json_array_append_new(array, entry);
		}
		daemon_free(&d);
	}
	return array;
}
