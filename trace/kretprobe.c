// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Kretprobes for functions in which many tasks sleep at once.
 */
#include "trace/kretprobe.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "lib/compiler.h"
#include "lib/msg.h"
#include "trace/tracefs.h"

#define GROUP "vfscope_"
#define MAX_ACTIVE 4096

static int command(int fd, const char *text)
{
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

void kretprobes_each_stale(kretprobe_stale_fn each, void *ctx)
{
	int in = tracefs_open("kprobe_events", O_RDONLY);
	FILE *file = in < 0 ? NULL : fdopen(in, "r");
	char line[256], event[128], name[160];
	int pid;

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "r%*[0-9]:" GROUP "%d/%127s", &pid, event) != 2)
			continue;
		if (pid <= 0 || !kill(pid, 0) || errno != ESRCH)
			continue;
		snprintf(name, sizeof(name), GROUP "%d/%s", pid, event);
		each(ctx, name);
	}
	if (file)
		fclose(file);
	else if (in >= 0)
		close(in);
}

static void remove_stale(void *ctx, const char *name)
{
	const int *fd = ctx;
	char text[192];

	snprintf(text, sizeof(text), "-:%s", name);
	command(*fd, text);
}

static int remember(struct kretprobes *k, const char *name)
{
	char **grown = reallocarray(k->names, k->count + 1, sizeof(*k->names));

	if (!grown)
		return -ENOMEM;
	k->names = grown;
	k->names[k->count] = strdup(name);
	if (!k->names[k->count])
		return -ENOMEM;
	k->count++;
	return 0;
}

static int event_id(const char *name)
{
	char event[96];

	snprintf(event, sizeof(event), GROUP "%d/%s", (int)getpid(), name);
	return tracefs_event_id(event);
}

/* The perf event of a new definition, or -errno. */
static int define(struct kretprobes *k, const char *name, const char *function)
{
	struct perf_event_attr attr = {.size = sizeof(attr), .type = PERF_TYPE_TRACEPOINT};
	char text[256];
	int id, err, fd;

	if (k->fd < 0) {
		k->fd = tracefs_open("kprobe_events", O_WRONLY | O_APPEND);
		if (k->fd < 0)
			return k->fd;
		kretprobes_each_stale(remove_stale, &k->fd);
	}
	snprintf(text, sizeof(text), "r%d:" GROUP "%d/%s %s", MAX_ACTIVE, (int)getpid(), name,
		 function);
	err = command(k->fd, text);
	if (!err)
		err = remember(k, name);
	id = err ? err : event_id(name);
	if (id < 0)
		return id;
	attr.config = (uint64_t)id;
	attr.sample_period = 1;
	fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

struct bpf_link *kretprobe_attach(struct kretprobes *k, struct bpf_program *prog,
				  const char *function)
{
	int fd = define(k, bpf_program__name(prog), function);
	struct bpf_link *link;

	if (fd >= 0) {
		link = bpf_program__attach_perf_event(prog, fd);
		if (!link)
			close(fd);
		return link;
	}
	msg_warn("cannot define a kretprobe of %s in tracefs: %s; of calls that more than 10 tasks "
		 "(or 2 for each CPU) are in at once, returns will be missed",
		 function, strerror(-fd));
	return bpf_program__attach(prog);
}

void kretprobes_free(struct kretprobes *k)
{
	char text[256];

	for (size_t i = 0; i < k->count; i++) {
		snprintf(text, sizeof(text), "-:" GROUP "%d/%s", (int)getpid(), k->names[i]);
		command(k->fd, text);
		free(k->names[i]);
	}
	free(k->names);
	if (k->fd >= 0)
		close(k->fd);
	*k = (struct kretprobes)KRETPROBES_NONE;
}
