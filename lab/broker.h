/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The broker of lab/vm: relays frames between the agent's one control port and any number of
 * lab/guest connections, each with one job.
 */
#ifndef VFSCOPE_LAB_BROKER_H
#define VFSCOPE_LAB_BROKER_H

#include <poll.h>
#include <stdbool.h>
#include "chan.h"

struct client {
	struct chan chan; /* fd -1: free */
	uint32_t job; /* 0: has not asked for one yet */
};

struct broker {
	int port_listen_fd; /* QEMU connects here, once */
	int client_listen_fd;
	struct chan port;
	bool up; /* the agent said hello */
	bool synced; /* it answered the last broker_sync() */
	uint64_t heard_ns; /* when something last came from the guest */
	uint32_t next_job;
	const char *broken; /* set if the guest does not keep to the protocol */
	char lost[512]; /* why no job can finish any more; empty while all is well */
	struct client clients[FRAME_MAX_JOBS];
};

#define BROKER_MAX_FDS (3 + FRAME_MAX_JOBS)

/* Listens at control.sock and guest.sock in `dir`. 0 or -errno. */
int broker_open(struct broker *broker, const char *dir);
void broker_close(struct broker *broker);

/* Fills `fds`, of BROKER_MAX_FDS; broker_handle() takes them back after poll(). */
int broker_poll(const struct broker *broker, struct pollfd *fds);
void broker_handle(struct broker *broker, const struct pollfd *fds, uint64_t now_ns);

/* Ends every running and later job with this reason. The first reason stays. */
void broker_set_lost(struct broker *broker, const char *why);

void broker_ping(struct broker *broker);
void broker_sync(struct broker *broker);

/* A listening Unix socket, close-on-exec. Returns it or -errno. */
int unix_listen(const char *path);

#endif
