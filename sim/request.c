// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Requests: taken from a pool that grows to the largest number ever in flight, and told as spans
 * at their end.
 */
#include <stdlib.h>
#include <string.h>
#include "sim/model.h"

#define CHUNK_REQUESTS 64

struct request_chunk {
	struct request_chunk *next;
	struct request requests[CHUNK_REQUESTS];
};

static int grow(struct sim *sim)
{
	struct request_chunk *chunk = malloc(sizeof(*chunk));

	if (!chunk)
		return -ENOMEM;
	chunk->next = sim->request_chunks;
	sim->request_chunks = chunk;
	for (int i = CHUNK_REQUESTS - 1; i >= 0; i--) {
		chunk->requests[i].next = sim->free_requests;
		sim->free_requests = &chunk->requests[i];
	}
	return 0;
}

/* Descriptors without data: argument and header both ways, no out argument in some replies. */
static void set_descriptors(struct span *span)
{
	span->sg_out = 2;
	switch (span->opcode) {
	case FUSE_RELEASE:
	case FUSE_FLUSH:
	case FUSE_FSYNC:
	case FUSE_SYNCFS:
	case FUSE_UNLINK:
	case FUSE_SETUPMAPPING:
	case FUSE_REMOVEMAPPING:
	case FUSE_RMDIR:
	case FUSE_RENAME:
	case FUSE_RELEASEDIR:
	case FUSE_READ: /* pages are added to the reply's header */
		span->sg_in = 1;
		break;
	case FUSE_STATFS:
	case FUSE_READLINK: /* into a page */
		span->sg_out = 1;
		span->sg_in = 2;
		break;
	case FUSE_DESTROY:
		span->sg_out = 1;
		span->sg_in = 1;
		break;
	case FUSE_FORGET:
		span->sg_out = 1;
		span->sg_in = 0;
		break;
	default:
		span->sg_in = 2;
	}
}

/* NULL with sim->stop set when out of memory. */
struct request *request_new(struct sim *sim, uint32_t opcode, const struct file *file)
{
	struct request *req;

	if (!sim->free_requests && grow(sim)) {
		sim->stop = -ENOMEM;
		return NULL;
	}
	req = sim->free_requests;
	sim->free_requests = req->next;
	sim->host->nr_requests_alive++;
	memset(req, 0, sizeof(*req));
	req->file = (struct file *)file;
	req->span.opcode = opcode;
	req->span.conn = sim->index;
	req->span.nodeid = file ? file->nodeid : ROOT_NODEID;
	req->span.flags = SPAN_HAS_GUEST | SPAN_HAS_HOST;
	req->span.stages_known = (1u << NR_STAGES) - 1;
	set_descriptors(&req->span);
	return req;
}

void request_free(struct sim *sim, struct request *req)
{
	req->next = sim->free_requests;
	sim->free_requests = req;
	sim->host->nr_requests_alive--;
}

void requests_release(struct sim *sim)
{
	while (sim->request_chunks) {
		struct request_chunk *chunk = sim->request_chunks;

		sim->request_chunks = chunk->next;
		free(chunk);
	}
}

void request_set_data(struct request *req, uint64_t offset, uint32_t size, uint32_t nr_pages)
{
	req->span.offset_bytes = offset;
	req->span.size_bytes = size;
	req->nr_pages = nr_pages;
	if (req->span.opcode == FUSE_READ)
		req->span.sg_in = 1 + nr_pages;
	else
		req->span.sg_out = 2 + nr_pages;
}

void request_report(struct sim *sim, struct request *req, uint64_t wakeup_ns)
{
	struct span *span = &req->span;
	uint64_t t_irq_ns = max_u64(req->t_irq_ns, req->t_used_ns);

	span->stage_ns[STAGE_BG_WAIT] = req->t_left_ns - span->t_issue_ns;
	span->stage_ns[STAGE_RING_WAIT] = req->t_added_ns - req->t_left_ns;
	span->stage_ns[STAGE_NOTIFY] = req->t_taken_ns - req->t_added_ns;
	span->stage_ns[STAGE_POOL] = req->t_started_ns - req->t_taken_ns;
	span->stage_ns[STAGE_SERVICE] = req->t_used_ns - req->t_started_ns;
	span->stage_ns[STAGE_INTERRUPT] = t_irq_ns - req->t_used_ns;
	span->stage_ns[STAGE_COMPLETION] = req->t_end_ns - t_irq_ns;
	span->stage_ns[STAGE_WAKEUP] = wakeup_ns;
	span->enqueue_ns = req->t_visible_ns - req->t_added_ns;
	span->kworker_ns = req->t_work_ns - t_irq_ns;
	span->drain_ns = req->t_turn_ns - req->t_work_ns;
	sim->stats.requests++;
	sim->host->nr_requests++;
	if (sim->sink->span && !sim->stop) {
		int rc = sim->sink->span(sim->sink->ctx, span, span->task - 1);

		if (rc)
			sim->stop = rc;
	}
	if (sim->options->max_requests && sim->host->nr_requests >= sim->options->max_requests &&
	    !sim->stop)
		sim->stop = -ECANCELED;
}
