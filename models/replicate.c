// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs a job several times on several threads and merges the runs in order.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include "lib/compiler.h"
#include "lib/msg.h"
#include "lib/rng.h"
#include "models/replicate.h"

/* Asking after each of the first few runs would stop too soon by chance too often. */
#define MIN_PRECISE_RUNS 10
#define MAX_THREADS 1024
/* Stream from which seeds of runs are drawn; the simulator's own are numbered from 0. */
#define STREAM_RUNS (0x72756e73ULL << 32)

struct crew {
	const struct stack *stack;
	const char *job;
	const struct replicate_options *options;
	struct replicated *out;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint32_t next; /* run to be started */
	uint32_t merged;
	bool go; /* run 0 passed all checks: others will not repeat its messages */
	bool done;
	int err;
	atomic_bool cancel;
};

bool replicated_result(const struct replicated *r, size_t row, struct stat_result *result)
{
	if (!r->rows[row].nr)
		return false;
	stat_runs_result(&r->rows[row], r->confidence, result);
	return true;
}

static bool is_precise(const struct replicated *r)
{
	bool any = false;

	for (size_t i = 0; i < r->nr_rows; i++) {
		struct stat_result result;

		if (!replicated_result(r, i, &result))
			continue;
		any = true;
		if (!stat_result_is_within(&result, r->precision))
			return false;
	}
	return any;
}

static int merge_estimates(struct replicated *out, const struct prediction *p)
{
	int err = 0;

	if (!out->rows) {
		out->rows = calloc(p->nr_series, sizeof(*out->rows));
		if (!out->rows)
			return -ENOMEM;
		out->nr_rows = p->nr_series;
	}
	for (size_t i = 0; !err && i < out->nr_rows; i++)
		if (p->series[i])
			err = stat_runs_add(&out->rows[i], p->series[i], out->confidence);
	return err;
}

static int merge_prediction(struct replicated *out, const struct prediction *p)
{
	struct sim_stats *all = &out->p.stats;
	struct summary *s = out->p.summary;
	uint64_t last_ns = s->last_ns;
	int err;

	all->end_ns += p->stats.end_ns;
	all->events += p->stats.events;
	all->requests += p->stats.requests;
	all->ops += p->stats.ops;
	all->kicks += p->stats.kicks;
	all->kicks_suppressed += p->stats.kicks_suppressed;
	all->ring_full += p->stats.ring_full;
	all->host_cpu_ns += p->stats.host_cpu_ns;
	dax_stats_add(&all->dax, &p->stats.dax);
	storage_stats_add(&all->storage, &p->stats.storage);
	fio_results_merge(out->p.results, p->results, out->runs);
	if (out->p.vms)
		vm_results_merge(out->p.vms, p->vms);
	err = summary_merge(s, p->summary);
	/* Rates are over the time of all runs, as if one had followed the other. */
	if (p->summary->last_ns > p->summary->first_ns)
		s->last_ns = last_ns + (p->summary->last_ns - p->summary->first_ns);
	return err;
}

/* A run whose turn it is. Takes over p, or leaves it to be freed. */
static int take_run(struct crew *crew, struct prediction *p)
{
	struct replicated *out = crew->out;
	bool precise = p->precise;
	int err = merge_estimates(out, p);

	if (!err && out->runs) {
		err = merge_prediction(out, p);
	} else if (!err) {
		out->p = *p;
		memset(p, 0, sizeof(*p));
	}
	out->runs++;
	if (err) {
		msg_error("cannot simulate '%s': out of memory", crew->job);
		return err;
	}
	if (out->precision > 0 &&
	    (precise || ((out->runs == 1 || out->runs >= MIN_PRECISE_RUNS) && is_precise(out)))) {
		out->reached = true;
		crew->done = true;
	}
	return 0;
}

static void run_started(void *ctx)
{
	struct crew *crew = ctx;

	pthread_mutex_lock(&crew->lock);
	crew->go = true;
	pthread_cond_broadcast(&crew->changed);
	pthread_mutex_unlock(&crew->lock);
}

/* The next run's number; false when there is none. Run 0 goes first. */
static bool next_run(struct crew *crew, uint32_t *run)
{
	bool any;

	pthread_mutex_lock(&crew->lock);
	while (crew->next && !crew->go && !crew->done)
		pthread_cond_wait(&crew->changed, &crew->lock);
	any = !crew->done && crew->next < crew->options->runs;
	if (any)
		*run = crew->next++;
	pthread_mutex_unlock(&crew->lock);
	return any;
}

static void finish_run(struct crew *crew, uint32_t run, struct prediction *p, int err)
{
	pthread_mutex_lock(&crew->lock);
	while (crew->merged != run && !crew->done)
		pthread_cond_wait(&crew->changed, &crew->lock);
	if (!crew->done) {
		crew->err = err ? err : take_run(crew, p);
		crew->merged++;
		crew->go = true;
		if (crew->err)
			crew->done = true;
		if (crew->done)
			atomic_store(&crew->cancel, true);
		pthread_cond_broadcast(&crew->changed);
	}
	pthread_mutex_unlock(&crew->lock);
	prediction_free(p);
}

static void *work(void *arg)
{
	struct crew *crew = arg;
	const struct replicate_options *o = crew->options;
	uint32_t run;

	while (next_run(crew, &run)) {
		struct predict_options options = {
			.seed = rng_part_seed(o->seed, STREAM_RUNS, run),
			.requests = o->requests,
			.confidence = o->confidence,
			/* One run that is long enough needs no others; run 0 alone may be it. */
			.precision = run ? 0 : o->precision,
			.cancel = &crew->cancel,
			.started = run ? NULL : run_started,
			.started_ctx = crew,
		};
		struct prediction p;
		int err = predict_run(&p, crew->stack, crew->job, &options);

		finish_run(crew, run, &p, err);
	}
	return NULL;
}

static uint32_t thread_count(const struct replicate_options *o)
{
	uint32_t threads = o->threads;
	cpu_set_t cpus;

	if (!threads)
		threads = sched_getaffinity(0, sizeof(cpus), &cpus) ? 1 : CPU_COUNT(&cpus);
	threads = min_u64(threads, MAX_THREADS);
	return min_u64(threads, o->runs);
}

/* This thread is one of the crew, so a thread that cannot be started only makes it slower. */
static void run_crew(struct crew *crew, uint32_t threads)
{
	pthread_t other[MAX_THREADS];
	uint32_t nr = 0;

	while (nr + 1 < threads && !pthread_create(&other[nr], NULL, work, crew))
		nr++;
	work(crew);
	while (nr--)
		pthread_join(other[nr], NULL);
}

int replicate(struct replicated *out, const struct stack *stack, const char *job,
	      const struct replicate_options *options)
{
	struct crew crew = {
		.stack = stack,
		.job = job,
		.options = options,
		.out = out,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER,
	};

	memset(out, 0, sizeof(*out));
	out->confidence = options->confidence;
	out->precision = options->precision;
	run_crew(&crew, thread_count(options));
	if (crew.err)
		replicated_free(out);
	return crew.err;
}

void replicated_free(struct replicated *r)
{
	for (size_t i = 0; i < r->nr_rows; i++)
		stat_runs_free(&r->rows[i]);
	free(r->rows);
	prediction_free(&r->p);
	memset(r, 0, sizeof(*r));
}
