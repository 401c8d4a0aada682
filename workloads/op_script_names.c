// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The ops on names of an op script, and what has which name after each.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "lib/array.h"
#include "lib/compiler.h"
#include "lib/units.h"
#include "workloads/op_script_parser.h"

#define MAX_LIST_BUFFER (1u << 20)

int script_find(const struct parser *p, const char *name)
{
	for (uint32_t i = 0; i < p->script->nr_files; i++)
		if (!strcmp(p->script->files[i].name, name))
			return (int)i;
	return -1;
}

/* Components that begin with no dot, slashes between them; or "." for the share's root. */
bool script_is_path(const char *name)
{
	if (!strcmp(name, "."))
		return true;
	for (const char *at = name;; at++) {
		if (!*at || *at == '/' || *at == '.')
			return false;
		at = strchrnul(at, '/');
		if (!*at)
			return true;
	}
}

static int add_path(struct parser *p, const char *name, uint32_t *path)
{
	struct op_script *script = p->script;
	struct workload_file *file;

	if (script->nr_files == SCRIPT_MAX_FILES)
		return script_bad(p, "too many files");
	if (array_grow((void **)&script->files, script->nr_files, sizeof(*file)))
		return -ENOMEM;
	file = &script->files[script->nr_files];
	memset(file, 0, sizeof(*file));
	strcpy(file->name, name);
	p->state[script->nr_files].kind = strcmp(name, ".") ? SCRIPT_NOTHING : SCRIPT_DIRECTORY;
	*path = script->nr_files++;
	return 0;
}

/* Is the directory that the name lies in there? */
bool script_has_parent(const struct parser *p, const char *name)
{
	const char *slash = strrchr(name, '/');
	char parent[sizeof(p->script->files->name)];
	int path;

	if (!slash)
		return true;
	snprintf(parent, sizeof(parent), "%.*s", (int)(slash - name), name);
	path = script_find(p, parent);
	return path >= 0 && p->state[path].kind == SCRIPT_DIRECTORY;
}

int script_path(struct parser *p, const char *word, uint32_t *path)
{
	int found = script_find(p, word);

	*path = (uint32_t)found;
	if (found >= 0)
		return 0;
	if (strlen(word) >= sizeof(p->script->files->name) || !script_is_path(word))
		return script_bad(p, "a path is names with slashes between them; no name begins "
				     "with a dot");
	return add_path(p, word, path);
}

/* symlink NAME [TEXT] */
static int parse_symlink(struct parser *p, struct workload_op *op, uint32_t link)
{
	const char *text = p->nr_words == 3 ? p->word[2] : "nowhere";
	int found = script_find(p, text), err = 0;

	if (strlen(text) >= sizeof(p->script->files->name) || !script_is_link_text(text))
		return script_bad(p, "a link's text is a path, with ../ or a slash in front or "
				     "without; it ends in a name");
	op->file2 = (uint32_t)found;
	if (found < 0)
		err = add_path(p, text, &op->file2);
	p->state[link].text = op->file2;
	return err;
}

int script_declare(struct parser *p, enum script_kind kind)
{
	uint64_t size = 0;
	uint32_t path;
	int err;

	if (p->nr_words < 2 || p->nr_words > (kind == SCRIPT_FILE ? 3 : 2))
		return script_bad(p, kind == SCRIPT_FILE ? "want: file NAME [SIZE]"
							 : "want: dir NAME");
	if (p->script->nr_lines)
		return script_bad(p, "files and directories are declared before the first op");
	if (script_find(p, p->word[1]) >= 0)
		return script_bad(p, "there is a file of this name already");
	if (p->nr_words == 3 && (parse_size(p->word[2], &size) || size > SCRIPT_MAX_FILE_BYTES))
		return script_bad(p, "the file's size is not one up to 1T, like 2M");
	err = script_path(p, p->word[1], &path);
	if (err)
		return err;
	if ((kind == SCRIPT_DIRECTORY || size) && !script_has_parent(p, p->word[1]))
		return script_bad(p, "its directory is not there: declare it before with 'dir'");
	if (kind == SCRIPT_DIRECTORY)
		p->script->files[path].type = FILE_DIRECTORY;
	p->script->files[path].size_bytes = size;
	if (kind == SCRIPT_DIRECTORY || size)
		p->state[path].kind = kind;
	p->state[path].inode = ++p->nr_inodes;
	p->state[path].size_bytes = size;
	return 0;
}

/* The part of a name below a directory; NULL if it is not below. */
static const char *below(const char *name, const char *directory)
{
	size_t len = strlen(directory);

	return !strncmp(name, directory, len) && name[len] == '/' ? name + len : NULL;
}

static bool is_empty(const struct parser *p, uint32_t directory)
{
	const struct workload_file *files = p->script->files;

	for (uint32_t i = 0; i < p->script->nr_files; i++)
		if (p->state[i].kind && below(files[i].name, files[directory].name))
			return false;
	return true;
}

static void move_name(struct parser *p, uint32_t from, uint32_t to)
{
	p->state[to].kind = p->state[from].kind;
	p->state[to].text = p->state[from].text;
	p->state[to].inode = p->state[from].inode;
	p->state[to].size_bytes = p->state[from].size_bytes;
	p->state[from].kind = SCRIPT_NOTHING;
}

/* All that is below the directory gets a name below the other. */
static int move_below(struct parser *p, uint32_t from, uint32_t to)
{
	uint32_t nr = p->script->nr_files;

	for (uint32_t i = 0; i < nr; i++) {
		const struct workload_file *files = p->script->files;
		const char *rest = below(files[i].name, files[from].name);
		char name[2 * sizeof(files->name)];
		uint32_t path;
		int err;

		if (!rest || !p->state[i].kind)
			continue;
		snprintf(name, sizeof(name), "%s%s", files[to].name, rest);
		err = script_path(p, name, &path);
		if (err)
			return err;
		move_name(p, i, path);
	}
	return 0;
}

bool script_in_use(const struct parser *p, uint32_t file)
{
	for (uint32_t i = 0; i < p->script->nr_tasks; i++)
		if (p->held[i][file].is_open || p->held[i][file].is_mapped)
			return true;
	return false;
}

static int parse_rename(struct parser *p, uint32_t old, uint32_t new)
{
	const struct workload_file *files = p->script->files;
	enum script_kind target = p->state[new].kind;
	bool is_directory = p->state[old].kind == SCRIPT_DIRECTORY;

	if (new == old || below(files[new].name, files[old].name))
		return script_bad(p, "nothing can be renamed to itself or to what is below it");
	if (target && is_directory != (target == SCRIPT_DIRECTORY))
		return script_bad(p, "a directory replaces only a directory, a file only a file");
	/* rename(2) does nothing then. */
	if (target == SCRIPT_FILE && p->state[old].kind == SCRIPT_FILE &&
	    p->state[new].inode == p->state[old].inode)
		return 0;
	if (script_in_use(p, new) || (target && is_directory && !is_empty(p, new)))
		return script_bad(p, "what has the new name is open, mapped or not empty");
	move_name(p, old, new);
	return is_directory ? move_below(p, old, new) : 0;
}

/* link EXISTING NEW: the op's file is the new name. */
static int parse_link(struct parser *p, struct workload_op *op, uint32_t old, uint32_t new)
{
	uint32_t file = op->file2;

	if (p->state[new].kind || script_in_use(p, new))
		return script_bad(p, "the new name is there already, or open");
	p->state[new].kind = SCRIPT_FILE;
	p->state[new].size_bytes = p->state[old].size_bytes;
	p->state[new].inode = p->state[old].inode;
	op->file2 = op->file;
	op->file = file;
	return 0;
}

/* The second path of rename and link. */
static int second_path(struct parser *p, struct workload_op *op, uint32_t old)
{
	uint32_t new;
	int err = script_path(p, p->word[2], &op->file2);

	if (!err)
		err = script_follow(p, op->file2, false, &new);
	if (err)
		return err;
	if (!script_has_parent(p, p->script->files[new].name) || !strcmp(p->word[2], "."))
		return script_bad(p, "the directory of the new name is not there");
	return op->type == OP_RENAME ? parse_rename(p, old, new) : parse_link(p, op, old, new);
}

static int parse_list(const struct parser *p, struct workload_op *op)
{
	uint64_t size = 0;

	if (p->nr_words == 3 &&
	    (parse_size(p->word[2], &size) || size < 64 || size > MAX_LIST_BUFFER))
		return script_bad(p, "the buffer's size is not one from 64 to 1M");
	op->size_bytes = (uint32_t)size;
	return 0;
}

#define ANY (SCRIPT_FILE | SCRIPT_DIRECTORY | SCRIPT_SYMLINK)

/* What word 1 may name before, and what it names after if that changes. */
static const struct rule {
	enum op_type type;
	uint32_t kinds;
	bool may_be_nothing;
	bool changes;
	bool follows; /* a link that has this name */
	enum script_kind after;
	int min_words, max_words;
	const char *want;
} rules[] = {
	{OP_STAT, ANY, .min_words = 2, .max_words = 3,
	 .want = "want: stat NAME [follow], of what is there"},
	{OP_LOOKUP, ANY, .may_be_nothing = true, .min_words = 2, .max_words = 2,
	 .want = "want: lookup NAME"},
	{OP_STATFS, SCRIPT_FILE | SCRIPT_DIRECTORY, .follows = true, .min_words = 2, .max_words = 2,
	 .want = "want: statfs NAME, of a file or directory that is there"},
	{OP_READLINK, SCRIPT_SYMLINK, .min_words = 2, .max_words = 2,
	 .want = "want: readlink NAME, of a link"},
	{OP_CHMOD, SCRIPT_FILE | SCRIPT_DIRECTORY, .follows = true, .min_words = 2, .max_words = 2,
	 .want = "want: chmod NAME, of a file or directory that is there"},
	{OP_UTIMES, SCRIPT_FILE | SCRIPT_DIRECTORY, .follows = true, .min_words = 2, .max_words = 2,
	 .want = "want: utimes NAME, of a file or directory that is there"},
	{OP_READDIR, SCRIPT_DIRECTORY, .follows = true, .min_words = 2, .max_words = 3,
	 .want = "want: readdir NAME [BUFFER], of a directory that is there"},
	{OP_MKDIR, 0, .may_be_nothing = true, .changes = true, .after = SCRIPT_DIRECTORY,
	 .min_words = 2, .max_words = 2, .want = "want: mkdir NAME, which is not there"},
	{OP_SYMLINK, 0, .may_be_nothing = true, .changes = true, .after = SCRIPT_SYMLINK,
	 .min_words = 2, .max_words = 3, .want = "want: symlink NAME [TEXT]; NAME is not there"},
	{OP_RMDIR, SCRIPT_DIRECTORY, .changes = true, .min_words = 2, .max_words = 2,
	 .want = "want: rmdir NAME, of an empty directory"},
	{OP_UNLINK, SCRIPT_FILE | SCRIPT_SYMLINK, .changes = true, .min_words = 2, .max_words = 2,
	 .want = "want: unlink NAME, of a file or link that is there"},
	{OP_RENAME, ANY, .min_words = 3, .max_words = 3,
	 .want = "want: rename OLD NEW; OLD is there"},
	{OP_LINK, SCRIPT_FILE, .min_words = 3, .max_words = 3,
	 .want = "want: link OLD NEW; OLD is a file"},
};

static const struct rule *find_rule(enum op_type type)
{
	size_t i = 0;

	while (i + 1 < ARRAY_SIZE(rules) && rules[i].type != type)
		i++;
	return &rules[i];
}

/* What the op takes behind its name; real: what the name leads to. */
static int parse_rest(struct parser *p, struct workload_op *op, uint32_t real)
{
	switch (op->type) {
	case OP_READDIR:
		return parse_list(p, op);
	case OP_SYMLINK:
		return parse_symlink(p, op, real);
	case OP_RENAME:
	case OP_LINK:
		return second_path(p, op, real);
	default:
		return 0;
	}
}

/* stat NAME follow */
static bool is_followed(const struct parser *p, const struct workload_op *op)
{
	return op->type == OP_STAT && p->nr_words == 3 && !strcmp(p->word[2], "follow");
}

int script_parse_names(struct parser *p, struct workload_op *op)
{
	const struct rule *rule = find_rule(op->type);
	bool is_root = !strcmp(p->word[1], "."), followed = is_followed(p, op);
	enum script_kind kind;
	uint32_t real;
	int err = script_follow(p, op->file, rule->follows || followed, &real);

	if (err)
		return err;
	kind = p->state[real].kind;
	if (followed)
		op->flags |= OP_FOLLOWS;
	if (p->nr_words < rule->min_words || p->nr_words > rule->max_words ||
	    (op->type == OP_STAT && p->nr_words == 3 && !followed) ||
	    !(kind ? kind & rule->kinds : rule->may_be_nothing) ||
	    (is_root && (rule->changes || op->type == OP_RENAME)))
		return script_bad(p, rule->want);
	if (op->type != OP_LOOKUP && !script_has_parent(p, p->script->files[real].name))
		return script_bad(p, "its directory is not there");
	if (rule->after && (script_in_use(p, op->file) || script_in_use(p, real)))
		return script_bad(p, "a file of this name is open or mapped still");
	if (op->type == OP_RMDIR && !is_empty(p, real))
		return script_bad(p, "the directory is not empty");
	if (rule->changes)
		p->state[real].kind = rule->after;
	return parse_rest(p, op, real);
}

int script_parse_share(struct parser *p, const struct workload_op *op)
{
	if (p->nr_words != 1)
		return script_bad(p, "this op takes nothing");
	if (p->is_unmounted != (op->type == OP_MOUNT))
		return script_bad(p, p->is_unmounted ? "the share is not mounted"
						     : "the share is mounted already");
	for (uint32_t i = 0; op->type == OP_UMOUNT && i < p->script->nr_files; i++)
		if (script_in_use(p, i))
			return script_bad(p, "a file is open or mapped still");
	if (op->type == OP_MOUNT || op->type == OP_UMOUNT)
		p->is_unmounted = op->type == OP_UMOUNT;
	return 0;
}
