// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the command line of a VM's process tells of the VM.
 */
#include <stdbool.h>
#include <string.h>
#include "lib/compiler.h"
#include "trace/vmm_info.h"

/* prefix: only with a value that begins so; NULL: any. */
struct kept_option {
	const char *name;
	const char *prefix;
	bool alone; /* takes no value */
};

static const struct kept_option kept[] = {
	{"machine", NULL, false},
	{"M", NULL, false},
	{"accel", NULL, false},
	{"enable-kvm", NULL, true},
	{"cpu", NULL, false},
	{"smp", NULL, false},
	{"m", NULL, false},
	{"mem-prealloc", NULL, true},
	{"overcommit", NULL, false},
	{"icount", NULL, false},
	{"object", "memory-backend", false},
	{"object", "{\"qom-type\":\"memory-backend", false}, /* libvirt's way */
	{"object", "iothread", false},
	{"numa", NULL, false},
	{"device", "vhost-user-fs", false},
	{"device", "{\"driver\":\"vhost-user-fs", false},
	{"device", "vhost-user-test-device", false},
	{"global", "vhost-user-fs", false},
};

static const struct kept_option *find_kept(const char *name, const char *value)
{
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		if (!strcmp(kept[i].name, name) &&
		    (!kept[i].prefix ||
		     (value && !strncmp(value, kept[i].prefix, strlen(kept[i].prefix)))))
			return &kept[i];
	return NULL;
}

/* "-name lab", "-name guest=lab,debug-threads=on" */
static json_t *vm_name(const char *value)
{
	const char *start = strstr(value, "guest=");
	size_t len;

	start = start ? start + strlen("guest=") : value;
	len = strcspn(start, ",");
	return json_stringn(start, len);
}

static const char *next_arg(const char *arg, const char *end)
{
	const char *next = arg + strnlen(arg, (size_t)(end - arg)) + 1;

	return next < end ? next : NULL;
}

void vmm_describe_args(json_t *object, const char *args, size_t len)
{
	const char *end = args + len, *arg = len ? next_arg(args, end) : NULL;
	json_t *options = json_array();

	for (; arg; arg = next_arg(arg, end)) {
		const char *value = next_arg(arg, end), *name;
		const struct kept_option *option;

		if (*arg != '-')
			continue;
		name = arg + (arg[1] == '-' ? 2 : 1);
		if (!strcmp(name, "name") && value)
			json_object_set_new(object, "name", vm_name(value));
		option = find_kept(name, value);
		if (!option)
			continue;
		json_array_append_new(options, json_string(arg));
		if (!option->alone && value)
			json_array_append_new(options, json_string(value));
	}
	json_object_set_new(object, "options", options);
}
