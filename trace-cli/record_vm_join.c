// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Guest and host into one file; see record_vm_join.h.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "lib/exit_status.h"
#include "lib/msg.h"
#include "lib/units.h"
#include "trace-cli/aggregate_pair.h"
#include "trace-cli/join_text.h"
#include "trace-cli/plan_text.h"
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

static int print_aggregates(const struct record_config *session, const struct halves *h)
{
	struct aggregate_pair pair;
	int status = EXIT_BAD_INPUT;

	if (!aggregate_pair_read(&pair, h->guest, h->host)) {
		aggregate_pair_print_means(stdout, &pair);
		status = aggregate_pair_strict_status(session->strict, &pair);
	}
	aggregate_pair_free(&pair);
	msg_info("the two recordings are in %s and %s: 'vfscope report' prints each, or both",
		 h->guest, h->host);
	return status;
}

static int make_config(struct record_vm_config *config, struct halves *h,
		       const struct record_config *session, const struct record_vm_options *options)
{
	*config = (struct record_vm_config){
		.record = *session,
		.guest_limit_bytes = options->guest_limit_bytes,
		.guest_command = options->guest_command,
		.silence_ms = (uint32_t)(options->guest_timeout_ns / NS_PER_MS)};
	if (agent_address_parse(options->target, AGENT_END_HOST, &config->address))
		return -EINVAL;
	if (name_halves(session->capture.output, h))
		return -EINVAL;
	config->guest_output = h->guest;
	config->record.capture.output = h->host;
	config->record.strict = false; /* the join tells of both */
	return 0;
}

int record_vm_join(const struct record_config *session, const struct record_vm_options *options)
{
	struct record_vm_config config;
	struct record_vm_result result;
	struct halves h;

	if (make_config(&config, &h, session, options))
		return EXIT_USAGE;
	if (record_vm_run(&config, &result))
		return failed(&h, &result);
	return session->capture.level == RECORD_AGGREGATE ? print_aggregates(session, &h)
							  : join(session, options, &h);
}

int record_vm_print_plan(const struct record_config *session,
			 const struct record_vm_options *options)
{
	struct record_vm_config config;
	json_t *guest, *host;
	struct halves h;

	if (make_config(&config, &h, session, options))
		return EXIT_USAGE;
	if (record_vm_plan(&config, &guest, &host))
		return EXIT_CANNOT;
	if (session->capture.level != RECORD_AGGREGATE)
		plan_print_output(stdout, session->capture.output);
	if (session->capture.level == RECORD_AGGREGATE || options->keep) {
		plan_print_output(stdout, h.guest);
		plan_print_output(stdout, h.host);
	}
	plan_print_settings(stdout, session);
	if (options->guest_command)
		printf("%-9s %s\n", "in guest", options->guest_command);
	printf("\n");
	plan_print_side(stdout, VFT_GUEST, guest);
	printf("\n");
	plan_print_side(stdout, VFT_HOST, host);
	plan_print_end(stdout);
	json_decref(guest);
	json_decref(host);
	return EXIT_DONE;
}
