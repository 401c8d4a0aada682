// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vfscope agent: waits in a guest for a host that records it.
 */
#include <string.h>
#include "lib/exit_status.h"
#include "lib/msg.h"
#include "lib/option.h"
#include "trace-cli/command.h"
#include "trace/agent_serve.h"

struct agent_options {
	const char *address;
	bool allow_commands;
};

static const struct command_help help = {
	.name = "agent",
	.summary = "record in this guest what its host asks for",
	.text = "Waits for 'vfscope record --vm' on the host, records the guest's side for it, "
		"sends\n"
		"the file there, and waits for the next; until Ctrl-C.\n"
		"\n"
		"ADDRESS is vsock[:PORT], serial:NAME (of a virtio-serial port) or\n"
		"tcp[:ADDR][:PORT]; TCP listens on localhost unless ADDR says otherwise, and has\n"
		"neither authentication nor encryption. The default port is 8347.",
};

static const struct option_spec options[] = {
	OPTION("allow-commands", 0, OPT_BOOL, struct agent_options, allow_commands, NULL,
	       "run commands that the host gives, with this process's privileges (default: no)"),
	OPTION_POSITIONAL("ADDRESS", OPT_STRING, struct agent_options, address, true,
			  "where to wait: vsock, serial:NAME or tcp:ADDR:PORT"),
	OPTION_END,
};

int cmd_agent(int argc, char **argv)
{
	struct agent_config config = {.version = VFSCOPE_VERSION};
	struct agent_options o = {0};
	int status = options_parse(&help, options, &o, argc, argv, NULL);

	if (status)
		return status == OPTIONS_HELP ? EXIT_DONE : EXIT_USAGE;
	if (agent_address_parse(o.address, AGENT_END_GUEST, &config.address))
		return EXIT_USAGE;
	config.allow_commands = o.allow_commands;
	return agent_serve(&config);
}
