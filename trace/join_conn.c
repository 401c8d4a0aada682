// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Counts what each guest connection has in common with each daemon of the host trace, from samples.
 *
 * Both sides keep the requests whose hash lies below a limit that sinks as they grow: the same
 * requests on both sides, wherever the recordings begin and end, and bounded memory.
 */
#include <stdlib.h>
#include "lib/compiler.h"
#include "trace/join_conn.h"

#define SAMPLE_SIZE 65536u

struct sampled {
	uint64_t hash;
	uint32_t from; /* guest: connection; host: slot of the daemon */
};

struct sample {
	uint64_t limit; /* hashes at or below it are kept */
	uint32_t count;
	struct sampled item[SAMPLE_SIZE];
};

struct conn_sampler {
	struct conn_overlaps overlaps;
	struct sample guest, host;
};

static uint64_t mix(uint64_t x)
{
	/* Finalizer of MurmurHash3: every bit of x reaches every bit of the result. */
	x = (x ^ (x >> 33)) * 0xff51afd7ed558ccdu;
	x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53u;
	return x ^ (x >> 33);
}

static uint64_t hash_request(uint64_t unique, uint32_t opcode, uint64_t nodeid)
{
	/* Odd numbers without a pattern: few of those that occur add up to the same. */
	return mix(unique + opcode * 0x9e3779b97f4a7c15u + nodeid * 0xd6e8feb86659fd93u);
}

static void lower_limit(struct sample *s, uint64_t limit)
{
	uint32_t kept = 0;

	s->limit = limit;
	for (uint32_t i = 0; i < s->count; i++)
		if (s->item[i].hash <= limit)
			s->item[kept++] = s->item[i];
	s->count = kept;
}

static void add(struct sample *s, uint64_t hash, uint32_t from)
{
	while (hash <= s->limit && s->count == SAMPLE_SIZE && s->limit)
		lower_limit(s, s->limit / 2);
	/* A limit of 0 means the same request over and over: enough of it is there. */
	if (hash <= s->limit && s->count < SAMPLE_SIZE)
		s->item[s->count++] = (struct sampled){.hash = hash, .from = from};
}

static int compare_hashes(const void *a, const void *b)
{
	const struct sampled *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->from < y->from ? -1 : x->from > y->from;
}

static struct conn_overlap *overlap_of(struct conn_overlaps *all, uint32_t conn)
{
	uint32_t i;

	for (i = 0; i < all->count; i++)
		if (all->conn[i].conn == conn)
			return &all->conn[i];
	if (i == JOIN_MAX_CONNS)
		return NULL;
	all->count++;
	all->conn[i] = (struct conn_overlap){.conn = conn};
	return &all->conn[i];
}

static int compare_overlaps(const void *a, const void *b)
{
	const struct conn_overlap *x = a, *y = b;

	if (x->common != y->common)
		return x->common > y->common ? -1 : 1;
	return x->conn < y->conn ? -1 : x->conn > y->conn;
}

/* Daemons of like traffic have like requests: each that has this one counts it. */
static void count_request(struct conn_overlap *o, const struct sample *host, uint64_t hash)
{
	uint32_t low = 0, high = host->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (host->item[middle].hash < hash)
			low = middle + 1;
		else
			high = middle;
	}
	for (uint32_t i = low; i < host->count && host->item[i].hash == hash; i++)
		if (i == low || host->item[i].from != host->item[i - 1].from)
			o->of_daemon[host->item[i].from]++;
}

static void choose_daemon(struct conn_overlap *o)
{
	for (uint16_t slot = 0; slot < MAX_DAEMONS_OF_FILE; slot++) {
		if (o->of_daemon[slot] <= o->common)
			continue;
		o->common = o->of_daemon[slot];
		o->daemon = slot;
	}
}

static void count_common(struct conn_overlaps *all, struct sample *guest, struct sample *host)
{
	uint64_t limit = min_u64(guest->limit, host->limit);

	lower_limit(guest, limit);
	lower_limit(host, limit);
	qsort(host->item, host->count, sizeof(host->item[0]), compare_hashes);
	for (uint32_t i = 0; i < guest->count; i++) {
		struct conn_overlap *o = overlap_of(all, guest->item[i].from);

		if (o)
			count_request(o, host, guest->item[i].hash);
	}
	for (uint32_t i = 0; i < all->count; i++)
		choose_daemon(&all->conn[i]);
	qsort(all->conn, all->count, sizeof(all->conn[0]), compare_overlaps);
}

struct conn_sampler *conn_sampler_new(void)
{
	struct conn_sampler *s = calloc(1, sizeof(*s));

	if (s)
		s->guest.limit = s->host.limit = UINT64_MAX;
	return s;
}

void conn_sampler_free(struct conn_sampler *s)
{
	free(s);
}

void conn_sampler_guest(struct conn_sampler *s, const struct guest_request_event *g)
{
	struct conn_overlap *o = overlap_of(&s->overlaps, g->conn);

	if (o)
		o->requests++;
	add(&s->guest, hash_request(g->unique, g->opcode, g->nodeid), g->conn);
}

void conn_sampler_host(struct conn_sampler *s, const struct host_half *h)
{
	s->overlaps.host_requests++;
	if (!(h->flags & HHALF_NO_HEADER))
		add(&s->host, hash_request(h->unique, h->opcode, h->nodeid), h->daemon);
}

const struct conn_overlaps *conn_sampler_overlaps(struct conn_sampler *s)
{
	count_common(&s->overlaps, &s->guest, &s->host);
	return &s->overlaps;
}
