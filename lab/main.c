// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lab-agent: the helper of lab/vm and lab/guest, which are what people use. One program, because
 * the guest runs it from the host's root, which it sees as a virtio-fs share.
 */
#include <stdio.h>
#include <string.h>
#include "agent.h"

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "guest"))
		return agent_main(argc - 2, argv + 2);
	if (argc > 1 && !strcmp(argv[1], "host"))
		return host_main(argc - 2, argv + 2);
	if (argc > 1 && !strcmp(argv[1], "run"))
		return client_main(argc - 2, argv + 2);
	fprintf(stderr, "lab-agent: for use by lab/vm and lab/guest; see 'lab/vm --help'\n");
	return LAB_USAGE;
}
