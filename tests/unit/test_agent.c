// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What agent and host say to each other: addresses, payloads of strangers, and a whole conversation
 * with an agent on the other end of a socket. Its frames: test_agent_stream.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "lib/clock.h"
#include "lib/compiler.h"
#include "lib/msg.h"
#include "trace/agent_channel.h"
#include "trace/agent_client.h"
#include "trace/agent_message.h"
#include "trace/agent_serve.h"
#include "trace/agent_stream.h"

static void test_addresses(void **state)
{
	static const struct {
		const char *text;
		enum agent_end end;
		bool good;
		enum agent_transport transport;
		const char *name;
		uint32_t cid, port;
		bool remote;
	} cases[] = {
		{"vsock:3", AGENT_END_HOST, true, AGENT_VSOCK, "", 3, 8347, false},
		{"vsock:3:9", AGENT_END_HOST, true, AGENT_VSOCK, "", 3, 9, false},
		{"vsock", AGENT_END_GUEST, true, AGENT_VSOCK, "", UINT32_MAX, 8347, false},
		{"vsock:9", AGENT_END_GUEST, true, AGENT_VSOCK, "", UINT32_MAX, 9, false},
		{"hybrid:/run/v.sock", AGENT_END_HOST, true, AGENT_HYBRID, "/run/v.sock", 0, 8347,
		 false},
		{"hybrid:/a:b:9", AGENT_END_HOST, true, AGENT_HYBRID, "/a:b", 0, 9, false},
		{"serial:/a b:c", AGENT_END_HOST, true, AGENT_SERIAL, "/a b:c", 0, 8347, false},
		{"serial:vfscope", AGENT_END_GUEST, true, AGENT_SERIAL, "vfscope", 0, 8347, false},
		{"tcp:10.0.0.2", AGENT_END_HOST, true, AGENT_TCP, "10.0.0.2", 0, 8347, true},
		{"tcp:[::1]:7", AGENT_END_HOST, true, AGENT_TCP, "::1", 0, 7, false},
		{"tcp:vm.example:7", AGENT_END_HOST, true, AGENT_TCP, "vm.example", 0, 7, true},
		{"tcp", AGENT_END_GUEST, true, AGENT_TCP, "localhost", 0, 8347, false},
		{"tcp:7", AGENT_END_GUEST, true, AGENT_TCP, "localhost", 0, 7, false},
		{"tcp:0.0.0.0:7", AGENT_END_GUEST, true, AGENT_TCP, "0.0.0.0", 0, 7, true},
		{"tcp:127.0.0.1:7", AGENT_END_GUEST, true, AGENT_TCP, "127.0.0.1", 0, 7, false},
		{.text = "vsock", .end = AGENT_END_HOST},
		{.text = "hybrid:", .end = AGENT_END_HOST},
		{.text = "hybrid::9", .end = AGENT_END_HOST},
		{.text = "hybrid:/run/v.sock", .end = AGENT_END_GUEST},
		{.text = "vsock:x", .end = AGENT_END_HOST},
		{.text = "vsock:3:", .end = AGENT_END_HOST},
		{.text = "tcp", .end = AGENT_END_HOST},
		{.text = "tcp::7", .end = AGENT_END_HOST},
		{.text = "tcp:a:0", .end = AGENT_END_HOST},
		{.text = "tcp:a:65536", .end = AGENT_END_HOST},
		{.text = "tcp:0", .end = AGENT_END_GUEST},
		{.text = "serial:", .end = AGENT_END_GUEST},
		{.text = "serial", .end = AGENT_END_HOST},
		{.text = "", .end = AGENT_END_HOST},
		{.text = "t:a:1", .end = AGENT_END_HOST},
		{.text = "/dev/vport0p1", .end = AGENT_END_GUEST},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct agent_address a;
		bool good = !agent_address_parse(cases[i].text, cases[i].end, &a);

		if (good != cases[i].good)
			fail_msg("'%s'", cases[i].text);
		if (!good)
			continue;
		assert_int_equal(a.transport, cases[i].transport);
		assert_string_equal(a.name, cases[i].name);
		assert_int_equal(a.cid, cases[i].cid);
		assert_int_equal(a.port, cases[i].port);
		assert_int_equal(agent_address_is_remote(&a), cases[i].remote);
	}
}

static void open_pair(struct agent_stream *s, int *peer)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	assert_int_equal(agent_stream_open(s, fds[0]), 0);
	*peer = fds[1];
}

static void test_payloads(void **state)
{
	struct agent_start wanted = {
		.command = "echo 'x'",
		.dry_run = true,
		.silence_ms = 5000,
		.config = {.max_overhead_percent = 2.5,
			   .capture = {.buffer_bytes = 1 << 20,
				       .wait_ns = 7,
				       .max_inflight = 5,
				       .max_shares = 3,
				       .aggregate_ops = true,
				       .level = RECORD_REQUESTS,
				       .mechanism = ATTACH_KPROBE,
				       .mounts = {.count = 2, .items = {"/mnt/a", "/mnt/\"b"}}}}};
	struct agent_start start;
	char *text = agent_start_pack(&wanted);

	assert_int_equal(agent_start_parse(text, strlen(text), &start), 0);
	assert_string_equal(start.command, "echo 'x'");
	assert_true(start.dry_run);
	assert_int_equal(start.silence_ms, 5000);
	assert_int_equal(start.config.capture.mounts.count, 2);
	assert_string_equal(start.config.capture.mounts.items[1], "/mnt/\"b");
	assert_int_equal(start.config.capture.level, RECORD_REQUESTS);
	assert_int_equal(start.config.capture.mechanism, ATTACH_KPROBE);
	assert_int_equal(start.config.capture.buffer_bytes, 1 << 20);
	assert_int_equal(start.config.capture.wait_ns, 7);
	assert_int_equal(start.config.capture.max_inflight, 5);
	assert_int_equal(start.config.capture.max_shares, 3);
	assert_true(start.config.capture.aggregate_ops);
	assert_true(start.config.max_overhead_percent == 2.5);
	assert_false(start.config.capture.paths);
	agent_start_free(&start);
	free(text);
}

/* Each level arrives, names of files only with ops. */
static void test_levels(void **state)
{
	static const enum record_level levels[] = {RECORD_OPS, RECORD_REQUESTS, RECORD_AGGREGATE};

	for (size_t i = 0; i < 2 * ARRAY_SIZE(levels); i++) {
		struct agent_start wanted = {.silence_ms = AGENT_SILENCE_MS,
					     .config.capture = {.buffer_bytes = 4096,
								.max_inflight = 1,
								.level = levels[i / 2],
								.paths = i % 2}};
		struct agent_start start;
		char *text = agent_start_pack(&wanted);
		bool good = levels[i / 2] == RECORD_OPS || !wanted.config.capture.paths;

		assert_int_equal(agent_start_parse(text, strlen(text), &start),
				 good ? 0 : -EBADMSG);
		if (good) {
			assert_int_equal(start.config.capture.level, levels[i / 2]);
			assert_int_equal(start.config.capture.paths, i % 2);
			assert_null(start.command);
			agent_start_free(&start);
		}
		free(text);
	}
}

#define START_WITH(mounts, level, buffer, silence)                                                 \
	"{\"mounts\":" mounts ",\"level\":\"" level                                                \
	"\",\"mechanism\":\"none\",\"buffer_bytes\":" buffer                                       \
	",\"wait_ns\":0,\"max_overhead_percent\":0,\"max_shares\":0,\"max_inflight\":1,\"paths\":" \
	"false,"                                                                                   \
	"\"dry_run\":false,\"silence_ms\":" silence "}"
#define START(mounts, level, buffer) START_WITH(mounts, level, buffer, "20000")

static void test_payloads_of_strangers(void **state)
{
	static const char *const wrong[] = {
		"",
		"[]",
		"{}",
		"{\"mounts\"",
		START_WITH("[]", "ops", "1", "4999"),
		START_WITH("[]", "ops", "1", "86400001"),
		START_WITH("[]", "ops", "1", "4294987296"),
		START("[]", "ops", "-1"),
		START("[]", "ops", "99999999999999999999"),
		START("[\"relative\"]", "ops", "1"),
		START("[1]", "ops", "1"),
		START("{}", "ops", "1"),
		START("[]", "none", "1"),
	};
	struct agent_start start;
	struct agent_ended ended;
	struct agent_hello hello;
	const char *text = START("[]", "ops", "1");
	char buf[8];

	assert_int_equal(agent_start_parse(text, strlen(text), &start), 0);
	agent_start_free(&start);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		if (agent_start_parse(wrong[i], strlen(wrong[i]), &start) != -EBADMSG)
			fail_msg("%s", wrong[i]);
	text = "{\"status\":0,\"bytes\":-1}";
	assert_int_equal(agent_ended_parse(text, strlen(text), &ended), -EBADMSG);
	text = "{\"status\":77,\"bytes\":1}";
	assert_int_equal(agent_ended_parse(text, strlen(text), &ended), -EBADMSG);
	text = "{\"protocol\":1,\"vft\":1,\"version\":\"\\u001b[2J\"}";
	assert_int_equal(agent_hello_parse(text, strlen(text), &hello), 0);
	assert_string_equal(hello.version, "?[2J");
	assert_string_equal(agent_text("0123456789", 10, buf, sizeof(buf)), "0123456");
}

/* An agent in a process of its own, on a port of localhost that was free a moment ago. */
static pid_t start_agent(struct agent_address *address)
{
	struct agent_listener listener;
	pid_t pid;

	assert_int_equal(agent_address_parse("tcp:127.0.0.1:1", AGENT_END_GUEST, address), 0);
	address->port = 20000 + (uint32_t)getpid() % 20000;
	msg_set_level(MSG_ERROR);
	while (agent_channel_listen(&listener, address))
		address->port++;
	agent_channel_unlisten(&listener);
	pid = fork();
	if (!pid)
		_exit(agent_serve(&(struct agent_config){.address = *address, .version = "test"}));
	/* Its socket may take a moment. */
	for (int fd = -1; fd < 0; poll(NULL, 0, 10)) {
		fd = agent_channel_connect(address, 1000);
		if (fd >= 0) {
			close(fd);
			break;
		}
	}
	return pid;
}

static void await_refusal(struct agent_client *c)
{
	int err = 0;

	while (!err)
		err = agent_client_poll(c, 100);
	assert_int_equal(err, -ECANCELED);
	assert_false(c->ended);
	agent_client_close(c);
}

/* What greets wrongly, or not at all, is refused; the agent goes on. */
static void test_agent_refuses(void **state)
{
	struct agent_address address;
	pid_t agent = start_agent(&address);
	struct agent_start start = {.command = "true",
				    .silence_ms = AGENT_SILENCE_MS,
				    .config.capture = {.buffer_bytes = 1 << 20, .max_inflight = 1}};
	struct agent_client c;
	char buf[512];
	int fd, status;

	fd = agent_channel_connect(&address, 1000);
	assert_true(fd >= 0);
	assert_int_equal(send(fd, "GET / HTTP/1.1\r\n\r\n", 18, 0), 18);
	while (poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, -1) == 1 &&
	       read(fd, buf, sizeof(buf)) > 0)
		;
	close(fd);

	/* Of another protocol. */
	assert_int_equal(agent_stream_open(&c.stream, agent_channel_connect(&address, 1000)), 0);
	snprintf(buf, sizeof(buf), "{\"protocol\":%d,\"vft\":2,\"version\":\"9\"}",
		 AGENT_PROTOCOL + 1);
	assert_int_equal(agent_stream_send(&c.stream, AGENT_HELLO, buf, strlen(buf)), 0);
	c.ended = c.started = false;
	c.pinged_ns = clock_ns(CLOCK_MONOTONIC);
	await_refusal(&c);

	/* A command, which it was not told to run. */
	assert_int_equal(agent_client_open(&c, &address, "test", AGENT_SILENCE_MS), 0);
	assert_int_equal(agent_client_start(&c, &start), 0);
	await_refusal(&c);

	/* And still answers. */
	assert_int_equal(agent_client_open(&c, &address, "test", AGENT_SILENCE_MS), 0);
	agent_client_close(&c);
	kill(agent, SIGTERM);
	assert_int_equal(waitpid(agent, &status, 0), agent);
	assert_int_equal(status, 0);
}

struct fake_file {
	uint64_t claimed; /* bytes */
	uint32_t frames, bytes; /* FILE frames, and of each */
	bool stays; /* and answers, but sends no more */
};

/* A guest that ends its recording and sends this; then it is gone, unless it stays. */
static pid_t start_fake_agent(struct agent_client *c, const struct fake_file *f)
{
	struct agent_ended ended = {.status = 0, .bytes = f->claimed};
	static char block[AGENT_FRAME_MAX_BYTES];
	struct agent_stream s;
	char *text;
	int peer;
	pid_t pid;

	memset(c, 0, sizeof(*c));
	open_pair(&c->stream, &peer);
	pid = fork();
	if (pid) {
		close(peer);
		return pid;
	}
	close(c->stream.fd);
	if (agent_stream_open(&s, peer))
		_exit(1);
	/* A flood before it, which one look must not wait for the end of. */
	for (int i = 0; i < 1000; i++)
		agent_stream_send(&s, AGENT_PONG, NULL, 0);
	text = agent_ended_pack(&ended);
	agent_stream_send(&s, AGENT_ENDED, text, strlen(text));
	memset(block, 'f', sizeof(block));
	for (uint32_t i = 0; i < f->frames; i++)
		agent_stream_send(&s, AGENT_FILE, block, f->bytes);
	while (f->stays && !agent_stream_send(&s, AGENT_PONG, NULL, 0))
		poll(NULL, 0, 10);
	_exit(0);
}

/* What an agent may say to a greeting, in a conversation that is the host's or not. */
struct fake_answer {
	enum agent_frame_type type;
	const char *text;
	bool of_another;
};

/* Answers one host, and waits until it has gone. */
static pid_t start_answering(struct agent_address *address, const struct fake_answer *answers,
			     size_t nr)
{
	struct agent_listener listener;
	struct agent_frame frame;
	struct agent_stream s;
	int fd = -1;
	pid_t pid;

	assert_int_equal(agent_address_parse("tcp:127.0.0.1:1", AGENT_END_GUEST, address), 0);
	address->port = 20000 + (uint32_t)getpid() % 20000;
	while (agent_channel_listen(&listener, address))
		address->port++;
	pid = fork();
	if (pid) {
		agent_channel_unlisten(&listener);
		return pid;
	}
	while (fd < 0)
		fd = agent_channel_accept(&listener, 1000);
	if (agent_stream_open(&s, fd) || agent_stream_seek(&s, true, &frame, 0, 10000) != 1)
		_exit(1);
	for (size_t i = 0; i < nr; i++) {
		s.conversation = frame.conversation + answers[i].of_another;
		agent_stream_send(&s, answers[i].type, answers[i].text, strlen(answers[i].text));
	}
	while (agent_stream_receive(&s, &frame, 100) >= 0)
		;
	_exit(0);
}

#define WELCOME(protocol, vft) "{\"protocol\":" protocol ",\"vft\":" vft ",\"version\":\"9\"}"

#define SAYS(type, text)                                                                           \
	{                                                                                          \
		type, text, false                                                                  \
	}
#define GREETS SAYS(AGENT_WELCOME, WELCOME("2", "2"))

static void test_client_refuses(void **state)
{
	static const struct {
		struct fake_answer answers[2];
		int opened, polled; /* polled: of who opened it */
	} cases[] = {
		{{SAYS(AGENT_WELCOME, WELCOME("3", "2"))}, -ECANCELED, 0},
		{{SAYS(AGENT_WELCOME, WELCOME("2", "99"))}, -ECANCELED, 0},
		{{SAYS(AGENT_WELCOME, WELCOME("2", "1"))}, -ECANCELED, 0},
		{{SAYS(AGENT_WELCOME, "{}")}, -EBADMSG, 0},
		{{SAYS(AGENT_WELCOME, "\xff")}, -EBADMSG, 0},
		{{SAYS(AGENT_STARTED, "")}, -EBADMSG, 0},
		{{SAYS(AGENT_REFUSED, "no \033[2J")}, -ECANCELED, 0},
		{{GREETS, SAYS(AGENT_FILE, "x")}, 0, -EBADMSG},
		{{GREETS, SAYS(AGENT_START, "{}")}, 0, -EBADMSG},
		{{GREETS, SAYS(AGENT_ENDED, "{\"status\":0}")}, 0, -EBADMSG},
		{{GREETS, {AGENT_FILE, "x", true}}, 0, 0},
	};

	assert_int_equal(AGENT_PROTOCOL, 2);
	assert_int_equal(VFT_VERSION, 2);
	msg_set_level(MSG_ERROR);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct agent_address address;
		size_t nr = cases[i].answers[1].text ? 2 : 1;
		pid_t pid = start_answering(&address, cases[i].answers, nr);
		struct agent_client c;
		int err = agent_client_open(&c, &address, "9", AGENT_MIN_SILENCE_MS);

		if (err != cases[i].opened)
			fail_msg("%zu: opened %d", i, err);
		for (int look = 0; !err && look < 3; look++)
			err = agent_client_poll(&c, 100);
		if (!cases[i].opened) {
			if (err != cases[i].polled)
				fail_msg("%zu: polled %d", i, err);
			assert_false(c.started || c.ended);
			agent_client_close(&c);
		}
		assert_int_equal(waitpid(pid, NULL, 0), pid);
	}
}

static uint64_t size_and_remove(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	unlink(path);
	return (uint64_t)st.st_size;
}

static void test_fetches_files_of_strangers(void **state)
{
	static const struct {
		struct fake_file file;
		int result;
		uint64_t kept;
	} cases[] = {
		{{3000000, 300, 10000, false}, 0, 3000000},
		{{65536, 1, 65536, false}, 0, 65536},
		{{0, 0, 0, false}, 0, 0},
		{{3000001, 300, 10000, false},
		 -EPIPE,
		 3000000}, /* lost on its way: the beginning is kept */
		{{29999, 3, 10000, false}, -EBADMSG, 20000}, /* more than it said */
		{{10, 1, 0, false}, -EBADMSG, 0}, /* no progress */
		{{10, 1, 9, true}, -ETIME, 9},
		{{4000001, 0, 0, false}, -EFBIG, 0},
		{{INT64_MAX, 0, 0, false}, -EFBIG, 0},
	};
	char path[] = "/tmp/vfscope-test-agent.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	unlink(path);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct agent_client c;
		pid_t pid = start_fake_agent(&c, &cases[i].file);
		unsigned int looks = 0;
		bool written;

		while (!c.ended) {
			assert_int_equal(agent_client_poll(&c, 1000), 0);
			looks++;
		}
		assert_true(looks > 5);
		if (cases[i].file.stays)
			c.stream.silence_ms = 200;
		assert_int_equal(agent_client_fetch(&c, path, 4000000, &written), cases[i].result);
		assert_int_equal(written, cases[i].file.claimed && cases[i].result != -EFBIG);
		if (written)
			assert_int_equal(size_and_remove(path), cases[i].kept);
		else
			assert_int_equal(access(path, F_OK), -1);
		agent_client_close(&c);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_payloads),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_payloads_of_strangers),
		cmocka_unit_test(test_fetches_files_of_strangers),
		cmocka_unit_test(test_agent_refuses),
		cmocka_unit_test(test_client_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
