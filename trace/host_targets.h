/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemons that one recording follows: those found at the start, and those that came later.
 *
 * Each has a slot, which its events carry. A slot is never given again: a daemon that follows
 * another has a slot of its own, so that what belongs to whom stays known.
 */
#ifndef VFSCOPE_TRACE_HOST_TARGETS_H
#define VFSCOPE_TRACE_HOST_TARGETS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "bpf/host_abi.h"
#include "lib/option.h"
#include "trace/daemon_find.h"

enum host_choice {
	CHOOSE_PIDS, /* these, and what follows one of them */
	CHOOSE_AUTO, /* the only one, and when it has ended, the only one again */
	CHOOSE_ALL, /* every virtiofsd that serves a guest, also those that start later */
};

struct host_target {
	struct daemon daemon; /* without arguments if it came later: then about has them */
	struct host_daemon layout; /* its slot, queues and memory */
	json_t *about; /* daemon_json() */
	int pidfd; /* readable when it is gone; -1: not known */
	int follows; /* slot of the one whose place it took; -1: none */
	uint64_t start_ns, end_ns; /* CLOCK_MONOTONIC; 0: was there at the start, at the end */
	uint64_t end_boot_ns; /* end_ns on CLOCK_BOOTTIME, as process start times are */
	uint32_t messages; /* of its struct host_control, when last looked */
};

struct host_targets {
	struct host_target items[HOST_MAX_DAEMONS]; /* by slot */
	uint32_t count;
	uint32_t max; /* not more than these; 0: as many as there is room for */
};

/* What the words of --daemon ask for; none is "auto". -EINVAL after a message. */
int host_choice_of(const struct string_list *words, enum host_choice *choice);

/*
 * Find what was asked for and where its virtqueues are. 0; -EAGAIN without a message if it is worth
 * asking again and patient is set; other -errno after a message.
 */
int host_targets_find(struct host_targets *t, const struct string_list *words, bool patient);
void host_targets_free(struct host_targets *t);

/* How many there can be. */
uint32_t host_targets_max(const struct host_targets *t);

/* Room for one more, with the next slot; NULL: there is none. */
struct host_target *host_targets_add(struct host_targets *t);

/*
 * Does this one take the place of that one, which ended then (CLOCK_BOOTTIME)? It listens at the
 * same path; or it has the same command line and began after that: with sockets that are handed
 * over, daemons of several VMs may look alike.
 */
bool host_target_follows(const struct daemon *daemon, const struct daemon *before,
			 uint64_t ended_boot_ns);

/* The maps of host.bpf.c that say whom to follow. */
struct host_target_maps {
	int daemons, states, vmms, controls;
};

/* Find out what there is to tell of the daemon and its VM. 0 or -ENOMEM. */
int host_target_look_at(struct host_target *target);
/* Put the rings' state, the VM and then the daemon itself where host.bpf.c looks. 0 or -errno. */
int host_target_enter(const struct host_target *target, const struct host_target_maps *maps);
/* Take out one that has ended, and its VM unless another of the targets serves that. */
void host_target_leave(const struct host_targets *t, const struct host_target *target,
		       const struct host_target_maps *maps);

/* "daemon", "queues" and "guest_memory" of one. 0 or -ENOMEM. */
int host_target_describe(const struct host_target *target, json_t *object);

#endif
