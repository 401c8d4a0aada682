/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parser of op scripts knows while it reads one, so that it can refuse what could not be
 * performed. Internal to op_script.c, op_script_names.c and op_script_links.c.
 */
#ifndef VFSCOPE_WORKLOADS_OP_SCRIPT_PARSER_H
#define VFSCOPE_WORKLOADS_OP_SCRIPT_PARSER_H

#include "workloads/op_script.h"

#define SCRIPT_MAX_WORDS 8
#define SCRIPT_MAX_FILES 4096
/* The simulated page cache's index of a file is one array, which takes 4 MiB for this. */
#define SCRIPT_MAX_FILE_BYTES (1ULL << 40)

/* What has a name, as bits; 0: nothing. */
enum script_kind {
	SCRIPT_NOTHING = 0,
	SCRIPT_FILE = 1u << 0,
	SCRIPT_DIRECTORY = 1u << 1,
	SCRIPT_SYMLINK = 1u << 2,
};

struct parser {
	const char *name;
	uint32_t number; /* of the line */
	struct op_script *script;
	/* What has a name now. */
	struct script_state {
		enum script_kind kind;
		uint32_t text; /* of a link: what it says, as a path */
		uint64_t size_bytes; /* at least, also of what was opened by that name */
		uint32_t inode; /* of a file: the same for all its names */
	} state[SCRIPT_MAX_FILES];
	/*
	 * What a task has of the file that it opened by a name; it may have another name since, or
	 * none.
	 */
	struct held {
		bool is_open;
		bool is_mapped; /* bytes from map_start to before map_end */
		bool map_is_private;
		bool by_link; /* what was opened has another name */
		uint32_t real; /* that name's path */
		uint32_t flags; /* OP_DIRECT */
		uint64_t map_start, map_end;
	} held[OP_SCRIPT_TASKS][SCRIPT_MAX_FILES];
	uint32_t nr_inodes;
	uint32_t task; /* of the line */
	uint64_t think_ns[OP_SCRIPT_TASKS]; /* sleeps since its last op */
	bool is_unmounted;
	bool by_link; /* a path of the line led through a link */
	char *word[SCRIPT_MAX_WORDS];
	int nr_words;
};

/* These print a message and return -EINVAL; -ENOMEM. */
int script_bad(const struct parser *p, const char *why);
/* Lines "file" and "dir". */
int script_declare(struct parser *p, enum script_kind kind);
int script_find(const struct parser *p, const char *name); /* a path; -1: not named yet */
bool script_is_path(const char *name);
/*
 * The path without links that this one leads to; follow: also if it is a link itself. What is
 * missing on the way is left as it is written.
 */
int script_follow(struct parser *p, uint32_t path, bool follow, uint32_t *real);
/* "../name", "/name" and paths: what a link can say. */
bool script_is_link_text(const char *text);
/* The path in a word of the line; one that was not named before is there from now on as nothing. */
int script_path(struct parser *p, const char *word, uint32_t *path);
/* Is the directory that the name lies in there? */
bool script_has_parent(const struct parser *p, const char *name);
/* Has a task opened or mapped a file by this name, and not closed it? */
bool script_in_use(const struct parser *p, uint32_t file);
/* The rest of an op on names; op->file is word 1. */
int script_parse_names(struct parser *p, struct workload_op *op);
/* mount, umount, sync, dropcaches */
int script_parse_share(struct parser *p, const struct workload_op *op);

#endif
