// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What reading traces costs: vfscope's own commands on made-up traces, in CPU time and memory.
 *
 *	bench_traces [REQUESTS]
 *
 * The commands run as a user runs them, so that start, output and everything between count. CPU
 * time rather than elapsed time is printed: files are in the page cache, and other work on the
 * machine does not count.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "bench/bench.h"
#include "lib/units.h"

#define DEFAULT_REQUESTS "1000000"

struct cost {
	double cpu_s;
	long memory_kib; /* most at any time */
};

/* Runs a program with its output thrown away. 0 if it ended well. */
static int run(char *const argv[], struct cost *cost)
{
	struct rusage usage;
	int status;
	pid_t child = fork();

	if (child < 0)
		return -errno;
	if (!child) {
		int null = open("/dev/null", O_WRONLY);

		if (null >= 0)
			dup2(null, STDOUT_FILENO);
		execv(argv[0], argv);
		_exit(127);
	}
	if (wait4(child, &status, 0, &usage) < 0)
		return -errno;
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		fprintf(stderr, "bench_traces: %s %s failed\n", argv[0], argv[1]);
		return -EIO;
	}
	cost->cpu_s = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
		      (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
	cost->memory_kib = usage.ru_maxrss;
	return 0;
}

/* The cheapest of REPEATS runs: what else the machine does only ever adds. */
static int run_and_print(const char *name, char *const argv[], double requests, const char *file)
{
	struct cost best = {0}, cost;
	struct stat st;
	int err;

	for (int i = 0; i < REPEATS; i++) {
		err = run(argv, &cost);
		if (err)
			return err;
		if (!i || cost.cpu_s < best.cpu_s)
			best = cost;
	}
	if (stat(file, &st))
		return -errno;
	printf("%-46s %7.1f ns/request %6.1f s for 10 M  %4ld MiB  %5.1f bytes/request\n", name,
	       best.cpu_s * 1e9 / requests, best.cpu_s * 1e7 / requests, best.memory_kib / 1024,
	       (double)st.st_size / requests);
	fflush(stdout);
	return 0;
}

struct paths {
	char program[PATH_MAX], gen_trace[PATH_MAX], dir[64];
	char guest[96], host[96], joined[96], requests[40];
};

static int bench(struct paths *p, double requests)
{
	char *generate[] = {p->gen_trace, p->dir, p->requests, NULL};
	char *guest[] = {p->program, "report", p->guest, NULL};
	char *host[] = {p->program, "report", p->host, NULL};
	char *joined[] = {p->program, "report", p->joined, NULL};
	char *join[] = {p->program, "join", p->guest, p->host, "-o", p->joined, NULL};
	struct cost cost;
	int err = run(generate, &cost);

	if (!err)
		err = run_and_print("report, guest trace (requests and ops)", guest, requests,
				    p->guest);
	if (!err)
		err = run_and_print("report, host trace", host, requests, p->host);
	if (!err)
		err = run_and_print("join", join, requests, p->joined);
	if (!err)
		err = run_and_print("report, joined trace", joined, requests, p->joined);
	return err;
}

static void remove_files(const struct paths *p)
{
	unlink(p->guest);
	unlink(p->host);
	unlink(p->joined);
	rmdir(p->dir);
}

/* The programs lie where this one does: BUILD/bench/bench_traces, BUILD/vfscope. */
static int find_programs(struct paths *p)
{
	char self[PATH_MAX - 32];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	for (int up = 0; n > 0 && up < 2; n--)
		up += self[n - 1] == '/';
	if (n <= 0)
		return -ENOENT;
	snprintf(p->program, sizeof(p->program), "%.*s/vfscope", (int)n, self);
	snprintf(p->gen_trace, sizeof(p->gen_trace), "%.*s/tests/tools/gen_trace", (int)n, self);
	return 0;
}

int main(int argc, char **argv)
{
	const char *requests = argc > 1 ? argv[1] : DEFAULT_REQUESTS;
	struct paths p;
	uint64_t count;
	int err = parse_u64(requests, &count) || !count ? -EINVAL : find_programs(&p);

	if (err) {
		fprintf(stderr, "usage: bench_traces [REQUESTS]\n");
		return 2;
	}
	snprintf(p.dir, sizeof(p.dir), "/tmp/vfscope-bench.XXXXXX");
	if (!mkdtemp(p.dir))
		return 3;
	snprintf(p.guest, sizeof(p.guest), "%s/guest.vft", p.dir);
	snprintf(p.host, sizeof(p.host), "%s/host.vft", p.dir);
	snprintf(p.joined, sizeof(p.joined), "%s/joined.vft", p.dir);
	snprintf(p.requests, sizeof(p.requests), "requests=%" PRIu64, count);
	printf("\nreading traces of %" PRIu64 " requests, CPU time of one core\n", count);
	err = bench(&p, (double)count);
	remove_files(&p);
	return err ? 1 : 0;
}
