// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The signals that end a recording; see end_signal.h.
 */
#include <signal.h>
#include <stddef.h>
#include "trace/end_signal.h"

/* The only thing that a signal may do. */
static volatile sig_atomic_t end_signal;

static void on_end_signal(int signo)
{
	end_signal = signo;
}

void end_signal_catch(bool on)
{
	struct sigaction action = {.sa_handler = on ? on_end_signal : SIG_DFL};

	if (on)
		end_signal = 0;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

bool end_signal_came(void)
{
	return end_signal;
}
