// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Writes a guest and a host trace of made-up requests, for tests of join and report that need no
 *VM: what the files should say is then known exactly.
 *
 *	gen_trace DIR [KEY=VALUE ...]	writes DIR/guest.vft and DIR/host.vft
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/hist_json.h"
#include "lib/op.h"
#include "lib/units.h"
#include "trace/vft.h"

struct plan {
	uint64_t requests;
	uint64_t offset_ns; /* host clock minus guest clock */
	uint64_t drift_ppm;
	uint64_t guest_skips; /* every so many-th guest event is missing; 0: none */
	uint64_t host_skips;
	uint64_t host_from; /* the host records requests from this one on */
	uint64_t host_to;
	uint64_t headless; /* every so many-th host header is unreadable */
	uint64_t step_at; /* the host's clock jumps by 50 ms at this request */
	uint64_t slewed_at; /* the host's clock goes 20 ppm faster from this request on */
	uint64_t mounts; /* connections in the guest trace; the host serves the last */
	uint64_t ringbuf; /* loss counter of the guest's footer */
	uint64_t cut; /* no footers */
	uint64_t kvm; /* exits of this many VMs, of one daemon each, in the host's footer */
	uint64_t daemons; /* in the host trace, each with the same requests; the last serves them */
	uint64_t wrong_opcode; /* every so many-th host opcode differs */
	uint64_t skewed; /* every so many-th guest request is queued after the host has seen it */
	uint64_t passes; /* of write-back, of 3 pages, at every so many-th op, which has been paused
			  */
	uint64_t names; /* the files' names are known */
	uint64_t faults; /* every so many-th op is a page fault, by a write */
};

struct files {
	struct vft_writer *guest, *host;
};

static const struct {
	const char *name;
	size_t offset;
} keys[] = {
	{"requests", offsetof(struct plan, requests)},
	{"offset", offsetof(struct plan, offset_ns)},
	{"drift", offsetof(struct plan, drift_ppm)},
	{"guest_skips", offsetof(struct plan, guest_skips)},
	{"host_skips", offsetof(struct plan, host_skips)},
	{"host_from", offsetof(struct plan, host_from)},
	{"host_to", offsetof(struct plan, host_to)},
	{"daemons", offsetof(struct plan, daemons)},
	{"headless", offsetof(struct plan, headless)},
	{"step_at", offsetof(struct plan, step_at)},
	{"slewed_at", offsetof(struct plan, slewed_at)},
	{"mounts", offsetof(struct plan, mounts)},
	{"ringbuf", offsetof(struct plan, ringbuf)},
	{"cut", offsetof(struct plan, cut)},
	{"wrong_opcode", offsetof(struct plan, wrong_opcode)},
	{"skewed", offsetof(struct plan, skewed)},
	{"faults", offsetof(struct plan, faults)},
	{"passes", offsetof(struct plan, passes)},
	{"names", offsetof(struct plan, names)},
	{"kvm", offsetof(struct plan, kvm)},
};

static int parse_plan(struct plan *plan, int argc, char **argv)
{
	for (int i = 2; i < argc; i++) {
		const char *equals = strchr(argv[i], '=');
		uint64_t *field = NULL;

		for (size_t k = 0; equals && k < sizeof(keys) / sizeof(keys[0]); k++)
			if (strlen(keys[k].name) == (size_t)(equals - argv[i]) &&
			    !strncmp(keys[k].name, argv[i], equals - argv[i]))
				field = (uint64_t *)((char *)plan + keys[k].offset);
		if (!field || parse_u64(equals + 1, field)) {
			fprintf(stderr, "gen_trace: bad argument %s\n", argv[i]);
			return -1;
		}
	}
	return 0;
}

static bool every(uint64_t i, uint64_t step)
{
	return step && i % step == step - 1;
}

/* Request i is issued 100 us after the one before it and takes 61 us. */
static uint64_t issue_ns(uint64_t i)
{
	return 5000000000 + i * 100000;
}

static int put_guest(struct files *f, uint64_t i, uint32_t conn, bool fault, bool skewed,
		     bool paused)
{
	uint64_t t = issue_ns(i);
	struct guest_request_event e = {
		.h = {.type = EV_GUEST_REQUEST, .size = sizeof(e), .ts_ns = t + 61000},
		.unique = 2 * i + 2,
		.nodeid = 7,
		.offset_bytes = i * 4096,
		.op_id = i + 1,
		.t_issue_ns = t,
		.t_send_ns = t + 1000,
		.t_queued_ns = t + 1500,
		.t_add_ns = t + 2000,
		.t_kick_ns = t + 2500,
		.doorbell_ns = 3000,
		.t_irq_ns = t + 50000,
		.t_work_ns = t + 53000,
		.t_complete_ns = t + 55000,
		.t_end_ns = t + 56000,
		.t_wake_ns = t + 61000,
		.conn = conn,
		.opcode = 15,
		.task = 100,
		.size_bytes = 4096,
		.reply_bytes = 4096,
		.flags = GREQ_KICKED | GREQ_KICK_KNOWN | GREQ_LOCKOWNER,
		.queue = 1,
		.sg_out = 2,
		.sg_in = 2,
		.avail_idx = (uint16_t)i,
		.avail_idx_known = 1,
	};
	struct guest_op_event op = {
		.h = {.type = EV_GUEST_OP, .size = sizeof(op), .ts_ns = t + 62000},
		.t_start_ns = t - 500,
		.op_id = i + 1,
		.nodeid = 7,
		.offset_bytes = i * 4096,
		.result = 4096,
		.size_bytes = 4096,
		.conn = conn,
		.task = 100,
		.op_type = fault ? OP_MMAP_FAULT : OP_READ,
		.flags = fault ? OP_FAULT_WRITE : OP_DIRECT,
		.nr_requests = 1,
		.nr_throttled = paused,
		.throttled_ns = paused ? 5000 : 0,
	};

	/* Without t_add it bounds no clock. */
	if (skewed) {
		e.t_add_ns = 0;
		e.t_queued_ns = t + 45000;
	}
	return vft_write_event(f->guest, &e.h) || vft_write_event(f->guest, &op.h);
}

/* Of the flusher and in an op in turn. */
static int put_pass(struct files *f, uint64_t i, uint32_t conn)
{
	struct guest_writeback_event pass = {
		.h = {.type = EV_GUEST_WRITEBACK,
		      .size = sizeof(pass),
		      .ts_ns = issue_ns(i) + 9000},
		.t_start_ns = issue_ns(i),
		.nodeid = 7,
		.op_id = i & 1 ? i + 1 : 0,
		.conn = conn,
		.task = 9,
		.pages = 3,
	};

	return vft_write_event(f->guest, &pass.h);
}

/* "dir/CONN" */
static int put_name(struct files *f, uint32_t conn)
{
	struct guest_path_event name = {
		.h = {.type = EV_GUEST_PATH, .size = sizeof(name), .ts_ns = issue_ns(0)},
		.nodeid = 7,
		.conn = conn,
		.nr_names = 2,
	};
	int len = snprintf(name.names, sizeof(name.names), "%u", conn);

	strcpy(name.names + len + 1, "dir");
	return vft_write_event(f->guest, &name.h);
}

static int put_others(struct files *f, const struct plan *plan, uint64_t i)
{
	for (uint32_t m = 0; m < plan->mounts; m++) {
		if (!i && plan->names && put_name(f, 50 + m))
			return -1;
		if (plan->passes && i % plan->passes == 0 && put_pass(f, i, 50 + m))
			return -1;
	}
	return 0;
}

static uint64_t host_ns(const struct plan *plan, uint64_t i, uint64_t t_guest)
{
	uint64_t since = t_guest - issue_ns(0);
	uint64_t t = t_guest + plan->offset_ns + since / 1000000 * plan->drift_ppm;

	if (plan->slewed_at && t_guest > issue_ns(plan->slewed_at))
		t += (t_guest - issue_ns(plan->slewed_at)) / 50000;
	return plan->step_at && i >= plan->step_at ? t + 50000000 : t;
}

/* Of another VM that does the same at its own pace. */
static uint64_t other_daemon_ns(const struct plan *plan, uint64_t i, uint16_t slot)
{
	return slot + 1u < plan->daemons ? (i * (slot + 7u)) % 90 * 1000 : 0;
}

static int put_host(struct files *f, const struct plan *plan, uint64_t i, uint16_t slot)
{
	uint64_t t = issue_ns(i) + other_daemon_ns(plan, i, slot);
	bool headless = every(i, plan->headless);
	struct host_chain_event chain = {
		.h = {.type = EV_HOST_CHAIN, .size = sizeof(chain)},
		.tid = 42,
		.flags = headless ? HCHAIN_NO_HEADER : 0,
		.queue = 1,
		.head = i % 64,
		.avail_idx = (uint16_t)i,
		.daemon = slot,
	};
	struct host_syscall_event call = {
		.h = {.type = EV_HOST_SYSCALL, .size = sizeof(call)},
		.result = 4096,
		.tid = 42,
		.cls = SYSC_DATA,
		.daemon = slot,
	};
	struct host_used_event used = {
		.h = {.type = EV_HOST_USED, .size = sizeof(used)},
		.tid = 42,
		.len = 4096 + 16,
		.queue = 1,
		.head = i % 64,
		.used_idx = (uint16_t)i,
		.daemon = slot,
	};

	chain.h.ts_ns = host_ns(plan, i, t + 20000);
	call.t_enter_ns = host_ns(plan, i, t + 25000);
	call.h.ts_ns = host_ns(plan, i, t + 35000);
	used.h.ts_ns = host_ns(plan, i, t + 40000);
	if (!headless) {
		chain.unique = 2 * i + 2;
		chain.nodeid = 7;
		chain.offset_bytes = i * 4096;
		chain.opcode = every(i, plan->wrong_opcode) ? 16 : 15;
		chain.size_bytes = 4096;
	}
	return vft_write_event(f->host, &chain.h) || vft_write_event(f->host, &call.h) ||
	       vft_write_event(f->host, &used.h);
}

static int put_requests(struct files *f, const struct plan *plan)
{
	for (uint64_t i = 0; i < plan->requests; i++) {
		if (put_others(f, plan, i))
			return -1;
		for (uint64_t m = 0; m + 1 < plan->mounts; m++)
			if (i % (m + 2) == 0 &&
			    put_guest(f, i * 3 + 1, 50 + (uint32_t)m, false, false, false))
				return -1;
		if (!every(i, plan->guest_skips) &&
		    put_guest(f, i, 49 + (uint32_t)plan->mounts, every(i, plan->faults),
			      every(i, plan->skewed), every(i, plan->passes)))
			return -1;
		for (uint16_t slot = 0; slot < plan->daemons; slot++)
			if (i >= plan->host_from && i < plan->host_to &&
			    !every(i, plan->host_skips) && put_host(f, plan, i, slot))
				return -1;
	}
	return 0;
}

static json_t *times_json(uint64_t count, uint64_t each_ns)
{
	struct hist *h = malloc(sizeof(*h));
	json_t *object;

	if (!h)
		return NULL;
	hist_init(h);
	hist_add_n(h, each_ns, count);
	object = hist_to_json(h);
	free(h);
	return object;
}

/* A VM with 40 doorbells of 5 us, of which half woke the daemon, and 10 halts of 80 us. */
static json_t *vm_json(uint64_t slot)
{
	return json_pack(
		"{s:I, s:[I], s:i, s:[{s:s, s:i, s:s, s:s, s:o}, {s:s, s:i, s:s, s:s, s:o}], "
		"s:[{s:s, s:i}], s:[{s:s, s:I, s:i, s:i}], s:{s:i, s:i, s:i, s:i}, s:o}",
		"vmm", (json_int_t)(1000 + slot), "daemons", (json_int_t)slot, "vcpu_threads", 2,
		"exits", "isa", "vmx", "reason", 12, "name", "HLT", "handled_by", "kvm",
		"outside_ns", times_json(10, 80000), "isa", "vmx", "reason", 49, "name",
		"EPT_MISCONFIG", "handled_by", "doorbell", "outside_ns", times_json(40, 5000),
		"to_vmm", "name", "EINTR", "count", 3, "doorbells", "space", "memory", "address",
		(json_int_t)0xfebf3000, "writes", 40, "wakes", 20, "interrupts",
		"messages_of_daemons", 40, "other_messages", 5, "by_number", 0, "injected", 45,
		"doorbell_to_wake_ns", times_json(20, 3000));
}

static json_t *host_footer(const struct plan *plan)
{
	json_t *vms = json_array();

	for (uint64_t i = 0; i < plan->kvm; i++)
		json_array_append_new(vms, vm_json(i));
	return json_pack("{s:o}", "kvm", vms);
}

static int close_files(struct files *f, const struct plan *plan)
{
	json_t *footer;
	int err;

	uint64_t guest[NR_LOSS_CLASSES] = {[LOSS_RINGBUF] = plan->ringbuf};
	uint64_t host[NR_LOSS_CLASSES] = {0};

	if (plan->cut) {
		err = vft_writer_flush(f->guest) || vft_writer_flush(f->host);
		vft_writer_abandon(f->guest);
		vft_writer_abandon(f->host);
		return err;
	}
	footer = plan->kvm ? host_footer(plan) : NULL;
	err = vft_writer_close(f->guest, guest, NULL) || vft_writer_close(f->host, host, footer);
	json_decref(footer);
	return err;
}

int main(int argc, char **argv)
{
	struct plan plan = {
		.requests = 100,
		.offset_ns = 777000000,
		.host_to = UINT64_MAX,
		.mounts = 1,
		.daemons = 1,
	};
	char path[4096];
	struct files f;

	if (argc < 2 || parse_plan(&plan, argc, argv))
		return 2;
	snprintf(path, sizeof(path), "%s/guest.vft", argv[1]);
	if (vft_writer_open(&f.guest, path, VFT_GUEST, NULL))
		return 1;
	snprintf(path, sizeof(path), "%s/host.vft", argv[1]);
	if (vft_writer_open(&f.host, path, VFT_HOST, NULL))
		return 1;
	if (put_requests(&f, &plan))
		return 1;
	return close_files(&f, &plan) ? 1 : 0;
}
