/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's side of a conversation with `vfscope agent`: has a guest record, and fetches its file.
 * What comes from the guest is bounded and never trusted.
 */
#ifndef VFSCOPE_TRACE_AGENT_CLIENT_H
#define VFSCOPE_TRACE_AGENT_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <jansson.h>
#include "trace/agent_channel.h"
#include "trace/agent_message.h"
#include "trace/agent_stream.h"

struct agent_client {
	struct agent_stream stream;
	uint64_t pinged_ns;
	bool started; /* the guest records */
	bool ended; /* how, and what file follows, is in result */
	struct agent_ended result;
};

/*
 * All functions return 0, or -errno after a message: refused (-ECANCELED), gone (-EPIPE), silent
 * (-ETIMEDOUT), answering, but without its file (-ETIME), not an agent (-EBADMSG).
 * agent_client_close() is needed only after a success.
 */

/* Connect and greet. silence_ms: how long the guest may say nothing, now and later. */
int agent_client_open(struct agent_client *c, const struct agent_address *address,
		      const char *version, uint32_t silence_ms);

/* Ask for a recording. Poll until it has started, or ended already. */
int agent_client_start(struct agent_client *c, const struct agent_start *start);

/* Look for what the guest says, and keep the connection alive; waits up to timeout_ms. */
int agent_client_poll(struct agent_client *c, int timeout_ms);

/* Have it end; poll until it has. */
int agent_client_stop(struct agent_client *c);

/*
 * Once ended: the file into path, mode 0600. -EFBIG if it has more than max_bytes. What came before
 * an error, or a signal that end_signal catches, is kept. *written: whether there is a file.
 */
int agent_client_fetch(struct agent_client *c, const char *path, uint64_t max_bytes, bool *written);

/* Once a dry run has ended: its file as JSON, a new reference. */
int agent_client_fetch_json(struct agent_client *c, json_t **json);

void agent_client_close(struct agent_client *c);

#endif
