// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is in which directory: entries found by directory and name, inodes, and the paths of a
 * workload cut into names.
 *
 * Names are numbers given by sorting all that occur: 100,000 of them take less to sort than their
 * files take to simulate, and nothing but this one place needs their text.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "lib/msg.h"
#include "sim/model.h"
#include "sim/storage.h"

#define MAX_SPARE_FILES 4096u

struct names {
	struct entry **buckets;
	uint32_t nr_buckets; /* a power of two */
	uint32_t *first; /* of each path: its first part; one more than paths */
	uint32_t *parts;
	uint32_t nr_parts;
	uint32_t up; /* the name ".." */
	uint16_t *bytes; /* of each name */
	uint64_t nr_reused; /* inodes that were another file's */
	struct entry *gone; /* not linked any more, but in use */
};

struct text {
	const char *at;
	uint32_t len;
	uint32_t part;
};

static int compare(const void *a, const void *b)
{
	const struct text *x = a, *y = b;
	int order = memcmp(x->at, y->at, min_u64(x->len, y->len));

	return order ? order : (x->len > y->len) - (x->len < y->len);
}

/* The next name of a path that begins at *at; empty ones and "." lead nowhere. */
static bool next_name(const char **at, struct text *name)
{
	do {
		*at += strspn(*at, "/");
		*name = (struct text){.at = *at, .len = strcspn(*at, "/")};
		*at += name->len;
	} while (name->len == 1 && name->at[0] == '.');
	return name->len != 0;
}

static uint32_t count_parts(const struct workload *w)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < w->nr_files; i++) {
		const char *at = w->files[i].name;
		struct text name;

		while (next_name(&at, &name))
			n++;
	}
	return n;
}

/* Equal texts get the same number, which *number has for each. Returns how many differ. */
static uint32_t give_numbers(struct text *texts, uint32_t nr, uint32_t *number)
{
	uint32_t differ = 0;

	qsort(texts, nr, sizeof(*texts), compare);
	for (uint32_t i = 0; i < nr; i++) {
		differ += !i || compare(&texts[i - 1], &texts[i]);
		number[texts[i].part] = differ - 1;
	}
	return differ;
}

/* Cuts the paths; *nr_dirs is how many directories their names mention. */
static int cut_paths(struct names *n, const struct workload *w, uint32_t *nr_dirs)
{
	uint32_t nr = n->nr_parts, p = 0, d = 0;
	struct text *texts = calloc(nr + 1, sizeof(*texts)), *dirs = calloc(nr + 1, sizeof(*dirs));
	uint32_t *ignored = calloc(nr + 1, sizeof(*ignored));
	int rc = texts && dirs && ignored ? 0 : -ENOMEM;

	for (uint32_t i = 0; !rc && i < w->nr_files; i++) {
		const char *at = w->files[i].name;

		for (n->first[i] = p; next_name(&at, &texts[p]); p++) {
			if (p > n->first[i]) {
				dirs[d] = (struct text){.at = w->files[i].name, .part = d};
				dirs[d++].len = texts[p].at - w->files[i].name;
			}
			texts[p].part = p;
		}
		n->first[i + 1] = p;
	}
	if (!rc) {
		*nr_dirs = give_numbers(dirs, d, ignored);
		give_numbers(texts, p, n->parts);
		for (uint32_t i = 0; i < p; i++) {
			n->bytes[n->parts[texts[i].part]] = texts[i].len;
			if (texts[i].len == 2 && !memcmp(texts[i].at, "..", 2))
				n->up = n->parts[texts[i].part];
		}
	}
	free(texts);
	free(dirs);
	free(ignored);
	return rc;
}

uint32_t names_first_part(const struct sim *sim, uint32_t path)
{
	return sim->names->first[path];
}

uint32_t names_part(const struct sim *sim, uint32_t part)
{
	return sim->names->parts[part];
}

uint32_t names_bytes(const struct sim *sim, uint32_t name)
{
	return sim->names->bytes[name];
}

bool names_is_up(const struct sim *sim, uint32_t name)
{
	return name == sim->names->up;
}

bool names_from_root(const struct sim *sim, uint32_t path)
{
	return sim->workload->files[path].name[0] == '/';
}

static struct entry **bucket_of(const struct sim *sim, const struct file *dir, uint32_t name)
{
	uint64_t hash = ((uint64_t)dir->index << 32 | name) * 0x9e3779b97f4a7c15ULL;

	return &sim->names->buckets[(hash >> 32) & (sim->names->nr_buckets - 1)];
}

struct entry *names_find(const struct sim *sim, const struct file *dir, uint32_t name)
{
	struct entry *entry = *bucket_of(sim, dir, name);

	while (entry && (entry->dir != dir || entry->name != name))
		entry = entry->hash_next;
	return entry;
}

struct file *names_file(const struct sim *sim, uint32_t path)
{
	struct file *file = sim->root;

	for (uint32_t p = sim->names->first[path]; p < sim->names->first[path + 1]; p++) {
		const struct entry *entry;

		if (!file->directory)
			return NULL;
		entry = names_find(sim, file, sim->names->parts[p]);
		if (!entry)
			return NULL;
		file = entry->file;
	}
	return file;
}

static void link_entry(struct sim *sim, struct entry *entry, struct file *dir, uint32_t name)
{
	struct directory *d = dir->directory;
	struct entry **bucket = bucket_of(sim, dir, name);

	entry->dir = dir;
	entry->name = name;
	entry->hash_next = *bucket;
	*bucket = entry;
	entry->prev = NULL;
	entry->next = d->first;
	if (d->first)
		d->first->prev = entry;
	d->first = entry;
	d->nr_entries++;
	entry->linked = true;
	if (entry->file->directory)
		entry->file->directory->entry = entry;
}

static void unlink_entry(struct sim *sim, struct entry *entry)
{
	struct directory *d = entry->dir->directory;
	struct entry **at = bucket_of(sim, entry->dir, entry->name);

	while (*at != entry)
		at = &(*at)->hash_next;
	*at = entry->hash_next;
	if (entry->next)
		entry->next->prev = entry->prev;
	if (entry->prev)
		entry->prev->next = entry->next;
	else
		d->first = entry->next;
	d->nr_entries--;
	entry->linked = false;
}

struct entry *names_add(struct sim *sim, struct file *dir, uint32_t name, struct file *file)
{
	struct entry *entry = calloc(1, sizeof(*entry));

	if (!entry) {
		sim->stop = -ENOMEM;
		return NULL;
	}
	entry->file = file;
	file->nr_links++;
	link_entry(sim, entry, dir, name);
	return entry;
}

void names_remove(struct sim *sim, struct entry *entry)
{
	struct names *n = sim->names;

	entry->file->nr_links--;
	unlink_entry(sim, entry);
	entry->prev = NULL;
	entry->next = n->gone;
	if (n->gone)
		n->gone->prev = entry;
	n->gone = entry;
}

void names_move(struct sim *sim, struct entry *entry, struct file *dir, uint32_t name)
{
	unlink_entry(sim, entry);
	link_entry(sim, entry, dir, name);
}

void names_free(struct sim *sim, struct entry *entry)
{
	if (entry->next)
		entry->next->prev = entry->prev;
	if (entry->prev)
		entry->prev->next = entry->next;
	else
		sim->names->gone = entry->next;
	free(entry);
}

struct entry *names_idle(struct sim *sim, uint32_t *bucket)
{
	for (; *bucket < sim->names->nr_buckets; ++*bucket)
		for (struct entry *e = sim->names->buckets[*bucket]; e; e = e->hash_next)
			if (e->cached && !e->refs)
				return e;
	return NULL;
}

static bool is_free(const struct file *file)
{
	return !file->nr_links && !file->nr_names_cached && !file->nr_open && !file->nr_cached;
}

/* Of a file that is gone only what page_cache.c holds stays: room for pages. */
static void reset(struct sim *sim, struct file *file)
{
	uint64_t nodeid = file->nodeid;
	struct page_chunk **chunks = file->chunks;
	uint64_t nr_chunks = file->nr_chunks;
	uint32_t index = file->index;

	if (file->was_used)
		nodeid = ROOT_NODEID + 1 + sim->nr_files + sim->names->nr_reused++;
	free(file->directory);
	memset(file, 0, sizeof(*file));
	file->index = index;
	file->nodeid = nodeid;
	file->chunks = chunks;
	file->nr_chunks = nr_chunks;
}

struct file *names_new_file(struct sim *sim, uint32_t path, uint32_t type)
{
	struct file *file = &sim->files[path];

	for (uint32_t i = sim->workload->nr_files; !is_free(file); i++) {
		if (i == sim->nr_files) {
			msg_error("cannot simulate: more files are open without a name than there "
				  "is room for; close some");
			sim->stop = -EMFILE;
			return NULL;
		}
		file = &sim->files[i];
	}
	host_file_gone(sim, file);
	reset(sim, file);
	file->was_used = true;
	file->type = type;
	if (type == FILE_DIRECTORY) {
		file->directory = calloc(1, sizeof(*file->directory));
		if (!file->directory) {
			sim->stop = -ENOMEM;
			return NULL;
		}
	}
	return file;
}

/* The directory that a path's last name lies in; those not there are made. NULL: out of memory. */
static struct file *make_parents(struct sim *sim, uint32_t path)
{
	const struct names *n = sim->names;
	struct file *dir = sim->root;

	for (uint32_t p = n->first[path]; p + 1 < n->first[path + 1]; p++) {
		struct entry *entry = names_find(sim, dir, n->parts[p]);
		struct file *made;

		if (!entry) {
			made = names_new_file(sim, sim->workload->nr_files, FILE_DIRECTORY);
			entry = made ? names_add(sim, dir, n->parts[p], made) : NULL;
		}
		if (!entry)
			return NULL;
		if (!entry->file->directory)
			break;
		dir = entry->file;
	}
	return dir;
}

static int add_path(struct sim *sim, uint32_t path, bool exists)
{
	const struct workload_file *f = &sim->workload->files[path];
	const struct names *n = sim->names;
	struct file *dir, *file;
	uint32_t name;

	if (n->first[path] == n->first[path + 1])
		return 0;
	dir = make_parents(sim, path);
	if (!dir)
		return -ENOMEM;
	name = n->parts[n->first[path + 1] - 1];
	if (!exists || names_find(sim, dir, name))
		return 0;
	file = names_new_file(sim, path, f->type);
	if (!file || !names_add(sim, dir, name, file))
		return -ENOMEM;
	file->size_bytes = f->size_bytes;
	file->host_size_bytes = f->size_bytes;
	return 0;
}

/* Directories first, so that they have the inodes of their paths. */
static int add_paths(struct sim *sim)
{
	const struct workload *w = sim->workload;
	int rc = 0;

	for (uint32_t i = 0; i < w->nr_files && !rc; i++)
		if (w->files[i].type == FILE_DIRECTORY)
			rc = add_path(sim, i, true);
	for (uint32_t i = 0; i < w->nr_files && !rc; i++)
		if (w->files[i].type != FILE_DIRECTORY &&
		    (w->files[i].size_bytes || !w->makes_directories))
			rc = add_path(sim, i, w->files[i].size_bytes);
	return rc;
}

int names_init(struct sim *sim)
{
	struct names *n = calloc(1, sizeof(*n));
	const struct workload *w = sim->workload;
	uint32_t nr_dirs = 0;
	int rc;

	if (!n)
		return -ENOMEM;
	sim->names = n;
	n->up = UINT32_MAX;
	n->nr_parts = count_parts(w);
	for (n->nr_buckets = 64; n->nr_buckets < n->nr_parts; n->nr_buckets *= 2)
		;
	n->buckets = calloc(n->nr_buckets, sizeof(struct entry *));
	n->first = calloc(w->nr_files + 1, sizeof(*n->first));
	n->parts = calloc(n->nr_parts + 1, sizeof(*n->parts));
	n->bytes = calloc(n->nr_parts + 1, sizeof(*n->bytes));
	if (!n->buckets || !n->first || !n->parts || !n->bytes)
		return -ENOMEM;
	rc = cut_paths(n, w, &nr_dirs);
	if (rc)
		return rc;
	sim->nr_files = w->nr_files + 1 + nr_dirs +
			min_u64((uint64_t)w->nr_files * w->nr_tasks, MAX_SPARE_FILES);
	sim->files = calloc(sim->nr_files, sizeof(*sim->files));
	if (!sim->files)
		return -ENOMEM;
	for (uint32_t i = 0; i < sim->nr_files; i++) {
		sim->files[i].index = i;
		sim->files[i].nodeid = ROOT_NODEID + 1 + i;
	}
	sim->root = names_new_file(sim, w->nr_files, FILE_DIRECTORY);
	if (!sim->root)
		return -ENOMEM;
	sim->root->nr_links = 1;
	sim->root->nodeid = ROOT_NODEID;
	return add_paths(sim);
}

void names_release(struct sim *sim)
{
	struct names *n = sim->names;
	struct entry *entry;

	for (uint32_t i = 0; n && n->buckets && i < n->nr_buckets; i++) {
		while ((entry = n->buckets[i])) {
			n->buckets[i] = entry->hash_next;
			free(entry);
		}
	}
	while (n && n->gone)
		names_free(sim, n->gone);
	for (uint32_t i = 0; sim->files && i < sim->nr_files; i++)
		free(sim->files[i].directory);
	free(sim->files);
	if (!n)
		return;
	free(n->buckets);
	free(n->first);
	free(n->parts);
	free(n->bytes);
	free(n);
}
