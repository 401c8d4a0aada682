// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Joins hostile guest and host files: the input is the length of the guest's recipe (2 bytes,
 * little-endian), the recipe, and the host's (tests/fuzz/vft_recipe.h). Whatever is joined must be
 * in the order of issue, with stages that sum to the latency.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "lib/msg.h"
#include "lib/span.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/vft_recipe.h"
#include "trace/join_files.h"

struct seen {
	uint64_t last_issue_ns;
};

static int take_header(void *ctx, json_t *header)
{
	(void)ctx;
	return header ? 0 : -1;
}

static int take_span(void *ctx, const struct span *span)
{
	struct seen *seen = ctx;
	uint64_t sum = span->unsplit_ns;

	for (unsigned int i = 0; i < NR_STAGES; i++)
		if (span->stages_known & (1u << i))
			sum += span->stage_ns[i];
	if (sum != span_latency_ns(span) || span->t_issue_ns < seen->last_issue_ns)
		abort();
	seen->last_issue_ns = span->t_issue_ns;
	return 0;
}

static int take_op(void *ctx, const struct op_record *op)
{
	(void)ctx;
	(void)op;
	return 0;
}

static int take_event(void *ctx, const struct event_header *event)
{
	(void)ctx;
	(void)event;
	return 0;
}

static int cooked(uint32_t kind, const uint8_t *data, size_t size, char *path, size_t path_len)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0)
		abort();
	cook_vft(fd, kind, data, size);
	snprintf(path, path_len, "/proc/self/fd/%d", fd);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct join_sink sink = {take_header, take_span, take_op, take_event};
	size_t guest_len = size < 2 ? 0 : data[0] | (size_t)data[1] << 8;
	struct join_config config = {0};
	struct join_result result;
	struct seen seen = {0};
	char guest[64], host[64];
	int fds[2];

	if (size < 2)
		return 0;
	if (guest_len > size - 2)
		guest_len = size - 2;
	msg_set_level(MSG_ERROR);
	fds[0] = cooked(VFT_GUEST, data + 2, guest_len, guest, sizeof(guest));
	fds[1] = cooked(VFT_HOST, data + 2 + guest_len, size - 2 - guest_len, host, sizeof(host));
	config.guest = guest;
	config.host = host;
	if (!join_files(&config, &sink, &seen, &result))
		json_decref(join_result_json(&result));
	close(fds[0]);
	close(fds[1]);
	return 0;
}
