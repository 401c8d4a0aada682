// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reads the two traces that join puts together, one half at a time.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "lib/msg.h"
#include "trace/join_input.h"

static int open_kind(struct vft_reader **out, const char *path, enum vft_kind want)
{
	int err = vft_reader_open(out, path);

	if (err)
		return err;
	if (vft_reader_kind(*out) == want)
		return 0;
	msg_error("%s is a %s trace, but a %s trace is needed here; join takes the guest's file "
		  "first, then the host's",
		  path, vft_kind_name(vft_reader_kind(*out)), vft_kind_name(want));
	return -EINVAL;
}

static int check_level(const struct vft_reader *r, const char *path)
{
	const char *level = json_string_value(json_object_get(vft_reader_header(r), "level"));

	if (!level || strcmp(level, "aggregate"))
		return 0;
	msg_error("%s is an aggregated recording: it has no requests to join; 'vfscope report' "
		  "prints it, and recording without --aggregate keeps requests",
		  path);
	return -EINVAL;
}

static int keep_half(void *ctx, const struct host_half *half)
{
	struct join_input *in = ctx;

	if (in->nr_ready == in->ready_size) {
		size_t size = in->ready_size ? 2 * in->ready_size : 64;
		struct host_half *grown = realloc(in->ready, size * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		in->ready = grown;
		in->ready_size = size;
	}
	in->ready[in->nr_ready++] = *half;
	return 0;
}

int join_input_open(struct join_input *in, const char *guest_path, const char *host_path)
{
	int err;

	*in = (struct join_input){.any_conn = true};
	err = open_kind(&in->guest, guest_path, VFT_GUEST);
	if (!err)
		err = check_level(in->guest, guest_path);
	if (!err)
		err = open_kind(&in->host, host_path, VFT_HOST);
	if (!err)
		err = check_level(in->host, host_path);
	if (!err)
		err = host_assembler_new(&in->assembler, keep_half, in);
	return err;
}

void join_input_close(struct join_input *in)
{
	vft_reader_close(in->guest);
	vft_reader_close(in->host);
	if (in->assembler)
		host_assembler_free(in->assembler);
	free(in->ready);
	*in = (struct join_input){0};
}

/* An op, a pass of write-back or a name of this connection. */
static bool is_of_conn(const struct event_header *event, uint32_t conn)
{
	const void *e = event;

	switch (event->type) {
	case EV_GUEST_OP:
		return ((const struct guest_op_event *)e)->conn == conn;
	case EV_GUEST_WRITEBACK:
		return ((const struct guest_writeback_event *)e)->conn == conn;
	case EV_GUEST_PATH:
		return ((const struct guest_path_event *)e)->conn == conn;
	default:
		return false;
	}
}

int join_input_guest(struct join_input *in, const struct guest_request_event **half)
{
	struct vft_record record;
	int err = 0;

	while (!in->guest_ended && !err) {
		err = vft_read(in->guest, &record);
		if (err)
			break;
		if (record.type == VFT_RECORD_END)
			in->guest_ended = true;
		if (record.type != VFT_RECORD_EVENT)
			continue;
		if (record.event->type == EV_GUEST_REQUEST) {
			*half = (const struct guest_request_event *)record.event;
			if (in->any_conn || (*half)->conn == in->conn)
				return 1;
		} else if (in->on_other && (in->any_conn || is_of_conn(record.event, in->conn))) {
			err = in->on_other(in->on_other_ctx, record.event);
		}
	}
	return err;
}

int join_input_host(struct join_input *in, const struct host_half **half)
{
	struct vft_record record;
	int err;

	while (in->next_ready == in->nr_ready) {
		in->next_ready = in->nr_ready = 0;
		if (in->host_ended)
			return 0;
		err = vft_read(in->host, &record);
		if (!err && record.type == VFT_RECORD_EVENT)
			err = host_assembler_add(in->assembler, record.event);
		if (!err && record.type == VFT_RECORD_END) {
			in->host_ended = true;
			err = host_assembler_finish(in->assembler);
		}
		if (err)
			return err;
	}
	*half = &in->ready[in->next_ready++];
	return 1;
}
