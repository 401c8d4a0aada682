// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The places in the guest's kernel that a recording watches, and what this kernel offers for each.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "lib/compiler.h"
#include "trace/guest_points.h"

const char *const guest_modules[] = {"fuse", "virtiofs", "virtio", "virtio_ring", NULL};

const struct guest_point guest_points[] = {
	{POINT_NEEDED,
	 false,
	 2,
	 "request issued",
	 "nothing can be recorded",
	 {{"fuse_chan_send", {"issue_sync_v72", "issued_sync_v72"}},
	  {"__fuse_simple_request", {"issue_sync_v612", "issued_sync_v612"}},
	  {"fuse_simple_request", {"issue_sync_v61", "issued_sync_v61"}}}},
	{POINT_NEEDED,
	 false,
	 2,
	 "background request issued",
	 "nothing can be recorded",
	 {{"fuse_chan_send_bg", {"issue_bg_v72", "issued_bg_v72"}},
	  {"fuse_simple_background", {"issue_bg_v61", "issued_bg_v61"}}}},
	{POINT_NEEDED,
	 false,
	 1,
	 "request queued",
	 "nothing can be recorded",
	 {{"virtio_fs_enqueue_req", {"enqueue_begin"}}}},
	{POINT_NEEDED,
	 true,
	 0,
	 "buffers added to the ring",
	 "nothing can be recorded",
	 {{"virtqueue_add_sgs", {"ring_add"}}}},
	{POINT_NEEDED,
	 true,
	 0,
	 "kick decided",
	 "nothing can be recorded",
	 {{"virtqueue_kick_prepare", {"kick_prepared"}}}},
	{POINT_TIME,
	 true,
	 0,
	 GUEST_POINT_DOORBELL,
	 "what the doorbell cost is not known",
	 {{"virtqueue_notify", {"notify_end"}}}},
	{POINT_NEEDED,
	 true,
	 0,
	 "reply dequeued",
	 "nothing can be recorded",
	 {{"virtqueue_get_buf", {"ring_get"}}}},
	{POINT_TIME,
	 false,
	 1,
	 "interrupt",
	 "interrupt cannot be told from completion",
	 {{"virtio_fs_vq_done", {"queue_irq"}}}},
	{POINT_TIME,
	 false,
	 0,
	 "completion work",
	 "no time between interrupt and the work that completes",
	 {{"virtio_fs_requests_done_work", {"requests_work"}}}},
	{POINT_TIME,
	 false,
	 0,
	 "completion work of hiprio",
	 "no time between interrupt and work for FORGET",
	 {{"virtio_fs_hiprio_done_work", {"hiprio_work"}}}},
	{POINT_NEEDED,
	 false,
	 1,
	 "request completed",
	 "nothing can be recorded",
	 {{"virtio_fs_request_complete", {"request_complete"}}}},
	{POINT_NEEDED,
	 false,
	 1,
	 "request ended",
	 "nothing can be recorded",
	 {{"fuse_request_end", {"request_end"}}}},
	{POINT_NEEDED,
	 false,
	 1,
	 "waiting task woken",
	 "nothing can be recorded",
	 {{"request_wait_answer", {"waiter_woke"}}}},
	{POINT_NEEDED,
	 false,
	 1,
	 "FORGET sent",
	 "nothing can be recorded",
	 {{"send_forget_request", {"forget_begin", "forget_end"}}}},
	{POINT_OP,
	 false,
	 2,
	 "read",
	 "record with --no-ops",
	 {{"fuse_file_read_iter", {"read_begin", "read_end"}}}},
	{POINT_OP,
	 false,
	 2,
	 "write",
	 "record with --no-ops",
	 {{"fuse_file_write_iter", {"write_begin", "write_end"}}}},
	{POINT_OP,
	 false,
	 2,
	 "fsync",
	 "record with --no-ops",
	 {{"fuse_fsync", {"fsync_begin", "fsync_end"}}}},
	{POINT_OP,
	 false,
	 2,
	 "close",
	 "record with --no-ops",
	 {{"fuse_flush", {"close_begin", "close_end"}}}},
	{POINT_OP,
	 false,
	 2,
	 "open",
	 "record with --no-ops",
	 {{"fuse_open", {"open_begin", "open_end"}}}},
	{POINT_OP_OPTIONAL,
	 false,
	 2,
	 "open that creates",
	 "opens that create a file are missing",
	 {{"fuse_atomic_open", {"create_begin", "create_end"}}}},
	{POINT_OP_OPTIONAL,
	 false,
	 2,
	 "copy between files",
	 "copies between files are missing, which a replay then does not make",
	 {{"fuse_copy_file_range", {"copy_begin", "copy_end"}}}},
	{POINT_OP_OPTIONAL,
	 true,
	 2,
	 "advice on a file",
	 "hints to read-ahead are missing, which a replay then does not give",
	 {{"generic_fadvise", {"advise_begin", "advise_end"}}}},
	{POINT_OP_OPTIONAL,
	 false,
	 2,
	 "look-up",
	 "look-ups are missing",
	 {{"fuse_lookup", {"lookup_begin", "lookup_end"}}}},
	{POINT_OP_OPTIONAL,
	 false,
	 2,
	 "stat",
	 "stats are missing",
	 {{"fuse_getattr", {"getattr_begin", "getattr_end"}}}},
	{POINT_OP_OPTIONAL,
	 false,
	 2,
	 "directory read",
	 "readdirs are missing",
	 {{"fuse_readdir", {"readdir_begin", "readdir_end"}}}},
	{POINT_OP_OPTIONAL,
	 false,
	 2,
	 "unlink",
	 "unlinks are missing",
	 {{"fuse_unlink", {"unlink_begin", "unlink_end"}}}},
	{POINT_OP_OPTIONAL,
	 false,
	 2,
	 "rmdir",
	 "rmdirs are missing",
	 {{"fuse_rmdir", {"rmdir_begin", "rmdir_end"}}}},
	{POINT_OP_OPTIONAL,
	 false,
	 2,
	 "mkdir",
	 "mkdirs are missing",
	 {{"fuse_mkdir", {"mkdir_begin", "mkdir_end"}}}},
	{POINT_OP_OPTIONAL,
	 false,
	 2,
	 "symbolic link made",
	 "symlinks are missing",
	 {{"fuse_symlink", {"symlink_begin", "symlink_end"}}}},
	{POINT_OP_OPTIONAL,
	 false,
	 2,
	 "link",
	 "links are missing",
	 {{"fuse_link", {"link_begin", "link_end"}}}},
	{POINT_OP_OPTIONAL,
	 false,
	 2,
	 "symbolic link read",
	 "readlinks are missing",
	 {{"fuse_get_link", {"readlink_begin", "readlink_end"}}}},
	{POINT_OP_OPTIONAL,
	 false,
	 2,
	 "rename",
	 "renames are missing",
	 {{"fuse_rename2", {"rename_begin", "rename_end"}}}},
	{POINT_OP_OPTIONAL,
	 false,
	 2,
	 "attributes set",
	 "truncates, chmods and utimes are missing",
	 {{"fuse_setattr", {"setattr_begin", "setattr_end"}}}},
	{POINT_OP_OPTIONAL,
	 true,
	 2,
	 "page fault",
	 "reading faults of mapped files are missing",
	 {{"filemap_fault", {"page_fault_begin", "page_fault_end"}}}},
	{POINT_OP_OPTIONAL,
	 false,
	 2,
	 "write to a mapped page",
	 "writing faults of mapped files are missing",
	 {{"fuse_page_mkwrite", {"page_write_begin", "page_write_end"}}}},
	{POINT_OP_OPTIONAL,
	 true,
	 0,
	 GUEST_POINT_PAGES,
	 "which reads the page cache answered is not known",
	 {{"__filemap_add_folio", {"page_added"}}}},
	{POINT_OP_OPTIONAL,
	 true,
	 0,
	 "writer paused",
	 "writes that were throttled are not told apart",
	 {{"io_schedule_timeout", {"pause_begin", "pause_end"}}}},
	{POINT_OP_OPTIONAL,
	 false,
	 0,
	 "write-back pass",
	 "passes of write-back are missing",
	 {{"fuse_writepages", {"pass_begin", "pass_end"}}}},
	{POINT_DAX,
	 false,
	 2,
	 "DAX range mapped",
	 "DAX set-ups and upgrades cannot be told apart, and waits for a range have no end",
	 {{"fuse_setup_one_mapping", {"dax_setup_begin", "dax_setup_end"}}}},
	{POINT_DAX,
	 false,
	 2,
	 "DAX worker",
	 "what the worker reclaims counts as reclaimed inline",
	 {{"fuse_dax_free_mem_worker", {"dax_worker_begin", "dax_worker_end"}}}},
	{POINT_DAX,
	 false,
	 2,
	 "DAX inode evicted",
	 "ranges of evicted inodes count as reclaimed",
	 {{"fuse_dax_inode_cleanup", {"dax_evict_begin", "dax_evict_end"}}}},
	{POINT_DAX_OP,
	 false,
	 0,
	 "DAX range sought",
	 "waits for a free range are not seen",
	 {{"alloc_dax_mapping", {"dax_range_sought"}}}},
	{POINT_DAX_OP,
	 false,
	 2,
	 "DAX fault",
	 "faults of mapped files are missing",
	 {{"__fuse_dax_fault", {"dax_fault_begin", "dax_fault_end"}}}},
};

const size_t nr_guest_points = ARRAY_SIZE(guest_points);
_Static_assert(ARRAY_SIZE(guest_points) <= GUEST_POINTS_MAX, "GUEST_POINTS_MAX is too small");

int guest_point_programs(const struct guest_point *point, const struct guest_recorded *what)
{
	bool aggregate = what->level == RECORD_AGGREGATE;
	bool ops = aggregate ? what->aggregate_ops : what->level == RECORD_OPS, used = true;

	if (point->kind == POINT_OP || point->kind == POINT_OP_OPTIONAL)
		used = ops;
	else if (point->kind == POINT_DAX)
		used = what->dax;
	else if (point->kind == POINT_DAX_OP)
		used = what->dax && ops;
	if (!used)
		return 0;
	return aggregate ? point->aggregate_programs : GUEST_POINT_PROGRAMS;
}

/* Programs with fewer stand-ins than others of their kind. */
static const struct {
	const char *program;
	int stand_ins;
	bool tidies; /* only removes what the first one left, which what comes next does, too */
} fewer_stand_ins[] = {
	/* Under the queue's lock, or in the interrupt: never preempted. */
	{"ring_add", 0, false},
	{"kick_prepared", 0, false},
	{"ring_get", 0, false},
	{"queue_irq", 0, false},
	/* One worker for each queue. */
	{"requests_work", 0, false},
	{"hiprio_work", 0, false},
	{"request_complete", 1, false},
	{"request_end", 1, false},
	{"forget_begin", 1, false},
	{"forget_end", 1, false},
	/* Run twice, they count twice. */
	{"page_added", 0, false},
	{"pause_begin", 0, false},
	{"pause_end", 0, false},
	/* Once for each of the requests that tell the rest. */
	{"dax_setup_begin", 0, false},
	{"dax_setup_end", 0, false},
	{"dax_worker_begin", 0, false},
	{"dax_worker_end", 0, false},
	{"dax_evict_begin", 0, false},
	{"dax_evict_end", 0, false},
	{"dax_range_sought", 0, false},
	/* Of requests that never reached a queue. */
	{"issued_sync_v72", 0, true},
	{"issued_sync_v612", 0, true},
	{"issued_sync_v61", 0, true},
	{"issued_bg_v72", 0, true},
	{"issued_bg_v61", 0, true},
};

int guest_point_stand_ins(const struct guest_point *point, const char *program)
{
	for (size_t i = 0; i < ARRAY_SIZE(fewer_stand_ins); i++)
		if (!strcmp(program, fewer_stand_ins[i].program))
			return fewer_stand_ins[i].stand_ins;
	return point->kind == POINT_OP_OPTIONAL || point->kind == POINT_DAX_OP ? 1
									       : GUEST_STAND_INS;
}

bool guest_point_loses(const struct guest_point *point, const char *program)
{
	for (size_t i = 0; i < ARRAY_SIZE(fewer_stand_ins); i++)
		if (fewer_stand_ins[i].tidies && !strcmp(program, fewer_stand_ins[i].program))
			return false;
	/* These are mostly skipped for other devices. */
	return !point->all_devices;
}

const char *guest_point_function(const struct guest_point *point,
				 const struct guest_point_choice *choice, char *buf, size_t len)
{
	size_t at = 0;

	if (choice->mechanism != ATTACH_NONE)
		return point->alternative[choice->alternative].function;
	buf[0] = '\0';
	for (int i = 0; i < GUEST_POINT_ALTERNATIVES && point->alternative[i].function; i++)
		if (at < len)
			at += (size_t)snprintf(buf + at, len - at, "%s%s", i ? ", " : "",
					       point->alternative[i].function);
	return buf;
}

/* At entry and return: the programs of a pair, and a return's own, which needs the arguments. */
static int try_kprobe(const char *function)
{
	int err = attach_try_kprobe(function, false);

	return err ? err : attach_try_kprobe(function, true);
}

static void choose_one(struct kernel_functions *k, const struct guest_point *point,
		       enum attach_mechanism only, bool attach, struct guest_point_choice *choice)
{
	struct kernel_function f = {};

	*choice = (struct guest_point_choice){.err = -ENOENT};
	for (int i = 0; i < GUEST_POINT_ALTERNATIVES && point->alternative[i].function; i++) {
		const char *function = point->alternative[i].function;

		if (!kernel_functions_find(k, function, &f))
			continue;
		choice->alternative = i;
		choice->module = f.module;
		choice->fentry_err =
			only == ATTACH_KPROBE ? 0 : attach_try_fentry(k, function, attach);
		choice->err = choice->fentry_err;
		if (!choice->err && only != ATTACH_KPROBE) {
			choice->mechanism = ATTACH_FENTRY;
			return;
		}
		if (only == ATTACH_FENTRY)
			return;
		choice->err = try_kprobe(function);
		choice->mechanism = choice->err ? ATTACH_NONE : ATTACH_KPROBE;
		return;
	}
}

void guest_points_choose(struct kernel_functions *k, enum attach_mechanism only, bool attach,
			 struct guest_point_choice *choices)
{
	for (size_t i = 0; i < nr_guest_points; i++)
		choose_one(k, &guest_points[i], only, attach, &choices[i]);
}

const struct guest_point *guest_points_missing(const struct guest_point_choice *choices,
					       const struct guest_recorded *what)
{
	for (size_t i = 0; i < nr_guest_points; i++) {
		const struct guest_point *point = &guest_points[i];

		if (choices[i].mechanism == ATTACH_NONE && guest_point_programs(point, what) &&
		    (point->kind == POINT_NEEDED || point->kind == POINT_OP))
			return point;
	}
	return NULL;
}

static json_t *choice_json(const struct guest_point *point, const struct guest_point_choice *choice)
{
	char functions[128];
	json_t *entry = json_pack("{s:s s:s s:s}", "point", point->what, "function",
				  guest_point_function(point, choice, functions, sizeof(functions)),
				  "mechanism", attach_mechanism_name(choice->mechanism));

	if (!entry)
		return NULL;
	if (choice->mechanism != ATTACH_NONE)
		json_object_set_new(entry, "module", json_string(choice->module));
	if (choice->fentry_err)
		json_object_set_new(entry, "fentry",
				    json_string(attach_error_text(choice->fentry_err)));
	if (choice->mechanism == ATTACH_NONE) {
		json_object_set_new(entry, "reason", json_string(attach_error_text(choice->err)));
		json_object_set_new(entry, "without", json_string(point->without));
	}
	return entry;
}

json_t *guest_points_json(const struct guest_point_choice *choices,
			  const struct guest_recorded *what)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < nr_guest_points; i++) {
		if (!guest_point_programs(&guest_points[i], what))
			continue;
		if (json_array_append_new(array, choice_json(&guest_points[i], &choices[i]))) {
			json_decref(array);
			array = NULL;
		}
	}
	return array;
}
