// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Opening the ways between agent and host; see agent_channel.h.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <libgen.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
/* After sys/socket.h, which it needs. */
#include <linux/vm_sockets.h>
#include "lib/msg.h"
#include "lib/units.h"
#include "trace/agent_channel.h"
#include "trace/agent_hybrid.h"

#define HOST_FORMS "vsock:CID[:PORT], hybrid:SOCKET[:PORT], serial:SOCKET or tcp:HOST[:PORT]"
#define GUEST_FORMS "vsock[:PORT], serial:NAME or tcp[:ADDRESS][:PORT]"

static bool parse_number(const char *text, uint32_t max, uint32_t *value)
{
	uint64_t number;

	if (parse_u64(text, &number) || number > max)
		return false;
	*value = (uint32_t)number;
	return true;
}

/* The PORT of "HOST:PORT" in a copy of the text, whose HOST it leaves. IPv6 addresses: "[::1]:1".
 */
static bool take_port(char *text, uint32_t *port)
{
	char *colon = strrchr(text, ':'), *bracket = strrchr(text, ']');

	if (!colon || (bracket && colon < bracket))
		return true;
	*colon = '\0';
	return parse_number(colon + 1, UINT16_MAX, port) && *port;
}

static void take_brackets(char *text)
{
	size_t len = strlen(text);

	if (len < 2 || text[0] != '[' || text[len - 1] != ']')
		return;
	memmove(text, text + 1, len - 2);
	text[len - 2] = '\0';
}

static bool parse_tcp(const char *rest, enum agent_end end, struct agent_address *a)
{
	uint32_t number;
	bool good;

	snprintf(a->name, sizeof(a->name), "%s", rest);
	if (end == AGENT_END_GUEST && parse_number(rest, UINT16_MAX, &number)) {
		a->port = number;
		a->name[0] = '\0';
		good = number;
	} else {
		good = take_port(a->name, &a->port);
	}
	take_brackets(a->name);
	if (end == AGENT_END_GUEST && !a->name[0])
		strcpy(a->name, "localhost");
	return good && a->name[0];
}

static bool parse_vsock(const char *rest, enum agent_end end, struct agent_address *a)
{
	char copy[64];

	a->cid = VMADDR_CID_ANY;
	if (end == AGENT_END_GUEST)
		return !rest[0] || parse_number(rest, UINT32_MAX - 1, &a->port);
	snprintf(copy, sizeof(copy), "%s", rest);
	if (strchr(copy, ':')) {
		char *port = strchr(copy, ':');

		*port++ = '\0';
		if (!parse_number(port, UINT32_MAX - 1, &a->port))
			return false;
	}
	return parse_number(copy, UINT32_MAX - 1, &a->cid);
}

/* A path may have colons: what follows the last one is a port if it is a number. */
static bool parse_hybrid(const char *rest, enum agent_end end, struct agent_address *a)
{
	char *colon;

	snprintf(a->name, sizeof(a->name), "%s", rest);
	colon = strrchr(a->name, ':');
	if (colon && parse_number(colon + 1, UINT32_MAX - 1, &a->port))
		*colon = '\0';
	return end == AGENT_END_HOST && a->name[0];
}

int agent_address_parse(const char *text, enum agent_end end, struct agent_address *address)
{
	size_t len = strcspn(text, ":");
	const char *rest = text[len] ? text + len + 1 : text + len;
	bool good = strlen(rest) < sizeof(address->name);

	memset(address, 0, sizeof(*address));
	address->port = AGENT_DEFAULT_PORT;
	if (good && !strncmp(text, "vsock", len) && len == 5) {
		address->transport = AGENT_VSOCK;
		good = parse_vsock(rest, end, address);
	} else if (good && !strncmp(text, "tcp", len) && len == 3) {
		address->transport = AGENT_TCP;
		good = parse_tcp(rest, end, address);
	} else if (good && !strncmp(text, "hybrid", len) && len == 6) {
		address->transport = AGENT_HYBRID;
		good = parse_hybrid(rest, end, address);
	} else if (good && !strncmp(text, "serial", len) && len == 6) {
		address->transport = AGENT_SERIAL;
		strcpy(address->name, rest);
		good = rest[0];
	} else {
		good = false;
	}
	if (good)
		return 0;
	msg_error("'%s' is no address: want %s", text,
		  end == AGENT_END_HOST ? HOST_FORMS : GUEST_FORMS);
	return -EINVAL;
}

bool agent_address_is_remote(const struct agent_address *address)
{
	return address->transport == AGENT_TCP && strcmp(address->name, "localhost") &&
	       strncmp(address->name, "127.", 4) && strcmp(address->name, "::1");
}

static int wait_connected(int fd, int timeout_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	socklen_t len = sizeof(int);
	int err = 0;

	switch (poll(&p, 1, timeout_ms)) {
	case 0:
		return -ETIMEDOUT;
	case -1:
		return -errno;
	default:
		return getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) ? -errno : -err;
	}
}

static int connect_socket(int family, const void *to, socklen_t len, int timeout_ms)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), err = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, to, len))
		err = errno == EINPROGRESS ? wait_connected(fd, timeout_ms) : -errno;
	if (!err)
		return fd;
	close(fd);
	return err;
}

static int connect_vsock(const struct agent_address *a, int timeout_ms)
{
	struct sockaddr_vm to = {.svm_family = AF_VSOCK, .svm_cid = a->cid, .svm_port = a->port};

	return connect_socket(AF_VSOCK, &to, sizeof(to), timeout_ms);
}

/* QEMU's socket of a port, or a VMM's of its vsock device. */
static int connect_unix(const struct agent_address *a, int timeout_ms)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};

	if (strlen(a->name) >= sizeof(to.sun_path))
		return -ENAMETOOLONG;
	strcpy(to.sun_path, a->name);
	return connect_socket(AF_UNIX, &to, sizeof(to), timeout_ms);
}

static int connect_hybrid(const struct agent_address *a, int timeout_ms)
{
	int fd = connect_unix(a, timeout_ms);
	int err = fd < 0 ? fd : agent_hybrid_connect(fd, a->port, timeout_ms);

	if (!err)
		return fd;
	if (fd >= 0)
		close(fd);
	return err;
}

static int resolve(const struct agent_address *a, int flags, struct addrinfo **found)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};
	char port[16];
	int err;

	snprintf(port, sizeof(port), "%u", a->port);
	err = getaddrinfo(a->name, port, &hints, found);
	if (!err)
		return 0;
	msg_debug("%s: %s", a->name, gai_strerror(err));
	return err == EAI_MEMORY ? -ENOMEM : -EHOSTUNREACH;
}

static void no_delay(int fd)
{
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
}

static int connect_tcp(const struct agent_address *a, int timeout_ms)
{
	struct addrinfo *found;
	int fd = resolve(a, 0, &found);

	if (fd)
		return fd;
	fd = -EHOSTUNREACH;
	for (struct addrinfo *i = found; i && fd < 0; i = i->ai_next)
		fd = connect_socket(i->ai_family, i->ai_addr, i->ai_addrlen, timeout_ms);
	freeaddrinfo(found);
	if (fd >= 0)
		no_delay(fd);
	return fd;
}

static void cannot_connect(const struct agent_address *a, int err)
{
	const char *why = strerror(-err);

	if (a->transport == AGENT_SERIAL)
		msg_error("cannot connect to the virtio-serial port at %s: %s; QEMU makes it with "
			  "-chardev socket,path=%s,server=on,wait=off,id=ID -device "
			  "virtserialport,chardev=ID,name=NAME",
			  a->name, why, a->name);
	else if (a->transport == AGENT_HYBRID)
		msg_error("cannot connect to vsock port %u through %s: %s", a->port, a->name,
			  err == -ENOTCONN ? "nobody listens; is 'vfscope agent vsock' running "
					     "in the guest?"
			  : err == -EPROTO ? "who answers is no VMM's vsock device"
					   : why);
	else if (a->transport == AGENT_VSOCK)
		msg_error("cannot connect to vsock CID %u port %u: %s; is 'vfscope agent vsock' "
			  "running in the guest, and does the VM have a vhost-vsock device?",
			  a->cid, a->port, why);
	else
		msg_error(
			"cannot connect to %s port %u: %s; is 'vfscope agent tcp:ADDRESS' running "
			"in the guest, and does it listen there?",
			a->name, a->port, why);
}

int agent_channel_connect(const struct agent_address *a, int timeout_ms)
{
	int fd = a->transport == AGENT_VSOCK	? connect_vsock(a, timeout_ms)
		 : a->transport == AGENT_HYBRID ? connect_hybrid(a, timeout_ms)
		 : a->transport == AGENT_SERIAL ? connect_unix(a, timeout_ms)
						: connect_tcp(a, timeout_ms);

	if (fd < 0)
		cannot_connect(a, fd);
	return fd;
}

/* /dev/vport0p2 of the port with this name. Its link in /dev/virtio-ports is udev's work. */
static bool find_port(const char *name, char *path, size_t len)
{
	bool found = false;
	glob_t names;

	if (glob("/sys/class/virtio-ports/*/name", 0, NULL, &names))
		return false;
	for (size_t i = 0; i < names.gl_pathc && !found; i++) {
		FILE *in = fopen(names.gl_pathv[i], "re");
		char line[256] = "";

		if (!in)
			continue;
		if (fgets(line, sizeof(line), in)) {
			line[strcspn(line, "\n")] = '\0';
			found = !strcmp(line, name);
		}
		fclose(in);
		if (found)
			snprintf(path, len, "/dev/%s", basename(dirname(names.gl_pathv[i])));
	}
	globfree(&names);
	return found;
}

static int open_port(const struct agent_address *a)
{
	char path[PATH_MAX];
	const char *last = strrchr(a->name, '/');
	int fd;

	snprintf(path, sizeof(path), "%s", a->name);
	if ((!last || access(path, F_OK)) && !find_port(last ? last + 1 : path, path, sizeof(path)))
		return -ENODEV;
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

static int listen_socket(int family, const void *at, socklen_t len)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), err;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	if (!bind(fd, at, len) && !listen(fd, 4))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static int listen_vsock(const struct agent_address *a)
{
	struct sockaddr_vm at = {
		.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = a->port};

	return listen_socket(AF_VSOCK, &at, sizeof(at));
}

static int listen_tcp(const struct agent_address *a)
{
	struct addrinfo *found;
	int fd = resolve(a, AI_PASSIVE, &found);

	if (fd)
		return fd;
	fd = listen_socket(found->ai_family, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	return fd;
}

static void cannot_listen(const struct agent_address *a, int err)
{
	const char *why = strerror(-err);

	if (a->transport == AGENT_SERIAL)
		msg_error("cannot open the virtio-serial port %s: %s; give the VM one with -device "
			  "virtserialport,chardev=ID,name=NAME, and let nothing else open it",
			  a->name, err == -ENODEV ? "there is no such port" : why);
	else if (a->transport == AGENT_VSOCK)
		msg_error("cannot listen on vsock port %u: %s; the VM needs a vhost-vsock device, "
			  "the guest the module vmw_vsock_virtio_transport",
			  a->port, why);
	else
		msg_error("cannot listen on %s port %u: %s; choose another address or port",
			  a->name, a->port, why);
}

int agent_channel_listen(struct agent_listener *l, const struct agent_address *address)
{
	int fd = address->transport == AGENT_VSOCK    ? listen_vsock(address)
		 : address->transport == AGENT_SERIAL ? open_port(address)
						      : listen_tcp(address);

	l->address = *address;
	l->fd = fd;
	if (fd < 0) {
		cannot_listen(address, fd);
		return fd;
	}
	return 0;
}

/*
 * A port hangs up while no host is connected. Each conversation opens it anew: what an earlier host
 * left in it is discarded by the kernel (port_fops_release).
 */
static int accept_serial(struct agent_listener *l, int timeout_ms)
{
	struct pollfd p = {.fd = l->fd, .events = POLLIN};

	if (l->fd < 0)
		l->fd = p.fd = open_port(&l->address);
	if (l->fd < 0) {
		cannot_listen(&l->address, l->fd);
		return l->fd;
	}
	if (poll(&p, 1, timeout_ms) <= 0)
		return -EAGAIN;
	if (p.revents & POLLHUP) {
		poll(NULL, 0, timeout_ms < 50 ? timeout_ms : 50);
		return -EAGAIN;
	}
	l->fd = -1;
	return p.fd;
}

/* Programs in the guest may use vsock as well; only the host is meant. */
static bool is_host(const struct sockaddr_storage *from)
{
	const struct sockaddr_vm *vm = (const struct sockaddr_vm *)from;

	if (from->ss_family != AF_VSOCK || vm->svm_cid == VMADDR_CID_HOST)
		return true;
	msg_warn("refused a connection from vsock CID %u: it is not the host", vm->svm_cid);
	return false;
}

int agent_channel_accept(struct agent_listener *l, int timeout_ms)
{
	struct pollfd p = {.fd = l->fd, .events = POLLIN};
	struct sockaddr_storage from = {0};
	socklen_t len = sizeof(from);
	int fd;

	if (l->address.transport == AGENT_SERIAL)
		return accept_serial(l, timeout_ms);
	if (poll(&p, 1, timeout_ms) <= 0)
		return -EAGAIN;
	/* What it fails with is the connection's trouble (accept(2)), not the listener's. */
	fd = accept4(l->fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return -EAGAIN;
	if (!is_host(&from)) {
		close(fd);
		return -EAGAIN;
	}
	if (l->address.transport == AGENT_TCP)
		no_delay(fd);
	return fd;
}

void agent_channel_unlisten(struct agent_listener *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}
