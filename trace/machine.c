// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a machine is, beyond its kernel's release.
 */
#include "trace/machine.h"
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "trace/guest_mounts.h"

/* The value of the first line that begins so. */
static void find_line(char *value, size_t len, const char *path, const char *key)
{
	FILE *file = fopen(path, "re");
	char line[512];

	value[0] = '\0';
	while (file && !value[0] && fgets(line, sizeof(line), file)) {
		const char *at = strchr(line, ':');

		if (strncmp(line, key, strlen(key)) || !at)
			continue;
		at += 1 + strspn(at + 1, " \t");
		snprintf(value, len, "%.*s", (int)strcspn(at, "\n"), at);
	}
	if (file)
		fclose(file);
}

/* "none voluntary (full) lazy": the chosen one. */
static void preemption(char *mode, size_t len)
{
	char line[128], *open, *close;

	guest_read_line(line, sizeof(line), "/sys/kernel/debug/sched/preempt");
	open = strchr(line, '(');
	close = open ? strchr(open, ')') : NULL;
	if (close)
		*close = '\0';
	snprintf(mode, len, "%s", close ? open + 1 : "");
}

bool machine_preempts(void)
{
	char mode[128];
	struct utsname names;

	preemption(mode, sizeof(mode));
	if (*mode)
		return !strcmp(mode, "full") || !strcmp(mode, "lazy");
	return !uname(&names) && strstr(names.version, "PREEMPT");
}

static void set_text(json_t *object, const char *key, const char *text)
{
	if (*text)
		json_object_set_new(object, key, json_string(text));
}

void machine_describe(json_t *object)
{
	long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
	char text[256];

	find_line(text, sizeof(text), "/proc/cpuinfo", "model name");
	set_text(object, "cpu_model", text);
	guest_read_line(text, sizeof(text),
			"/sys/devices/system/clocksource/clocksource0/current_clocksource");
	set_text(object, "clocksource", text);
	preemption(text, sizeof(text));
	set_text(object, "preemption", text);
	json_object_set_new(object, "page_bytes", json_integer(page));
	if (pages > 0)
		json_object_set_new(object, "memory_bytes", json_integer((json_int_t)pages * page));
}
