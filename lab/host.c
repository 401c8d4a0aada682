// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What lab/vm becomes once it has prepared everything: starts the daemons and QEMU, waits for the
 * guest's agent, runs the host command, relays lab/guest (broker.c) meanwhile, and tears everything
 * down, whichever of them ends first and however this process itself ends (guard.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "agent.h"
#include "broker.h"
#include "process.h"

#define NS_PER_S 1000000000ull
#define PING_EVERY_NS (5 * NS_PER_S)
#define DEAF_AFTER_NS (60 * NS_PER_S) /* much more than a loaded machine makes a guest wait */
#define SIGNAL_GRACE_NS (10 * NS_PER_S) /* for the host command to end after SIGINT or SIGTERM */
#define QEMU_GRACE_NS                                                                              \
	(2 * NS_PER_S) /* between a daemon's end and that of the QEMU that ended it                \
			*/
#define SYNC_GRACE_NS (20 * NS_PER_S)
#define TAIL_BYTES 6144 /* a panic and its call trace */

enum phase {
	BOOTING,
	RUNNING,
	SYNCING,
	FINISHED
};

struct host {
	struct spec spec;
	struct broker broker;
	enum phase phase;
	int status;
	int signal_fd;
	int console_fd; /* for --verbose, else -1 */
	int signal; /* the first one that asked to end, 0: none */
	bool timed_out;
	uint64_t phase_deadline_ns; /* UINT64_MAX: none */
	uint64_t timeout_ns; /* the same for --timeout */
	uint64_t ping_ns; /* when to send the next one */
	struct process *ended_daemon; /* not reported yet, see process_ended() */
	uint64_t ended_daemon_ns;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static void print_tail(const char *what, const char *path)
{
	char text[TAIL_BYTES + 1], *line;
	ssize_t len;
	off_t size;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	size = lseek(fd, 0, SEEK_END);
	len = pread(fd, text, TAIL_BYTES, size > TAIL_BYTES ? size - TAIL_BYTES : 0);
	close(fd);
	if (len <= 0)
		return;
	text[len] = '\0';
	fprintf(stderr, "lab/vm: the end of %s:\n", what);
	line = strtok(text, "\r\n");
	/* The first one of a part of the file is most likely not whole. */
	if (line && size > TAIL_BYTES)
		line = strtok(NULL, "\r\n");
	for (; line; line = strtok(NULL, "\r\n"))
		fprintf(stderr, "  | %s\n", line);
}

/* Ends every job of the guest, and lab/vm itself if the guest was not up yet. */
static void lose(struct host *host, const char *why)
{
	if (*host->broker.lost || host->phase == FINISHED)
		return;
	fprintf(stderr, "lab/vm: %s%s\n",
		host->phase == BOOTING ? "the guest did not come up: " : "", why);
	broker_set_lost(&host->broker, why);
	if (host->phase != BOOTING)
		return;
	print_tail("the guest's console", host->spec.console);
	fprintf(stderr,
		"lab/vm: --verbose shows the whole console; try --accel tcg, or the default "
		"--kernel and --daemon\n");
	host->status = LAB_CANNOT;
	host->phase = FINISHED;
}

static void set_phase(struct host *host, enum phase phase, uint64_t grace_ns)
{
	host->phase = phase;
	host->phase_deadline_ns = grace_ns == UINT64_MAX ? UINT64_MAX : now_ns() + grace_ns;
}

static void set_env_number(const char *name, long value)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", value);
	setenv(name, text, 1);
}

static void start_host_command(struct host *host)
{
	const struct spec *spec = &host->spec;
	int err;

	for (int i = 0; i < spec->process_count; i++) {
		const struct process *process = &spec->processes[i];

		if (!strcmp(process->name, "share"))
			set_env_number("LAB_DAEMON_PID", process_working_pid(process));
		else if (!strcmp(process->name, "qemu"))
			set_env_number("LAB_QEMU_PID", process->pid);
	}
	err = process_start_foreground(&host->spec.host);
	if (err) {
		fprintf(stderr, "lab/vm: cannot start the host command: %s\n", strerror(-err));
		host->status = LAB_CANNOT;
		host->phase = FINISHED;
		return;
	}
	set_phase(host, RUNNING, UINT64_MAX);
	if (spec->timeout_s)
		host->timeout_ns = now_ns() + spec->timeout_s * NS_PER_S;
}

static void start_vm(struct host *host)
{
	struct spec *spec = &host->spec;

	for (int i = 0; i < spec->process_count; i++) {
		int err = process_start_background(&spec->processes[i], spec->dir);
		char why[256];

		if (!err)
			continue;
		snprintf(why, sizeof(why), "cannot start '%s': %s", spec->processes[i].argv[0],
			 strerror(-err));
		lose(host, why);
		return;
	}
	set_phase(host, BOOTING, spec->boot_timeout_s * NS_PER_S);
}

static void report_end(struct host *host, const struct process *process)
{
	char end[128], why[400], log[4096];
	bool daemon = strcmp(process->name, "qemu");

	if (host->phase == FINISHED || *host->broker.lost)
		return;
	snprintf(log, sizeof(log), "%s/%s.log", host->spec.dir, process->name);
	print_tail(daemon ? "the daemon's log" : "QEMU's log", log);
	if (!daemon && host->phase != BOOTING)
		print_tail("the guest's console", host->spec.console);
	process_describe_end(process, end, sizeof(end));
	if (daemon)
		snprintf(why, sizeof(why), "the daemon of the %s directory (%.200s) %s",
			 process->name, process->argv[0], end);
	else
		snprintf(why, sizeof(why), "QEMU %s, as it does when the guest's kernel panics",
			 end);
	lose(host, why);
}

/* A daemon that ends by itself mostly does because QEMU is ending, which is then the news. */
static void process_ended(struct host *host, struct process *process)
{
	bool clean = WIFEXITED(process->status) && !WEXITSTATUS(process->status);

	if (!clean || !strcmp(process->name, "qemu")) {
		report_end(host, process);
	} else if (!host->ended_daemon) {
		host->ended_daemon = process;
		host->ended_daemon_ns = now_ns() + QEMU_GRACE_NS;
	}
}

static void host_command_ended(struct host *host)
{
	int status = host->spec.host.status;

	host->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	if (host->timed_out)
		host->status = LAB_TIMEOUT;
	else if (host->signal)
		host->status = 128 + host->signal;
	else if (*host->broker.lost && !host->status)
		host->status = LAB_CANNOT;
	if (host->signal || host->timed_out || *host->broker.lost) {
		host->phase = FINISHED;
		return;
	}
	/* What the guest has in its page cache must be in the shared directory before it is gone.
	 */
	broker_sync(&host->broker);
	set_phase(host, SYNCING, SYNC_GRACE_NS);
}

static void reap(struct host *host)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == host->spec.host.pid) {
			host->spec.host.pid = 0;
			host->spec.host.status = status;
			host_command_ended(host);
		}
		for (int i = 0; i < host->spec.process_count; i++) {
			struct process *process = &host->spec.processes[i];

			if (process->pid != pid)
				continue;
			process->pid = 0;
			process->status = status;
			process_ended(host, process);
		}
	}
}

/* The host command may end in its own time, once: it may be a recorder that writes a last chunk. */
static void end_host_command(struct host *host, int signal)
{
	if (host->phase != RUNNING) {
		host->status = host->timed_out ? LAB_TIMEOUT : 128 + host->signal;
		host->phase = FINISHED;
		return;
	}
	if (signal)
		kill(host->spec.host.pid, signal);
	host->phase_deadline_ns = now_ns() + SIGNAL_GRACE_NS;
}

static void handle_signals(struct host *host)
{
	struct signalfd_siginfo info;

	while (read(host->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD) {
			reap(host);
			continue;
		}
		if (host->signal && host->spec.host.pid) {
			kill(host->spec.host.pid, SIGKILL);
			continue;
		}
		host->signal = (int)info.ssi_signo;
		/* Ctrl-C of the terminal has reached the host command already. */
		end_host_command(host, info.ssi_code == SI_KERNEL ? 0 : host->signal);
	}
}

static void check_guest(struct host *host, uint64_t now)
{
	char why[128];

	if (host->ended_daemon && now >= host->ended_daemon_ns)
		report_end(host, host->ended_daemon);
	if (host->broker.broken)
		lose(host, host->broker.broken);
	if (!host->broker.up || *host->broker.lost)
		return;
	if (now >= host->ping_ns) {
		broker_ping(&host->broker);
		host->ping_ns = now + PING_EVERY_NS;
	}
	if (now > host->broker.heard_ns + DEAF_AFTER_NS) {
		snprintf(why, sizeof(why), "the guest has not answered for %llu seconds",
			 DEAF_AFTER_NS / NS_PER_S);
		print_tail("the guest's console", host->spec.console);
		lose(host, why);
	}
}

static void check_deadlines(struct host *host, uint64_t now)
{
	char why[128];

	if (now >= host->timeout_ns && host->phase == RUNNING && !host->timed_out) {
		fprintf(stderr, "lab/vm: the command did not end within --timeout %u seconds\n",
			host->spec.timeout_s);
		host->timed_out = true;
		end_host_command(host, SIGTERM);
	}
	if (now < host->phase_deadline_ns)
		return;
	if (host->phase == BOOTING) {
		snprintf(why, sizeof(why), "nothing heard from it for %u seconds (--boot-timeout)",
			 host->spec.boot_timeout_s);
		lose(host, why);
	} else if (host->phase == RUNNING) {
		kill(host->spec.host.pid, SIGKILL);
		host->phase_deadline_ns = UINT64_MAX;
	} else if (host->phase == SYNCING) {
		fprintf(stderr, "lab/vm: the guest did not write its page cache back in time: "
				"files on the share may be incomplete\n");
		host->status = host->status ? host->status : LAB_CANNOT;
		host->phase = FINISHED;
	}
}

static void show_console(struct host *host)
{
	char text[4096];
	ssize_t got;

	if (host->spec.verbose && host->console_fd < 0)
		host->console_fd = open(host->spec.console, O_RDONLY | O_CLOEXEC);
	while (host->console_fd >= 0 && (got = read(host->console_fd, text, sizeof(text))) > 0)
		if (write(2, text, (size_t)got) < 0)
			return;
}

static int poll_timeout_ms(const struct host *host, uint64_t now)
{
	uint64_t next = host->phase_deadline_ns;

	if (host->timeout_ns < next && !host->timed_out)
		next = host->timeout_ns;
	if (host->broker.up && !*host->broker.lost && host->ping_ns < next)
		next = host->ping_ns;
	if (host->ended_daemon && !*host->broker.lost && host->ended_daemon_ns < next)
		next = host->ended_daemon_ns;
	if (host->spec.verbose && now + NS_PER_S / 10 < next)
		next = now + NS_PER_S / 10;
	if (next <= now)
		return 0;
	next -= now;
	return next > 1000 * NS_PER_S ? 1000000 : (int)(next / 1000000 + 1);
}

static void advance(struct host *host)
{
	if (host->phase == BOOTING && host->broker.up)
		start_host_command(host);
	else if (host->phase == SYNCING && (host->broker.synced || *host->broker.lost))
		host->phase = FINISHED;
}

static void supervise(struct host *host)
{
	struct pollfd fds[1 + BROKER_MAX_FDS];

	while (host->phase != FINISHED) {
		uint64_t now = now_ns();
		int n;

		fds[0] = (struct pollfd){.fd = host->signal_fd, .events = POLLIN};
		n = 1 + broker_poll(&host->broker, fds + 1);
		if (poll(fds, (nfds_t)n, poll_timeout_ms(host, now)) < 0 && errno != EINTR) {
			lose(host, strerror(errno));
			host->status = LAB_CANNOT;
			return;
		}
		now = now_ns();
		broker_handle(&host->broker, fds + 1, now);
		if (fds[0].revents)
			handle_signals(host);
		check_guest(host, now);
		check_deadlines(host, now);
		show_console(host);
		advance(host);
	}
}

static void tear_down(struct host *host)
{
	for (int i = 0; i < host->spec.process_count; i++)
		if (host->spec.processes[i].pid > 0)
			kill(host->spec.processes[i].pid, SIGKILL);
	if (host->spec.host.pid > 0)
		kill(host->spec.host.pid, SIGKILL);
	for (int i = 0; i < host->spec.process_count; i++)
		if (host->spec.processes[i].pid > 0)
			waitpid(host->spec.processes[i].pid, NULL, 0);
	if (host->spec.host.pid > 0)
		waitpid(host->spec.host.pid, NULL, 0);
	show_console(host);
	broker_close(&host->broker);
}

static int block_signals(void)
{
	static const int signals[] = {SIGCHLD, SIGINT, SIGTERM, SIGHUP};
	sigset_t mask;

	sigemptyset(&mask);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(&mask, signals[i]);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
}

int host_main(int argc, char **argv)
{
	static struct host host;
	int guard_fd, err;
	pid_t guard;

	err = argc == 1 ? spec_read(&host.spec, argv[0]) : -EINVAL;
	if (err) {
		fprintf(stderr, "lab-agent: cannot read the spec: %s\n", strerror(-err));
		return LAB_USAGE;
	}
	host.phase_deadline_ns = host.timeout_ns = UINT64_MAX;
	host.console_fd = -1;
	host.signal_fd = block_signals();
	if (host.spec.die_with_parent) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != host.spec.die_with_parent)
			raise(SIGTERM);
	}
	guard = guard_start(host.spec.dir, &guard_fd);
	setenv("LAB_DIR", host.spec.dir, 1);
	setenv("LAB_RUN", host.spec.dir, 1); /* for the guard: nobody has a reason to copy it */
	err = guard < 0 ? guard : broker_open(&host.broker, host.spec.dir);
	if (err || host.signal_fd < 0) {
		fprintf(stderr, "lab/vm: cannot listen in %s: %s\n", host.spec.dir, strerror(-err));
		host.status = LAB_CANNOT;
	} else {
		start_vm(&host);
		supervise(&host);
		tear_down(&host);
	}
	if (guard > 0)
		guard_finish(guard, guard_fd);
	err = host.status;
	spec_free(&host.spec);
	return err;
}
