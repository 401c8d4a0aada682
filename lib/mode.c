// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names of the I/O modes, as typed on the command line and printed.
 */
#include <errno.h>
#include <string.h>
#include "lib/mode.h"

static const char *const names[NR_MODES] = {
	[MODE_DIRECT] = "direct",
	[MODE_WRITETHROUGH] = "writethrough",
	[MODE_WRITEBACK] = "writeback",
	[MODE_DAX] = "dax",
};

const char *mode_name(enum io_mode mode)
{
	return (unsigned int)mode < NR_MODES ? names[mode] : "?";
}

int mode_from_name(const char *name)
{
	for (int i = 0; i < NR_MODES; i++)
		if (!strcmp(names[i], name))
			return i;
	return -ENOENT;
}
