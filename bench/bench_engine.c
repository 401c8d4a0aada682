// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How fast the event list is that the simulator uses, beside bare loops that do the same without
 * one. Absolute figures are the machine's; the ratios are ours.
 */
#include <stdbool.h>
#include <stdlib.h>
#include "bench/bench.h"
#include "lib/compiler.h"
#include "lib/rng.h"
#include "sim/event_queue.h"

#define MEAN_NS 1e6

static volatile uint64_t sink_value;

static inline uint64_t exponential(struct rng *rng)
{
	return (uint64_t)(rng_exp(rng) * MEAN_NS);
}

static double bare_random(uint64_t n)
{
	struct rng rng;
	double sum = 0, start = now_ns();

	rng_init(&rng, 1, 1);
	for (uint64_t i = 0; i < n; i++)
		sum += rng_exp(&rng);
	sink_value = (uint64_t)sum;
	return (now_ns() - start) / n;
}

/* M/M/1 with its two pending events in two variables: no event list at all. */
static double bare_mm1(uint64_t n)
{
	uint64_t arrival = 0, departure = UINT64_MAX, now, queue = 0;
	struct rng arrivals, services;
	double start;

	rng_init(&arrivals, 1, 1);
	rng_init(&services, 1, 2);
	start = now_ns();
	for (uint64_t i = 0; i < n; i++) {
		if (arrival <= departure) {
			now = arrival;
			arrival = now + (uint64_t)(rng_exp(&arrivals) * MEAN_NS / 0.9);
			if (!queue++)
				departure = now + exponential(&services);
		} else {
			now = departure;
			departure = --queue ? now + exponential(&services) : UINT64_MAX;
		}
	}
	sink_value = queue;
	return (now_ns() - start) / n;
}

static double engine_mm1(uint64_t n)
{
	enum {
		ARRIVAL,
		DEPARTURE
	};
	struct rng arrivals, services;
	uint64_t now, queue = 0;
	struct eventq q;
	double start;

	if (eventq_init(&q, 2))
		return -1;
	rng_init(&arrivals, 1, 1);
	rng_init(&services, 1, 2);
	eventq_arm(&q, ARRIVAL, 0);
	start = now_ns();
	for (uint64_t i = 0; i < n; i++) {
		switch (eventq_next(&q, &now)) {
		case ARRIVAL:
			eventq_arm(&q, ARRIVAL,
				   now + (uint64_t)(rng_exp(&arrivals) * MEAN_NS / 0.9));
			if (!queue++)
				eventq_arm(&q, DEPARTURE, now + exponential(&services));
			break;
		case DEPARTURE:
			if (--queue)
				eventq_arm(&q, DEPARTURE, now + exponential(&services));
			break;
		}
	}
	start = (now_ns() - start) / n;
	sink_value = queue;
	eventq_free(&q);
	return start;
}

/* How far ahead an event is scheduled. All have the same mean but the last two. */
enum law {
	EXPONENTIAL,
	UNIFORM,
	CONSTANT, /* every key a tie of its round */
	BIMODAL, /* nine short, one long */
	HEAVY, /* Pareto, infinite variance */
	HALF_ZERO, /* ties with now */
	NR_LAWS
};

static const char *const law_names[NR_LAWS] = {
	"exponential", "uniform", "constant", "bimodal", "heavy-tailed", "half of them zero",
};

static inline __attribute__((always_inline)) uint64_t increment(enum law law, struct rng *rng)
{
	double u;

	switch (law) {
	case EXPONENTIAL:
		return exponential(rng);
	case UNIFORM:
		return (uint64_t)(rng_unit(rng) * 2 * MEAN_NS);
	case CONSTANT:
		return (uint64_t)MEAN_NS;
	case BIMODAL:
		u = rng_unit(rng);
		return (uint64_t)(u < 0.9 ? u * 0.2 * MEAN_NS : u * 9.6 * MEAN_NS);
	case HEAVY:
		u = 1 - rng_unit(rng);
		return (uint64_t)(MEAN_NS / (u * (u > 1e-6 ? 1 : 1e-6 / u)) / 10);
	default:
		return rng_next(rng) >> 63 ? exponential(rng) : 0;
	}
}

/* Take the earliest, schedule one: the standard test of event lists. slots 0: no list. */
static inline __attribute__((always_inline)) double hold_loop(uint64_t n, uint32_t slots,
							      enum law law)
{
	struct eventq q;
	struct rng rng;
	uint64_t now = 0;
	double start;

	rng_init(&rng, 1, 1);
	if (eventq_init(&q, slots ? slots : 1))
		return -1;
	for (uint32_t i = 0; i < slots; i++)
		eventq_arm(&q, i, increment(law, &rng));
	start = now_ns();
	for (uint64_t i = 0; i < n; i++) {
		if (slots) {
			uint32_t slot = eventq_next(&q, &now);

			eventq_arm(&q, slot, now + increment(law, &rng));
		} else {
			now += increment(law, &rng);
		}
	}
	start = (now_ns() - start) / n;
	sink_value = now;
	eventq_free(&q);
	return start;
}

static double hold(uint64_t n, uint32_t slots, enum law law)
{
	switch (law) {
	case EXPONENTIAL:
		return hold_loop(n, slots, EXPONENTIAL);
	case UNIFORM:
		return hold_loop(n, slots, UNIFORM);
	case CONSTANT:
		return hold_loop(n, slots, CONSTANT);
	case BIMODAL:
		return hold_loop(n, slots, BIMODAL);
	case HEAVY:
		return hold_loop(n, slots, HEAVY);
	default:
		return hold_loop(n, slots, HALF_ZERO);
	}
}

/*
 * The shape of a virtio-fs model: 32 tokens go round one dispatcher (exponential, 0.1) and 8
 * workers (exponential, 1). *cycle is the mean time of a round, 4.00193537 in closed form (Gordon
 * and Newell).
 */
#define TOKENS 32
#define WORKERS 8
#define DISPATCHER WORKERS

static double engine_cycle(uint64_t n, double *cycle)
{
	uint32_t at_dispatcher = TOKENS, backlog = 0, idle[WORKERS], nr_idle = WORKERS;
	uint64_t now = 0, cycles = 0;
	struct rng rng[WORKERS + 1];
	struct eventq q;
	double start;

	if (eventq_init(&q, WORKERS + 1))
		return -1;
	for (uint32_t i = 0; i <= WORKERS; i++)
		rng_init(&rng[i], 1, i);
	for (uint32_t i = 0; i < WORKERS; i++)
		idle[i] = i;
	eventq_arm(&q, DISPATCHER, 0);
	start = now_ns();
	while (cycles < n) {
		uint32_t slot = eventq_next(&q, &now);

		if (slot == DISPATCHER) {
			if (--at_dispatcher)
				eventq_arm(&q, DISPATCHER, now + exponential(&rng[slot]) / 10);
			if (nr_idle) {
				slot = idle[--nr_idle];
				eventq_arm(&q, slot, now + exponential(&rng[slot]));
			} else {
				backlog++;
			}
			continue;
		}
		cycles++;
		if (!at_dispatcher++)
			eventq_arm(&q, DISPATCHER, now + exponential(&rng[DISPATCHER]) / 10);
		if (backlog) {
			backlog--;
			eventq_arm(&q, slot, now + exponential(&rng[slot]));
		} else {
			idle[nr_idle++] = slot;
		}
	}
	start = (now_ns() - start) / n;
	*cycle = now / MEAN_NS / cycles * TOKENS;
	eventq_free(&q);
	return start;
}

/*
 * The least that a tournament over fixed slots can be: 64-bit keys of time and slot, so that low
 * slots win ties. It has no order of arming, no cancelling and 17 bits less of time.
 */
#define BARE_SLOT_BITS 17

static double bare_tournament(uint64_t n, uint32_t slots)
{
	uint64_t *node = aligned_alloc(64, 2 * (size_t)max_u64(slots, 4) * sizeof(*node));
	struct rng rng;
	double start;

	if (!node)
		return -1;
	rng_init(&rng, 1, 1);
	for (uint32_t i = 0; i < slots; i++)
		node[slots + i] = exponential(&rng) << BARE_SLOT_BITS | i;
	for (uint32_t i = slots - 1; i; i--)
		node[i] = min_u64(node[2 * i], node[2 * i + 1]);
	start = now_ns();
	for (uint64_t k = 0; k < n; k++) {
		uint64_t key = node[1];
		uint32_t i = slots + (key & ((1u << BARE_SLOT_BITS) - 1));

		key += exponential(&rng) << BARE_SLOT_BITS;
		node[i] = key;
		for (; i > 1; i >>= 1) {
			key = min_u64(key, node[i ^ 1]);
			node[i >> 1] = key;
		}
	}
	start = (now_ns() - start) / n;
	sink_value = node[1];
	free(node);
	return start;
}

static void bench_hold(void)
{
	static const uint32_t pending[] = {2, 64, 1024, 65536};
	double bare[NR_LAWS], tournament, ns;
	char name[64];

	for (int law = 0; law < NR_LAWS; law++) {
		BEST(bare[law], hold(5000000, 0, law));
		snprintf(name, sizeof(name), "limit: no event list, %s", law_names[law]);
		print_ns(name, bare[law], "hold", 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(pending); i++) {
		BEST(tournament, bare_tournament(3000000, pending[i]));
		snprintf(name, sizeof(name), "limit: bare tournament, %u pending", pending[i]);
		print_ns(name, tournament, "hold", 0);
		BEST(ns, hold(3000000, pending[i], EXPONENTIAL));
		print_ns("the same through the event list", ns, "hold", tournament);
	}
	for (size_t i = 0; i < ARRAY_SIZE(pending); i++) {
		for (int law = 0; law < NR_LAWS; law++) {
			BEST(ns, hold(3000000, pending[i], law));
			snprintf(name, sizeof(name), "hold, %u pending, %s", pending[i],
				 law_names[law]);
			print_ns(name, ns, "hold", bare[law]);
		}
	}
}

int main(void)
{
	double ns, bare, random_ns, cycle;

	BEST(random_ns, bare_random(20000000));
	print_ns("limit: one exponential random number", random_ns, "draw", 0);
	BEST(bare, bare_mm1(20000000));
	print_ns("limit: M/M/1 at 0.9, two variables", bare, "event", 0);
	BEST(ns, engine_mm1(20000000));
	print_ns("M/M/1 at 0.9", ns, "event", bare);
	bench_hold();
	print_ns("limit: two exponential random numbers", 2 * random_ns, "cycle", 0);
	BEST(ns, engine_cycle(10000000, &cycle));
	print_ns("closed cycle, 32 tokens, 1 + 8 servers", ns, "cycle", 2 * random_ns);
	printf("    mean time of a cycle %.5f, closed form 4.00194\n", cycle);
	return 0;
}
