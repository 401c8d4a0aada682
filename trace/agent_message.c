// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What ends of an agent's channel tell each other; see agent_message.h.
 */
#include <errno.h>
#include <string.h>
#include "lib/compiler.h"
#include "lib/exit_status.h"
#include "trace/agent_frame.h"
#include "trace/agent_message.h"

#define MAX_COMMAND_BYTES 4096

static json_t *parse_object(const void *data, size_t len)
{
	json_t *json = json_loadb(data, len, JSON_REJECT_DUPLICATES, NULL);

	if (json_is_object(json))
		return json;
	json_decref(json);
	return NULL;
}

static char *dump(json_t *json)
{
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	json_decref(json);
	return text;
}

char *agent_text(const void *data, size_t bytes, char *buf, size_t len)
{
	const unsigned char *in = data;
	size_t n = min_u64(bytes, len - 1);

	for (size_t i = 0; i < n; i++)
		buf[i] = (char)(in[i] < 0x20 || in[i] >= 0x7f ? '?' : in[i]);
	buf[n] = '\0';
	return buf;
}

char *agent_hello_pack(const char *version)
{
	return dump(json_pack("{s:i, s:i, s:s}", "protocol", AGENT_PROTOCOL, "vft", VFT_VERSION,
			      "version", version));
}

int agent_hello_parse(const void *data, size_t len, struct agent_hello *hello)
{
	json_t *json = parse_object(data, len);
	json_int_t protocol, vft;
	const char *version;
	size_t bytes;
	int err = -EBADMSG;

	if (json &&
	    !json_unpack(json, "{s:I, s:I, s:s%}", "protocol", &protocol, "vft", &vft, "version",
			 &version, &bytes) &&
	    protocol > 0 && protocol <= UINT32_MAX && vft > 0 && vft <= UINT32_MAX) {
		hello->protocol = (uint32_t)protocol;
		hello->vft = (uint32_t)vft;
		agent_text(version, bytes, hello->version, sizeof(hello->version));
		err = 0;
	}
	json_decref(json);
	return err;
}

char *agent_start_pack(const struct agent_start *start)
{
	const struct capture_config *c = &start->config.capture;
	json_t *mounts = json_array(), *json;

	for (uint32_t i = 0; mounts && i < c->mounts.count; i++)
		json_array_append_new(mounts, json_string(c->mounts.items[i]));
	json = json_pack("{s:o, s:s, s:b, s:s, s:I, s:I, s:I, s:I, s:f, s:b, s:I}", "mounts",
			 mounts, "level", record_level_name(c->level), "paths", c->paths,
			 "mechanism", attach_mechanism_name(c->mechanism), "buffer_bytes",
			 (json_int_t)c->buffer_bytes, "wait_ns", (json_int_t)c->wait_ns,
			 "max_inflight", (json_int_t)c->max_inflight, "max_shares",
			 (json_int_t)c->max_shares, "max_overhead_percent",
			 start->config.max_overhead_percent, "dry_run", start->dry_run,
			 "silence_ms", (json_int_t)start->silence_ms);
	if (json && c->aggregate_ops)
		json_object_set_new(json, "aggregate_ops", json_true());
	if (json && start->command)
		json_object_set_new(json, "command", json_string(start->command));
	return dump(json);
}

static int parse_mounts(const json_t *array, struct string_list *mounts)
{
	if (json_array_size(array) > STRING_LIST_MAX)
		return -EBADMSG;
	for (size_t i = 0; i < json_array_size(array); i++) {
		const char *path = json_string_value(json_array_get(array, i));

		if (!path || path[0] != '/')
			return -EBADMSG;
		mounts->items[mounts->count++] = path;
	}
	return 0;
}

/* By name: their numbers are this program's own. */
static int parse_words(const char *level, const char *mechanism, struct capture_config *capture)
{
	static const enum record_level levels[] = {RECORD_OPS, RECORD_REQUESTS, RECORD_AGGREGATE};
	static const enum attach_mechanism mechanisms[] = {ATTACH_NONE, ATTACH_FENTRY,
							   ATTACH_KPROBE};
	unsigned int found = 0;

	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		if (!strcmp(level, record_level_name(levels[i]))) {
			capture->level = levels[i];
			found++;
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(mechanisms); i++) {
		if (!strcmp(mechanism, attach_mechanism_name(mechanisms[i]))) {
			capture->mechanism = mechanisms[i];
			found++;
		}
	}
	return found == 2 ? 0 : -EBADMSG;
}

/* Who asks for what cannot be is no vfscope. */
static int parse_numbers(struct agent_start *start)
{
	struct capture_config *capture = &start->config.capture;
	json_int_t buffer, wait, inflight, shares, silence;
	double *overhead = &start->config.max_overhead_percent;

	if (json_unpack(start->json, "{s:I, s:I, s:I, s:I, s:F, s:I}", "buffer_bytes", &buffer,
			"wait_ns", &wait, "max_inflight", &inflight, "max_shares", &shares,
			"max_overhead_percent", overhead, "silence_ms", &silence))
		return -EBADMSG;
	if (shares < 0 || shares > RECORD_MAX_SHARES)
		return -EBADMSG;
	if (inflight <= 0 || inflight > RECORD_MAX_INFLIGHT || buffer <= 0 || wait < 0 ||
	    !(*overhead >= 0) || silence < AGENT_MIN_SILENCE_MS || silence > AGENT_MAX_SILENCE_MS)
		return -EBADMSG;
	capture->buffer_bytes = (uint64_t)buffer;
	capture->wait_ns = (uint64_t)wait;
	capture->max_inflight = (uint32_t)inflight;
	capture->max_shares = (uint32_t)shares;
	start->silence_ms = (uint32_t)silence;
	return 0;
}

static int parse_config(struct agent_start *start)
{
	struct capture_config *capture = &start->config.capture;
	const char *level, *mechanism;
	int paths, dry_run, aggregate_ops = 0;
	json_t *mounts;

	if (json_unpack(start->json, "{s:o, s:s, s:b, s:s, s:b, s?b, s?s}", "mounts", &mounts,
			"level", &level, "paths", &paths, "mechanism", &mechanism, "dry_run",
			&dry_run, "aggregate_ops", &aggregate_ops, "command", &start->command) ||
	    !json_is_array(mounts))
		return -EBADMSG;
	if (parse_words(level, mechanism, capture) || parse_numbers(start))
		return -EBADMSG;
	capture->paths = paths;
	capture->aggregate_ops = aggregate_ops;
	start->dry_run = dry_run;
	if (capture->paths && capture->level != RECORD_OPS)
		return -EBADMSG;
	if (start->command && strlen(start->command) > MAX_COMMAND_BYTES)
		return -EBADMSG;
	return parse_mounts(mounts, &capture->mounts);
}

int agent_start_parse(const void *data, size_t len, struct agent_start *start)
{
	int err;

	memset(start, 0, sizeof(*start));
	start->json = parse_object(data, len);
	err = start->json ? parse_config(start) : -EBADMSG;
	if (err)
		agent_start_free(start);
	return err;
}

void agent_start_free(struct agent_start *start)
{
	json_decref(start->json);
	memset(start, 0, sizeof(*start));
}

char *agent_ended_pack(const struct agent_ended *ended)
{
	return dump(json_pack("{s:i, s:I}", "status", (int)ended->status, "bytes",
			      (json_int_t)ended->bytes));
}

int agent_ended_parse(const void *data, size_t len, struct agent_ended *ended)
{
	json_t *json = parse_object(data, len);
	json_int_t status, bytes;
	int err = -EBADMSG;

	if (json && !json_unpack(json, "{s:I, s:I}", "status", &status, "bytes", &bytes) &&
	    status >= EXIT_DONE && status <= EXIT_LOST && bytes >= 0) {
		ended->status = (uint32_t)status;
		ended->bytes = (uint64_t)bytes;
		err = 0;
	}
	json_decref(json);
	return err;
}
