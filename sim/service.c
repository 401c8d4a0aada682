// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the daemon does with one request, from taking it up to its reply.
 */
#include "sim/daemon.h"
#include "sim/flow.h"

/* What the daemon does with one request takes this long on its thread. */
static uint64_t service_time(struct sim *sim, struct server *s)
{
	struct request *req = s->req;
	struct rng *rng = &s->rng;
	const struct service_sampler *service = &sim->host->service[req->span.opcode];
	uint64_t bytes =
		req->span.opcode == FUSE_READ ? req->span.reply_bytes : req->span.size_bytes;
	uint64_t cpu_ns;

	if (req->nr_ranges)
		bytes = 0; /* they are mapped, not moved */
	cpu_ns = sampler_draw(&service->cpu, rng) + (uint64_t)(service->cpu_ns_per_byte * bytes);
	req->span.host_io_ns = sampler_draw(&service->host_io, rng) +
			       (uint64_t)(service->host_io_ns_per_byte * bytes);
	for (uint32_t i = 1; i < req->nr_ranges; i++)
		req->span.host_io_ns += sampler_draw(&service->host_io, rng);
	if (sim->stack->daemon.inode_file_handles != FILE_HANDLES_NEVER)
		req->span.host_io_ns += daemon_file_handles_ns(sim, s);
	return cpu_ns + req->span.host_io_ns;
}

/* The effect on the host's file happens when service begins: READ gets what is there. */
static void serve_file(struct request *req)
{
	struct file *file = req->file;
	uint64_t end = req->span.offset_bytes + req->span.size_bytes;

	if (req->span.opcode == FUSE_READ) {
		if (end > file->host_size_bytes)
			end = max_u64(file->host_size_bytes, req->span.offset_bytes);
		req->span.reply_bytes = end - req->span.offset_bytes;
	} else if (req->span.opcode == FUSE_WRITE) {
		file->host_size_bytes = max_u64(file->host_size_bytes, end);
	}
}

bool server_burst(struct sim *sim, struct server *s, uint64_t ns)
{
	if (ns && sim->host->cpus.nr)
		return cpu_burst(sim, s->slot, ns);
	eventq_arm(&sim->host->events, s->slot, sim->host->now_ns + ns);
	return true;
}

bool serve(struct sim *sim, struct server *s)
{
	struct request *req = s->req;

	FLOW_BEGIN(s->at);
	req->t_started_ns = sim->host->now_ns;
	if (sim->daemon_locks_matter)
		FLOW_CALL(s->at, daemon_lock(sim, s));
	s->io_ns = sim->host->now_ns;
	if (req->file)
		s->io.old_bytes = req->file->host_size_bytes;
	serve_file(req);
	if (sim->host->storage) {
		s->io.slot = s->slot;
		FLOW_CALL(s->at, host_io(sim, &s->io, req));
	}
	s->io_ns = sim->host->now_ns - s->io_ns;
	FLOW_WAIT(s->at, server_burst(sim, s, service_time(sim, s)));
	req->span.host_io_ns += s->io_ns;
	if (s->lock.held)
		daemon_unlock(sim, s);
	FLOW_END(s->at);
}
