// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which virtqueue is which. libvhost-user keeps its queues in an array, so that their order in
 * memory is their number. The Rust daemon allocates them one by one, in any order; but it stores
 * each queue's kick beside it, and its epoll set knows that kick by the queue's number. What was
 * answered decides about hiprio in any case: it carries FORGETs only, which have no reply.
 */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "trace/proc_maps.h"
#include "trace/vring_order.h"

static void swap_queues(struct host_queue *queues, struct vring_traits *traits, uint32_t a,
			uint32_t b)
{
	struct host_queue queue = queues[a];
	struct vring_traits trait = traits[a];

	queues[a] = queues[b];
	traits[a] = traits[b];
	queues[b] = queue;
	traits[b] = trait;
}

/* hiprio by its answers; -1 if they do not tell. */
static int hiprio_by_replies(uint32_t nr, const struct vring_traits *traits)
{
	uint32_t replied = 0;
	int silent = -1;

	for (uint32_t i = 0; i < nr; i++) {
		replied += traits[i].replied;
		if (traits[i].used && !traits[i].replied)
			return (int)i;
		if (!traits[i].replied)
			silent = (int)i;
	}
	return replied + 1 == nr ? silent : -1;
}

void vring_order(uint32_t nr, struct host_queue *queues, struct vring_traits *traits,
		 const int *kicks, bool (*near_fd)(void *ctx, uint64_t found_at, int fd), void *ctx)
{
	int hiprio;

	for (uint32_t index = 0; index < nr; index++) {
		if (kicks[index] < 0)
			continue;
		/* The numbers are small, so that a chance match is possible: a queue that is in
		 * its place stays there. */
		for (uint32_t i = index; i < nr; i++) {
			if (!near_fd(ctx, traits[i].found_at, kicks[index]))
				continue;
			swap_queues(queues, traits, index, i);
			break;
		}
	}
	hiprio = hiprio_by_replies(nr, traits);
	if (hiprio > 0)
		swap_queues(queues, traits, 0, (uint32_t)hiprio);
}

void vring_parse_kicks(const char *text, int kicks[HOST_MAX_QUEUES])
{
	unsigned long long data;
	int fd;

	for (const char *at = strstr(text, "tfd:"); at; at = strstr(at + 1, "tfd:"))
		if (sscanf(at, "tfd: %d events: %*x data: %llx", &fd, &data) == 2 &&
		    data < HOST_MAX_QUEUES)
			kicks[data] = fd;
}

void vring_read_kicks(pid_t pid, int kicks[HOST_MAX_QUEUES])
{
	char path[64], name[sizeof("fdinfo/") + NAME_MAX], *text;
	struct dirent *entry;
	DIR *dir;

	for (uint32_t i = 0; i < HOST_MAX_QUEUES; i++)
		kicks[i] = -1;
	snprintf(path, sizeof(path), "/proc/%d/fdinfo", (int)pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		snprintf(name, sizeof(name), "fdinfo/%s", entry->d_name);
		if (entry->d_name[0] == '.' || proc_read_file(pid, name, &text, NULL))
			continue;
		vring_parse_kicks(text, kicks);
		free(text);
	}
	if (dir)
		closedir(dir);
}
