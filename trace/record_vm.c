// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One recording of two machines; see record_vm.h.
 *
 * The host's half is recorded by a child (record_process), the guest's by the agent: to this file
 * both are something that starts, ends and leaves a file.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "lib/clock.h"
#include "lib/compiler.h"
#include "lib/exit_status.h"
#include "lib/msg.h"
#include "trace/agent_client.h"
#include "trace/agent_message.h"
#include "trace/end_signal.h"
#include "trace/privilege.h"
#include "trace/record_command.h"
#include "trace/record_process.h"
#include "trace/record_vm.h"

#define TICK_MS 100

struct pair {
	const struct record_vm_config *config;
	struct agent_client guest;
	struct record_process host;
	struct record_command command;
	bool guest_lost; /* its connection is of no use any more */
	bool called_off; /* the host's probes took too much before the guest recorded */
};

/* Both ends once: the host's child, and what the guest says. */
static int look(struct pair *p)
{
	int err = agent_client_poll(&p->guest, TICK_MS);

	record_process_look(&p->host);
	p->guest_lost |= err < 0;
	return err;
}

/*
 * The host's recording has ended by itself, and well, though there was an end in sight: its probes
 * took too much, as it has said.
 */
static bool host_took_too_much(const struct pair *p)
{
	return p->config->record.max_overhead_percent > 0 && p->host.started && p->host.ended &&
	       p->host.status == EXIT_DONE;
}

/* A side that ended at once has said why. */
static int has_begun(bool started, bool ended)
{
	if (started)
		return 0;
	if (!ended)
		msg_error("ended before guest and host were both recording");
	return -ECANCELED;
}

static int record_host(const struct record_config *config)
{
	return record_session_run(&host_capture_ops, config);
}

static int start_host(struct pair *p)
{
	struct record_config config = p->config->record;
	int err;

	config.duration_ns = 0;
	config.command = NULL;
	err = record_process_start(&p->host, record_host, &config, false);
	while (!err && !p->host.started && !p->host.ended && !end_signal_came())
		err = look(p);
	return err ? err : has_begun(p->host.started, p->host.ended);
}

static int start_guest(struct pair *p)
{
	const struct agent_start start = {.config = p->config->record,
					  .command = p->config->guest_command,
					  .silence_ms = p->config->silence_ms};
	int err = agent_client_start(&p->guest, &start);

	while (!err && !p->guest.started && !p->guest.ended && !p->host.ended && !end_signal_came())
		err = look(p);
	p->guest_lost |= err < 0;
	if (err || p->guest.started || p->guest.ended || !host_took_too_much(p))
		return err ? err : has_begun(p->guest.started, p->guest.ended);
	p->called_off = true;
	msg_error("the host's recording has ended before the guest's began: there is nothing to "
		  "join");
	return -ECANCELED;
}

static int make_ready_file(const char *path)
{
	int fd = path ? open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644) : -1;

	if (path && fd < 0) {
		msg_error("cannot create --ready-file %s: %s", path, strerror(errno));
		return -errno;
	}
	if (fd >= 0)
		close(fd);
	return 0;
}

/* The joined file may go to another user's folder, which a root without them cannot enter. */
static int keep_only_files(void)
{
	int err = privilege_keep_files();

	if (err)
		msg_error("cannot give up this process's capabilities: %s; not recording with "
			  "them",
			  strerror(-err));
	return err;
}

static int start_command(struct pair *p)
{
	const struct record_config *record = &p->config->record;
	int err = make_ready_file(record->ready_file);

	if (!err && record->command)
		err = record_command_start(&p->command, record->command);
	if (!err)
		err = keep_only_files();
	if (!err)
		msg_info("recording guest and host; Ctrl-C ends");
	return err;
}

static int record_until_end(struct pair *p)
{
	uint64_t end_ns = UINT64_MAX;
	int err = 0;

	if (p->config->record.duration_ns)
		end_ns = clock_ns(CLOCK_MONOTONIC) + p->config->record.duration_ns;
	while (!err && !end_signal_came() && clock_ns(CLOCK_MONOTONIC) < end_ns &&
	       !p->guest.ended && !p->host.ended && !record_command_ended(&p->command))
		err = look(p);
	return err;
}

/*
 * The guest's recording first, as far as it has begun. A guest need not obey: one more signal gives
 * it up.
 */
static int end_guest(struct pair *p)
{
	int err = p->guest_lost || p->guest.ended ? 0 : agent_client_stop(&p->guest);

	end_signal_catch(true);
	while (!err && !p->guest_lost && !p->guest.ended) {
		err = look(p);
		if (!err && !p->guest.ended && end_signal_came()) {
			msg_error("stopped by a signal while the guest's recording was ending");
			err = -ECANCELED;
		}
	}
	p->guest_lost |= err < 0;
	return err;
}

/* As it would have gone on if it had begun. */
static void run_unrecorded(struct pair *p)
{
	if (p->config->guest_command)
		msg_warn("'%s' is not run in the guest", p->config->guest_command);
	if (p->config->record.command &&
	    !record_command_start(&p->command, p->config->record.command))
		keep_only_files();
}

static int fetch(struct pair *p, struct record_vm_result *result)
{
	const struct record_vm_config *config = p->config;
	int err = agent_client_fetch(&p->guest, config->guest_output, config->guest_limit_bytes,
				     &result->guest_file);

	if (!err && p->guest.result.status != EXIT_DONE) {
		msg_error("the guest's recording failed%s",
			  result->guest_file ? "; what it kept was fetched" : "");
		err = -EIO;
	}
	return err;
}

static int end_host(struct pair *p, struct record_vm_result *result)
{
	record_process_finish(&p->host);
	result->host_file = p->host.started && (p->guest.started || p->called_off);
	if (p->host.started && !result->host_file) /* nothing of what was wanted is in it */
		unlink(p->config->record.capture.output);
	if (p->host.started && p->host.status != EXIT_DONE)
		msg_error("the host's recording failed");
	return p->host.status == EXIT_DONE ? 0 : -EIO;
}

/* A side has ended by itself, not because of its command: its probes took too much. */
static bool took_too_much(const struct pair *p)
{
	return p->config->record.max_overhead_percent > 0 &&
	       (p->host.ended || (p->guest.ended && !p->config->guest_command));
}

static int record(struct pair *p, struct record_vm_result *result)
{
	bool guest_asked = false, leave_command;
	int err = start_host(p), end_err;

	if (!err) {
		guest_asked = true;
		err = start_guest(p);
	}
	if (!err)
		err = start_command(p);
	if (!err)
		err = record_until_end(p);
	leave_command = err || took_too_much(p);
	if (p->called_off)
		run_unrecorded(p);
	end_err = guest_asked ? end_guest(p) : 0;
	err = err ? err : end_err;
	end_err = end_host(p, result);
	err = err ? err : end_err;
	leave_command |= err != 0;
	if (leave_command && p->command.name && !record_command_ended(&p->command))
		msg_warn("'%s' goes on without being recorded", p->command.name);
	/* Also after a failure of the host's: half a picture is better than none. */
	if (p->guest.ended && !p->guest_lost && !p->called_off) {
		end_err = fetch(p, result);
		record_command_finish(&p->command, !leave_command);
		return err ? err : end_err;
	}
	record_command_finish(&p->command, !leave_command);
	return err;
}

int record_vm_run(const struct record_vm_config *config, struct record_vm_result *result)
{
	struct pair p = {.config = config};
	int err;

	memset(result, 0, sizeof(*result));
	if (config->record.command && record_command_check(config->record.command))
		return -ENOENT;
	err = agent_client_open(&p.guest, &config->address, config->record.version,
				config->silence_ms);
	if (err)
		return err;
	end_signal_catch(true);
	err = record(&p, result);
	end_signal_catch(false);
	agent_client_close(&p.guest);
	return err;
}

/* The guest's part of it. Its agent says itself why it cannot. */
static int plan_guest(const struct record_vm_config *config, json_t **guest)
{
	const struct agent_start start = {.config = config->record,
					  .command = config->guest_command,
					  .dry_run = true,
					  .silence_ms = config->silence_ms};
	struct agent_client c;
	int err =
		agent_client_open(&c, &config->address, config->record.version, config->silence_ms);

	if (err)
		return err;
	err = agent_client_start(&c, &start);
	while (!err && !c.ended)
		err = agent_client_poll(&c, TICK_MS);
	if (!err && c.result.status != EXIT_DONE) {
		msg_error("the guest cannot record: see above");
		err = -EIO;
	}
	if (!err)
		err = agent_client_fetch_json(&c, guest);
	agent_client_close(&c);
	return err;
}

int record_vm_plan(const struct record_vm_config *config, json_t **guest, json_t **host)
{
	int err = record_session_plan(&host_capture_ops, &config->record, host);

	*guest = NULL;
	if (!err)
		err = plan_guest(config, guest);
	if (err) {
		json_decref(*host);
		*host = NULL;
	}
	return err;
}
