// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Performs an op script with real system calls: run_ops DIR SCRIPT PAUSE ATTR_TIMEOUT [parallel]
 *
 * Each of the script's tasks is a thread with open files of its own. They take turns in the
 * script's order or, parallel, go on side by side, but only one at a time walks a path. Before each
 * op is a pause, so that what happens in the background falls into the op that caused it; and it is
 * put off until it is clear whether attributes have timed out that an earlier op may have fetched.
 *
 * Prints the script with the time at which each op began, relative to the first, for vfscope
 * simulate to run with the same times. Comments at its begin tell that time in ns of
 * CLOCK_MONOTONIC, and the thread of each task.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lib/clock.h"
#include "lib/compiler.h"
#include "lib/units.h"
#include "tests/tools/run/perform.h"

/*
 * An op looks at attributes within so much of its begin, and two timer ticks of 4 ms are lost by
 * rounding. The simulated op does so at nearly the same time.
 */
#define LOOK_NS 10000000u
#define ROUNDING_NS 12000000u

static bool walks_path(const struct workload_op *op)
{
	switch (op->type) {
	case OP_READ:
	case OP_WRITE:
	case OP_FSYNC:
	case OP_FDATASYNC:
	case OP_CLOSE:
	case OP_FADVISE:
	case OP_TRUNCATE:
	case OP_COPY:
	case OP_MMAP:
	case OP_MMAP_FAULT:
	case OP_MSYNC:
	case OP_MADVISE:
	case OP_MUNMAP:
		return false;
	default:
		return true;
	}
}

/*
 * Whether both may look at the attributes of one inode: of a file, or of the root. What is named by
 * way of a link may be any file.
 */
static bool share_attributes(const struct op_script_line *x, const struct op_script_line *y)
{
	const struct workload_op *a = &x->op, *b = &y->op;

	if (a->type == OP_DROP_CACHES || b->type == OP_DROP_CACHES)
		return false;
	return a->file == b->file || x->by_link || y->by_link || (walks_path(a) && walks_path(b));
}

/* When the op may begin so that its attributes have clearly timed out, or clearly not. */
static uint64_t clear_time(struct run *r, const struct op_script_line *line, uint64_t time_ns)
{
	bool again = r->attr_timeout_ns != 0;

	while (again) {
		again = false;
		for (uint32_t i = 0; i < r->script.nr_lines; i++) {
			const struct done *done = &r->done[i];
			uint64_t first = done->start_ns + r->attr_timeout_ns;
			uint64_t last = done->end_ns + r->attr_timeout_ns + ROUNDING_NS;

			if (!done->end_ns || !share_attributes(line, &r->script.lines[i]) ||
			    time_ns + LOOK_NS < first || time_ns > last)
				continue;
			time_ns = last + 1;
			again = true;
		}
	}
	return time_ns;
}

static void wait_for_turn(struct run *r, uint32_t line)
{
	uint32_t until = r->parallel ? min_u64(line, r->nr_first) : line;

	pthread_mutex_lock(&r->lock);
	while (r->turn < until && !r->failed)
		pthread_cond_wait(&r->turn_passed, &r->lock);
	pthread_mutex_unlock(&r->lock);
}

static void wait_until_clear(struct run *r, const struct op_script_line *line)
{
	uint64_t now, time_ns;

	do {
		now = clock_ns(CLOCK_MONOTONIC);
		pthread_mutex_lock(&r->lock);
		time_ns = clear_time(r, line, now);
		pthread_mutex_unlock(&r->lock);
		if (time_ns > now)
			sleep_ns(time_ns - now);
	} while (time_ns > now);
}

/* -errno of the op. */
static int64_t perform_line(struct task *t, uint32_t nr)
{
	struct run *r = t->run;
	const struct op_script_line *line = &r->script.lines[nr];
	struct done done;
	int64_t err;

	wait_for_turn(r, nr);
	if (r->parallel && walks_path(&line->op))
		pthread_mutex_lock(&r->path_lock);
	sleep_ns(r->pause_ns + line->op.think_ns);
	wait_until_clear(r, line);
	done.start_ns = clock_ns(CLOCK_MONOTONIC);
	err = perform(t, line);
	done.end_ns = clock_ns(CLOCK_MONOTONIC);
	if (r->parallel && walks_path(&line->op))
		pthread_mutex_unlock(&r->path_lock);
	pthread_mutex_lock(&r->lock);
	r->done[nr] = done;
	r->turn++;
	r->failed |= err != 0;
	pthread_cond_broadcast(&r->turn_passed);
	pthread_mutex_unlock(&r->lock);
	return err;
}

static void *task_main(void *arg)
{
	struct task *t = arg;
	struct run *r = t->run;

	t->tid = gettid();
	for (uint32_t i = 0; i < r->script.nr_lines && !r->failed; i++) {
		int64_t err = 0;

		if (r->script.lines[i].task == t->index)
			err = perform_line(t, i);
		if (err)
			fprintf(stderr, "run_ops: line %u: %s\n", r->script.lines[i].number,
				strerror((int)-err));
	}
	return NULL;
}

/* The script's lines up to that number; that one with its time before it. */
static void print_line(FILE *script, uint32_t *at, uint32_t number, uint64_t ns)
{
	char text[512];

	while (*at < number && fgets(text, sizeof(text), script)) {
		if (++*at == number)
			printf("@%" PRIu64 "ns ", ns);
		fputs(text, stdout);
	}
}

/* How many of the script's ops are above its line "# from here". */
static uint32_t count_first(const struct op_script *script, FILE *text)
{
	uint32_t number = 0, nr = 0;
	char line[512];

	while (fgets(line, sizeof(line), text)) {
		number++;
		if (strcmp(line, "# from here\n"))
			continue;
		while (nr < script->nr_lines && script->lines[nr].number < number)
			nr++;
	}
	rewind(text);
	return nr;
}

static int print_script(const struct run *r, FILE *text)
{
	uint64_t first = UINT64_MAX;
	uint32_t at = 0;

	for (uint32_t i = 0; i < r->script.nr_lines; i++)
		first = min_u64(first, r->done[i].start_ns);
	printf("# start %" PRIu64 "\n", first);
	for (uint32_t i = 0; i < r->script.nr_tasks; i++)
		printf("# task %u thread %d\n", i + 1, (int)r->tasks[i].tid);
	for (uint32_t i = 0; i < r->script.nr_lines; i++)
		print_line(text, &at, r->script.lines[i].number, r->done[i].start_ns - first);
	return fflush(stdout) ? 1 : 0;
}

static int run(struct run *r, FILE *text)
{
	struct task tasks[OP_SCRIPT_TASKS] = {0};
	int err = 0;

	r->tasks = tasks;
	for (uint32_t i = 0; i < r->script.nr_tasks && !err; i++)
		err = task_init(r, &tasks[i], i);
	for (uint32_t i = 0; i < r->script.nr_tasks && !err; i++)
		err = -pthread_create(&tasks[i].thread, NULL, task_main, &tasks[i]);
	if (err) {
		fprintf(stderr, "run_ops: cannot start a thread: %s\n", strerror(-err));
		return 1;
	}
	for (uint32_t i = 0; i < r->script.nr_tasks; i++)
		pthread_join(tasks[i].thread, NULL);
	for (uint32_t i = 0; i < r->script.nr_tasks; i++)
		task_free(&tasks[i]);
	return r->failed ? 1 : print_script(r, text);
}

int main(int argc, char **argv)
{
	struct run r = {
		.path_lock = PTHREAD_MUTEX_INITIALIZER,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.turn_passed = PTHREAD_COND_INITIALIZER,
	};
	FILE *text;
	int status;

	r.parallel = argc == 6 && !strcmp(argv[5], "parallel");
	if (argc < 5 || argc > 6 || parse_time_ns(argv[3], &r.pause_ns) ||
	    parse_time_ns(argv[4], &r.attr_timeout_ns) || (argc == 6 && !r.parallel)) {
		fprintf(stderr, "usage: run_ops DIR SCRIPT PAUSE ATTR_TIMEOUT [parallel]\n");
		return 2;
	}
	if (op_script_read(argv[2], &r.script))
		return 1;
	r.dir = argv[1];
	text = fopen(argv[2], "re");
	r.done = calloc(r.script.nr_lines, sizeof(*r.done));
	if (!text || !r.done)
		return 1;
	r.nr_first = count_first(&r.script, text);
	status = run(&r, text);
	fclose(text);
	free(r.done);
	op_script_free(&r.script);
	return status;
}
