// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A storage device: channels that serve one operation each, first come, first served, and one link
 * that moves the bytes of one operation after the other.
 *
 * A channel is free for the next operation when its latency is over; the link then carries the data
 * of those that are through, in that order. Without a bandwidth the device is a queue with c
 * servers; with one channel and no latency it is a single server whose time is bytes / bandwidth.
 */
#include <errno.h>
#include <stdlib.h>
#include "lib/compiler.h"
#include "sim/storage.h"

int device_init(struct storage *st)
{
	const struct storage_settings *s = st->settings;

	st->channels = calloc(s->channels, sizeof(*st->channels));
	if (!st->channels)
		return -ENOMEM;
	for (uint32_t i = s->channels; i-- > 0;) {
		st->channels[i].next_idle = st->idle;
		st->idle = &st->channels[i];
	}
	sampler_init(&st->latency[DEVICE_READ], &s->read);
	sampler_init(&st->latency[DEVICE_WRITE], &s->write);
	sampler_init(&st->latency[DEVICE_FLUSH], &s->flush);
	return 0;
}

static void free_list(struct device_io *io)
{
	while (io) {
		struct device_io *next = io->next;

		free(io);
		io = next;
	}
}

void device_free(struct storage *st)
{
	for (uint32_t i = 0; st->channels && i < st->settings->channels; i++)
		free(st->channels[i].io);
	free_list(st->waiting.first);
	free_list(st->transfers.first);
	free_list(st->free_ios);
	free(st->channels);
}

static void append(struct io_list *list, struct device_io *io)
{
	io->next = NULL;
	if (list->last)
		list->last->next = io;
	else
		list->first = io;
	list->last = io;
}

static struct device_io *take(struct io_list *list)
{
	struct device_io *io = list->first;

	if (!io)
		return NULL;
	list->first = io->next;
	if (!list->first)
		list->last = NULL;
	return io;
}

struct device_io *device_io_new(struct storage *st, enum device_op op, uint64_t bytes)
{
	struct device_io *io = st->free_ios;

	if (io)
		st->free_ios = io->next;
	else
		io = malloc(sizeof(*io));
	if (!io) {
		host_stop(st->host, -ENOMEM);
		return NULL;
	}
	*io = (struct device_io){.op = op, .bytes = bytes};
	return io;
}

static void start(struct storage *st, struct channel *channel, struct device_io *io)
{
	uint64_t ns = sampler_draw(&st->latency[io->op], &st->rng);

	channel->io = io;
	st->stats.busy_ns += ns;
	eventq_arm(&st->host->events, channel->slot, st->host->now_ns + ns);
}

void device_submit(struct storage *st, struct device_io *io)
{
	struct channel *channel = st->idle;

	st->stats.ops[io->op]++;
	st->stats.bytes[io->op] += io->bytes;
	if (!channel) {
		append(&st->waiting, io);
		return;
	}
	st->idle = channel->next_idle;
	start(st, channel, io);
}

static void arm_link(struct storage *st)
{
	double ns = (double)st->transfers.first->bytes * NS_PER_SEC / st->settings->bandwidth;

	eventq_arm(&st->host->events, st->link_slot, st->host->now_ns + (uint64_t)(ns + 0.5));
}

void device_channel_run(struct storage *st, struct channel *channel)
{
	struct device_io *io = channel->io, *next = take(&st->waiting);

	channel->io = NULL;
	if (next) {
		start(st, channel, next);
	} else {
		channel->next_idle = st->idle;
		st->idle = channel;
	}
	if (!st->settings->bandwidth || !io->bytes) {
		device_io_ended(st, io);
		return;
	}
	append(&st->transfers, io);
	if (st->transfers.first == io)
		arm_link(st);
}

void device_link_run(struct storage *st)
{
	struct device_io *io = take(&st->transfers);

	if (st->transfers.first)
		arm_link(st);
	device_io_ended(st, io);
}
