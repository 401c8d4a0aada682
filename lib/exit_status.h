/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The exit statuses of vfscope, the same for every subcommand and documented in vfscope(1).
 *
 * Only main() exits. A command function returns one of these; library functions return 0 or -errno.
 */
#ifndef VFSCOPE_LIB_EXIT_STATUS_H
#define VFSCOPE_LIB_EXIT_STATUS_H

enum exit_status {
	EXIT_DONE = 0, /* done */
	EXIT_NO = 1, /* the answer is no: regression found, objective missed */
	EXIT_USAGE = 2, /* wrong use */
	EXIT_CANNOT = 3, /* permission or kernel feature missing, or the system refused */
	EXIT_BAD_INPUT = 4, /* an input file is unreadable, truncated or wrong */
	EXIT_LOST = 5, /* data was lost and --strict was given */
};

#endif
