/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arrays that grow by doubling, without a structure of their own: pointer and count stay the caller's.
 */
#ifndef VFSCOPE_LIB_ARRAY_H
#define VFSCOPE_LIB_ARRAY_H

#include <stddef.h>

/*
 * Room for one more element of size bytes in *array, which holds count and has only ever grown
 * through here. 0 or -ENOMEM, which leaves the array as it was.
 */
int array_grow(void **array, size_t count, size_t size);

#endif
