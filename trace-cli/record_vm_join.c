// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Guest and host into one file; see record_vm_join.h.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "lib/exit_status.h"
#include "lib/msg.h"
#include "trace-cli/join_text.h"
#include "trace-cli/record_vm_join.h"
#include "trace/record_vm.h"

struct halves {
	char guest[PATH_MAX], host[PATH_MAX];
};

/* joined.vft: joined.guest.vft and joined.host.vft. */
static int name_halves(const char *output, struct halves *h)
{
	size_t len = strlen(output);

	if (len > 4 && !strcmp(output + len - 4, ".vft"))
		len -= 4;
	if (len + strlen(".guest.vft") >= sizeof(h->guest)) {
		msg_error("-o: the name is too long");
		return -1;
	}
	snprintf(h->guest, sizeof(h->guest), "%.*s.guest.vft", (int)len, output);
	snprintf(h->host, sizeof(h->host), "%.*s.host.vft", (int)len, output);
	return 0;
}

static int failed(const struct halves *h, const struct record_vm_result *r)
{
	if (r->host_file)
		msg_info("the host's half is in %s: 'vfscope report' reads it", h->host);
	if (r->guest_file)
		msg_info("the guest's half, as far as it came, is in %s", h->guest);
	return EXIT_CANNOT;
}

static int join(const struct record_config *session, const struct record_vm_options *options,
		const struct halves *h)
{
	struct join_config config = {.guest = h->guest, .host = h->host};
	struct join_result result = {0};
	int status;

	status = join_exit_status(join_write(&config, session->capture.output, &result), &result);
	if (status != EXIT_DONE) {
		msg_info("the two halves are kept: %s and %s", h->guest, h->host);
		return status;
	}
	join_print_result(stdout, &result);
	if (options->keep) {
		msg_info("the two halves are in %s and %s", h->guest, h->host);
	} else {
		unlink(h->guest);
		unlink(h->host);
	}
	return join_strict_status(session->strict, &result);
}

int record_vm_join(const struct record_config *session, const struct record_vm_options *options)
{
	struct record_vm_config config = {.record = *session,
					  .guest_limit_bytes = options->guest_limit_bytes,
					  .guest_command = options->guest_command};
	struct record_vm_result result;
	struct halves h;

	if (agent_address_parse(options->target, AGENT_END_HOST, &config.address))
		return EXIT_USAGE;
	if (name_halves(session->capture.output, &h))
		return EXIT_USAGE;
	config.guest_output = h.guest;
	config.record.capture.output = h.host;
	config.record.strict = false; /* the join tells of both */
	if (record_vm_run(&config, &result))
		return failed(&h, &result);
	return join(session, options, &h);
}
