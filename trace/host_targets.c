// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Finding the daemons to follow, by what trace/daemon_find.c and trace/vring_find.c know of one.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "lib/msg.h"
#include "lib/units.h"
#include "trace/host_targets.h"
#include "trace/proc_maps.h"
#include "trace/vring_find.h"

/* Process start times are in clock ticks, and ends are noticed a little late. */
#define START_SLACK_NS (NS_PER_SEC / 2)

int host_choice_of(const struct string_list *words, enum host_choice *choice)
{
	*choice = words->count ? CHOOSE_PIDS : CHOOSE_AUTO;
	for (uint32_t i = 0; i < words->count; i++) {
		if (!strcmp(words->items[i], "auto"))
			*choice = CHOOSE_AUTO;
		else if (!strcmp(words->items[i], "all"))
			*choice = CHOOSE_ALL;
	}
	if (words->count <= 1 || *choice == CHOOSE_PIDS)
		return 0;
	msg_error("--daemon '%s' stands alone: give it once, or process ids",
		  *choice == CHOOSE_ALL ? "all" : "auto");
	return -EINVAL;
}

uint32_t host_targets_max(const struct host_targets *t)
{
	return t->max && t->max < HOST_MAX_DAEMONS ? t->max : HOST_MAX_DAEMONS;
}

struct host_target *host_targets_add(struct host_targets *t)
{
	struct host_target *target;

	if (t->count == host_targets_max(t))
		return NULL;
	target = &t->items[t->count];
	*target = (struct host_target){.pidfd = -1, .follows = -1};
	target->layout.slot = target->layout.control = t->count++;
	return target;
}

static void free_target(struct host_target *target)
{
	daemon_free(&target->daemon);
	json_decref(target->about);
	if (target->pidfd >= 0)
		close(target->pidfd);
}

void host_targets_free(struct host_targets *t)
{
	while (t->count)
		free_target(&t->items[--t->count]);
}

static int explain_rings(pid_t pid, int err)
{
	if (err == -ESRCH)
		msg_error("daemon %d ended while its virtqueues were looked for", (int)pid);
	else if (err == -ENODEV)
		msg_error("daemon %d maps no guest memory: its VM has gone or not connected yet",
			  (int)pid);
	else if (err == -ENOENT)
		msg_error("daemon %d has no virtqueues in use: the guest has not started the "
			  "driver of its file system device; start the recording once the guest "
			  "has mounted it (record waits as long as --duration, 60 s without)",
			  (int)pid);
	else
		msg_error("cannot find the virtqueues of daemon %d: %s", (int)pid, strerror(-err));
	return err;
}

int host_target_look_at(struct host_target *target)
{
	const json_t *vmm;

	target->about = daemon_json(&target->daemon);
	vmm = json_object_get(target->about, "vmm");
	target->layout.vmm = (uint32_t)json_integer_value(json_object_get(vmm, "pid"));
	return target->about ? 0 : -ENOMEM;
}

/* Fill the last target, whose daemon is known. */
static int look_into(struct host_target *target)
{
	struct timespec from, to;
	int err;

	clock_gettime(CLOCK_MONOTONIC, &from);
	err = vring_find(target->daemon.pid, &target->layout);
	clock_gettime(CLOCK_MONOTONIC, &to);
	if (err)
		return err;
	msg_debug("found %u virtqueues of daemon %d in %.1f ms", target->layout.nr_queues,
		  (int)target->daemon.pid,
		  (double)(to.tv_sec - from.tv_sec) * 1e3 +
			  (double)(to.tv_nsec - from.tv_nsec) / 1e6);
	target->pidfd = (int)syscall(SYS_pidfd_open, target->daemon.pid, 0);
	return host_target_look_at(target);
}

static bool may_come(int err)
{
	return err == -ENOENT || err == -ENODEV;
}

static int find_named(struct host_targets *t, const char *which, bool patient)
{
	struct daemon daemon;
	struct host_target *target;
	int err = daemon_find(&daemon, which, patient);

	if (err)
		return err;
	for (uint32_t i = 0; i < t->count; i++) {
		if (t->items[i].daemon.pid == daemon.pid) {
			daemon_free(&daemon); /* named twice, or once by its parent */
			return 0;
		}
	}
	target = host_targets_add(t);
	if (!target) {
		daemon_free(&daemon);
		msg_error("at most %u daemons can be recorded at once", host_targets_max(t));
		return -E2BIG;
	}
	target->daemon = daemon;
	err = look_into(target);
	if (!err)
		return 0;
	return may_come(err) && patient ? -EAGAIN : explain_rings(daemon.pid, err);
}

/* Those whose guests have not started their driver yet come later: see host_watch.c. */
static int find_all(struct host_targets *t, bool patient)
{
	struct daemon found[HOST_MAX_DAEMONS];
	int count = daemon_find_all(found, HOST_MAX_DAEMONS, true), err;

	for (int i = 0; i < count; i++) {
		struct host_target *target = host_targets_add(t);

		if (!target) {
			daemon_free(&found[i]); /* the watcher will find it again, and say so */
			continue;
		}
		target->daemon = found[i];
		err = look_into(target);
		if (!err)
			continue;
		msg_debug("daemon %d is left out for now: %s", (int)found[i].pid, strerror(-err));
		free_target(target);
		t->count--;
	}
	if (t->count)
		return 0;
	if (patient)
		return -EAGAIN;
	msg_error("found no virtiofsd with a guest that has started its file system device; start "
		  "the VM first, or run as root to see all processes");
	return -ESRCH;
}

int host_targets_find(struct host_targets *t, const struct string_list *words, bool patient)
{
	enum host_choice choice;
	int err = host_choice_of(words, &choice);

	host_targets_free(t);
	if (err)
		return err;
	if (choice == CHOOSE_ALL)
		return find_all(t, patient);
	if (choice == CHOOSE_AUTO)
		return find_named(t, "auto", patient);
	for (uint32_t i = 0; !err && i < words->count; i++)
		err = find_named(t, words->items[i], patient);
	return err;
}

static bool same_command(const struct daemon *a, const struct daemon *b)
{
	return a->args_len && a->args_len == b->args_len && !memcmp(a->args, b->args, a->args_len);
}

/* A socket that was passed as a descriptor says nothing of where it is. */
static bool same_socket(const struct daemon *a, const struct daemon *b)
{
	const char *x = a->options.socket, *y = b->options.socket;

	return x && y && x[0] == '/' && !strcmp(x, y);
}

bool host_target_follows(const struct daemon *daemon, const struct daemon *before,
			 uint64_t ended_boot_ns)
{
	if (same_socket(daemon, before))
		return true;
	return same_command(daemon, before) && daemon->started_ns + START_SLACK_NS >= ended_boot_ns;
}

/* Tell the program whether this ring is empty now: see start_queue() there. */
static int note_idle_queue(const struct host_target *target, uint32_t i, int states_map)
{
	const struct host_queue *queue = &target->layout.queues[i];
	uint32_t key = target->layout.slot * HOST_MAX_QUEUES + i;
	struct host_queue_state state = {};
	uint16_t avail, used;

	/* used first: if it equals a later avail, the ring was empty in between */
	if (proc_read_memory(target->daemon.pid, queue->used + 2, &used, 2) != 2 ||
	    proc_read_memory(target->daemon.pid, queue->avail + 2, &avail, 2) != 2 || used != avail)
		return 0;
	state.idle_at = avail | HOST_POSITION_KNOWN;
	return bpf_map_update_elem(states_map, &key, &state, BPF_ANY);
}

int host_target_enter(const struct host_target *target, const struct host_target_maps *maps)
{
	uint32_t tgid = (uint32_t)target->daemon.pid, vmm = target->layout.vmm, unused = 0;
	int err = 0;

	for (uint32_t i = 0; !err && i < target->layout.nr_queues; i++)
		err = note_idle_queue(target, i, maps->states);
	if (!err && vmm)
		err = bpf_map_update_elem(maps->vmms, &vmm, &unused, BPF_ANY);
	return err ? err : bpf_map_update_elem(maps->daemons, &tgid, &target->layout, BPF_ANY);
}

void host_target_leave(const struct host_targets *t, const struct host_target *target,
		       const struct host_target_maps *maps)
{
	uint32_t tgid = (uint32_t)target->daemon.pid, vmm = target->layout.vmm;

	bpf_map_delete_elem(maps->daemons, &tgid);
	for (uint32_t i = 0; i < t->count; i++)
		if (&t->items[i] != target && !t->items[i].end_ns && t->items[i].layout.vmm == vmm)
			return;
	bpf_map_delete_elem(maps->vmms, &vmm);
}

static json_t *queues_json(const struct host_daemon *layout)
{
	json_t *array = json_array();

	for (uint32_t i = 0; array && i < layout->nr_queues; i++)
		json_array_append_new(array, json_pack("{s:i s:s s:i}", "index", (int)i, "role",
						       i ? "request" : "hiprio", "size",
						       (int)layout->queues[i].size));
	return array;
}

static json_t *memory_json(const struct host_daemon *layout)
{
	json_t *array = json_array();

	for (uint32_t i = 0; array && i < layout->nr_regions; i++)
		json_array_append_new(array, json_pack("{s:I s:I}", "guest_address",
						       (json_int_t)layout->regions[i].gpa, "bytes",
						       (json_int_t)layout->regions[i].size));
	return array;
}

int host_target_describe(const struct host_target *target, json_t *object)
{
	if (json_object_set(object, "daemon", target->about) ||
	    json_object_set_new(object, "queues", queues_json(&target->layout)) ||
	    json_object_set_new(object, "guest_memory", memory_json(&target->layout)))
		return -ENOMEM;
	return 0;
}
