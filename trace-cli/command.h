/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Subcommands: one file cmd_NAME.c each, listed once in main.c.
 */
#ifndef VFSCOPE_TRACE_CLI_COMMAND_H
#define VFSCOPE_TRACE_CLI_COMMAND_H

#include "lib/version.h"

/* argv[0] is the subcommand's name. Each returns an enum exit_status. */
int cmd_probe(int argc, char **argv);
int cmd_record(int argc, char **argv);
int cmd_agent(int argc, char **argv);
int cmd_join(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_calibrate(int argc, char **argv);
int cmd_simulate(int argc, char **argv);
int cmd_compare(int argc, char **argv);
int cmd_plot(int argc, char **argv);
int cmd_export(int argc, char **argv);

#endif
