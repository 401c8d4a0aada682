// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Finds ops that began before recording did in the stacks of all tasks; see guest_under_way.h.
 */
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "bpf/guest_abi.h"
#include "trace/guest_slots.h"
#include "trace/guest_under_way.h"

#define STACK_TEXT_BYTES 8192

enum begins {
	BEGINS_NOTHING,
	BEGINS_OP,
	BEGINS_PASS,
};

/* Of what is recorded with ops, a pair of programs follows something from begin to end. */
static enum begins point_begins(const struct guest_point *point, const char *const *programs)
{
	if (!programs[1] || (point->kind != POINT_OP && point->kind != POINT_OP_OPTIONAL &&
			     point->kind != POINT_DAX_OP))
		return BEGINS_NOTHING;
	if (!strcmp(programs[0], "pause_begin")) /* inside a write */
		return BEGINS_NOTHING;
	return strcmp(programs[0], "pass_begin") ? BEGINS_OP : BEGINS_PASS;
}

/* "[<0>] fuse_open+0x12/0x340 [fuse]" */
static bool stack_has(const char *text, const char *function)
{
	size_t len = strlen(function);

	for (const char *at = text; (at = strstr(at, function)); at += len)
		if (at > text && at[-1] == ' ' && at[len] == '+')
			return true;
	return false;
}

/* filemap_fault is every file system's: that of FUSE waits in one of its functions. */
static bool is_in(const char *text, const struct guest_point *point,
		  const struct guest_point_choice *choice)
{
	const char *function = point->alternative[choice->alternative].function;

	return stack_has(text, function) && (!point->all_devices || strstr(text, " fuse_"));
}

struct guest_stack guest_stack_of(const char *text, const struct guest_point_choice *choices,
				  const struct guest_recorded *what)
{
	struct guest_stack in = {};

	for (size_t i = 0; i < nr_guest_points; i++) {
		const struct guest_point *point = &guest_points[i];
		enum begins begins =
			point_begins(point, point->alternative[choices[i].alternative].programs);

		if (begins == BEGINS_NOTHING || choices[i].mechanism == ATTACH_NONE ||
		    !guest_point_programs(point, what) || !is_in(text, point, &choices[i]))
			continue;
		in.op |= begins == BEGINS_OP;
		in.pass |= begins == BEGINS_PASS;
	}
	return in;
}

/* The length, or -errno. */
static ssize_t read_stack(int dir, const char *task, char *text, size_t len)
{
	char path[300];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/stack", task);
	fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, len - 1);
	n = n < 0 ? -errno : n;
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n;
}

struct search {
	const struct guest_point_choice *choices;
	const struct guest_recorded *what;
	const struct guest_under_way_maps *maps;
	int64_t found;
};

static bool op_is_known(const struct search *s, uint32_t task)
{
	struct guest_op_entry op;

	return guest_slots_find(s->maps->ops_slots, s->maps->ops, task, &op);
}

static bool pass_is_known(const struct search *s, uint32_t task)
{
	struct guest_writeback_event pass;

	return !bpf_map_lookup_elem(bpf_map__fd(s->maps->passes), &task, &pass);
}

/* What the task is in, in *in. The length of its stack's text, or -errno if it cannot be read. */
static ssize_t find_in_stack(const struct search *s, int dir, const char *task,
			     struct guest_stack *in)
{
	char text[STACK_TEXT_BYTES];
	ssize_t len = read_stack(dir, task, text, sizeof(text));

	*in = (struct guest_stack){};
	if (len > 0)
		*in = guest_stack_of(text, s->choices, s->what);
	return len;
}

/*
 * Looked up before and after: an op that began in between is there afterwards, one that ended in
 * between was there before. Most tasks are in none at all, which their stack alone tells. -errno if
 * stacks cannot be read.
 */
static int look_at(struct search *s, int dir, const char *name)
{
	uint32_t task = (uint32_t)strtoul(name, NULL, 10);
	bool op_before, pass_before;
	struct guest_stack in;
	ssize_t len = find_in_stack(s, dir, name, &in);

	if (len == -EACCES || len == -EPERM)
		return (int)len;
	if (!in.op && !in.pass) /* or the task has ended */
		return 0;
	op_before = op_is_known(s, task);
	pass_before = pass_is_known(s, task);
	find_in_stack(s, dir, name, &in);
	s->found += in.op && !op_before && !op_is_known(s, task);
	s->found += in.pass && !pass_before && !pass_is_known(s, task);
	return 0;
}

static int look_at_tasks(struct search *s, const char *process)
{
	char path[300];
	struct dirent *entry;
	DIR *tasks;
	int err = 0;

	snprintf(path, sizeof(path), "/proc/%s/task", process);
	tasks = opendir(path);
	if (!tasks) /* it has ended */
		return 0;
	while (!err && (entry = readdir(tasks)))
		if (entry->d_name[0] != '.')
			err = look_at(s, dirfd(tasks), entry->d_name);
	closedir(tasks);
	return err;
}

static bool uses_kprobes(const struct guest_point_choice *choices)
{
	for (size_t i = 0; i < nr_guest_points; i++)
		if (choices[i].mechanism == ATTACH_KPROBE)
			return true;
	return false;
}

int64_t guest_count_under_way(const struct guest_point_choice *choices,
			      const struct guest_recorded *what,
			      const struct guest_under_way_maps *maps)
{
	struct search s = {choices, what, maps, 0};
	struct dirent *entry;
	int err = 0;
	DIR *proc;

	if (uses_kprobes(choices))
		return -EOPNOTSUPP;
	proc = opendir("/proc");
	if (!proc)
		return -errno;
	while (!err && (entry = readdir(proc)))
		if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9')
			err = look_at_tasks(&s, entry->d_name);
	closedir(proc);
	return err ? err : s.found;
}
