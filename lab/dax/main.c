// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A virtio-fs daemon with a DAX window, for the lab: no virtiofsd has one. It serves one front-end,
 * QEMU 11.1 or newer, and ends with it. One thread takes the requests of both queues in order, like
 * the Rust virtiofsd without a pool.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lab/dax/server.h"

struct options {
	int listen_fd;
	const char *tag;
	uint64_t window_bytes;
	struct server_options server;
};

static const char usage[] =
	"usage: dax-daemon --fd=N --shared-dir=DIR --window=MIB [OPTIONS]\n\n"
	"Serves a directory to a VM over vhost-user, with a DAX window.\n\n"
	"  --fd=N             the listening Unix socket\n"
	"  --shared-dir=DIR\n"
	"  --window=MIB       size of the DAX window, a power of 2\n"
	"  --tag=NAME         what the guest mounts (default: vfs)\n"
	"  --cache=MODE       auto, always or never (default: auto)\n"
	"  --writeback        let the guest cache writes of files that it does not map\n"
	"  --allow-direct-io  pass O_DIRECT on to the host\n";

static int parse_cache(const char *text, enum cache_mode *cache)
{
	static const char *const names[] = {
		[CACHE_NEVER] = "never", [CACHE_AUTO] = "auto", [CACHE_ALWAYS] = "always"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(text, names[i])) {
			*cache = (enum cache_mode)i;
			return 0;
		}
	return -EINVAL;
}

/* A PCI BAR has a power of 2 in size, and a range of the window 2 MiB. */
static int parse_window(const char *text, uint64_t *bytes)
{
	char *end;
	unsigned long mib = strtoul(text, &end, 10);

	if (*end || mib < 2 || mib > (1ul << 20) || mib & (mib - 1))
		return -EINVAL;
	*bytes = (uint64_t)mib << 20;
	return 0;
}

static int take_option(struct options *o, int option)
{
	switch (option) {
	case 'f':
		o->listen_fd = atoi(optarg);
		return 0;
	case 's':
		o->server.shared_dir = optarg;
		return 0;
	case 'w':
		return parse_window(optarg, &o->window_bytes);
	case 't':
		o->tag = optarg;
		return strlen(optarg) > VHOST_USER_TAG_BYTES ? -EINVAL : 0;
	case 'c':
		return parse_cache(optarg, &o->server.cache);
	case 'b':
		o->server.writeback = true;
		return 0;
	case 'd':
		o->server.allow_direct_io = true;
		return 0;
	default:
		return -EINVAL;
	}
}

static int parse_options(struct options *o, int argc, char **argv)
{
	static const struct option names[] = {
		{"fd", required_argument, NULL, 'f'},
		{"shared-dir", required_argument, NULL, 's'},
		{"window", required_argument, NULL, 'w'},
		{"tag", required_argument, NULL, 't'},
		{"cache", required_argument, NULL, 'c'},
		{"writeback", no_argument, NULL, 'b'},
		{"allow-direct-io", no_argument, NULL, 'd'},
		{},
	};
	int option;

	*o = (struct options){.listen_fd = -1, .tag = "vfs", .server = {.cache = CACHE_AUTO}};
	while ((option = getopt_long(argc, argv, "", names, NULL)) >= 0)
		if (take_option(o, option))
			return -EINVAL;
	return optind < argc || o->listen_fd < 0 || !o->server.shared_dir || !o->window_bytes
		       ? -EINVAL
		       : 0;
}

/* All that is there; a ring that holds nonsense is left alone from then on. */
static void serve_ring(struct server *server, struct queue *ring)
{
	static struct chain chain;
	int got = 0;

	do {
		/* The front-end may stop the ring while a mapping is made. */
		while (ring->kick >= 0 &&
		       (got = queue_pop(ring, &server->vhost->memory, &chain)) > 0)
			queue_push(ring, chain.head, server_handle(server, &chain));
	} while (!got && ring->kick >= 0 && queue_rearm(ring));
	if (got < 0) {
		fprintf(stderr, "a virtqueue holds nonsense: %s\n", strerror(-got));
		ring->kick = -1;
	}
}

static int run(struct server *server, struct vhost_user *vu)
{
	struct pollfd fds[1 + VHOST_USER_QUEUES];
	uint64_t kicks;

	for (;;) {
		fds[0] = (struct pollfd){.fd = vu->socket, .events = POLLIN};
		for (int i = 0; i < VHOST_USER_QUEUES; i++)
			fds[1 + i] = (struct pollfd){.fd = vu->rings[i].kick, .events = POLLIN};
		if (ppoll(fds, 1 + VHOST_USER_QUEUES, NULL, NULL) < 0 && errno != EINTR)
			return -errno;
		/* It may close what was polled for: then look again. */
		if (fds[0].revents) {
			int got = vhost_user_serve(vu);

			if (got <= 0)
				return got;
			continue;
		}
		for (int i = 0; i < VHOST_USER_QUEUES; i++)
			if (fds[1 + i].revents && fds[1 + i].fd == vu->rings[i].kick &&
			    read(fds[1 + i].fd, &kicks, sizeof(kicks)) == sizeof(kicks))
				serve_ring(server, &vu->rings[i]);
	}
}

int main(int argc, char **argv)
{
	static struct vhost_user vu;
	struct options options;
	struct server server;
	int socket, err;

	if (argc == 2 && !strcmp(argv[1], "--help")) {
		fputs(usage, stdout);
		return 0;
	}
	if (parse_options(&options, argc, argv)) {
		fputs(usage, stderr);
		return 2;
	}
	umask(0);
	vhost_user_init(&vu, -1, options.tag, options.window_bytes);
	err = server_init(&server, &options.server, &vu);
	if (err) {
		fprintf(stderr, "cannot share %s: %s\n", options.server.shared_dir, strerror(-err));
		return 3;
	}
	socket = accept(options.listen_fd, NULL, NULL);
	if (socket < 0) {
		fprintf(stderr, "no connection on descriptor %d: %s\n", options.listen_fd,
			strerror(errno));
		return 3;
	}
	vu.socket = socket;
	err = run(&server, &vu);
	if (err)
		fprintf(stderr, "the connection to QEMU failed: %s\n", strerror(-err));
	return err ? 3 : 0;
}
