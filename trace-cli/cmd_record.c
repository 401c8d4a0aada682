// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vfscope record: trace one side of virtio-fs, or both with an agent's help, into a .vft file.
 */
#include <stdio.h>
#include <string.h>
#include "lib/compiler.h"
#include "lib/exit_status.h"
#include "lib/msg.h"
#include "lib/option.h"
#include "lib/version.h"
#include "lib/units.h"
#include "trace-cli/command.h"
#include "trace-cli/plan_text.h"
#include "trace-cli/record_vm_join.h"
#include "trace/agent_message.h"
#include "trace/record_session.h"

#define DEFAULT_WAIT_NS (60 * NS_PER_SEC)
#define DEFAULT_RESTART_WAIT_NS (2 * NS_PER_SEC)
#define DEFAULT_GUEST_LIMIT_BYTES (4ULL << 30)
#define DEFAULT_GUEST_TIMEOUT_NS (20 * NS_PER_SEC)
#define MIN_GUEST_TIMEOUT_NS (AGENT_MIN_SILENCE_MS * NS_PER_MS)
#define MAX_GUEST_TIMEOUT_NS (AGENT_MAX_SILENCE_MS * NS_PER_MS)

static const char *const mechanisms[] = {"auto", "fentry", "kprobe", NULL};

/* By default a full recording has ops and an aggregated one has not: they cost as much there. */
#define OPS_NOT_GIVEN 2

struct record_options {
	struct record_config session;
	struct record_vm_options vm;
	uint32_t mechanism; /* index into mechanisms */
	uint8_t ops; /* a bool, or OPS_NOT_GIVEN */
	bool aggregate;
	bool guest;
	bool host;
	bool dry_run;
};

static const struct command_help help = {
	.name = "record",
	.summary = "trace the guest's side, the host's, or both into a file",
	.text = "Records until COMMAND ends, --duration passes, or Ctrl-C. Exactly one is\n"
		"needed of --guest (run inside the virtual machine), --host (run beside the\n"
		"daemon) and --vm. 'vfscope join' puts the files of guest and host together.\n"
		"--vm TARGET, run beside the daemon, records both and joins them, with 'vfscope\n"
		"agent' in the guest; COMMAND then runs on the host.\n"
		"\n"
		"The status is 0 if the recording is good, whatever COMMAND returned: a failed\n"
		"command is reported as a warning. A recording in which data was lost is good\n"
		"unless --strict is given; the losses are printed and kept in the file.",
	.takes_command = true,
};

static const struct option_spec options[] = {
	OPTION("guest", 'g', OPT_BOOL, struct record_options, guest, NULL,
	       "record requests as the guest kernel sees them"),
	OPTION("host", 'H', OPT_BOOL, struct record_options, host, NULL,
	       "record requests as the daemon on the host sees them"),
	OPTION("vm", 0, OPT_STRING, struct record_options, vm.target, "TARGET",
	       "record host and guest at once, and join: where the guest's agent is, "
	       "vsock:CID[:PORT], hybrid:SOCKET[:PORT], serial:SOCKET or tcp:HOST[:PORT]"),
	OPTION("guest-command", 0, OPT_STRING, struct record_options, vm.guest_command, "COMMAND",
	       "vm: have the agent run this by sh; the recording ends with it"),
	OPTION("keep", 0, OPT_BOOL, struct record_options, vm.keep, NULL,
	       "vm: keep the files of guest and host beside the joined one"),
	OPTION("guest-limit", 0, OPT_SIZE, struct record_options, vm.guest_limit_bytes, NULL,
	       "vm: take no larger file from the guest (default 4g)"),
	OPTION("guest-timeout", 0, OPT_TIME, struct record_options, vm.guest_timeout_ns, NULL,
	       "vm: a guest, or host, that says nothing for so long is gone (default 20s)"),
	OPTION("output", 'o', OPT_STRING, struct record_options, session.capture.output, "FILE",
	       "trace file to write, a FIFO, or - for standard output (default vfscope.vft)"),
	OPTION("duration", 'd', OPT_TIME, struct record_options, session.duration_ns, NULL,
	       "end after this time, such as 10s (default: no limit)"),
	OPTION("mount", 'm', OPT_STRINGS, struct record_options, session.capture.mounts, "PATH",
	       "guest: only this mount; may be repeated (default: every virtio-fs mount)"),
	OPTION("ops", 0, OPT_BOOL, struct record_options, ops, NULL,
	       "guest: record file operations too (default, but with --aggregate not; --no-ops: "
	       "only requests)"),
	OPTION("paths", 0, OPT_BOOL, struct record_options, session.capture.paths, NULL,
	       "guest: record the names of the files that ops meet, too (default: never)"),
	OPTION("aggregate", 'a', OPT_BOOL, struct record_options, aggregate, NULL,
	       "keep histograms per opcode and stage instead of requests: for permanent use; ops "
	       "only with --ops, and join cannot use it"),
	OPTION("max-overhead", 0, OPT_DOUBLE, struct record_options, session.max_overhead_percent,
	       "PCT",
	       "detach and end when the probes take more than this share of a CPU's time in a "
	       "second (default: no limit)"),
	OPTION_CHOICE(
		"mechanism", 0, struct record_options, mechanism, mechanisms,
		"guest: how to attach: fentry, or kprobe where the kernel refuses that (auto, "
		"default), or one of them alone"),
	OPTION("daemon", 'p', OPT_STRINGS, struct record_options, session.capture.daemons,
	       "PID|auto|all",
	       "host: process id of the daemon, may be repeated; auto: the only one that runs "
	       "(default); all: each, also later ones"),
	OPTION("sched", 0, OPT_BOOL, struct record_options, session.capture.sched, NULL,
	       "host: record how long the daemon's threads wait for a CPU; runs a program at each "
	       "switch of tasks on the host (default: no)"),
	OPTION("kvm", 0, OPT_BOOL, struct record_options, session.capture.kvm, NULL,
	       "host: record exits and interrupts of the daemons' VMs under KVM; runs programs at "
	       "each exit of each VM on the host (default: no)"),
	OPTION("wait", 'w', OPT_TIME, struct record_options, session.capture.wait_ns, NULL,
	       "wait this long for what is not there yet: guest: the driver and --mount; host: "
	       "the guest's driver (default: guest 0; host --duration, or 60s without), and what "
	       "follows a daemon that ended, given by PID (default 2s)"),
	OPTION("buffer", 'b', OPT_SIZE, struct record_options, session.capture.buffer_bytes, NULL,
	       "ring buffer between kernel and vfscope in bytes, 4k to 1g (default 8m)"),
	OPTION("max-inflight", 0, OPT_U32, struct record_options, session.capture.max_inflight, "N",
	       "requests that can be followed at once, as many ops, and the daemon's system calls "
	       "(default 16384)"),
	OPTION("max-shares", 0, OPT_U32, struct record_options, session.capture.max_shares, "N",
	       "guest: connections that the file describes (default 64); host: daemons that are "
	       "followed (default and at most 16)"),
	OPTION("strict", 0, OPT_BOOL, struct record_options, session.strict, NULL,
	       "exit with status 5 if data was lost"),
	OPTION("ready-file", 0, OPT_STRING, struct record_options, session.ready_file, "FILE",
	       "create FILE once recording has begun"),
	OPTION("dry-run", 'n', OPT_BOOL, struct record_options, dry_run, NULL,
	       "print what would be recorded, and how; attach and write nothing"),
	OPTION_END,
};

static int wrong_use_of_vm(const struct record_options *o)
{
	const struct record_vm_options *vm = &o->vm;

	if (!vm->target && (vm->guest_command || vm->keep)) {
		msg_error("--guest-command and --keep are for --vm");
		return EXIT_USAGE;
	}
	if (!vm->target)
		return 0;
	for (uint32_t i = 0; i < o->session.capture.mounts.count; i++) {
		if (o->session.capture.mounts.items[i][0] != '/') {
			msg_error("--mount %s: with --vm it is a path in the guest, from its root",
				  o->session.capture.mounts.items[i]);
			return EXIT_USAGE;
		}
	}
	if (vm->guest_timeout_ns < MIN_GUEST_TIMEOUT_NS ||
	    vm->guest_timeout_ns > MAX_GUEST_TIMEOUT_NS) {
		msg_error("--guest-timeout is a time from 5s to 24h");
		return EXIT_USAGE;
	}
	return 0;
}

static int wrong_use(const struct record_options *o, bool has_command)
{
	if (o->guest + o->host + (o->vm.target != NULL) != 1) {
		msg_error("record needs exactly one of --guest, --host and --vm; see 'vfscope "
			  "record --help'");
		return EXIT_USAGE;
	}
	if (o->host && o->session.capture.mounts.count) {
		msg_error("--mount is for --guest; a host recording follows daemons (--daemon)");
		return EXIT_USAGE;
	}
	if (o->session.capture.paths && (o->host || o->aggregate || !o->ops)) {
		msg_error("--paths is for --guest with ops: it is they that meet files by name");
		return EXIT_USAGE;
	}
	if (!strcmp(o->session.capture.output, VFT_STDOUT) && (has_command || o->vm.target)) {
		msg_error("--output - is standard output, which the command writes to, and which "
			  "--vm "
			  "prints on: name a FIFO (mkfifo)");
		return EXIT_USAGE;
	}
	if (o->session.max_overhead_percent < 0) {
		msg_error("--max-overhead is a percentage of a CPU's time, such as 3; it cannot be "
			  "negative");
		return EXIT_USAGE;
	}
	if (!o->session.capture.max_inflight ||
	    o->session.capture.max_inflight > RECORD_MAX_INFLIGHT) {
		msg_error("--max-inflight is a number from 1 to %u, not %u", RECORD_MAX_INFLIGHT,
			  o->session.capture.max_inflight);
		return EXIT_USAGE;
	}
	if (o->session.capture.max_shares > RECORD_MAX_SHARES) {
		msg_error("--max-shares is a number up to %u, not %u", RECORD_MAX_SHARES,
			  o->session.capture.max_shares);
		return EXIT_USAGE;
	}
	if (o->guest && o->session.capture.daemons.count) {
		msg_error("--daemon is for --host; a guest recording follows mounts (--mount)");
		return EXIT_USAGE;
	}
	return wrong_use_of_vm(o);
}

static int print_plan(const struct capture_ops *ops, const struct record_options *o)
{
	json_t *header;

	if (record_session_plan(ops, &o->session, &header))
		return EXIT_CANNOT;
	plan_print_output(stdout, o->session.capture.output);
	plan_print_settings(stdout, &o->session);
	plan_print_side(stdout, ops->kind, header);
	plan_print_end(stdout);
	json_decref(header);
	return EXIT_DONE;
}

int cmd_record(int argc, char **argv)
{
	struct record_options o = {
		.session = {.version = VFSCOPE_VERSION,
			    .capture = {.output = "vfscope.vft",
					.buffer_bytes = 8 << 20,
					.max_inflight = RECORD_DEFAULT_INFLIGHT}},
		.vm = {.guest_limit_bytes = DEFAULT_GUEST_LIMIT_BYTES,
		       .guest_timeout_ns = DEFAULT_GUEST_TIMEOUT_NS},
		.ops = OPS_NOT_GIVEN,
	};
	const struct capture_ops *ops;
	int rest, status = options_parse(&help, options, &o, argc, argv, &rest);

	if (status)
		return status == OPTIONS_HELP ? EXIT_DONE : EXIT_USAGE;
	status = wrong_use(&o, rest < argc);
	if (status)
		return status;
	o.session.capture.mechanism = o.mechanism == 0	 ? ATTACH_NONE
				      : o.mechanism == 1 ? ATTACH_FENTRY
							 : ATTACH_KPROBE;
	o.session.capture.aggregate_ops = o.aggregate && o.ops == true;
	o.session.capture.level = o.aggregate ? RECORD_AGGREGATE
				  : o.ops     ? RECORD_OPS
					      : RECORD_REQUESTS;
	ops = o.guest ? &guest_capture_ops : &host_capture_ops;
	o.session.capture.restart_wait_ns = o.session.capture.wait_ns ?: DEFAULT_RESTART_WAIT_NS;
	/* A guest that is not there within the recording's time would leave nothing to record. */
	if (!o.guest && !o.session.capture.wait_ns)
		o.session.capture.wait_ns =
			o.session.duration_ns ? o.session.duration_ns : DEFAULT_WAIT_NS;
	if (rest < argc)
		o.session.command = argv + rest;
	if (o.dry_run)
		o.session.capture.wait_ns = 0;
	if (o.vm.target)
		return o.dry_run ? record_vm_print_plan(&o.session, &o.vm)
				 : record_vm_join(&o.session, &o.vm);
	return o.dry_run ? print_plan(ops, &o) : record_session_run(ops, &o.session);
}
