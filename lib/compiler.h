/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small language helpers that every module shares. Nothing here knows of virtio-fs.
 */
#ifndef VFSCOPE_LIB_COMPILER_H
#define VFSCOPE_LIB_COMPILER_H

#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
/*
 * For what is rarely called from a function that is called for each record: by itself, so that the
 * latter has no more registers to save than its usual way needs.
 */
#define RARE __attribute__((noinline, cold))
#define NS_PER_SEC 1000000000ULL
#define NS_PER_MS 1000000ULL
#define NS_PER_US 1000ULL

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

#endif
