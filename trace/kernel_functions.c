// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Kernel functions that BPF programs can name: those in the BTF of vmlinux and of modules.
 *
 * A recording asks for some 60 names of some 140,000 types, so they are indexed once.
 * btf__find_by_name_kind() looks at one after the other.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "trace/kernel_functions.h"

#define MAX_MODULES 8

struct module_btf {
	const char *name;
	struct btf *btf;
	int fd; /* -1: not asked for yet */
};

#define VMLINUX (-1)

struct slot {
	const char *name; /* NULL: free */
	int32_t btf_id;
	int32_t module; /* or VMLINUX */
};

struct kernel_functions {
	struct btf *vmlinux;
	struct module_btf module[MAX_MODULES];
	size_t nr_modules;
	struct slot *slots; /* a hash table with linear probing, never full */
	uint32_t nr_slots; /* a power of two */
};

/* FNV-1a */
static uint32_t hash(const char *name)
{
	uint32_t h = 2166136261;

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 16777619;
	return h;
}

/* Where the name is, or the free slot for it. */
static struct slot *find_slot(const struct kernel_functions *k, const char *name)
{
	uint32_t at = hash(name) & (k->nr_slots - 1);

	while (k->slots[at].name && strcmp(k->slots[at].name, name) != 0)
		at = (at + 1) & (k->nr_slots - 1);
	return &k->slots[at];
}

/* Of several functions with a name the first counts, as for libbpf. */
static void index_types(struct kernel_functions *k, const struct btf *btf, uint32_t first,
			int32_t module)
{
	for (uint32_t id = first, end = btf__type_cnt(btf); id < end; id++) {
		const struct btf_type *type = btf__type_by_id(btf, id);
		const char *name =
			btf_is_func(type) ? btf__name_by_offset(btf, type->name_off) : NULL;
		struct slot *slot = name ? find_slot(k, name) : NULL;

		if (slot && !slot->name)
			*slot = (struct slot){name, (int32_t)id, module};
	}
}

static int index_functions(struct kernel_functions *k)
{
	/* A module's types have the numbers after those of vmlinux. */
	uint32_t nr_vmlinux = btf__type_cnt(k->vmlinux), total = nr_vmlinux;

	for (size_t i = 0; i < k->nr_modules; i++)
		total += btf__type_cnt(k->module[i].btf) - nr_vmlinux;
	/* Fewer of them are functions. */
	for (k->nr_slots = 1; k->nr_slots < total;)
		k->nr_slots *= 2;
	k->slots = calloc(k->nr_slots, sizeof(*k->slots));
	if (!k->slots)
		return -ENOMEM;
	index_types(k, k->vmlinux, 1, VMLINUX);
	for (size_t i = 0; i < k->nr_modules; i++)
		index_types(k, k->module[i].btf, nr_vmlinux, (int32_t)i);
	return 0;
}

int kernel_functions_open(struct kernel_functions **out, const char *const *modules)
{
	struct kernel_functions *k = calloc(1, sizeof(*k));
	int err;

	*out = NULL;
	if (!k)
		return -ENOMEM;
	k->vmlinux = btf__load_vmlinux_btf();
	if (!k->vmlinux) {
		err = -errno;
		free(k);
		return err ? err : -ENOENT;
	}
	for (; *modules && k->nr_modules < MAX_MODULES; modules++) {
		struct module_btf *m = &k->module[k->nr_modules];

		m->btf = btf__load_module_btf(*modules, k->vmlinux);
		m->name = *modules;
		m->fd = -1;
		k->nr_modules += m->btf != NULL;
	}
	err = index_functions(k);
	if (err)
		kernel_functions_close(k);
	else
		*out = k;
	return err;
}

bool kernel_functions_find(const struct kernel_functions *k, const char *name,
			   struct kernel_function *f)
{
	const struct slot *slot = find_slot(k, name);

	if (!slot->name)
		return false;
	if (f)
		*f = (struct kernel_function){
			.module =
				slot->module == VMLINUX ? "vmlinux" : k->module[slot->module].name,
			.btf_id = slot->btf_id,
		};
	return true;
}

/* The kernel names its BTF objects by number; their names have to be asked for, one by one. */
static int find_btf_object(const char *module)
{
	uint32_t id = 0;

	while (!bpf_btf_get_next_id(id, &id)) {
		char name[64] = "";
		struct bpf_btf_info info = {.name = (uintptr_t)name, .name_len = sizeof(name)};
		uint32_t len = sizeof(info);
		int fd = bpf_btf_get_fd_by_id(id);

		if (fd < 0 && errno != ENOENT) /* ENOENT: unloaded meanwhile */
			return -errno;
		if (fd < 0)
			continue;
		if (!bpf_obj_get_info_by_fd(fd, &info, &len) && info.kernel_btf &&
		    !strcmp(name, module))
			return fd;
		close(fd);
	}
	return -errno;
}

int kernel_functions_btf_fd(struct kernel_functions *k, const struct kernel_function *f)
{
	for (size_t i = 0; i < k->nr_modules; i++) {
		struct module_btf *m = &k->module[i];

		if (strcmp(m->name, f->module))
			continue;
		if (m->fd < 0)
			m->fd = find_btf_object(m->name);
		return m->fd;
	}
	return 0;
}

json_t *kernel_functions_modules(const struct kernel_functions *k)
{
	json_t *names = json_array();

	for (size_t i = 0; names && i < k->nr_modules; i++)
		json_array_append_new(names, json_string(k->module[i].name));
	return names;
}

void kernel_functions_close(struct kernel_functions *k)
{
	if (!k)
		return;
	for (size_t i = 0; i < k->nr_modules; i++) {
		btf__free(k->module[i].btf);
		if (k->module[i].fd >= 0)
			close(k->module[i].fd);
	}
	btf__free(k->vmlinux);
	free(k->slots);
	free(k);
}
