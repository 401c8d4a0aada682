// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What slows down writers of dirty pages: the kernel's balance_dirty_pages() for a device under
 * BDI_CAP_STRICTLIMIT, as virtio-fs is (mm/page-writeback.c of 6.1, after Wu Fengguang's "IO-less
 * dirty throttling"). Only the device's own limits matter: 1 % of the dirty threshold is far below
 * any global one.
 *
 * Every so many pages a writer compares what is dirty or in writeback with the limits. Up to half
 * way between background limit and limit it runs free; above, it sleeps so long that its rate
 * becomes the device's estimated rate times a factor that is 1 there and 0 at the limit. Times are
 * in timer ticks and rates in pages a second, as in the kernel: the rounding is part of the effect.
 */
#include "sim/flow.h"
#include "sim/page_cache.h"

#define INITIAL_RATE 25600 /* INIT_BW: 100 MiB/s in pages */
#define MAX_RATIO_PERCENT 1
#define DIRTY_RATIO_PERCENT 20
#define POLL_PAGES 32 /* DIRTY_POLL_THRESH, and a task's initial nr_dirtied_pause */
#define EXCEEDED_PAGES 8 /* ratelimit while the limit is exceeded: 32 KiB */
#define RATIO_SHIFT 10 /* RATELIMIT_CALC_SHIFT: 1.0 is 1024 */
#define MAX_PAUSE_NS (NS_PER_SEC / 5)

static uint64_t ticks(const struct sim *sim)
{
	return (sim->host->now_ns + sim->jiffy_phase_ns) / sim->jiffy_ns;
}

static uint32_t log2_of(uint64_t n)
{
	return n ? 63 - __builtin_clzll(n) : 0;
}

static uint64_t power_of_two_from(uint64_t n)
{
	return n <= 1 ? 1 : 1ULL << (log2_of(n - 1) + 1);
}

uint64_t dirty_limit(const struct sim *sim)
{
	if (sim->rules.dirty_share_starts_at_zero && !sim->dirty.has_share)
		return 0;
	return page_cache_capacity(sim) / PAGE_BYTES * DIRTY_RATIO_PERCENT / 100 *
	       MAX_RATIO_PERCENT / 100;
}

uint64_t dirty_background_limit(const struct sim *sim)
{
	return dirty_limit(sim) / 2;
}

/*
 * The device's share of all pages written is what a per-CPU counter shows, which holds back
 * PROP_BATCH - 1 of lib/flex_proportions.c: until so many are written, the share is zero. Then it
 * is all: nothing else writes, and beyond max_ratio the counter stands still.
 */
void dirty_written(struct sim *sim, uint32_t nr_pages)
{
	sim->dirty.written += nr_pages;
	if (sim->dirty.written >= 8 * (1 + log2_of(sim->stack->guest.vcpus)))
		sim->dirty.has_share = true;
}

static uint64_t nr_dirty(const struct sim *sim)
{
	return sim->nr_dirty + sim->nr_writeback;
}

void dirty_throttle_init(struct sim *sim)
{
	struct dirty_rates *d = &sim->dirty;

	d->write_rate = d->average_write_rate = INITIAL_RATE;
	d->rate_limit = d->balanced_rate_limit = INITIAL_RATE;
	d->tick = ticks(sim);
	for (uint32_t i = 0; i < sim->nr_threads; i++)
		sim->threads[i].throttle.check_after = POLL_PAGES;
}

/* wb_update_write_bandwidth(): pages written per second over about 3 seconds. */
static void update_write_rate(struct sim *sim, uint64_t elapsed)
{
	struct dirty_rates *d = &sim->dirty;
	uint64_t hz = sim->stack->guest.hz, period = power_of_two_from(3 * hz);
	uint64_t old = d->write_rate, average = d->average_write_rate;
	uint64_t rate = (d->written - d->written_then) * hz;

	if (elapsed > period) {
		rate /= elapsed;
		average = rate;
	} else {
		rate = (rate + d->write_rate * (period - elapsed)) / period;
		if (average > old && old >= rate)
			average -= (average - old) >> 3;
		if (average < old && old <= rate)
			average += (old - average) >> 3;
	}
	d->write_rate = rate;
	d->average_write_rate = max_u64(average, 1);
}

/* How far wb_update_dirty_ratelimit() moves the limit towards the balanced one. */
static uint64_t limit_step(const struct sim *sim, uint64_t balanced, uint64_t task_rate)
{
	const struct dirty_rates *d = &sim->dirty;
	uint64_t dirty = nr_dirty(sim), limit = dirty_limit(sim);
	uint64_t setpoint = dirty < 8 ? dirty + 1 : (limit + dirty_background_limit(sim)) / 2;
	uint64_t bound, step = 0, shift;

	if (dirty < setpoint) {
		bound = min_u64(min_u64(d->balanced_rate_limit, balanced), task_rate);
		if (d->rate_limit < bound)
			step = bound - d->rate_limit;
	} else {
		bound = max_u64(max_u64(d->balanced_rate_limit, balanced), task_rate);
		if (d->rate_limit > bound)
			step = d->rate_limit - bound;
	}
	shift = d->rate_limit / (2 * step + 1);
	return shift < 64 ? ((step >> shift) + 7) / 8 : 0;
}

static void update_rate_limit(struct sim *sim, uint64_t elapsed, uint64_t ratio)
{
	struct dirty_rates *d = &sim->dirty;
	uint64_t dirty_rate = (d->dirtied - d->dirtied_then) * sim->stack->guest.hz / elapsed;
	uint64_t task_rate = (d->rate_limit * ratio >> RATIO_SHIFT) + 1;
	uint64_t balanced = min_u64(task_rate * d->average_write_rate / (dirty_rate | 1),
				    d->average_write_rate);
	uint64_t step = limit_step(sim, balanced, task_rate);

	if (d->rate_limit < balanced)
		d->rate_limit += step;
	else
		d->rate_limit -= step;
	d->rate_limit = max_u64(d->rate_limit, 1);
	d->balanced_rate_limit = balanced;
}

/* __wb_update_bandwidth(), at most every 200 ms. */
static void update_rates(struct sim *sim, uint64_t ratio)
{
	struct dirty_rates *d = &sim->dirty;
	uint64_t now = ticks(sim), elapsed = max_u64(now - d->tick, 1);

	if (now - d->tick <= max_u64(sim->stack->guest.hz / 5, 1))
		return;
	update_rate_limit(sim, elapsed, ratio);
	update_write_rate(sim, elapsed);
	d->dirtied_then = d->dirtied;
	d->written_then = d->written;
	d->tick = now;
}

/* wb_position_ratio(): 1 + ((setpoint - dirty) / (limit - setpoint))^3 within 0 and 2. */
static uint64_t position_ratio(const struct sim *sim)
{
	int64_t dirty = nr_dirty(sim), limit = dirty_limit(sim), x, ratio;
	int64_t setpoint = (limit + (int64_t)dirty_background_limit(sim)) / 2;

	if (dirty < 8)
		return 2 << RATIO_SHIFT;
	if (dirty >= limit || !setpoint || setpoint == limit)
		return 0;
	x = (setpoint - dirty) * (1 << RATIO_SHIFT) / (limit - setpoint + 1);
	ratio = x * x / (1 << RATIO_SHIFT) * x / (1 << RATIO_SHIFT) + (1 << RATIO_SHIFT);
	if (ratio < 0)
		return 0;
	return min_u64(ratio, 2 << RATIO_SHIFT);
}

/* wb_max_pause(): the device must not run dry while its writers sleep. */
static int64_t max_pause(const struct sim *sim)
{
	uint64_t hz = sim->stack->guest.hz;
	uint64_t pause =
		nr_dirty(sim) / (1 + sim->dirty.average_write_rate / power_of_two_from(1 + hz / 8));

	return min_u64(pause + 1, max_u64(hz * MAX_PAUSE_NS / NS_PER_SEC, 1));
}

/* wb_min_pause(), and after how many pages the task is to look again. */
static int64_t min_pause(const struct sim *sim, int64_t longest, uint64_t task_rate,
			 uint32_t *check_after)
{
	const struct dirty_rates *d = &sim->dirty;
	int64_t hz = sim->stack->guest.hz, pause = max_u64(1, hz / 100), pages;
	int64_t high = log2_of(d->average_write_rate), low = log2_of(d->rate_limit);
	int64_t tick_power = power_of_two_from(hz);

	if (high > low)
		pause += (high - low) * 10 * hz / 1024;
	pause = pause < 1 + longest / 2 ? pause : 1 + longest / 2;
	pages = (int64_t)d->rate_limit * pause / tick_power;
	if (pages < POLL_PAGES) {
		pause = longest;
		pages = (int64_t)d->rate_limit * pause / tick_power;
		if (pages > POLL_PAGES) {
			pages = POLL_PAGES;
			pause = hz * POLL_PAGES / (int64_t)d->rate_limit;
		}
	}
	if (hz * pages / (int64_t)(task_rate + 1) > longest) {
		pause = longest;
		pages = (int64_t)task_rate * pause / tick_power;
	}
	*check_after = pages;
	return pages >= POLL_PAGES ? 1 + pause / 2 : pause;
}

/* Too short a pause is saved up for later: the task's virtual time moves on instead. */
static void skip_pause(struct sim *sim, struct thread *th, int64_t pause, int64_t period)
{
	if (pause < -(int64_t)sim->stack->guest.hz) {
		th->throttle.paused_at = ticks(sim);
		th->throttle.nr_dirtied = 0;
	} else if (period) {
		th->throttle.paused_at += period;
		th->throttle.nr_dirtied = 0;
	} else if (th->throttle.check_after <= th->throttle.nr_dirtied) {
		th->throttle.check_after += th->throttle.nr_dirtied;
	}
}

static void run_free(struct sim *sim, struct thread *th)
{
	uint64_t dirty = nr_dirty(sim), limit = dirty_limit(sim);

	th->throttle.paused_at = ticks(sim);
	th->throttle.nr_dirtied = 0;
	th->throttle.check_after = limit > dirty ? 1u << (log2_of(limit - dirty) >> 1) : 1;
}

/* One round of balance_dirty_pages(): the ticks to sleep, or 0 to go on. */
static int64_t next_pause(struct sim *sim, struct thread *th)
{
	uint64_t limit = dirty_limit(sim), ratio, task_rate;
	int64_t longest, shortest, period, pause, now = ticks(sim);
	uint32_t check_after;

	th->throttle.again = false;
	if (sim->rules.background_at_own_limit && nr_dirty(sim) > dirty_background_limit(sim))
		writeback_start_background(sim);
	if (nr_dirty(sim) <= (limit + dirty_background_limit(sim)) / 2) {
		run_free(sim, th);
		return 0;
	}
	writeback_start_background(sim);
	ratio = position_ratio(sim);
	sim->dirty.exceeded = nr_dirty(sim) > limit;
	update_rates(sim, ratio);
	task_rate = sim->dirty.rate_limit * ratio >> RATIO_SHIFT;
	longest = max_pause(sim);
	shortest = min_pause(sim, longest, task_rate, &check_after);
	if (!task_rate) {
		th->throttle.again = nr_dirty(sim) > 8;
		pause = longest;
	} else {
		period = (uint64_t)sim->stack->guest.hz * th->throttle.nr_dirtied / task_rate;
		pause = period - (now - (int64_t)th->throttle.paused_at);
		if (pause < shortest) {
			skip_pause(sim, th, pause, period);
			return 0;
		}
		if (pause > longest) {
			now += min_u64(pause - longest, longest);
			pause = longest;
		}
	}
	th->throttle.paused_at = now + pause;
	th->throttle.nr_dirtied = 0;
	th->throttle.check_after = check_after;
	return pause;
}

/* schedule_timeout(): until the tick that many from now. */
static bool sleep_ticks(struct sim *sim, struct thread *th, int64_t nr)
{
	uint64_t tick_ns = (ticks(sim) + nr) * sim->jiffy_ns;

	return nr && thread_sleep_until(sim, th, tick_ns - sim->jiffy_phase_ns);
}

bool dirty_throttle(struct sim *sim, struct thread *th)
{
	FLOW_BEGIN(th->throttle.at);
	if (th->throttle.nr_dirtied < (sim->dirty.exceeded
					       ? min_u64(th->throttle.check_after, EXCEEDED_PAGES)
					       : th->throttle.check_after))
		FLOW_RETURN(th->throttle.at);
	do {
		FLOW_WAIT(th->throttle.at, sleep_ticks(sim, th, next_pause(sim, th)));
		FLOW_WAIT(th->throttle.at, cpu_wait_turn(sim, th->slot));
	} while (th->throttle.again && !sim->stop);
	if (nr_dirty(sim) <= dirty_limit(sim))
		sim->dirty.exceeded = false;
	FLOW_END(th->throttle.at);
}
