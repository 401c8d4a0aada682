// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The process that looks for daemons, and the recorder's end of the socket to it.
 *
 * Both sides number daemons in the order of the messages, so that they agree on slots.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/clock.h"
#include "lib/compiler.h"
#include "lib/msg.h"
#include "lib/units.h"
#include "trace/host_watch.h"
#include "trace/privilege.h"
#include "trace/vring_find.h"

#define MAX_SEEN 64 /* virtiofsd processes that one search looks at */
#define MAX_ABOUT_BYTES (64 << 10)
#define FIRST_PAUSE_NS (NS_PER_SEC / 20) /* after a daemon's end, and longer each time */
#define LONGEST_PAUSE_NS NS_PER_SEC
#define LONGEST_PAUSE_ALL_NS (3 * NS_PER_SEC)
#define LOOK_AT_RINGS_MS 20

enum news_kind {
	NEWS_FOUND,
	NEWS_GIVEN_UP,
	NEWS_LEFT_OUT, /* no slot, or the maps refused it */
};

struct news {
	enum news_kind kind;
	int follows;
	pid_t pid;
	uint64_t start_ns;
	struct host_daemon layout;
	char about[MAX_ABOUT_BYTES]; /* JSON; sent as long as it is */
};

/* The other process. */
struct watcher {
	struct host_targets *targets; /* its own copy */
	struct host_watch_config config;
	int recorder;
	uint64_t pause_ns, last_end_ns;
	bool hope; /* what follows is there, though not at work yet */
	bool told; /* that it has given up */
	pid_t left_out[MAX_SEEN]; /* those that no slot was left for */
	uint32_t nr_left_out;
	struct news news;
};

static void tell(struct watcher *w, enum news_kind kind, size_t about_len)
{
	w->news.kind = kind;
	/* If the recorder is gone, the next poll says so. */
	send(w->recorder, &w->news, offsetof(struct news, about) + about_len, MSG_NOSIGNAL);
}

static bool is_followed(const struct host_targets *t, uint32_t slot)
{
	for (uint32_t i = 0; i < t->count; i++)
		if (t->items[i].follows == (int)slot)
			return true;
	return false;
}

/* The one that ended last of those whose place it may take; -1: none. */
static int place_of(const struct host_targets *t, const struct daemon *daemon)
{
	int best = -1;

	for (uint32_t i = 0; i < t->count; i++) {
		const struct host_target *before = &t->items[i];

		if (before->end_ns && !is_followed(t, i) &&
		    host_target_follows(daemon, &before->daemon, before->end_boot_ns) &&
		    (best < 0 || before->end_ns > t->items[best].end_ns))
			best = (int)i;
	}
	return best;
}

static bool is_recorded(const struct host_targets *t, pid_t pid)
{
	for (uint32_t i = 0; i < t->count; i++)
		if (!t->items[i].end_ns && t->items[i].daemon.pid == pid)
			return true;
	return false;
}

static void tell_found(struct watcher *w, struct host_target *target)
{
	size_t len = json_dumpb(target->about, w->news.about, sizeof(w->news.about), JSON_COMPACT);

	if (len > sizeof(w->news.about))
		len = 0;
	w->news.follows = target->follows;
	w->news.pid = target->daemon.pid;
	w->news.start_ns = target->start_ns;
	w->news.layout = target->layout;
	tell(w, NEWS_FOUND, len);
}

/* Once for each, as far as they can be told apart. */
static void leave_out(struct watcher *w, pid_t pid)
{
	for (uint32_t i = 0; i < w->nr_left_out; i++)
		if (w->left_out[i] == pid)
			return;
	if (w->nr_left_out < MAX_SEEN)
		w->left_out[w->nr_left_out++] = pid;
	w->news.pid = pid;
	tell(w, NEWS_LEFT_OUT, 0);
}

/*
 * Told first: the recorder knows every slot that events may have, and counts slots as we do. It
 * keeps its own even if it stays unseen.
 */
static void enter_found(struct watcher *w, struct host_target *target)
{
	tell_found(w, target);
	if (!host_target_enter(target, &w->config.maps))
		return;
	target->end_ns = target->start_ns;
	leave_out(w, target->daemon.pid);
}

/* Takes the daemon over. True if it is recorded from now on. */
static bool try_daemon(struct watcher *w, struct daemon *daemon, int follows)
{
	struct host_target *target = host_targets_add(w->targets);
	int err;

	if (!target) {
		leave_out(w, daemon->pid);
		return false;
	}
	target->daemon = *daemon;
	target->follows = follows;
	err = vring_find(daemon->pid, &target->layout);
	if (!err)
		target->pidfd = (int)syscall(SYS_pidfd_open, daemon->pid, 0);
	if (err || target->pidfd < 0) {
		w->targets->count--;
		return false;
	}
	host_target_look_at(target);
	target->start_ns = clock_ns(CLOCK_MONOTONIC);
	*daemon = (struct daemon){};
	enter_found(w, target);
	return true;
}

static bool is_wanted(const struct watcher *w, int follows, int candidates)
{
	switch (w->config.choice) {
	case CHOOSE_ALL:
		return true;
	case CHOOSE_AUTO:
		return follows >= 0 || candidates == 1;
	default:
		return follows >= 0;
	}
}

/* True if one was found. */
static bool search(struct watcher *w)
{
	struct daemon seen[MAX_SEEN];
	int count = daemon_find_all(seen, MAX_SEEN, w->config.choice == CHOOSE_AUTO),
	    candidates = 0;
	bool found = false;

	w->hope = false;
	for (int i = 0; i < count; i++)
		candidates += !is_recorded(w->targets, seen[i].pid);
	for (int i = 0; i < count; i++) {
		int follows = place_of(w->targets, &seen[i]);

		if (!is_recorded(w->targets, seen[i].pid) && is_wanted(w, follows, candidates)) {
			w->hope |= follows >= 0;
			found |= try_daemon(w, &seen[i], follows);
		}
		daemon_free(&seen[i]);
	}
	return found;
}

/* How many are recorded; notes the ends of those that are not any more. */
static uint32_t count_live(struct watcher *w)
{
	uint32_t live = 0;

	for (uint32_t i = 0; i < w->targets->count; i++) {
		struct host_target *target = &w->targets->items[i];
		struct pollfd fd = {.fd = target->pidfd, .events = POLLIN};

		if (target->end_ns)
			continue;
		if (target->pidfd >= 0 && poll(&fd, 1, 0) != 1) {
			live++;
			continue;
		}
		/* The process id may be another process's soon. */
		host_target_leave(w->targets, target, &w->config.maps);
		target->end_boot_ns = clock_ns(CLOCK_BOOTTIME);
		target->end_ns = w->last_end_ns = clock_ns(CLOCK_MONOTONIC);
		w->pause_ns = FIRST_PAUSE_NS;
	}
	return live;
}

/*
 * The same daemon with other rings is another target: a slot's ring positions never go back. Rings
 * that are not there yet are looked for again at the next look.
 */
static void follow_rings(struct watcher *w, uint32_t slot, uint32_t messages)
{
	struct host_target *before = &w->targets->items[slot], *target;

	target = host_targets_add(w->targets);
	if (!target) {
		leave_out(w, before->daemon.pid);
		return;
	}
	if (vring_find(before->daemon.pid, &target->layout)) {
		w->targets->count--;
		return;
	}
	target->layout.control = before->layout.control;
	target->layout.messages = target->messages = messages;
	target->daemon = before->daemon;
	before->daemon = (struct daemon){.pid = target->daemon.pid};
	target->pidfd = before->pidfd;
	before->pidfd = -1;
	target->follows = (int)slot;
	target->layout.anew = 1;
	target->layout.vmm = before->layout.vmm;
	target->about = json_incref(before->about);
	target->start_ns = before->end_ns = clock_ns(CLOCK_MONOTONIC);
	before->end_boot_ns = clock_ns(CLOCK_BOOTTIME);
	enter_found(w, target);
}

/*
 * The guest has reset its device and set it up again: when the VMM has had nothing more to say
 * about the rings since the last look, they are where the daemon has them now.
 */
static void look_at_rings(struct watcher *w)
{
	struct host_control now;

	for (uint32_t i = 0; i < w->targets->count; i++) {
		struct host_target *target = &w->targets->items[i];

		if (target->end_ns ||
		    bpf_map_lookup_elem(w->config.maps.controls, &target->layout.control, &now) ||
		    now.messages == target->layout.messages || now.rings != HOST_RINGS_STARTED)
			continue;
		if (now.messages == target->messages)
			follow_rings(w, i, now.messages);
		target->messages = now.messages;
	}
}

/* Whether there is anything to look for. */
static bool wants_search(const struct watcher *w, uint32_t live)
{
	if (w->config.choice == CHOOSE_ALL)
		return true;
	if (w->config.choice == CHOOSE_AUTO)
		return !live;
	for (uint32_t i = 0; i < w->targets->count; i++)
		if (w->targets->items[i].end_ns && !is_followed(w->targets, i))
			return true;
	return false;
}

/* Until the recorder is gone, a daemon ends, or the pause is over. False: the recorder is gone. */
static bool pause_or_event(struct watcher *w, bool searching)
{
	struct pollfd fds[1 + HOST_MAX_DAEMONS] = {{.fd = w->recorder, .events = POLLIN}};
	const uint64_t end_ns = clock_ns(CLOCK_MONOTONIC) + w->pause_ns;
	nfds_t nr = 1;
	int n;

	for (uint32_t i = 0; i < w->targets->count; i++)
		if (!w->targets->items[i].end_ns)
			fds[nr++] =
				(struct pollfd){.fd = w->targets->items[i].pidfd, .events = POLLIN};
	do {
		n = poll(fds, nr, LOOK_AT_RINGS_MS);
		look_at_rings(w);
	} while (!n && (!searching || clock_ns(CLOCK_MONOTONIC) < end_ns));
	if (n < 0 && errno != EINTR)
		return false;
	return !fds[0].revents;
}

static void watch_daemons(struct watcher *w)
{
	uint64_t longest = w->config.choice == CHOOSE_ALL ? LONGEST_PAUSE_ALL_NS : LONGEST_PAUSE_NS;
	bool searching;

	w->pause_ns = FIRST_PAUSE_NS;
	do {
		uint32_t live = count_live(w);

		searching = wants_search(w, live);
		if (searching && search(w))
			w->pause_ns = FIRST_PAUSE_NS;
		else
			w->pause_ns = min_u64(w->pause_ns + w->pause_ns / 8, longest);
		if (w->config.choice == CHOOSE_PIDS && !live && searching && !w->hope && !w->told &&
		    clock_ns(CLOCK_MONOTONIC) - w->last_end_ns > w->config.grace_ns) {
			tell(w, NEWS_GIVEN_UP, 0);
			w->told = true;
		}
	} while (pause_or_event(w, searching));
}

/* Keep nothing that it does not need: it is the one with power. */
static int become_watcher(struct watcher *w, pid_t recorder)
{
	struct host_target_maps *maps = &w->config.maps;
	int *keep[] = {&w->recorder, &maps->daemons, &maps->states, &maps->vmms, &maps->controls};
	int err;

	for (size_t i = 0; i < ARRAY_SIZE(keep); i++) {
		*keep[i] = fcntl(*keep[i], F_DUPFD_CLOEXEC, 1000);
		if (*keep[i] < 0)
			return -errno;
	}
	if (syscall(SYS_close_range, 3, 999, 0) ||
	    syscall(SYS_close_range, maps->controls + 1, ~0U, 0))
		return -errno;
	/* Its descriptors of the daemons are closed now, too. */
	for (uint32_t i = 0; i < w->targets->count; i++)
		w->targets->items[i].pidfd =
			(int)syscall(SYS_pidfd_open, w->targets->items[i].daemon.pid, 0);
	err = privilege_keep_looking();
	/* Ctrl-C is for the recorder, whose end is ours. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	prctl(PR_SET_NAME, "vfscope-watch");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return err ? err : getppid() == recorder ? 0 : -ESRCH;
}

static void run_watcher(struct watcher *w, pid_t recorder)
{
	msg_set_level(MSG_ERROR);
	if (!become_watcher(w, recorder))
		watch_daemons(w);
	_exit(0);
}

int host_watch_start(struct host_watch *watch, struct host_targets *targets,
		     const struct host_watch_config *config)
{
	struct watcher *w = calloc(1, sizeof(*w));
	pid_t recorder = getpid();
	int fds[2], err = 0;

	if (!w)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds)) {
		err = -errno;
		goto out;
	}
	*w = (struct watcher){.targets = targets, .config = *config, .recorder = fds[1]};
	watch->pid = fork();
	if (!watch->pid)
		run_watcher(w, recorder);
	if (watch->pid < 0) {
		err = -errno;
		watch->pid = 0;
		close(fds[0]);
	} else {
		watch->fd = fds[0];
	}
	close(fds[1]);
out:
	free(w);
	if (err)
		msg_error("cannot start the process that looks for daemons: %s", strerror(-err));
	return err;
}

static int add_found(struct host_targets *targets, const struct news *news, size_t about_len)
{
	struct host_target *target = host_targets_add(targets), *before;

	if (!target)
		return -EINVAL;
	target->daemon.pid = news->pid;
	target->layout = news->layout;
	target->start_ns = news->start_ns;
	target->follows = news->follows;
	target->pidfd = (int)syscall(SYS_pidfd_open, news->pid, 0);
	target->about = json_loadb(news->about, about_len, 0, NULL);
	if (!target->about)
		target->about = json_pack("{s:i}", "pid", (int)news->pid);
	if (!target->about)
		return -ENOMEM;
	before = news->follows >= 0 ? &targets->items[news->follows] : NULL;
	if (before && before->daemon.pid == news->pid) {
		before->end_ns = news->start_ns;
		msg_info("the guest of daemon %d has set up its device anew: recording goes on",
			 (int)news->pid);
	} else if (before)
		msg_info("daemon %d takes the place of %d: recording that", (int)news->pid,
			 (int)before->daemon.pid);
	else
		msg_info("daemon %d is recorded, too", (int)news->pid);
	return 0;
}

static int take_news(struct host_watch *watch, struct host_targets *targets,
		     const struct news *news, size_t about_len)
{
	switch (news->kind) {
	case NEWS_FOUND:
		return add_found(targets, news, about_len);
	case NEWS_LEFT_OUT:
		if (!watch->left_out++)
			msg_warn("daemon %d is left out, and whatever comes now: %u is the most "
				 "(--max-shares)",
				 (int)news->pid, host_targets_max(targets));
		return 0;
	default:
		watch->ended = true;
		return 0;
	}
}

int host_watch_take(struct host_watch *watch, struct host_targets *targets)
{
	struct news *news;
	ssize_t got = 0;
	int err = 0;

	if (watch->ended)
		return 0;
	news = malloc(sizeof(*news));
	if (!news)
		return -ENOMEM;
	while (!err && !watch->ended) {
		got = recv(watch->fd, news, sizeof(*news), MSG_DONTWAIT);
		if (got < (ssize_t)offsetof(struct news, about))
			break;
		err = take_news(watch, targets, news, (size_t)got - offsetof(struct news, about));
	}
	if (!err && !watch->ended && (got >= 0 || (errno != EAGAIN && errno != EINTR))) {
		msg_warn("the process that looks for daemons has ended: no other will be found");
		watch->ended = true;
	}
	free(news);
	return err;
}

void host_watch_stop(struct host_watch *watch)
{
	if (!watch->pid)
		return;
	close(watch->fd);
	kill(watch->pid, SIGKILL);
	while (waitpid(watch->pid, NULL, 0) < 0 && errno == EINTR)
		;
	watch->pid = 0;
}
