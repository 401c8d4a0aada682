/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flows: kernel paths that wait in the middle, written top to bottom (stackless coroutines).
 *
 * A flow is a function returning bool: false when it must be called again later (its thread now
 * waits for an event), true when it is through. Where it stands is an int in its thread; whatever
 * must survive a wait lives in the thread too, never in a C local. See docs/simulator.md for why
 * this and not stacks or hand-written states.
 *
 *	FLOW_BEGIN(th->x.at);
 *	FLOW_WAIT(th->x.at, cpu_spend(sim, th, ns));	start a wait; go on after the wake-up
 *	FLOW_CALL(th->x.at, other_flow(sim, th));	call another flow until it is through
 *	FLOW_END(th->x.at);
 */
#ifndef VFSCOPE_SIM_FLOW_H
#define VFSCOPE_SIM_FLOW_H

#define FLOW_BEGIN(at)                                                                             \
	switch (at) {                                                                              \
	case 0:

/* expr starts a wait and says whether there is one: after the next wake-up the flow goes on. */
#define FLOW_WAIT(at, expr)                                                                        \
	do {                                                                                       \
		(at) = __LINE__;                                                                   \
		if (expr)                                                                          \
			return false;                                                              \
		__attribute__((fallthrough));                                                      \
	case __LINE__:;                                                                            \
	} while (0)

/* Call a flow; at each wake-up it is called again until it is through. */
#define FLOW_CALL(at, flow)                                                                        \
	do {                                                                                       \
		(at) = __LINE__;                                                                   \
		__attribute__((fallthrough));                                                      \
	case __LINE__:                                                                             \
		if (!(flow))                                                                       \
			return false;                                                              \
	} while (0)

#define FLOW_RETURN(at)                                                                            \
	do {                                                                                       \
		(at) = 0;                                                                          \
		return true;                                                                       \
	} while (0)

#define FLOW_END(at)                                                                               \
	}                                                                                          \
	(at) = 0;                                                                                  \
	return true

#endif
