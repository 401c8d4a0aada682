/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The payloads of an agent's frames: small JSON objects, checked as what comes from a stranger.
 */
#ifndef VFSCOPE_TRACE_AGENT_MESSAGE_H
#define VFSCOPE_TRACE_AGENT_MESSAGE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include "trace/record_session.h"

/* Who an end is. Ends of different protocols or file formats do not work together. */
struct agent_hello {
	uint32_t protocol;
	uint32_t vft;
	char version[32]; /* of vfscope; printable */
};

/* What to record: the guest's part of a configuration, and a command to run there. */
struct agent_start {
	struct record_config config;
	const char *command; /* NULL: none. For sh -c */
	bool dry_run; /* the file is then what would be its header: JSON; nothing is attached */
	uint32_t silence_ms; /* an end that says nothing for so long is gone */
	json_t *json; /* parsed: what the strings belong to */
};

#define AGENT_MIN_SILENCE_MS 5000 /* some pings may be late */
#define AGENT_MAX_SILENCE_MS 86400000

struct agent_ended {
	uint32_t status; /* enum exit_status of the recording */
	uint64_t bytes; /* of the file that follows; 0: there is none */
};

/* Each packer returns text that the caller frees, or NULL; each parser 0 or -EBADMSG. */
char *agent_hello_pack(const char *version);
int agent_hello_parse(const void *data, size_t len, struct agent_hello *hello);

char *agent_start_pack(const struct agent_start *start);
int agent_start_parse(const void *data, size_t len, struct agent_start *start);
void agent_start_free(struct agent_start *start);

char *agent_ended_pack(const struct agent_ended *ended);
int agent_ended_parse(const void *data, size_t len, struct agent_ended *ended);

/* A text of the other end's into buf, without what could drive a terminal. Returns buf. */
char *agent_text(const void *data, size_t bytes, char *buf, size_t len);

#endif
