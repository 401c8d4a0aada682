/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernel functions that BPF programs can name: those in the BTF of vmlinux and of modules.
 */
#ifndef VFSCOPE_TRACE_KERNEL_FUNCTIONS_H
#define VFSCOPE_TRACE_KERNEL_FUNCTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <jansson.h>

struct kernel_functions;

struct kernel_function {
	const char *module; /* "vmlinux", or the module's name; as long as kernel_functions */
	int32_t btf_id;
};

/* modules: NULL-terminated names; those that are not loaded are left out. 0 or -errno. */
int kernel_functions_open(struct kernel_functions **out, const char *const *modules);
/* f may be NULL. */
bool kernel_functions_find(const struct kernel_functions *k, const char *name,
			   struct kernel_function *f);
/*
 * File descriptor of the BTF object that a function is in, to load a program for it; 0 for vmlinux.
 * Kept open by k. -errno: -EPERM without CAP_SYS_ADMIN, which modules need.
 */
int kernel_functions_btf_fd(struct kernel_functions *k, const struct kernel_function *f);
/* Names of the modules that were found, a new array. */
json_t *kernel_functions_modules(const struct kernel_functions *k);
void kernel_functions_close(struct kernel_functions *k);

#endif
