// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The signals that end a recording; see end_signal.h.
 */
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include "trace/end_signal.h"

/* The only thing that a signal may do. */
static volatile sig_atomic_t end_signals;

static void on_end_signal(int signo)
{
	(void)signo;
	if (end_signals < SIG_ATOMIC_MAX)
		end_signals++;
}

void end_signal_catch(bool on)
{
	struct sigaction action = {.sa_handler = on ? on_end_signal : SIG_DFL};

	/* One handler at a time: what it does is not atomic. */
	sigemptyset(&action.sa_mask);
	sigaddset(&action.sa_mask, SIGINT);
	sigaddset(&action.sa_mask, SIGTERM);
	if (on)
		end_signals = 0;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

bool end_signal_came(void)
{
	return end_signals;
}

unsigned int end_signal_count(void)
{
	return (unsigned int)end_signals;
}
