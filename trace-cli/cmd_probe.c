// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vfscope probe: what is here to record, what is missing, what that costs, and what to do about it.
 */
#include <stdio.h>
#include <string.h>
#include "lib/compiler.h"
#include "lib/exit_status.h"
#include "lib/msg.h"
#include "lib/option.h"
#include "trace-cli/command.h"
#include "trace-cli/points_text.h"
#include "trace-cli/trace_text.h"
#include "trace/probe.h"

static const char *const formats[] = {"text", "json", NULL};

enum {
	FORMAT_TEXT,
	FORMAT_JSON,
};

struct probe_options {
	uint32_t format;
	bool guest;
	bool host;
};

static const struct command_help help = {
	.name = "probe",
	.summary = "what can be recorded on this machine, and what is missing",
	.text = "Tries each way to see virtio-fs that record would use, with programs that do\n"
		"nothing and are gone at once. Looks at the side that is here: the guest's if\n"
		"there is a virtio-fs device or mount, the host's if a virtiofsd runs.\n"
		"\n"
		"The status is 0 if recording is possible on each of these sides, and 3 if not, "
		"or\n"
		"if there is nothing of virtio-fs here.",
};

static const struct option_spec options[] = {
	OPTION("guest", 'g', OPT_BOOL, struct probe_options, guest, NULL,
	       "the guest's side, also if no virtio-fs is found"),
	OPTION("host", 'H', OPT_BOOL, struct probe_options, host, NULL,
	       "the host's side, also if no daemon is found"),
	OPTION_CHOICE("format", 'f', struct probe_options, format, formats,
		      "text (default), or json: one object"),
	OPTION_END,
};

/* A string of the object, safe to print; "-" if there is none. */
static const char *text(const json_t *object, const char *key, char *buf, size_t len)
{
	return json_string_value(json_object_get(object, key))
		       ? trace_text_of(object, key, buf, len)
		       : "-";
}

static bool is_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

static void print_yes_no(const json_t *object, const char *label)
{
	const char *key;
	json_t *value;
	bool first = true;

	json_object_foreach((json_t *)object, key, value)
	{
		printf("%-13s %-15s %s\n", first ? label : "", key,
		       json_is_true(value) ? "yes" : "missing");
		first = false;
	}
}

static void print_words(const json_t *object, const char *label)
{
	char buf[80];
	const char *key;
	json_t *value;
	bool first = true;

	json_object_foreach((json_t *)object, key, value)
	{
		if (!json_is_string(value))
			continue;
		printf("%-13s %s %s\n", first ? label : "", key,
		       text(object, key, buf, sizeof(buf)));
		first = false;
	}
}

/* Of recorders that were killed. */
static void print_stale(const json_t *stale)
{
	char remedy[336];

	if (stale)
		printf("%-13s %zu definitions of kretprobes, of recorders that were killed: "
		       "disabled, without cost.\n"
		       "%-13s The next recording by kprobes removes them; or:\n"
		       "%-13s %s\n",
		       "left over", json_array_size(json_object_get(stale, "names")), "", "",
		       text(stale, "remedy", remedy, sizeof(remedy)));
}

static void print_machine(const json_t *machine)
{
	const json_t *modules = json_object_get(machine, "btf_modules"), *module;
	char name[64], kernel[64], arch[32];
	size_t i;

	printf("%-13s %s, Linux %s %s, %" JSON_INTEGER_FORMAT " CPUs\n", "machine",
	       text(machine, "hostname", name, sizeof(name)),
	       text(machine, "kernel", kernel, sizeof(kernel)),
	       text(machine, "arch", arch, sizeof(arch)),
	       json_integer_value(json_object_get(machine, "cpus")));
	printf("%-13s %s", "BTF", is_true(machine, "btf") ? "vmlinux" : "missing");
	json_array_foreach((json_t *)modules, i, module)
	{
		printf("%s %s", i ? "," : ", modules", json_string_value(module));
	}
	printf("\n");
	print_words(json_object_get(machine, "mechanisms"), "mechanisms");
	print_yes_no(json_object_get(machine, "capabilities"), "capabilities");
	print_words(json_object_get(machine, "settings"), "settings");
	if (is_true(json_object_get(machine, "settings"), "memlock_counts"))
		printf("%-13s counts for BPF on this kernel: ulimit -l unlimited\n", "memlock");
	print_stale(json_object_get(machine, "stale_definitions"));
}

static void print_problems(const json_t *side)
{
	const json_t *problem;
	char what[336], remedy[512];
	size_t i;

	json_array_foreach(json_object_get(side, "problems"), i, problem)
	{
		printf("  problem: %s\n    remedy: %s\n", text(problem, "what", what, sizeof(what)),
		       text(problem, "remedy", remedy, sizeof(remedy)));
	}
}

static void print_verdict(const char *side, const json_t *object)
{
	printf("\n%s: %s\n", side,
	       is_true(object, "possible") ? "can be recorded" : "cannot be recorded");
	print_problems(object);
}

static void print_guest(const json_t *guest)
{
	char tag[64], path[128], mount_options[128];
	const json_t *mount;
	size_t i;

	print_verdict("guest", guest);
	json_array_foreach(json_object_get(guest, "mounts"), i, mount)
	{
		printf("  mount %s on %s, connection %" JSON_INTEGER_FORMAT ", %s\n",
		       text(mount, "tag", tag, sizeof(tag)),
		       text(mount, "path", path, sizeof(path)),
		       json_integer_value(json_object_get(mount, "conn")),
		       text(mount, "options", mount_options, sizeof(mount_options)));
	}
	points_print(stdout, json_object_get(guest, "points"));
}

static void print_daemon(const json_t *daemon)
{
	const json_t *vmm = json_object_get(daemon, "vmm");
	char kind[24], exe[128], version[80], dir[128], name[64], program[64];

	printf("  daemon %" JSON_INTEGER_FORMAT ": %s (%s), version %s\n    shares %s\n    ",
	       json_integer_value(json_object_get(daemon, "pid")),
	       text(daemon, "exe", exe, sizeof(exe)), text(daemon, "kind", kind, sizeof(kind)),
	       text(daemon, "version", version, sizeof(version)),
	       text(daemon, "shared_dir", dir, sizeof(dir)));
	if (!is_true(daemon, "permitted"))
		printf("may not be looked into\n");
	else if (!is_true(daemon, "serves_vm"))
		printf("serves no VM\n");
	else if (!json_is_object(vmm))
		printf("serves a VM whose process is not to be seen\n");
	else
		printf("serves VM %s: process %" JSON_INTEGER_FORMAT ", %s, version %s\n",
		       text(vmm, "name", name, sizeof(name)),
		       json_integer_value(json_object_get(vmm, "pid")),
		       text(vmm, "program", program, sizeof(program)),
		       text(vmm, "version", version, sizeof(version)));
}

static void print_host(const json_t *host)
{
	const json_t *daemon;
	size_t i;

	print_verdict("host", host);
	json_array_foreach(json_object_get(host, "daemons"), i, daemon)
	{
		print_daemon(daemon);
	}
	points_print(stdout, json_object_get(host, "points"));
}

/* A side that was not asked for and is not here is left out. */
static json_t *probe_sides(const struct probe_options *o, bool *possible)
{
	json_t *result = json_object(), *guest = probe_guest(), *host = probe_host();
	bool by_itself = !o->guest && !o->host;

	json_object_set_new(result, "machine", probe_machine());
	*possible = true;
	if (o->guest || (by_itself && is_true(guest, "present"))) {
		*possible &= is_true(guest, "possible");
		json_object_set(result, "guest", guest);
	}
	if (o->host || (by_itself && is_true(host, "present"))) {
		*possible &= is_true(host, "possible");
		json_object_set(result, "host", host);
	}
	if (json_object_size(result) == 1)
		*possible = false;
	json_object_set_new(result, "possible", json_boolean(*possible));
	json_decref(guest);
	json_decref(host);
	return result;
}

static void print_text(const json_t *result)
{
	const json_t *guest = json_object_get(result, "guest");
	const json_t *host = json_object_get(result, "host");

	print_machine(json_object_get(result, "machine"));
	if (guest)
		print_guest(guest);
	if (host)
		print_host(host);
	if (!guest && !host)
		printf("\nnothing of virtio-fs here: neither a device or mount (this would be a "
		       "guest) nor a virtiofsd (a\nhost). With --guest or --host this looks at "
		       "one side all the same.\n");
}

int cmd_probe(int argc, char **argv)
{
	struct probe_options o = {};
	int status = options_parse(&help, options, &o, argc, argv, NULL);
	bool possible;
	json_t *result;

	if (status)
		return status == OPTIONS_HELP ? EXIT_DONE : EXIT_USAGE;
	result = probe_sides(&o, &possible);
	if (!result) {
		msg_error("cannot probe: out of memory");
		return EXIT_CANNOT;
	}
	if (o.format == FORMAT_JSON) {
		json_dumpf(result, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		print_text(result);
	}
	json_decref(result);
	return possible ? EXIT_DONE : EXIT_CANNOT;
}
