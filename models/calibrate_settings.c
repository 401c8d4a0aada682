// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Settings of a stack from the header of a trace. Traces differ in how much they know (guest half,
 * host half, both): each setting is looked for where recorders put it, and said to be a default
 * where it is not found.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/virtio_ring.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "lib/compiler.h"
#include "models/calibrate.h"

struct said {
	FILE *out;
};

/* The first value of this key at any depth: joined headers hold the two halves' headers. */
const json_t *calibrate_find(const json_t *json, const char *key)
{
	const json_t *value;
	json_t *child;
	const char *name;
	size_t i;

	if (json_is_array(json)) {
		json_array_foreach((json_t *)json, i, child)
		{
			value = calibrate_find(child, key);
			if (value)
				return value;
		}
		return NULL;
	}
	value = json_object_get(json, key);
	if (value)
		return value;
	json_object_foreach((json_t *)json, name, child)
	{
		value = calibrate_find(child, key);
		if (value)
			return value;
	}
	return NULL;
}

static void PRINTF_LIKE(2, 3) say(struct said *said, const char *fmt, ...)
{
	va_list ap;

	fprintf(said->out, "#   ");
	va_start(ap, fmt);
	vfprintf(said->out, fmt, ap);
	va_end(ap);
	fprintf(said->out, "\n");
}

/* An integer between low and high into *field, or a word that it is a default. */
static void set_u32(struct said *said, const json_t *json, const char *key, uint32_t low,
		    uint32_t high, uint32_t *field)
{
	json_int_t value = json_integer_value(calibrate_find(json, key));

	if (value >= low && value <= high) {
		*field = value;
		say(said, "%s: %" PRIu32, key, *field);
	} else {
		say(said, "%s: not in the trace, default %" PRIu32, key, *field);
	}
}

static void set_flag(struct said *said, const json_t *json, const char *key, bool *field)
{
	const json_t *value = calibrate_find(json, key);

	if (json_is_boolean(value))
		*field = json_is_true(value);
	say(said, "%s: %s%s", key, *field ? "on" : "off",
	    json_is_boolean(value) ? "" : " (default: not in the trace)");
}

static void set_kernel(struct said *said, const json_t *guest, struct stack *stack)
{
	const char *release = json_string_value(calibrate_find(guest, "kernel"));
	unsigned int major, minor;

	if (release && sscanf(release, "%3u.%3u", &major, &minor) == 2) {
		stack->guest.kernel = KERNEL(major, minor);
		say(said, "guest kernel: %s", release);
	} else {
		say(said, "guest kernel: not in the trace, default %u.%u",
		    stack->guest.kernel / 1000, stack->guest.kernel % 1000);
	}
}

static void set_features(struct said *said, const json_t *guest, struct stack *stack)
{
	const char *text = json_string_value(calibrate_find(guest, "virtio_features"));
	uint64_t bits;

	if (!text)
		text = json_string_value(calibrate_find(guest, "features"));
	if (!text) {
		say(said, "virtio features: not in the trace, defaults");
		return;
	}
	bits = strtoull(text, NULL, 0);
	stack->transport.event_idx = bits >> VIRTIO_RING_F_EVENT_IDX & 1;
	stack->transport.indirect_desc = bits >> VIRTIO_RING_F_INDIRECT_DESC & 1;
	say(said, "virtio features: %s", text);
}

static void set_cache(struct said *said, const json_t *daemon, struct stack *stack)
{
	struct daemon_settings *d = &stack->daemon;
	const char *cache = json_string_value(json_object_get(daemon, "cache"));
	uint64_t timeout = NS_PER_SEC;

	cache = cache ? cache : "auto";
	d->mode = json_is_true(json_object_get(daemon, "writeback")) ? MODE_WRITEBACK
								     : MODE_WRITETHROUGH;
	if (!strcmp(cache, "never") || !strcmp(cache, "none")) {
		d->mode = MODE_DIRECT;
		timeout = 0;
	} else if (!strcmp(cache, "metadata")) {
		d->mode = MODE_DIRECT;
		timeout = 86400 * NS_PER_SEC;
	} else if (!strcmp(cache, "always")) {
		timeout = 86400 * NS_PER_SEC;
	}
	d->attr_timeout_ns = d->entry_timeout_ns = timeout;
	d->keep_cache = !strcmp(cache, "always");
	d->cache_dir = d->keep_cache || !strcmp(cache, "metadata");
	d->readdirplus = strcmp(cache, "metadata") ? READDIRPLUS_AUTO : READDIRPLUS_YES;
	say(said, "mode: %s (cache=%s)", mode_name(d->mode), cache);
}

static void set_daemon(struct said *said, const json_t *host, struct stack *stack)
{
	const json_t *daemon = calibrate_find(host, "daemon"), *args, *arg;
	struct daemon_settings *d = &stack->daemon;
	const char *kind;
	json_int_t pool;
	size_t i;

	if (!json_is_object(daemon)) {
		say(said, "daemon: not in the trace, defaults");
		return;
	}
	kind = json_string_value(json_object_get(daemon, "kind"));
	if (kind)
		d->kind = !strcmp(kind, "rust") ? DAEMON_RUST : DAEMON_C;
	pool = json_integer_value(json_object_get(daemon, "thread_pool"));
	d->thread_pool_size = pool >= 0 && pool <= 4096 ? pool : 0;
	d->xattr = json_is_true(json_object_get(daemon, "xattr"));
	say(said, "daemon: %s, thread pool %" PRIu32, kind ? kind : "kind not recorded",
	    d->thread_pool_size);
	set_cache(said, daemon, stack);
	args = json_object_get(daemon, "args");
	fprintf(said->out, "#   daemon command:");
	json_array_foreach((json_t *)args, i, arg)
		fprintf(said->out, " %s", json_is_string(arg) ? json_string_value(arg) : "?");
	fprintf(said->out, "\n");
}

/* The guest kernel knows the device's window, and whether the mount uses it. */
static void set_dax(struct said *said, const json_t *guest, struct stack *stack)
{
	json_int_t bytes = json_integer_value(calibrate_find(guest, "dax_window_bytes"));

	if (bytes < FUSE_DAX_RANGE_BYTES || bytes > 1LL << 40) {
		say(said, "DAX window: none");
		return;
	}
	stack->dax.window_bytes = bytes;
	say(said, "DAX window: %" PRIu64 " MiB", stack->dax.window_bytes >> 20);
	if (json_is_true(calibrate_find(guest, "dax"))) {
		stack->daemon.mode = MODE_DAX;
		say(said, "mode: dax (mount option)");
	}
}

/* Writes through a cache that the guest has been told to write back: known without the daemon, too.
 */
static void set_writeback(struct said *said, const json_t *guest, struct stack *stack)
{
	if (!json_is_true(calibrate_find(guest, "writeback")) ||
	    stack->daemon.mode != MODE_WRITETHROUGH)
		return;
	stack->daemon.mode = MODE_WRITEBACK;
	say(said, "mode: writeback (negotiated)");
}

/* Left at auto where that means the same, so that it follows the mode when another one is tried. */
static void set_readdirplus(struct said *said, const json_t *guest, struct stack *stack)
{
	const json_t *plus = calibrate_find(guest, "readdirplus");
	struct daemon_settings *d = &stack->daemon;
	bool now = d->readdirplus == READDIRPLUS_AUTO ? d->mode != MODE_DIRECT
						      : d->readdirplus == READDIRPLUS_YES;

	if (!json_is_boolean(plus))
		return;
	if (json_is_true(plus) != now)
		d->readdirplus = json_is_true(plus) ? READDIRPLUS_YES : READDIRPLUS_NO;
	say(said, "readdirplus: %s", json_is_true(plus) ? "on" : "off");
}

/* What a daemon may have decided otherwise than the simulated guest takes it to be. */
static void say_not_simulated(struct said *said, const json_t *guest)
{
	static const struct {
		const char *key;
		bool simulated;
	} flags[] = {
		{"atomic_o_trunc", true}, {"async_read", true},	  {"big_writes", true},
		{"auto_inval", true},	  {"no_open", false},	  {"no_opendir", false},
		{"no_flush", false},	  {"no_fsync", false},	  {"no_create", false},
		{"posix_acl", false},	  {"killpriv_v2", false}, {"passthrough", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		const json_t *value = calibrate_find(guest, flags[i].key);

		if (json_is_boolean(value) && json_is_true(value) != flags[i].simulated)
			say(said, "%s: %s, which is not simulated", flags[i].key,
			    json_is_true(value) ? "on" : "off");
	}
}

/* What the guest learned from its daemon, whatever that was told on its command line. */
static void set_negotiated(struct said *said, const json_t *guest, struct stack *stack)
{
	set_flag(said, guest, "parallel_dirops", &stack->daemon.parallel_dirops);
	if (json_is_true(calibrate_find(guest, "no_getxattr"))) {
		stack->daemon.xattr = false;
		say(said, "xattr: off (the daemon has answered ENOSYS)");
	}
	set_writeback(said, guest, stack);
	set_readdirplus(said, guest, stack);
	say_not_simulated(said, guest);
}

/* The host half knows the guest's memory from the regions that the VMM shares. */
static void set_memory(struct said *said, const json_t *header, struct stack *stack)
{
	const json_t *regions = calibrate_find(header, "guest_memory"), *region;
	uint64_t bytes = 0;
	size_t i;

	json_array_foreach((json_t *)regions, i, region) bytes +=
		json_integer_value(json_object_get(region, "bytes"));
	if (bytes >= 64ULL << 20 && bytes < 1ULL << 46) {
		stack->guest.memory_bytes = bytes;
		say(said, "guest memory: %" PRIu64 " MiB", bytes >> 20);
	} else {
		say(said, "guest memory: not in the trace, default %" PRIu64 " MiB",
		    stack->guest.memory_bytes >> 20);
	}
}

int calibrate_settings(struct stack *stack, const json_t *header, char **lines)
{
	const json_t *guest = json_object_get(header, "guest"), *kb;
	const json_t *host = json_object_get(header, "host");
	struct said said;
	size_t len;

	guest = guest ? guest : header;
	host = host ? host : header;
	said.out = open_memstream(lines, &len);
	if (!said.out)
		return -ENOMEM;
	set_kernel(&said, guest, stack);
	set_u32(&said, guest, "cpus", 1, 1024, &stack->guest.vcpus);
	set_memory(&said, header, stack);
	kb = calibrate_find(guest, "read_ahead_kb");
	if (json_is_integer(kb) && json_integer_value(kb) >= 0 &&
	    json_integer_value(kb) <= 1 << 20) {
		stack->guest.read_ahead_bytes = json_integer_value(kb) << 10;
		say(&said, "read-ahead: %" PRIu64 " KiB", stack->guest.read_ahead_bytes >> 10);
	}
	/* What INIT negotiated, as the guest kernel keeps it. */
	set_u32(&said, guest, "queue_size", 8, 32768, &stack->transport.queue_size);
	set_u32(&said, guest, "request_queues", 1, 1024, &stack->transport.request_queues);
	set_u32(&said, guest, "max_write", 4096, 1 << 30, &stack->daemon.max_write_bytes);
	set_u32(&said, guest, "max_pages", 1, 65535, &stack->daemon.max_pages);
	set_u32(&said, guest, "max_background", 1, 65535, &stack->daemon.max_background);
	set_flag(&said, guest, "async_dio", &stack->daemon.async_dio);
	set_features(&said, guest, stack);
	set_daemon(&said, host, stack);
	set_dax(&said, guest, stack);
	set_negotiated(&said, guest, stack);
	if (host != header)
		set_u32(&said, host, "cpus", 1, 65535, &stack->host.cpus);
	return fclose(said.out) ? -ENOMEM : 0;
}
