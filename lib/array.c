// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Growing arrays: the room follows from the count, so that nothing else need be kept.
 */
#include <errno.h>
#include <stdlib.h>
#include "lib/array.h"

#define FIRST_ROOM 16

int array_grow(void **array, size_t count, size_t size)
{
	void *more;

	/* Full exactly when empty, or at a power of two from the first room on. */
	if (count & (count - 1) || (count && count < FIRST_ROOM))
		return 0;
	more = reallocarray(*array, count ? 2 * count : FIRST_ROOM, size);
	if (!more)
		return -ENOMEM;
	*array = more;
	return 0;
}
