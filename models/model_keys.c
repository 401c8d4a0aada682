// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The keys of model files: one table of settings, one of slopes; costs and services are named by
 * sim/stack.h and lib/fuse_opcode.h.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/compiler.h"
#include "lib/units.h"
#include "models/model_keys.h"

#define GUEST(field) offsetof(struct stack, guest.field)
#define TRANSPORT(field) offsetof(struct stack, transport.field)
#define DAEMON(field) offsetof(struct stack, daemon.field)
#define HOST(field) offsetof(struct stack, host.field)
#define KIB 1024ULL
#define MAX_TIMEOUT_NS (365ULL * 86400 * NS_PER_SEC)

/* clang-format off */
const struct model_setting model_settings[] = {
	{ "guest", "kernel", MODEL_SETTING_KERNEL, GUEST(kernel), KERNEL(5, 4), KERNEL(99, 0),
	  "guest kernel version: selects its request rules" },
	{ "guest", "vcpus", MODEL_SETTING_U32, GUEST(vcpus), 1, 1024, "virtual CPUs" },
	{ "guest", "memory", MODEL_SETTING_SIZE, GUEST(memory_bytes), 64 * KIB * KIB, 1ULL << 50,
	  "guest memory: page cache capacity and dirty limits" },
	{ "guest", "read_ahead", MODEL_SETTING_SIZE, GUEST(read_ahead_bytes), 0, 1ULL << 30,
	  "read_ahead_kb of the share's bdi, in bytes" },
	{ "guest", "hz", MODEL_SETTING_U32, GUEST(hz), 100, 1000, "CONFIG_HZ: retry and flusher timers" },
	{ "transport", "queue_size", MODEL_SETTING_U32, TRANSPORT(queue_size), 8, 32768,
	  "descriptors of each virtqueue, a power of two" },
	{ "transport", "request_queues", MODEL_SETTING_U32, TRANSPORT(request_queues), 1, 1024,
	  "request queues beside hiprio" },
	{ "transport", "event_idx", MODEL_SETTING_BOOL, TRANSPORT(event_idx), 0, 1,
	  "VIRTIO_RING_F_EVENT_IDX: kick and interrupt suppression" },
	{ "transport", "indirect_desc", MODEL_SETTING_BOOL, TRANSPORT(indirect_desc), 0, 1,
	  "VIRTIO_RING_F_INDIRECT_DESC: a request takes one ring slot" },
	{ "daemon", "kind", MODEL_SETTING_DAEMON, DAEMON(kind), 0, 0,
	  "c: QEMU's C virtiofsd, a thread per queue; rust: one thread for both queues" },
	{ "daemon", "mode", MODEL_SETTING_MODE, DAEMON(mode), 0, 0,
	  "how file data moves: direct (cache=never), writethrough (cache=auto), writeback, dax" },
	{ "daemon", "thread_pool_size", MODEL_SETTING_U32, DAEMON(thread_pool_size), 0, 4096,
	  "workers; 0: the queue's own thread serves" },
	{ "daemon", "max_write", MODEL_SETTING_SIZE32, DAEMON(max_write_bytes), 4 * KIB, 1ULL << 30,
	  "largest WRITE, from the INIT reply" },
	{ "daemon", "max_pages", MODEL_SETTING_U32, DAEMON(max_pages), 1, 65535,
	  "most pages of a request, from the INIT reply; the ring's size caps it further" },
	{ "daemon", "max_background", MODEL_SETTING_U32, DAEMON(max_background), 1, 65535,
	  "background requests sent at once, from the INIT reply" },
	{ "daemon", "attr_timeout", MODEL_SETTING_TIME, DAEMON(attr_timeout_ns), 0, MAX_TIMEOUT_NS,
	  "how long the guest trusts attributes" },
	{ "daemon", "entry_timeout", MODEL_SETTING_TIME, DAEMON(entry_timeout_ns), 0, MAX_TIMEOUT_NS,
	  "how long the guest trusts names" },
	{ "daemon", "xattr", MODEL_SETTING_BOOL, DAEMON(xattr), 0, 1,
	  "extended attributes: a GETXATTR before each cached write" },
	{ "daemon", "async_dio", MODEL_SETTING_BOOL, DAEMON(async_dio), 0, 1,
	  "FUSE_ASYNC_DIO: the chunks of a direct op go out together" },
	{ "host", "cpus", MODEL_SETTING_U32, HOST(cpus), 0, 65535,
	  "CPUs that vCPUs and daemon threads share; 0: as many as wanted" },
};
/* clang-format on */

const size_t nr_model_settings = ARRAY_SIZE(model_settings);
_Static_assert(ARRAY_SIZE(model_settings) <= MODEL_MAX_SETTINGS, "slots are numbered by it");

const struct model_slope model_slopes[MODEL_NR_SLOPES] = {
	{"read_hit_ns_per_page", offsetof(struct stack, read_hit_ns_per_page),
	 "each further page of a cached read, in ns"},
	{"write_hit_ns_per_page", offsetof(struct stack, write_hit_ns_per_page),
	 "each further page of a cached write, in ns"},
	{"complete_ns_per_byte", offsetof(struct stack, complete_ns_per_byte),
	 "completion work per byte of reply, in ns"},
};

static const char *const daemon_names[] = {[DAEMON_C] = "c", [DAEMON_RUST] = "rust"};

/* Row of [service.NAME] in the slot numbering, or -ENOENT. */
static int service_row(const char *section)
{
	int opcode;

	if (strncmp(section, "service.", 8))
		return -ENOENT;
	if (!strcmp(section + 8, "default"))
		return FUSE_OPCODE_LIMIT;
	opcode = fuse_opcode_from_name(section + 8);
	return opcode < 0 || opcode >= FUSE_OPCODE_LIMIT ? -ENOENT : opcode;
}

int model_section_known(const char *section)
{
	if (!strcmp(section, "model") || !strcmp(section, "costs") || service_row(section) >= 0)
		return 1;
	for (size_t i = 0; i < nr_model_settings; i++)
		if (!strcmp(model_settings[i].section, section))
			return 1;
	return 0;
}

static int find_setting(const char *section, const char *key, struct model_key *found)
{
	for (size_t i = 0; i < nr_model_settings; i++)
		if (!strcmp(model_settings[i].section, section) &&
		    !strcmp(model_settings[i].key, key)) {
			found->kind = MODEL_KEY_SETTING;
			found->setting = &model_settings[i];
			found->slot = 1 + i;
			return 0;
		}
	return -ENOENT;
}

static int find_cost(struct stack *stack, const char *key, struct model_key *found)
{
	for (int i = 0; i < NR_COSTS; i++)
		if (!strcmp(cost_name(i), key)) {
			found->kind = MODEL_KEY_DIST;
			found->dist = &stack->cost[i];
			found->slot = MODEL_SLOT_COSTS + i;
			return 0;
		}
	for (int i = 0; i < MODEL_NR_SLOPES; i++)
		if (!strcmp(model_slopes[i].key, key)) {
			found->kind = MODEL_KEY_SLOPE;
			found->slope = (double *)((char *)stack + model_slopes[i].offset);
			found->slot = MODEL_SLOT_SLOPES + i;
			return 0;
		}
	return -ENOENT;
}

static int find_service(struct stack *stack, int row, const char *key, struct model_key *found)
{
	static const char *const keys[MODEL_KEYS_PER_SERVICE] = {
		"cpu", "host_io", "cpu_ns_per_byte", "host_io_ns_per_byte"};
	struct service_cost *service =
		row == FUSE_OPCODE_LIMIT ? &stack->service_default : &stack->service[row];

	for (int i = 0; i < MODEL_KEYS_PER_SERVICE; i++) {
		if (strcmp(keys[i], key))
			continue;
		found->kind = i < 2 ? MODEL_KEY_DIST : MODEL_KEY_SLOPE;
		found->service = service;
		found->dist = i == 0 ? &service->cpu : i == 1 ? &service->host_io : NULL;
		found->slope = i == 2	? &service->cpu_ns_per_byte
			       : i == 3 ? &service->host_io_ns_per_byte
					: NULL;
		found->slot = MODEL_SLOT_SERVICE + MODEL_KEYS_PER_SERVICE * row + i;
		return 0;
	}
	return -ENOENT;
}

int model_key_find(struct stack *stack, const char *section, const char *key,
		   struct model_key *found)
{
	int row;

	*found = (struct model_key){0};
	if (!strcmp(section, "model")) {
		found->kind = MODEL_KEY_NAME;
		return strcmp(key, "name") ? -ENOENT : 0;
	}
	if (!strcmp(section, "costs"))
		return find_cost(stack, key, found);
	row = service_row(section);
	if (row >= 0)
		return find_service(stack, row, key, found);
	return find_setting(section, key, found);
}

static int parse_kernel(const char *text, uint64_t *value)
{
	unsigned int major, minor;
	int used = 0;

	if (sscanf(text, "%3u.%3u%n", &major, &minor, &used) != 2 || text[used])
		return -EINVAL;
	*value = KERNEL(major, minor);
	return 0;
}

static int parse_bool(const char *text, uint64_t *value)
{
	static const char *const yes[] = {"on", "yes", "true", "1"};
	static const char *const no[] = {"off", "no", "false", "0"};

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		*value = !strcmp(text, yes[i]);
		if (*value || !strcmp(text, no[i]))
			return 0;
	}
	return -EINVAL;
}

static int parse_daemon(const char *text, uint64_t *value)
{
	for (size_t i = 0; i < ARRAY_SIZE(daemon_names); i++)
		if (!strcmp(text, daemon_names[i])) {
			*value = i;
			return 0;
		}
	return -EINVAL;
}

static int parse_mode(const char *text, uint64_t *value)
{
	int mode = mode_from_name(text);

	*value = mode;
	return mode < 0 ? -EINVAL : 0;
}

static const struct {
	int (*parse)(const char *text, uint64_t *value);
	const char *form; /* for messages */
} setting_forms[] = {
	[MODEL_SETTING_U32] = {parse_u64, "a whole number"},
	[MODEL_SETTING_SIZE32] = {parse_size, "a size like 128k"},
	[MODEL_SETTING_SIZE] = {parse_size, "a size like 1g"},
	[MODEL_SETTING_TIME] = {parse_time_ns, "a time with its unit, like 1s"},
	[MODEL_SETTING_BOOL] = {parse_bool, "on or off"},
	[MODEL_SETTING_KERNEL] = {parse_kernel, "a kernel version like 6.1"},
	[MODEL_SETTING_DAEMON] = {parse_daemon, "c or rust"},
	[MODEL_SETTING_MODE] = {parse_mode, "direct, writethrough, writeback or dax"},
};

static void store(struct stack *stack, const struct model_setting *s, uint64_t value)
{
	void *field = (char *)stack + s->offset;

	switch (s->type) {
	case MODEL_SETTING_U32:
	case MODEL_SETTING_SIZE32:
	case MODEL_SETTING_KERNEL:
		*(uint32_t *)field = value;
		break;
	case MODEL_SETTING_SIZE:
	case MODEL_SETTING_TIME:
		*(uint64_t *)field = value;
		break;
	case MODEL_SETTING_BOOL:
		*(bool *)field = value;
		break;
	case MODEL_SETTING_DAEMON:
		*(enum daemon_kind *)field = value;
		break;
	case MODEL_SETTING_MODE:
		*(enum io_mode *)field = value;
		break;
	}
}

static uint64_t fetch(const struct stack *stack, const struct model_setting *s)
{
	const void *field = (const char *)stack + s->offset;

	switch (s->type) {
	case MODEL_SETTING_SIZE:
	case MODEL_SETTING_TIME:
		return *(const uint64_t *)field;
	case MODEL_SETTING_BOOL:
		return *(const bool *)field;
	case MODEL_SETTING_DAEMON:
		return *(const enum daemon_kind *)field;
	case MODEL_SETTING_MODE:
		return *(const enum io_mode *)field;
	default:
		return *(const uint32_t *)field;
	}
}

/* "128k", "2s": the largest unit that divides the value, so that nothing is rounded. */
static void format_exact(uint64_t value, uint64_t base, const char *const *units, char *buf,
			 size_t len)
{
	int i = 0;

	while (value && value % base == 0 && units[i + 1]) {
		value /= base;
		i++;
	}
	snprintf(buf, len, "%" PRIu64 "%s", value, units[i]);
}

static void format_setting_value(enum model_setting_type type, uint64_t value, char *buf,
				 size_t len)
{
	static const char *const sizes[] = {"", "k", "m", "g", NULL};
	static const char *const times[] = {"ns", "us", "ms", "s", NULL};

	switch (type) {
	case MODEL_SETTING_U32:
		snprintf(buf, len, "%" PRIu64, value);
		break;
	case MODEL_SETTING_SIZE32:
	case MODEL_SETTING_SIZE:
		format_exact(value, 1024, sizes, buf, len);
		break;
	case MODEL_SETTING_TIME:
		format_exact(value, 1000, times, buf, len);
		break;
	case MODEL_SETTING_BOOL:
		snprintf(buf, len, "%s", value ? "on" : "off");
		break;
	case MODEL_SETTING_KERNEL:
		snprintf(buf, len, "%" PRIu64 ".%" PRIu64, value / 1000, value % 1000);
		break;
	case MODEL_SETTING_DAEMON:
		snprintf(buf, len, "%s", daemon_names[value]);
		break;
	case MODEL_SETTING_MODE:
		snprintf(buf, len, "%s", mode_name(value));
		break;
	}
}

const char *setting_format(const struct stack *stack, const struct model_setting *setting,
			   char *buf, size_t len)
{
	format_setting_value(setting->type, fetch(stack, setting), buf, len);
	return buf;
}

static int assign_setting(struct stack *stack, const struct model_setting *s, const char *value,
			  char *err, size_t err_len)
{
	char low[32], high[32];
	uint64_t number;

	if (setting_forms[s->type].parse(value, &number)) {
		snprintf(err, err_len, "write %s", setting_forms[s->type].form);
		return -EINVAL;
	}
	if (s->high && (number < s->low || number > s->high)) {
		format_setting_value(s->type, s->low, low, sizeof(low));
		format_setting_value(s->type, s->high, high, sizeof(high));
		snprintf(err, err_len, "out of range: %s to %s", low, high);
		return -EINVAL;
	}
	store(stack, s, number);
	return 0;
}

static int assign_slope(double *slope, const char *value, char *err, size_t err_len)
{
	double number;

	if (parse_double(value, &number) || !(number >= 0) || number > 1e9) {
		snprintf(err, err_len, "write ns as a number from 0 to 1e9");
		return -EINVAL;
	}
	*slope = number;
	return 0;
}

int model_key_assign(struct stack *stack, const struct model_key *key, const char *value, char *err,
		     size_t err_len)
{
	struct dist dist;

	if (key->service)
		key->service->known = true;
	switch (key->kind) {
	case MODEL_KEY_NAME:
		if (!*value || strlen(value) >= sizeof(stack->name)) {
			snprintf(err, err_len, "write 1 to %zu characters",
				 sizeof(stack->name) - 1);
			return -EINVAL;
		}
		strcpy(stack->name, value);
		return 0;
	case MODEL_KEY_SETTING:
		return assign_setting(stack, key->setting, value, err, err_len);
	case MODEL_KEY_DIST:
		if (dist_parse(&dist, value, err, err_len))
			return -EINVAL;
		*key->dist = dist;
		return 0;
	case MODEL_KEY_SLOPE:
		return assign_slope(key->slope, value, err, err_len);
	}
	return -EINVAL;
}
