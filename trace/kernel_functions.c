// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Kernel functions that BPF programs can name: those in the BTF of vmlinux and of modules.
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

struct kernel_functions {
	struct btf *vmlinux;
	struct module_btf module[MAX_MODULES];
	size_t nr_modules;
};

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
	*out = k;
	return 0;
}

bool kernel_functions_find(const struct kernel_functions *k, const char *name,
			   struct kernel_function *f)
{
	struct kernel_function found = {.module = "vmlinux"};

	found.btf_id = btf__find_by_name_kind(k->vmlinux, name, BTF_KIND_FUNC);
	for (size_t i = 0; found.btf_id <= 0 && i < k->nr_modules; i++) {
		found.module = k->module[i].name;
		found.btf_id = btf__find_by_name_kind(k->module[i].btf, name, BTF_KIND_FUNC);
	}
	if (f && found.btf_id > 0)
		*f = found;
	return found.btf_id > 0;
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
	free(k);
}
