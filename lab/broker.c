// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Relays frames: renames each client's job 0 to an id that is unique in the guest, and back.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "broker.h"

int unix_listen(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd, err;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, FRAME_MAX_JOBS)) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

int broker_open(struct broker *broker, const char *dir)
{
	char path[4096];

	memset(broker, 0, sizeof(*broker));
	broker->next_job = 1;
	broker->port.fd = -1;
	broker->client_listen_fd = -1;
	for (int i = 0; i < FRAME_MAX_JOBS; i++)
		broker->clients[i].chan.fd = -1;
	snprintf(path, sizeof(path), "%s/control.sock", dir);
	broker->port_listen_fd = unix_listen(path);
	if (broker->port_listen_fd < 0)
		return broker->port_listen_fd;
	snprintf(path, sizeof(path), "%s/guest.sock", dir);
	broker->client_listen_fd = unix_listen(path);
	return broker->client_listen_fd < 0 ? broker->client_listen_fd : 0;
}

void broker_close(struct broker *broker)
{
	for (int i = 0; i < FRAME_MAX_JOBS; i++)
		chan_close(&broker->clients[i].chan);
	chan_close(&broker->port);
	if (broker->port_listen_fd >= 0)
		close(broker->port_listen_fd);
	if (broker->client_listen_fd >= 0)
		close(broker->client_listen_fd);
}

int broker_poll(const struct broker *broker, struct pollfd *fds)
{
	int n = 0;

	fds[n++] = (struct pollfd){.fd = broker->port.fd < 0 ? broker->port_listen_fd : -1,
				   .events = POLLIN};
	/* Clients wait in the socket's queue until the guest is up. */
	fds[n++] =
		(struct pollfd){.fd = broker->up || *broker->lost ? broker->client_listen_fd : -1,
				.events = POLLIN};
	fds[n++] =
		(struct pollfd){.fd = *broker->lost ? -1 : broker->port.fd,
				.events = POLLIN | (chan_has_output(&broker->port) ? POLLOUT : 0)};
	for (int i = 0; i < FRAME_MAX_JOBS; i++) {
		const struct chan *chan = &broker->clients[i].chan;

		fds[n++] = (struct pollfd){
			.fd = chan->fd, .events = POLLIN | (chan_has_output(chan) ? POLLOUT : 0)};
	}
	return n;
}

static void send_lost(struct client *client, const char *why)
{
	chan_send(&client->chan, FRAME_ERROR, 0, why, strlen(why));
	chan_close(&client->chan);
}

void broker_set_lost(struct broker *broker, const char *why)
{
	if (*broker->lost)
		return;
	snprintf(broker->lost, sizeof(broker->lost), "%s", why);
	for (int i = 0; i < FRAME_MAX_JOBS; i++)
		if (broker->clients[i].chan.fd >= 0)
			send_lost(&broker->clients[i], broker->lost);
}

static void accept_client(struct broker *broker)
{
	int fd = accept4(broker->client_listen_fd, NULL, NULL, SOCK_CLOEXEC);
	struct client refused;

	if (fd < 0)
		return;
	for (int i = 0; i < FRAME_MAX_JOBS; i++) {
		struct client *client = &broker->clients[i];

		if (client->chan.fd >= 0)
			continue;
		client->job = 0;
		if (chan_open(&client->chan, fd))
			chan_close(&client->chan);
		else if (*broker->lost)
			send_lost(client, broker->lost);
		return;
	}
	if (!chan_open(&refused.chan, fd))
		send_lost(&refused, "too many commands run in the guest at once");
}

static void drop_client(struct broker *broker, struct client *client)
{
	if (client->job)
		chan_send_u32(&broker->port, FRAME_SIGNAL, client->job, SIGKILL);
	chan_close(&client->chan);
}

/* 0, or -EBADMSG if the client does not speak the protocol. */
static int from_client(struct broker *broker, struct client *client, const struct frame *frame)
{
	if (frame->type == FRAME_RUN && !client->job)
		client->job = broker->next_job++;
	else if (!client->job || (frame->type != FRAME_SIGNAL && frame->type != FRAME_CREDIT))
		return -EBADMSG;
	/* If the port is gone, so is QEMU: broker_set_lost() follows with the reason. */
	chan_send(&broker->port, frame->type, client->job, frame->data, frame->len);
	return 0;
}

static void handle_client(struct broker *broker, struct client *client, short revents)
{
	struct frame frame;
	int got;

	if (!revents || client->chan.fd < 0)
		return;
	got = chan_flush(&client->chan);
	if (!got && revents & (POLLIN | POLLHUP | POLLERR)) {
		got = chan_receive(&client->chan);
		if (got == 0)
			got = -EPIPE;
		while (got >= 0 && (got = chan_next(&client->chan, &frame)) > 0)
			got = from_client(broker, client, &frame);
	}
	if (got < 0 && got != -EAGAIN)
		drop_client(broker, client);
}

static void to_client(struct broker *broker, const struct frame *frame)
{
	for (int i = 0; i < FRAME_MAX_JOBS; i++) {
		struct client *client = &broker->clients[i];

		if (client->chan.fd < 0 || client->job != frame->job)
			continue;
		if (frame->type == FRAME_EXIT)
			client->job = 0;
		if (chan_send(&client->chan, frame->type, 0, frame->data, frame->len))
			drop_client(broker, client);
		return;
	}
}

static int from_guest(struct broker *broker, const struct frame *frame)
{
	switch (frame->type) {
	case FRAME_HELLO:
		broker->up = true;
		return 0;
	case FRAME_PONG:
		return 0;
	case FRAME_SYNCED:
		broker->synced = true;
		return 0;
	case FRAME_STDOUT:
	case FRAME_STDERR:
	case FRAME_EXIT:
		to_client(broker, frame);
		return 0;
	default:
		return -EBADMSG;
	}
}

static void handle_port(struct broker *broker, uint64_t now_ns)
{
	struct frame frame;
	int got = chan_flush(&broker->port);

	if (!got)
		got = chan_receive(&broker->port);
	if (got > 0)
		broker->heard_ns = now_ns;
	else if (got == 0)
		got = -EPIPE;
	while (got >= 0 && (got = chan_next(&broker->port, &frame)) > 0)
		got = from_guest(broker, &frame);
	if (got == -EBADMSG)
		broker->broken = "the guest's agent sent something that is not a frame";
	if (got < 0 && got != -EAGAIN)
		chan_close(&broker->port);
}

void broker_handle(struct broker *broker, const struct pollfd *fds, uint64_t now_ns)
{
	if (fds[0].revents) {
		int fd = accept4(broker->port_listen_fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd >= 0 && chan_open(&broker->port, fd))
			chan_close(&broker->port);
	}
	if (fds[2].revents)
		handle_port(broker, now_ns);
	for (int i = 0; i < FRAME_MAX_JOBS; i++)
		handle_client(broker, &broker->clients[i], fds[3 + i].revents);
	if (fds[1].revents)
		accept_client(broker);
}

void broker_ping(struct broker *broker)
{
	chan_send(&broker->port, FRAME_PING, 0, NULL, 0);
}

void broker_sync(struct broker *broker)
{
	broker->synced = false;
	chan_send(&broker->port, FRAME_SYNC, 0, NULL, 0);
}
