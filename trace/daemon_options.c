// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a virtiofsd's command line asks for: the C daemon's -o words and long options, the Rust
 * daemon's long options (which also takes most of the C ones for compatibility).
 */
#include <string.h>
#include "lib/compiler.h"
#include "lib/units.h"
#include "trace/daemon_find.h"

const char *daemon_kind_name(enum daemon_kind kind)
{
	static const char *const names[] = {
		[DAEMON_OTHER] = "other",
		[DAEMON_C] = "c",
		[DAEMON_RUST] = "rust",
	};

	return kind < ARRAY_SIZE(names) ? names[kind] : "?";
}

struct setting {
	const char *name;
	size_t offset; /* in struct daemon_options */
	bool value; /* of a flag */
};

/* Settings with a value, by all the names they have had. */
static const struct setting strings[] = {
	{"source", offsetof(struct daemon_options, shared_dir), 0},
	{"shared-dir", offsetof(struct daemon_options, shared_dir), 0},
	{"socket-path", offsetof(struct daemon_options, socket), 0},
	{"socket", offsetof(struct daemon_options, socket), 0},
	{"fd", offsetof(struct daemon_options, socket), 0},
	{"tag", offsetof(struct daemon_options, tag), 0},
	{"cache", offsetof(struct daemon_options, cache), 0},
	{"sandbox", offsetof(struct daemon_options, sandbox), 0},
	{"inode-file-handles", offsetof(struct daemon_options, inode_file_handles), 0},
	{"thread-pool-size", offsetof(struct daemon_options, thread_pool), 0},
};

static const struct setting flags[] = {
	{"writeback", offsetof(struct daemon_options, writeback), true},
	{"no_writeback", offsetof(struct daemon_options, writeback), false},
	{"allow_direct_io", offsetof(struct daemon_options, allow_direct_io), true},
	{"allow-direct-io", offsetof(struct daemon_options, allow_direct_io), true},
	{"no_allow_direct_io", offsetof(struct daemon_options, allow_direct_io), false},
	{"xattr", offsetof(struct daemon_options, xattr), true},
	{"no_xattr", offsetof(struct daemon_options, xattr), false},
	{"xattrmap", offsetof(struct daemon_options, xattr), true},
};

static const struct setting *find_string(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
		if (!strcmp(name, strings[i].name))
			return &strings[i];
	return NULL;
}

static void take_string(struct daemon_options *o, const struct setting *setting, const char *value)
{
	uint64_t n;

	if (setting->offset != offsetof(struct daemon_options, thread_pool))
		*(const char **)((char *)o + setting->offset) = value;
	else if (!parse_u64(value, &n) && n <= UINT32_MAX)
		o->thread_pool = (uint32_t)n;
}

/* "name" or "name=value"; splits it in place. */
static void take_word(struct daemon_options *o, char *word)
{
	char *value = strchr(word, '=');
	const struct setting *setting;

	if (value)
		*value++ = '\0';
	setting = find_string(word);
	if (setting && value)
		take_string(o, setting, value);
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (!strcmp(word, flags[i].name))
			*(bool *)((char *)o + flags[i].offset) = flags[i].value;
}

static void take_list(struct daemon_options *o, char *words)
{
	char *save = NULL;

	for (char *word = strtok_r(words, ",", &save); word; word = strtok_r(NULL, ",", &save))
		take_word(o, word);
}

void daemon_options_parse(struct daemon_options *o, int argc, char **argv)
{
	bool words = false; /* -o: the C daemon has no other way to name the directory */

	memset(o, 0, sizeof(*o));
	for (int i = 1; i < argc; i++) {
		char *arg = argv[i];

		if (!strncmp(arg, "-o", 2)) {
			words = true;
			if (arg[2])
				take_list(o, arg + 2);
			else if (i + 1 < argc)
				take_list(o, argv[++i]);
		} else if (!strncmp(arg, "--", 2) && i + 1 < argc && find_string(arg + 2)) {
			take_string(o, find_string(arg + 2), argv[++i]);
		} else if (!strncmp(arg, "--", 2)) {
			take_word(o, arg + 2);
		}
	}
	o->kind = words && !o->tag ? DAEMON_C : DAEMON_RUST;
}

bool daemon_is_loader(const char *name)
{
	return !strncmp(name, "ld-", 3) || !strcmp(name, "ld.so");
}

int daemon_loader_args(int argc, char **argv)
{
	/* Options of glibc's and musl's loaders that take a value, as the next argument. */
	static const char *const valued[] = {
		"--library-path",	  "--inhibit-rpath",	 "--audit", "--preload", "--argv0",
		"--glibc-hwcaps-prepend", "--glibc-hwcaps-mask",
	};
	int at = 1;

	while (at < argc && !strncmp(argv[at], "--", 2)) {
		bool value = false;

		for (size_t i = 0; i < ARRAY_SIZE(valued); i++)
			value |= !strcmp(argv[at], valued[i]);
		at += value ? 2 : 1;
	}
	return at < argc ? at : argc;
}
