// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Put a daemon's raw events together into one host half per request.
 *
 * A request is in flight from its avail entry to its used element, named by its descriptor head.
 * What the system calls in between say depends on who makes them:
 *
 * - Inline, the thread that takes kicks serves one request after the other. Its file system calls
 *   between two publications belong to the later one; it takes a request when it is done with the
 * one before, however early it popped it.
 * - With a pool, that thread hands requests on and workers serve them. A worker's calls up to a
 *   publication are one request's: READ and WRITE are named by the guest page they move; for the
 *   others the oldest run of calls that their opcode can begin with is taken.
 *
 * Nothing is configured: a thread that reads kicks takes requests, any other that makes file system
 * calls for a request is a worker. docs/host-tracing.md gives the error of each time.
 */
#include <errno.h>
#include <stdlib.h>
#include "lib/compiler.h"
#include "lib/fuse_opcode.h"
#include "trace/event_sort.h"
#include "trace/halves.h"
#include "trace/host_inflight.h"
#include "trace/opcode_calls.h"

#define WINDOW_NS (100 * 1000 * NS_PER_US)

/* File system calls of a thread since it last published. */
struct run {
	uint64_t first_enter_ns;
	uint64_t last_return_ns;
	uint64_t total_ns;
	uint64_t before_ns; /* the thread came back from its last lock, hand-off or call */
	uint32_t count;
	uint16_t first_nr;
	/* Its first data call, and what was before that. */
	uint64_t data_addr;
	uint64_t data_enter_ns;
	uint64_t free_before_data_ns; /* as before_ns, and from the calls before */
	uint64_t before_data_return_ns;
	uint64_t before_data_total_ns;
	uint32_t before_data;
	uint16_t data_nr;
};

struct thread {
	uint32_t tid;
	bool takes_kicks;
	bool has_answer;
	uint64_t wait_enter_ns;
	uint64_t cpu_wait_ns; /* waited for a CPU since then */
	uint64_t free_ns; /* last publication or call: not busy with an earlier request since */
	uint64_t lock_ns; /* last futex returned */
	struct run run;
	struct host_half answer; /* published last; its call is not known yet */
};

/* One daemon: its threads and its requests. No other daemon's events have to do with it. */
struct crew {
	struct host_assembler *all;
	struct host_inflight flight;
	struct thread **threads;
	size_t nr_threads;
	size_t last_thread; /* found last: most events come in runs of one thread */
};

struct host_assembler {
	host_half_fn emit;
	void *ctx;
	struct event_sort *sort;
	struct crew *crews[MAX_DAEMONS_OF_FILE]; /* by slot; NULL: no event of it so far */
	struct host_assembler_stats stats;
};

int host_assembler_new(struct host_assembler **out, host_half_fn emit, void *ctx)
{
	struct host_assembler *a = calloc(1, sizeof(*a));
	int err;

	*out = NULL;
	if (!a)
		return -ENOMEM;
	err = event_sort_new(&a->sort, WINDOW_NS);
	if (err) {
		free(a);
		return err;
	}
	a->emit = emit;
	a->ctx = ctx;
	*out = a;
	return 0;
}

const struct host_assembler_stats *host_assembler_stats(const struct host_assembler *a)
{
	return &a->stats;
}

static void free_crew(struct crew *c)
{
	if (!c)
		return;
	host_inflight_free(&c->flight);
	for (size_t i = 0; i < c->nr_threads; i++)
		free(c->threads[i]);
	free(c->threads);
	free(c);
}

void host_assembler_free(struct host_assembler *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < MAX_DAEMONS_OF_FILE; i++)
		free_crew(a->crews[i]);
	event_sort_free(a->sort);
	free(a);
}

/* slot is below MAX_DAEMONS_OF_FILE. NULL: no memory. */
static struct crew *get_crew(struct host_assembler *a, uint16_t slot)
{
	struct crew *c = a->crews[slot];

	if (c)
		return c;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->all = a;
	c->flight.stats = &a->stats;
	a->crews[slot] = c;
	return c;
}

static struct thread *find_thread(struct crew *crew, uint32_t tid)
{
	if (crew->last_thread < crew->nr_threads && crew->threads[crew->last_thread]->tid == tid)
		return crew->threads[crew->last_thread];
	for (size_t i = 0; i < crew->nr_threads; i++) {
		if (crew->threads[i]->tid != tid)
			continue;
		crew->last_thread = i;
		return crew->threads[i];
	}
	return NULL;
}

static struct thread *get_thread(struct crew *crew, uint32_t tid)
{
	struct thread *t = find_thread(crew, tid), **grown;

	if (t)
		return t;
	grown = realloc(crew->threads, (crew->nr_threads + 1) * sizeof(struct thread *));
	if (!grown)
		return NULL;
	crew->threads = grown;
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->tid = tid;
	crew->threads[crew->nr_threads++] = t;
	return t;
}

/* The thread that takes this queue's requests, as far as its kicks have told; or NULL. */
static struct thread *taker_of(struct crew *crew, const struct host_queue *q)
{
	return q->takers[q->first_taker].votes ? find_thread(crew, q->takers[q->first_taker].tid)
					       : NULL;
}

static struct taker *find_taker(struct host_queue *q, uint32_t tid)
{
	struct taker *least = q->takers;

	for (size_t i = 0; i < MAX_TAKERS; i++) {
		if (q->takers[i].tid == tid)
			return &q->takers[i];
		if (q->takers[i].votes < least->votes)
			least = &q->takers[i];
	}
	*least = (struct taker){.tid = tid};
	return least;
}

static void vote(struct host_queue *q, uint32_t tid, uint64_t votes)
{
	find_taker(q, tid)->votes += votes;
	q->first_taker = 0;
	for (uint32_t i = 1; i < MAX_TAKERS; i++)
		if (q->takers[i].votes > q->takers[q->first_taker].votes)
			q->first_taker = i;
}

static int emit_answer(struct crew *crew, struct thread *t)
{
	if (!t->has_answer)
		return 0;
	t->has_answer = false;
	return crew->all->emit(crew->all->ctx, &t->answer);
}

static int on_chain(struct crew *crew, const struct host_chain_event *e)
{
	struct host_queue *q = host_queue_get(&crew->flight, e->queue);

	if (!q)
		return e->queue < MAX_QUEUES ? -ENOMEM : 0;
	if (host_chain_find(q, e->head, e->avail_idx)) {
		crew->all->stats.duplicates++;
		return 0;
	}
	return host_chain_add(&crew->flight, q, e) ? 0 : -ENOMEM;
}

static void on_header(struct crew *crew, const struct host_chain_event *e)
{
	struct host_queue *q = e->queue < MAX_QUEUES ? crew->flight.queues[e->queue] : NULL;
	struct host_chain *c = q ? host_chain_find(q, e->head, e->avail_idx) : NULL;

	if (c)
		host_chain_fill(c, e);
}

/* Was it there while t waited, so that t takes it after the kick? */
static bool waits_for(const struct thread *t, const struct host_chain *c)
{
	return c->half.t_visible_ns >= t->wait_enter_ns || (c->at_wait && c->seen_by == t->tid);
}

/* t has read a kick: requests of its queue that came while it waited are taken from now on. */
static void kick_queue(struct crew *crew, struct host_queue *q, struct thread *t, uint64_t ts_ns)
{
	struct host_chain *c;

	TAILQ_FOREACH(c, &q->unkicked, unkicked)
	if (waits_for(t, c))
		vote(q, t->tid, c->seen_by == t->tid ? 4 : 1);
	if (taker_of(crew, q) != t)
		return;
	while ((c = TAILQ_FIRST(&q->unkicked))) {
		TAILQ_REMOVE(&q->unkicked, c, unkicked);
		c->listed = false;
		if (!waits_for(t, c))
			continue;
		c->kick_ns = ts_ns;
		c->cpu_wait_ns = t->cpu_wait_ns;
	}
}

static void on_kick(struct crew *crew, struct thread *t, uint64_t ts_ns)
{
	crew->all->stats.kicks++;
	t->takes_kicks = true;
	for (size_t i = 0; i < MAX_QUEUES; i++)
		if (crew->flight.queues[i])
			kick_queue(crew, crew->flight.queues[i], t, ts_ns);
}

static void drop_run(struct crew *crew, struct thread *t)
{
	crew->all->stats.unattributed_calls += t->run.count;
	t->run = (struct run){};
}

static void add_to_run(struct thread *t, const struct host_syscall_event *e)
{
	struct run *run = &t->run;

	if (!run->count) {
		run->first_enter_ns = e->t_enter_ns;
		run->first_nr = e->nr;
		run->before_ns = max_u64(t->lock_ns, t->free_ns);
	}
	if (e->cls == SYSC_DATA && !run->data_addr) {
		run->data_addr = e->iov_base;
		run->data_enter_ns = e->t_enter_ns;
		run->data_nr = e->nr;
		run->free_before_data_ns =
			max_u64(max_u64(t->lock_ns, t->free_ns), run->last_return_ns);
		run->before_data_return_ns = run->last_return_ns;
		run->before_data_total_ns = run->total_ns;
		run->before_data = run->count;
	}
	run->last_return_ns = e->h.ts_ns;
	run->total_ns += e->h.ts_ns - e->t_enter_ns;
	run->count++;
}

/* The first system call after a publication tells whether the guest was called for it. */
static int settle_answer(struct crew *crew, struct thread *t, const struct host_syscall_event *e)
{
	if (t->has_answer && e->cls == SYSC_CALL) {
		t->answer.flags |= HHALF_SIGNALLED;
		t->answer.t_call_ns = e->t_enter_ns;
	}
	return emit_answer(crew, t);
}

static int on_call(struct crew *crew, const struct host_syscall_event *e)
{
	struct thread *t = get_thread(crew, e->tid);
	int err;

	if (!t)
		return -ENOMEM;
	crew->all->stats.system_calls++;
	err = settle_answer(crew, t, e);
	switch (e->cls) {
	case SYSC_DATA:
	case SYSC_META:
		add_to_run(t, e);
		break;
	case SYSC_WAIT:
		drop_run(crew, t);
		t->wait_enter_ns = e->t_enter_ns;
		t->cpu_wait_ns = e->runnable_ns;
		break;
	case SYSC_KICK:
		t->cpu_wait_ns += e->runnable_ns;
		on_kick(crew, t, e->h.ts_ns);
		break;
	case SYSC_CALL:
		crew->all->stats.calls++;
		t->free_ns = e->h.ts_ns;
		break;
	case SYSC_FUTEX:
		t->lock_ns = e->h.ts_ns;
		break;
	}
	return err;
}

/* Could this run of calls have served the request? */
static bool run_fits(const struct thread *t, const struct host_chain *c)
{
	const struct run *run = &t->run;

	if (!run->count || run->last_return_ns < c->half.t_visible_ns)
		return false;
	if (run->data_addr && c->data_addr && run->data_addr != c->data_addr)
		return false;
	return opcode_may_begin_with(c->half.opcode, run->first_nr);
}

static struct thread *oldest_fitting_worker(struct crew *crew, const struct host_chain *c)
{
	struct thread *best = NULL;

	for (size_t i = 0; i < crew->nr_threads; i++) {
		struct thread *t = crew->threads[i];

		if (t->takes_kicks || !run_fits(t, c) ||
		    t->run.first_enter_ns < c->half.t_visible_ns)
			continue;
		if (!best || t->run.first_enter_ns < best->run.first_enter_ns)
			best = t;
	}
	return best;
}

/* Without what was before its data call: that was for a request of which it moved no data. */
static struct run run_from_data(const struct run *run)
{
	struct run rest = *run;

	rest.first_enter_ns = run->data_enter_ns;
	rest.first_nr = run->data_nr;
	rest.before_ns = run->free_before_data_ns;
	rest.total_ns -= run->before_data_total_ns;
	rest.count -= run->before_data;
	rest.before_data_total_ns = 0;
	rest.before_data = 0;
	return rest;
}

/* By the page that is moved, which no two requests in flight have in common. */
static struct thread *find_data_run(struct crew *crew, const struct host_chain *c)
{
	for (size_t i = 0; c->data_addr && i < crew->nr_threads; i++) {
		struct run *run = &crew->threads[i]->run;

		if (run->data_addr != c->data_addr || run->last_return_ns < c->half.t_visible_ns)
			continue;
		if (run->first_enter_ns < c->half.t_visible_ns ||
		    !opcode_may_begin_with(c->half.opcode, run->first_nr)) {
			crew->all->stats.unattributed_calls += run->before_data;
			*run = run_from_data(run);
		}
		return crew->threads[i];
	}
	return NULL;
}

/*
 * Who served it. The thread that first saw it used is a hint only: with a pool, any thread may have
 * been the next to make a system call.
 */
static struct thread *find_server(struct crew *crew, struct host_queue *q,
				  const struct host_chain *c, uint32_t seen_by)
{
	struct thread *taker = taker_of(crew, q), *seen = find_thread(crew, seen_by), *t;

	t = find_data_run(crew, c);
	if (t)
		return t;
	if (taker && (!q->has_pool || taker->run.count))
		if (taker->run.count || !oldest_fitting_worker(crew, c))
			return taker;
	if (seen && (!seen->takes_kicks || !taker) && run_fits(seen, c))
		return seen;
	t = oldest_fitting_worker(crew, c);
	if (t)
		return t;
	/* No calls at all: whoever published it most likely made the next system call, too. */
	return seen && !seen->takes_kicks ? seen : taker ? taker : seen;
}

/* Could the run's data call be the request's? */
static bool moves_its_data(const struct run *run, const struct host_chain *c)
{
	if (c->data_addr)
		return run->data_addr == c->data_addr;
	return opcode_may_begin_with(c->half.opcode, run->data_nr);
}

/*
 * The server's calls for the request. Workers serve on while an answer waits to be seen, and some
 * answers take no call: a data call that is not the request's, and what follows, stays with the
 * thread, for the request whose page it is.
 */
static struct run take_run(struct thread *server, const struct host_chain *c)
{
	struct run run = server->run;

	if (server->takes_kicks || !run.data_addr || moves_its_data(&run, c)) {
		server->run = (struct run){};
		return run;
	}
	server->run = run_from_data(&run);
	run.last_return_ns = run.before_data_return_ns;
	run.total_ns = run.before_data_total_ns;
	run.count = run.before_data;
	return run;
}

static void fill_times(struct host_half *h, const struct host_chain *c, const struct thread *server,
		       const struct run *run, const struct host_used_event *e, bool pool)
{
	uint64_t limit_ns = e->h.ts_ns;

	if (run->count)
		limit_ns = min_u64(limit_ns, run->first_enter_ns);
	h->t_used_ns = e->h.ts_ns;
	h->t_taken_ns = max_u64(h->t_visible_ns, c->kick_ns);
	if (!pool)
		h->t_taken_ns = max_u64(h->t_taken_ns, server->free_ns);
	h->t_taken_ns = max_u64(min_u64(h->t_taken_ns, limit_ns), h->t_visible_ns);
	h->t_start_ns = h->t_taken_ns;
	if (pool && run->count)
		h->t_start_ns = max_u64(h->t_taken_ns, min_u64(run->before_ns, limit_ns));
	h->t_io_end_ns = min_u64(max_u64(run->last_return_ns, e->t_absent_ns), h->t_used_ns);
	h->host_io_ns = run->total_ns;
	h->cpu_wait_ns = c->cpu_wait_ns;
	h->nr_io_calls = run->count;
}

static int finish_chain(struct crew *crew, struct host_queue *q, struct host_chain *c,
			const struct host_used_event *e)
{
	struct thread *server = find_server(crew, q, c, e->tid);
	struct host_half *h = &c->half;
	struct run run;
	bool pool;
	int err;

	if (!server)
		server = get_thread(crew, e->tid);
	if (!server)
		return -ENOMEM;
	err = emit_answer(crew, server);
	pool = !server->takes_kicks && taker_of(crew, q);
	q->has_pool |= pool && server->run.count;
	run = take_run(server, c);
	fill_times(h, c, server, &run, e, pool);
	h->reply_len = e->len;
	h->tid = server->tid;
	if (pool)
		h->flags |= HHALF_POOL;
	if (h->flags & HHALF_NO_HEADER)
		crew->all->stats.without_header++;
	server->free_ns = e->h.ts_ns;
	server->answer = *h;
	server->has_answer = true;
	return err;
}

static int on_used(struct crew *crew, const struct host_used_event *e)
{
	struct host_queue *q = host_queue_get(&crew->flight, e->queue);
	struct host_chain *c;
	int err;

	if (!q)
		return e->queue < MAX_QUEUES ? -ENOMEM : 0;
	c = host_chain_used(&crew->flight, q, e);
	if (!c)
		return 0;
	err = finish_chain(crew, q, c, e);
	host_chain_drop(&crew->flight, q, c);
	return err;
}

static uint16_t slot_of(const union host_event *event)
{
	switch (event->h.type) {
	case EV_HOST_SYSCALL:
		return event->call.daemon;
	case EV_HOST_USED:
		return event->used.daemon;
	default:
		return event->chain.daemon;
	}
}

static int on_event(struct host_assembler *a, const union host_event *event)
{
	uint16_t slot = slot_of(event);
	struct crew *crew;

	if (slot >= MAX_DAEMONS_OF_FILE)
		return 0;
	crew = get_crew(a, slot);
	if (!crew)
		return -ENOMEM;
	switch (event->h.type) {
	case EV_HOST_CHAIN:
		return on_chain(crew, &event->chain);
	case EV_HOST_HEADER:
		on_header(crew, &event->chain);
		return 0;
	case EV_HOST_SYSCALL:
		return on_call(crew, &event->call);
	default:
		return on_used(crew, &event->used);
	}
}

static int drain(struct host_assembler *a, int all)
{
	const union host_event *event;
	int err = 0;

	while (!err && (event = event_sort_pop(a->sort, all)))
		err = on_event(a, event);
	return err;
}

int host_assembler_add(struct host_assembler *a, const struct event_header *event)
{
	int err = event_sort_push(a->sort, event);

	return err ? err : drain(a, 0);
}

static int finish_crew(struct host_assembler *a, struct crew *crew)
{
	int err = 0;

	for (size_t i = 0; !err && i < crew->nr_threads; i++)
		err = emit_answer(crew, crew->threads[i]);
	a->stats.without_end += host_inflight_count(&crew->flight);
	return err;
}

int host_assembler_finish(struct host_assembler *a)
{
	int err = drain(a, 1);

	for (size_t i = 0; !err && i < MAX_DAEMONS_OF_FILE; i++)
		if (a->crews[i])
			err = finish_crew(a, a->crews[i]);
	return err;
}
