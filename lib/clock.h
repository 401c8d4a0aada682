/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's clocks in nanoseconds, as events and files have their times.
 */
#ifndef VFSCOPE_LIB_CLOCK_H
#define VFSCOPE_LIB_CLOCK_H

#include <stdint.h>
#include <time.h>
#include "lib/compiler.h"

static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * NS_PER_SEC + (uint64_t)now.tv_nsec;
}

#endif
