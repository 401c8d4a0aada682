// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Text about a trace as a whole. Headers come from files: a key may be missing or of another type.
 */
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include "bpf/events.h"
#include "lib/compiler.h"
#include "lib/loss.h"
#include "lib/mode.h"
#include "lib/units.h"
#include "trace-cli/trace_text.h"

const char *trace_text_of(const json_t *object, const char *key, char *buf, size_t len)
{
	const char *text = json_string_value(json_object_get(object, key));
	size_t i;

	if (!text)
		return "?";
	for (i = 0; i + 1 < len && text[i]; i++)
		buf[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? '?' : text[i];
	buf[i] = 0;
	return buf;
}

static void print_machine(FILE *out, const char *label, const json_t *header)
{
	char name[40], kernel[40], arch[16];

	fprintf(out, "%-9s %s, Linux %s %s\n", label,
		trace_text_of(header, "hostname", name, sizeof(name)),
		trace_text_of(header, "kernel", kernel, sizeof(kernel)),
		trace_text_of(header, "arch", arch, sizeof(arch)));
}

static void print_date(FILE *out, const json_t *header)
{
	json_int_t when = json_integer_value(json_object_get(header, "start_realtime_ns"));
	time_t seconds = (time_t)(when / (json_int_t)NS_PER_SEC);
	char date[40];
	struct tm tm;

	if (when <= 0 || !gmtime_r(&seconds, &tm))
		return;
	strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S UTC", &tm);
	fprintf(out, "%-9s %s\n", "recorded", date);
}

static void print_mounts(FILE *out, const json_t *guest)
{
	const json_t *mounts = json_object_get(guest, "mounts"), *mount;
	char tag[32], path[48];
	size_t i;

	json_array_foreach((json_t *)mounts, i, mount)
	{
		fprintf(out, "%-9s %s on %s, connection %" JSON_INTEGER_FORMAT "\n", "mount",
			trace_text_of(mount, "tag", tag, sizeof(tag)),
			trace_text_of(mount, "path", path, sizeof(path)),
			json_integer_value(json_object_get(mount, "conn")));
	}
}

static void print_daemon(FILE *out, const json_t *host)
{
	const json_t *daemon = json_object_get(host, "daemon");
	char kind[24], cache[16], exe[48];

	if (!json_is_object(daemon))
		return;
	fprintf(out,
		"%-9s %s (%s), cache=%s, thread pool %" JSON_INTEGER_FORMAT
		", process %" JSON_INTEGER_FORMAT "\n",
		"daemon", trace_text_of(daemon, "kind", kind, sizeof(kind)),
		trace_text_of(daemon, "exe", exe, sizeof(exe)),
		trace_text_of(daemon, "cache", cache, sizeof(cache)),
		json_integer_value(json_object_get(daemon, "thread_pool")),
		json_integer_value(json_object_get(daemon, "pid")));
}

/* Name of the mode if the trace says enough to know it, else NULL. */
static const char *mode_of(const json_t *guest, const json_t *host, const json_t *guest_footer)
{
	const json_t *daemon = json_object_get(host, "daemon");
	const json_t *connections = json_object_get(guest, "connections"), *first;
	const char *cache = json_string_value(json_object_get(daemon, "cache"));

	if (!connections)
		connections = json_object_get(guest_footer, "connections");
	first = json_array_get(connections, 0);
	if (json_array_size(connections) == 1) {
		if (json_is_true(json_object_get(first, "dax")))
			return mode_name(MODE_DAX);
		if (json_is_true(json_object_get(first, "writeback")))
			return mode_name(MODE_WRITEBACK);
	}
	if (!cache)
		return NULL;
	if (!strcmp(cache, "never") || !strcmp(cache, "none") || !strcmp(cache, "metadata"))
		return mode_name(MODE_DIRECT);
	return json_is_true(json_object_get(daemon, "writeback")) ? mode_name(MODE_WRITEBACK)
								  : mode_name(MODE_WRITETHROUGH);
}

static void print_clock(FILE *out, const json_t *clock)
{
	double width = (double)json_integer_value(json_object_get(clock, "width_ns"));
	char half[32];

	if (!json_is_object(clock))
		return;
	fprintf(out,
		"%-9s guest and host aligned to +-%s; drift %.2f ppm (%.2f to %.2f are possible)\n",
		"clocks", format_ns(width / 2, half, sizeof(half)),
		json_real_value(json_object_get(clock, "drift")) * 1e6,
		json_real_value(json_object_get(clock, "drift_min")) * 1e6,
		json_real_value(json_object_get(clock, "drift_max")) * 1e6);
}

void trace_print_context(FILE *out, enum vft_kind kind, const json_t *header, const json_t *footer)
{
	const json_t *guest = kind == VFT_JOINED ? json_object_get(header, "guest") : header;
	const json_t *host = kind == VFT_JOINED ? json_object_get(header, "host") : header;
	const char *mode = mode_of(guest, host, kind == VFT_GUEST ? footer : NULL);

	print_date(out, header);
	if (kind != VFT_HOST) {
		print_machine(out, "guest", guest);
		print_mounts(out, guest);
	}
	if (kind != VFT_GUEST) {
		print_machine(out, "host", host);
		print_daemon(out, host);
	}
	if (mode)
		fprintf(out, "%-9s %s\n", "mode", mode);
	if (kind == VFT_JOINED)
		print_clock(out, json_object_get(header, "clock"));
}

void trace_print_losses(FILE *out, const uint64_t *losses, bool interrupted)
{
	bool any = false;

	for (unsigned int i = 0; i < NR_LOSS_CLASSES; i++) {
		if (!losses[i])
			continue;
		fprintf(out, "%-9s %" PRIu64 " %s (%s)%s\n", any ? "" : "losses", losses[i],
			loss_meaning(i), loss_name(i),
			loss_is_data_loss(i) ? "" : ": normal at the edges");
		any = true;
	}
	if (interrupted)
		fprintf(out, "%-9s the recording was interrupted: what it lost is unknown\n",
			any ? "" : "losses");
	else if (!any)
		fprintf(out, "%-9s none\n", "losses");
}

json_t *trace_losses_json(const uint64_t *losses)
{
	json_t *object = json_object();

	for (unsigned int i = 0; object && i < NR_LOSS_CLASSES; i++)
		json_object_set_new(object, loss_name(i), json_integer((json_int_t)losses[i]));
	return object;
}

/* A joined file says in its footer if one of its inputs was interrupted. */
bool trace_was_interrupted(const struct vft_reader *r)
{
	const json_t *join = json_object_get(vft_reader_footer(r), "join");

	return vft_reader_interrupted(r) ||
	       json_is_true(json_object_get(join, "guest_interrupted")) ||
	       json_is_true(json_object_get(join, "host_interrupted"));
}

bool trace_lost_data(const uint64_t *losses, bool interrupted)
{
	for (unsigned int i = 0; i < NR_LOSS_CLASSES; i++)
		if (losses[i] && loss_is_data_loss(i))
			return true;
	return interrupted;
}
