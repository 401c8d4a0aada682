/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SIGINT and SIGTERM end what runs, cleanly. A process has one set of signal handlers.
 */
#ifndef VFSCOPE_TRACE_END_SIGNAL_H
#define VFSCOPE_TRACE_END_SIGNAL_H

#include <stdbool.h>

/* On: forgets what came before. Off: signals end the process again. */
void end_signal_catch(bool on);
bool end_signal_came(void);
unsigned int end_signal_count(void); /* one more: no patience left */

#endif
