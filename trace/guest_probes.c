// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which of guest.bpf.c's programs to load on this kernel.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include "lib/compiler.h"
#include "lib/msg.h"
#include "trace/bpf_util.h"
#include "trace/guest_probes.h"

#define MAX_ALTERNATIVES 3
#define MAX_PROGRAMS 2

enum probe_kind {
	PROBE_REQUEST, /* of a FUSE or virtio-fs function: nothing can be recorded without it */
	PROBE_RING, /* of a virtqueue function, which all virtio devices call */
	PROBE_OP, /* not with --no-ops */
	PROBE_OP_OPTIONAL, /* and recording goes on without it */
};

/* One thing to watch; the first alternative whose function the kernel has is used. */
struct probe {
	enum probe_kind kind;
	struct {
		const char *function;
		const char *programs[MAX_PROGRAMS];
	} alternative[MAX_ALTERNATIVES];
};

static const struct probe probes[] = {
	{PROBE_REQUEST,
	 {{"fuse_chan_send", {"issue_sync_v72", "issued_sync_v72"}},
	  {"__fuse_simple_request", {"issue_sync_v612", "issued_sync_v612"}},
	  {"fuse_simple_request", {"issue_sync_v61", "issued_sync_v61"}}}},
	{PROBE_REQUEST,
	 {{"fuse_chan_send_bg", {"issue_bg_v72", "issued_bg_v72"}},
	  {"fuse_simple_background", {"issue_bg_v61", "issued_bg_v61"}}}},
	{PROBE_REQUEST, {{"virtio_fs_enqueue_req", {"enqueue_begin", "enqueue_end"}}}},
	{PROBE_RING, {{"virtqueue_add_sgs", {"ring_add"}}}},
	{PROBE_RING, {{"virtqueue_kick_prepare", {"kick_prepared"}}}},
	{PROBE_RING, {{"virtqueue_notify", {"notify_begin", "notify_end"}}}},
	{PROBE_RING, {{"virtqueue_get_buf", {"ring_get"}}}},
	{PROBE_REQUEST, {{"virtio_fs_vq_done", {"queue_irq"}}}},
	{PROBE_REQUEST, {{"virtio_fs_requests_done_work", {"requests_work"}}}},
	{PROBE_REQUEST, {{"virtio_fs_hiprio_done_work", {"hiprio_work"}}}},
	{PROBE_REQUEST,
	 {{"virtio_fs_request_complete", {"request_complete", "request_completed"}}}},
	{PROBE_REQUEST, {{"fuse_request_end", {"request_end"}}}},
	{PROBE_REQUEST, {{"request_wait_answer", {"waiter_woke"}}}},
	{PROBE_REQUEST, {{"send_forget_request", {"forget_begin", "forget_end"}}}},
	{PROBE_OP, {{"fuse_file_read_iter", {"read_begin", "read_end"}}}},
	{PROBE_OP, {{"fuse_file_write_iter", {"write_begin", "write_end"}}}},
	{PROBE_OP, {{"fuse_fsync", {"fsync_begin", "fsync_end"}}}},
	{PROBE_OP, {{"fuse_flush", {"close_begin", "close_end"}}}},
	{PROBE_OP, {{"fuse_open", {"open_begin", "open_end"}}}},
	{PROBE_OP_OPTIONAL, {{"fuse_atomic_open", {"create_begin", "create_end"}}}},
};

/* In 6.1 of Debian these are modules; elsewhere all is in vmlinux. */
static const char *const modules[] = {"fuse", "virtiofs", "virtio", "virtio_ring", NULL};

static bool is_op(const struct probe *p)
{
	return p->kind == PROBE_OP || p->kind == PROBE_OP_OPTIONAL;
}

static int set_autoload(struct bpf_object *object, const char *const *programs, bool load)
{
	for (int i = 0; i < MAX_PROGRAMS && programs[i]; i++) {
		struct bpf_program *prog = bpf_object__find_program_by_name(object, programs[i]);

		if (!prog) {
			msg_error("guest probes have no program '%s': the build is broken",
				  programs[i]);
			return -EINVAL;
		}
		bpf_program__set_autoload(prog, load);
	}
	return 0;
}

static int choose_one(struct bpf_object *object, const struct kernel_functions *kernel,
		      const struct probe *p, bool ops)
{
	bool found = is_op(p) && !ops;
	int err;

	for (int i = 0; i < MAX_ALTERNATIVES && p->alternative[i].function; i++) {
		const char *function = p->alternative[i].function;
		bool use = !found && kernel_functions_has(kernel, function);

		err = set_autoload(object, p->alternative[i].programs, use);
		if (err)
			return err;
		if (use)
			msg_debug("probing %s", function);
		found |= use;
	}
	if (found || p->kind == PROBE_OP_OPTIONAL)
		return 0;
	msg_error("cannot record on this kernel: its BTF has no function %s",
		  p->alternative[0].function);
	return -ENOENT;
}

static int check_driver(const struct kernel_functions *kernel)
{
	if (kernel_functions_has(kernel, "virtio_fs_enqueue_req"))
		return 0;
	msg_error("no virtio-fs driver in this kernel, so there is nothing to record; run inside a "
		  "guest with a share mounted, or 'modprobe virtiofs' first");
	return -ENOENT;
}

int guest_probes_choose(struct bpf_object *object, bool ops)
{
	struct kernel_functions *kernel;
	int err = kernel_functions_open(&kernel, modules);

	if (err) {
		msg_error("cannot read the kernel's BTF, /sys/kernel/btf/vmlinux: %s; the kernel "
			  "must be built with CONFIG_DEBUG_INFO_BTF",
			  strerror(-err));
		return err;
	}
	err = check_driver(kernel);
	for (size_t i = 0; !err && i < ARRAY_SIZE(probes); i++)
		err = choose_one(object, kernel, &probes[i], ops);
	kernel_functions_close(kernel);
	return err;
}

static bool program_info(struct bpf_program *prog, struct bpf_prog_info *info)
{
	uint32_t len = sizeof(*info);

	*info = (struct bpf_prog_info){};
	return prog && bpf_program__fd(prog) >= 0 &&
	       !bpf_obj_get_info_by_fd(bpf_program__fd(prog), info, &len);
}

json_t *guest_probes_cost(struct bpf_object *object)
{
	json_t *cost = json_object();
	struct bpf_prog_info info;
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, object)
	{
		if (!program_info(prog, &info) || !info.run_cnt)
			continue;
		json_object_set_new(cost, bpf_program__name(prog),
				    json_pack("{s:I s:I}", "runs", (json_int_t)info.run_cnt, "ns",
					      (json_int_t)info.run_time_ns));
	}
	return cost;
}

static uint64_t program_missed(struct bpf_object *object, const char *name)
{
	struct bpf_prog_info info;

	if (!program_info(bpf_object__find_program_by_name(object, name), &info))
		return 0;
	if (info.recursion_misses)
		msg_debug("%-18s missed %llu times", name,
			  (unsigned long long)info.recursion_misses);
	return info.recursion_misses;
}

uint64_t guest_probes_missed(struct bpf_object *object)
{
	uint64_t missed = 0;

	for (size_t i = 0; i < ARRAY_SIZE(probes); i++)
		for (int a = 0; a < MAX_ALTERNATIVES && probes[i].alternative[a].function; a++)
			for (int n = 0; n < MAX_PROGRAMS; n++) {
				const char *name = probes[i].alternative[a].programs[n];
				uint64_t count = name ? program_missed(object, name) : 0;

				/* Misses of ring probes are mostly those of other devices. */
				if (probes[i].kind != PROBE_RING)
					missed += count;
			}
	return missed;
}
