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

#define LABEL_WIDTH 9
#define LINE_WIDTH 98

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

static json_int_t number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void print_machine(FILE *out, const char *label, const json_t *header)
{
	char name[40], kernel[40], arch[16];

	fprintf(out, "%-9s %s, Linux %s %s", label,
		trace_text_of(header, "hostname", name, sizeof(name)),
		trace_text_of(header, "kernel", kernel, sizeof(kernel)),
		trace_text_of(header, "arch", arch, sizeof(arch)));
	if (json_is_integer(json_object_get(header, "cpus")))
		fprintf(out, ", %" JSON_INTEGER_FORMAT " CPUs", number_of(header, "cpus"));
	fprintf(out, "\n");
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

static const json_t *find_connection(const json_t *connections, json_int_t conn)
{
	const json_t *connection;
	size_t i;

	json_array_foreach((json_t *)connections, i, connection)
	{
		if (number_of(connection, "conn") == conn)
			return connection;
	}
	return NULL;
}

/* Keys come from the file, too. */
static bool is_word(const char *key)
{
	size_t len = strspn(key, "abcdefghijklmnopqrstuvwxyz_0123456789");

	return len && len < 32 && !key[len];
}

/* One of several words below a label, on a new line where it would not fit. *column: 0 at first. */
static void print_word(FILE *out, size_t *column, const char *word)
{
	size_t len = strlen(word);

	if (!*column || *column + 1 + len > LINE_WIDTH) {
		fprintf(out, "%s%*s", *column ? "\n" : "", LABEL_WIDTH, "");
		*column = LABEL_WIDTH;
	}
	fprintf(out, " %s", word);
	*column += 1 + len;
}

static void end_words(FILE *out, size_t column)
{
	if (column)
		fprintf(out, "\n");
}

__attribute__((format(printf, 3, 0))) static void print_part(FILE *out, size_t *column,
							     const char *format, json_int_t number)
{
	char part[64];

	snprintf(part, sizeof(part), format, number);
	print_word(out, column, part);
}

/* The flags that are set: each key that is true. */
static void print_flags(FILE *out, const char *title, const json_t *flags)
{
	size_t column = 0;
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)flags, key, value)
	{
		if (!json_is_true(value) || !is_word(key))
			continue;
		if (!column && *title)
			print_word(out, &column, title);
		print_word(out, &column, key);
	}
	end_words(out, column);
}

static void print_connection(FILE *out, const json_t *connection)
{
	char max_write[48], bytes[32];
	size_t column = 0;

	if (!connection)
		return;
	print_part(out, &column, "FUSE 7.%" JSON_INTEGER_FORMAT ",",
		   number_of(connection, "fuse_minor"));
	snprintf(max_write, sizeof(max_write), "max_write %s,",
		 format_bytes((double)number_of(connection, "max_write"), bytes, sizeof(bytes)));
	print_word(out, &column, max_write);
	print_part(out, &column, "max_pages %" JSON_INTEGER_FORMAT ",",
		   number_of(connection, "max_pages"));
	print_part(out, &column, "max_background %" JSON_INTEGER_FORMAT ",",
		   number_of(connection, "max_background"));
	print_part(out, &column, "request queues %" JSON_INTEGER_FORMAT ",",
		   number_of(connection, "request_queues"));
	print_part(out, &column, "ring %" JSON_INTEGER_FORMAT, number_of(connection, "queue_size"));
	end_words(out, column);
	print_flags(out, "", connection);
	print_flags(out, "learned from ENOSYS before:", json_object_get(connection, "learned"));
}

static void print_mounts(FILE *out, const json_t *guest, const json_t *connections)
{
	const json_t *mounts = json_object_get(guest, "mounts"), *mount;
	char tag[32], path[48], options[64];
	size_t i, column;

	json_array_foreach((json_t *)mounts, i, mount)
	{
		fprintf(out, "%-9s %s on %s, connection %" JSON_INTEGER_FORMAT, "mount",
			trace_text_of(mount, "tag", tag, sizeof(tag)),
			trace_text_of(mount, "path", path, sizeof(path)), number_of(mount, "conn"));
		fprintf(out, "\n");
		column = 0;
		if (json_is_string(json_object_get(mount, "options")))
			print_word(out, &column,
				   trace_text_of(mount, "options", options, sizeof(options)));
		end_words(out, column);
		print_connection(out, find_connection(connections, number_of(mount, "conn")));
	}
}

static void print_vmm(FILE *out, const json_t *vmm)
{
	char program[32], version[48], name[32], option[80];
	const json_t *options = json_object_get(vmm, "options"), *word;
	size_t i, column = 0;

	fprintf(out, "%-9s %s", "VMM", trace_text_of(vmm, "program", program, sizeof(program)));
	if (json_object_get(vmm, "version"))
		fprintf(out, " %s", trace_text_of(vmm, "version", version, sizeof(version)));
	if (json_object_get(vmm, "name"))
		fprintf(out, ", VM %s", trace_text_of(vmm, "name", name, sizeof(name)));
	fprintf(out, "\n");
	json_array_foreach((json_t *)options, i, word)
	{
		json_t *one = json_pack("{s:O}", "word", word);

		print_word(out, &column, trace_text_of(one, "word", option, sizeof(option)));
		json_decref(one);
	}
	end_words(out, column);
}

/* Files of older recorders have neither. */
static void print_programs(FILE *out, const json_t *daemon)
{
	const json_t *vmm = json_object_get(daemon, "vmm");
	char version[48], build_id[48], part[80];
	size_t column = 0;

	if (json_object_get(daemon, "version")) {
		snprintf(part, sizeof(part), "version %s",
			 trace_text_of(daemon, "version", version, sizeof(version)));
		print_word(out, &column, part);
	}
	if (json_object_get(daemon, "build_id")) {
		snprintf(part, sizeof(part), "build-id %s",
			 trace_text_of(daemon, "build_id", build_id, sizeof(build_id)));
		print_word(out, &column, part);
	}
	end_words(out, column);
	if (json_is_object(vmm))
		print_vmm(out, vmm);
}

static void print_daemon(FILE *out, const json_t *daemon)
{
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
	print_programs(out, daemon);
}

static const json_t *of_slot(const json_t *daemons, json_int_t slot)
{
	const json_t *entry;
	size_t i;

	json_array_foreach((json_t *)daemons, i, entry)
	{
		if (json_is_integer(json_object_get(entry, "slot")) &&
		    number_of(entry, "slot") == slot)
			return entry;
	}
	return NULL;
}

/* The same process with other rings: the one that it follows; else NULL. */
static const json_t *same_before(const json_t *daemons, const json_t *entry)
{
	const json_t *follows = json_object_get(entry, "follows"), *before;

	before = json_is_integer(follows) ? of_slot(daemons, json_integer_value(follows)) : NULL;
	return before && number_of(before, "pid") == number_of(entry, "pid") ? before : NULL;
}

/* What the footer knows of one of several daemons. */
static void print_daemon_counts(FILE *out, const json_t *daemons, const json_t *entry,
				const json_t *daemon)
{
	const json_t *follows = json_object_get(entry, "follows"), *before;
	char waited[32], shared[72];

	if (!entry)
		return;
	fprintf(out, "          %" JSON_INTEGER_FORMAT " requests", number_of(entry, "requests"));
	if (json_array_size(daemons) > 1)
		fprintf(out, " of %s", trace_text_of(daemon, "shared_dir", shared, sizeof(shared)));
	if (json_object_get(entry, "cpu_waits"))
		fprintf(out, "; threads waited %s for a CPU in %" JSON_INTEGER_FORMAT " waits",
			format_ns((double)number_of(entry, "cpu_wait_ns"), waited, sizeof(waited)),
			number_of(entry, "cpu_waits"));
	before = json_is_integer(follows) ? of_slot(daemons, json_integer_value(follows)) : NULL;
	if (same_before(daemons, entry))
		fprintf(out, "; after the guest had set up the device anew");
	else if (before)
		fprintf(out, "; takes the place of %" JSON_INTEGER_FORMAT,
			number_of(before, "pid"));
	else if (json_object_get(entry, "start_ns"))
		fprintf(out, "; found during the recording");
	if (json_is_true(json_object_get(entry, "reset")))
		fprintf(out, "; then the guest reset the device");
	else if (json_object_get(entry, "end_ns"))
		fprintf(out, "; ended during the recording");
	fprintf(out, "\n");
}

/* Those that were there at the start are in the header, the later ones in the footer. */
static void print_daemons(FILE *out, const json_t *host, const json_t *footer)
{
	const json_t *started = json_object_get(host, "daemons");
	const json_t *known = json_object_get(footer, "daemons"), *entry, *last = NULL;
	size_t i;

	if (!json_array_size(started)) {
		last = of_slot(known, 0);
		print_daemon(out, json_object_get(host, "daemon"));
		print_daemon_counts(out, known, of_slot(known, 0), json_object_get(host, "daemon"));
	}
	json_array_foreach((json_t *)started, i, entry)
	{
		last = of_slot(known, number_of(entry, "slot"));
		print_daemon(out, json_object_get(entry, "daemon"));
		print_daemon_counts(out, known, last, json_object_get(entry, "daemon"));
	}
	json_array_foreach((json_t *)known, i, entry)
	{
		if (!json_object_get(entry, "daemon"))
			continue;
		if (!last || same_before(known, entry) != last)
			print_daemon(out, json_object_get(entry, "daemon"));
		last = entry;
		print_daemon_counts(out, known, entry, json_object_get(entry, "daemon"));
	}
}

/*
 * Of the footer if there is one: it has those that were recorded. The header has those that were
 * there at the start, and is all that an interrupted recording has.
 */
static const json_t *connections_of(const json_t *guest, const json_t *guest_footer)
{
	const json_t *recorded = json_object_get(guest_footer, "connections");

	return json_array_size(recorded) ? recorded : json_object_get(guest, "connections");
}

/* Name of the mode if the trace says enough to know it, else NULL. */
static const char *mode_of(const json_t *connections, const json_t *host)
{
	const json_t *daemon = json_object_get(host, "daemon"), *first;
	const char *cache = json_string_value(json_object_get(daemon, "cache"));

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
	double width = (double)json_integer_value(json_object_get(clock, "typical_width_ns"));
	double wander = json_real_value(json_object_get(clock, "wander"));
	char half[32];

	if (!json_is_object(clock))
		return;
	fprintf(out, "%-9s guest and host aligned to +-%s; drift %.2f ppm", "clocks",
		format_ns(width / 2, half, sizeof(half)),
		json_real_value(json_object_get(clock, "drift")) * 1e6);
	if (wander > 0)
		fprintf(out, ", not constant (followed within %.0f ppm)\n", wander * 1e6);
	else
		fprintf(out, " (%.2f to %.2f are possible)\n",
			json_real_value(json_object_get(clock, "drift_min")) * 1e6,
			json_real_value(json_object_get(clock, "drift_max")) * 1e6);
}

void trace_print_context(FILE *out, enum vft_kind kind, const json_t *header, const json_t *footer)
{
	const json_t *guest = kind == VFT_JOINED ? json_object_get(header, "guest") : header;
	const json_t *host = kind == VFT_JOINED ? json_object_get(header, "host") : header;
	const json_t *connections = connections_of(guest, kind == VFT_GUEST ? footer : NULL);
	const char *mode = mode_of(connections, host);

	print_date(out, header);
	if (kind != VFT_HOST) {
		print_machine(out, "guest", guest);
		print_mounts(out, guest, connections);
	}
	if (kind != VFT_GUEST) {
		print_machine(out, "host", host);
		print_daemons(out, host, kind == VFT_HOST ? footer : NULL);
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
