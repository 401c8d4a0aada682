/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The program's version, as printed by --version and stored in the files that it writes.
 */
#ifndef VFSCOPE_LIB_VERSION_H
#define VFSCOPE_LIB_VERSION_H

#define VFSCOPE_VERSION "0.1.0"

#endif
