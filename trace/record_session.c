// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One recording from attach to footer; see record_session.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "lib/clock.h"
#include "lib/compiler.h"
#include "lib/exit_status.h"
#include "lib/loss.h"
#include "lib/msg.h"
#include "lib/units.h"
#include "trace/bpf_util.h"
#include "trace/end_signal.h"
#include "trace/machine.h"
#include "trace/privilege.h"
#include "trace/reader_pace.h"
#include "trace/record_command.h"
#include "trace/record_session.h"

#define RECORDER_NICE (-10)
#define POLL_MS 100
#define FLUSH_INTERVAL_NS NS_PER_SEC
#define OVERHEAD_INTERVAL_NS NS_PER_SEC
/* Of programs, that tell what one costs: of some thousands of requests. */
#define COST_RUNS 20000
/*
 * What is asked of a reader once the recording's end has come. A serial line of 115200 baud, of all
 * that a trace may be sent through, takes 11 KiB a second; who reads in bursts, has a few in a
 * window.
 */
#define READER_PAUSE_NS (3 * NS_PER_SEC)
#define READER_WINDOW_NS (10 * NS_PER_SEC)
#define READER_BYTES_PER_S 8192

struct session {
	const struct capture_ops *ops;
	const struct record_config *config;
	struct capture *capture;
	struct vft_writer *writer;
	struct record_command command;
	uint64_t start_ns, end_ns; /* end_ns: nothing more is recorded */
	uint64_t deadline_ns; /* of --duration */
	uint64_t over_ns; /* when it was noticed that an end had come; 0: none has */
	unsigned int end_signals; /* that made it end */
	uint64_t last_flush_ns;
	uint64_t requests;
	uint64_t losses[NR_LOSS_CLASSES];
	uint64_t bytes; /* written, without the footer */
	uint64_t events, not_written; /* of all that came, and of these */
	bool write_failed;
	bool said_stalled, said_waiting;
	struct reader_pace pace;
	struct {
		uint64_t at_ns; /* when the probes' cost was looked at */
		struct bpf_cost cost; /* what it was */
		bool counted; /* to its end: before the recording's */
		uint64_t requests; /* until then */
		double worst_percent; /* of a CPU, in any interval */
		bool exceeded;
	} overhead;
};

const char *record_level_name(enum record_level level)
{
	static const char *const names[] = {
		[RECORD_OPS] = "ops",
		[RECORD_REQUESTS] = "requests",
		[RECORD_AGGREGATE] = "aggregate",
	};

	return names[level];
}

static json_t *command_json(char **command)
{
	json_t *array = json_array();

	for (; array && command && *command; command++)
		json_array_append_new(array, json_string(*command));
	return array;
}

static json_t *header_json(struct session *s)
{
	struct utsname uts;
	json_t *header;

	if (uname(&uts))
		return NULL;
	s->start_ns = clock_ns(CLOCK_MONOTONIC);
	header = json_pack("{s:s s:s s:I s:I s:s s:s s:s s:s s:i s:I s:o}", "kind",
			   vft_kind_name(s->ops->kind), "level",
			   record_level_name(s->config->capture.level), "start_ns",
			   (json_int_t)s->start_ns, "start_realtime_ns",
			   (json_int_t)clock_ns(CLOCK_REALTIME), "hostname", uts.nodename, "kernel",
			   uts.release, "arch", uts.machine, "vfscope_version", s->config->version,
			   "cpus", (int)sysconf(_SC_NPROCESSORS_ONLN), "buffer_bytes",
			   (json_int_t)s->config->capture.buffer_bytes, "command",
			   command_json(s->config->command));
	if (header)
		machine_describe(header);
	if (header && s->ops->describe(s->capture, header)) {
		json_decref(header);
		return NULL;
	}
	return header;
}

static int open_output(struct session *s)
{
	const char *path = s->config->capture.output;
	json_t *header;
	int err;

	header = header_json(s);
	if (!header) {
		msg_error("cannot describe this machine for the header of %s", path);
		return -ENOMEM;
	}
	err = vft_writer_open(&s->writer, path, s->ops->kind, header);
	json_decref(header);
	if (err)
		msg_error("cannot create %s: %s; choose another place with -o", path,
			  strerror(-err));
	return err;
}

static uint64_t requests_of(const struct session *s, const struct event_header *event)
{
	const struct aggregate_event *added = (const struct aggregate_event *)event;

	if (event->type == EV_AGGREGATE)
		return added->key.what == AGG_LATENCY ? added->added.count : 0;
	return event->type == s->ops->request_event;
}

static const char *why_not_written(int err)
{
	switch (err) {
	case -ETIMEDOUT:
		return "its reader takes nothing";
	case -ETIME:
		return "its reader is too slow";
	default:
		return strerror(-err);
	}
}

/* Said once: what is left in the buffers at the end fails, too. */
static void cannot_write(struct session *s, int err)
{
	bool by_reader = err == -EPIPE || err == -ETIMEDOUT || err == -ETIME;

	if (!s->write_failed)
		msg_error("cannot write to %s: %s; what was written before is readable%s",
			  s->config->capture.output, why_not_written(err),
			  by_reader ? " by who has it" : "");
	s->write_failed = true;
}

static int keep_event(void *ctx, const struct event_header *event)
{
	struct session *s = ctx;
	int err = vft_write_event(s->writer, event);

	if (err)
		cannot_write(s, err);
	else
		s->requests += requests_of(s, event);
	return err;
}

static int announce(struct session *s)
{
	const char *path = s->config->ready_file;
	int fd;

	if (s->config->started) {
		s->config->started(s->config->started_ctx);
		return 0;
	}
	msg_info("recording the %s's requests into %s; Ctrl-C ends", vft_kind_name(s->ops->kind),
		 s->config->capture.output);
	if (!path)
		return 0;
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0) {
		msg_error("cannot create --ready-file %s: %s", path, strerror(errno));
		return -errno;
	}
	close(fd);
	return 0;
}

static int flush_each_second(struct session *s, uint64_t now_ns)
{
	int err;

	if (now_ns - s->last_flush_ns < FLUSH_INTERVAL_NS)
		return 0;
	s->last_flush_ns = now_ns;
	err = vft_writer_flush(s->writer);
	if (err)
		cannot_write(s, err);
	return err;
}

static int poll_timeout_ms(uint64_t now_ns, uint64_t end_ns)
{
	if (now_ns >= end_ns)
		return 0;
	return (int)min_u64(POLL_MS, (end_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS);
}

/*
 * What the programs took since the last look, of one CPU's time. That is the share of the machine
 * that one saturated task loses, whatever the number of CPUs.
 */
static void watch_overhead(struct session *s, uint64_t now_ns)
{
	double limit = s->config->max_overhead_percent, percent;
	struct bpf_cost cost;

	if (s->overhead.counted || now_ns - s->overhead.at_ns < OVERHEAD_INTERVAL_NS)
		return;
	cost = s->ops->cost(s->capture);
	percent = 100.0 * (double)(cost.ns - s->overhead.cost.ns) /
		  (double)(now_ns - s->overhead.at_ns);
	s->overhead.at_ns = now_ns;
	s->overhead.cost = cost;
	s->overhead.worst_percent =
		percent > s->overhead.worst_percent ? percent : s->overhead.worst_percent;
	if (limit > 0 && percent > limit && !s->overhead.exceeded) {
		s->overhead.exceeded = true;
		msg_warn("the probes took %.2f %% of a CPU, more than --max-overhead %g: they are "
			 "detached, the recording ends; --aggregate or --no-ops costs less",
			 percent, limit);
	}
}

/*
 * Counting what programs cost is a fifth of what an aggregated recording costs, which is for
 * permanent use, and cannot be begun again without privileges. Of full ones calibrate wants to know
 * what each program cost, also of those that run only later.
 */
static int end_costs(struct session *s)
{
	int err;

	if (s->overhead.counted || s->overhead.cost.runs < COST_RUNS ||
	    s->config->capture.level != RECORD_AGGREGATE || s->config->max_overhead_percent > 0)
		return 0;
	err = s->ops->end_costs(s->capture);
	s->overhead.counted = true;
	s->overhead.requests = s->requests;
	return err;
}

/* Once it has ended, it has: whatever has yet to be written. */
static bool is_over(struct session *s, uint64_t now_ns)
{
	if (s->over_ns)
		return true;
	s->end_signals = end_signal_came();
	if (!s->end_signals && now_ns < s->deadline_ns && !s->overhead.exceeded &&
	    !record_command_ended(&s->command))
		return false;
	s->over_ns = now_ns;
	return true;
}

/*
 * The output's reader leaves no room. While the recording lasts, that costs events, which the
 * ring buffer counts; it must not keep the recording from ending.
 */
static int on_stall(void *ctx, const struct vft_stall *stall)
{
	struct session *s = ctx;
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
	bool over = is_over(s, now_ns);

	if (!over)
		watch_overhead(s, now_ns);
	if (!over && stall->for_ns >= READER_PAUSE_NS && !s->said_stalled) {
		s->said_stalled = true;
		msg_warn("the reader of %s takes nothing: events are lost once the ring buffer is "
			 "full",
			 s->config->capture.output);
	}
	if (!over)
		return 0;
	if (!s->said_waiting) {
		s->said_waiting = true;
		msg_info("waiting for the reader of %s, as long as it takes something at least "
			 "every %" PRIu64 " s, and %d bytes a second; Ctrl-C gives it up",
			 s->config->capture.output, (uint64_t)(READER_PAUSE_NS / NS_PER_SEC),
			 READER_BYTES_PER_S);
	}
	if (end_signal_count() > s->end_signals)
		return -ETIMEDOUT;
	return reader_pace_check(&s->pace, stall, now_ns - s->over_ns);
}

static int record_until_end(struct session *s)
{
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
	int err = 0;

	if (s->config->duration_ns)
		s->deadline_ns = now_ns + s->config->duration_ns;
	s->last_flush_ns = s->overhead.at_ns = now_ns;
	while (!err && !is_over(s, now_ns)) {
		err = s->ops->poll(s->capture, poll_timeout_ms(now_ns, s->deadline_ns));
		now_ns = clock_ns(CLOCK_MONOTONIC);
		if (!err)
			err = flush_each_second(s, now_ns);
		watch_overhead(s, now_ns);
		if (!err)
			err = end_costs(s);
	}
	return err < 0 ? err : 0; /* 1: nothing more can come */
}

/* What comes from now on, events and whatever the traced do, is handled without any power. */
static int drop_privileges(void)
{
	int err = privilege_drop();

	if (err)
		msg_error("cannot give up this process's capabilities: %s; not recording with "
			  "them",
			  strerror(-err));
	return err;
}

/*
 * What there is no time to read is lost, and the tasks that are recorded compete for the CPUs: 40
 * of them left 8 MiB unread for seconds. Without CAP_SYS_NICE it goes on as it is. The command
 * keeps the priority that it was started with.
 */
static void take_precedence(void)
{
	setpriority(PRIO_PROCESS, 0, RECORDER_NICE);
}

static int run(struct session *s)
{
	int err = s->ops->start(s->capture, keep_event, s);

	if (!err)
		err = announce(s);
	if (!err && s->config->command)
		err = record_command_start(&s->command, s->config->command);
	take_precedence();
	if (!err)
		err = drop_privileges();
	if (!err)
		err = record_until_end(s);
	return err;
}

static int summarize(struct session *s, json_t *footer)
{
	int err = s->ops->losses(s->capture, s->losses);

	if (!err && s->ops->summarize && footer)
		err = s->ops->summarize(s->capture, footer);
	if (err)
		msg_error("cannot read the last counters from the kernel: %s; what was lost is "
			  "unknown",
			  strerror(-err));
	return err;
}

/* Also when run() failed: what came so far is kept. */
static int close_output(struct session *s)
{
	json_t *footer = json_object();
	int err, summary_err = 0, close_err;

	if (!s->over_ns) {
		s->over_ns = clock_ns(CLOCK_MONOTONIC);
		s->end_signals = end_signal_came();
	}
	err = s->ops->stop(s->capture);
	s->end_ns = clock_ns(CLOCK_MONOTONIC);
	if (!err || s->write_failed)
		summary_err = summarize(s, footer);
	err = err ? err : summary_err;
	if (footer) {
		json_object_set_new(footer, "end_ns", json_integer((json_int_t)s->end_ns));
		json_object_set_new(footer, "requests", json_integer((json_int_t)s->requests));
		json_object_set_new(footer, "worst_overhead_percent",
				    json_real(s->overhead.worst_percent));
		json_object_set_new(footer, "overhead_exceeded",
				    json_boolean(s->overhead.exceeded));
		if (s->overhead.counted)
			json_object_set_new(footer, "probe_cost_requests",
					    json_integer((json_int_t)s->overhead.requests));
	}
	close_err = vft_writer_flush(s->writer);
	if (close_err)
		cannot_write(s, close_err);
	s->bytes = vft_writer_bytes(s->writer);
	s->events = vft_writer_records(s->writer);
	s->not_written = vft_writer_not_written(s->writer);
	close_err = vft_writer_close(s->writer, s->losses, footer);
	s->writer = NULL;
	json_decref(footer);
	if (close_err && !s->write_failed) /* else it has been said */
		msg_error("cannot finish %s: %s; 'vfscope report' reads what is whole",
			  s->config->capture.output, strerror(-close_err));
	return err ? err : close_err;
}

static void say_remedies(const struct session *s)
{
	const struct capture_config *config = &s->config->capture;

	if (s->losses[LOSS_RINGBUF])
		msg_warn("the ring buffer was too small or this machine too busy; try a larger "
			 "--buffer");
	if (s->losses[LOSS_MAP_FULL] && config->level != RECORD_AGGREGATE)
		msg_warn("more was under way at once than there was room for; try a larger "
			 "--max-inflight");
	if (s->losses[LOSS_PROBE_MISSED] && s->ops->kind == VFT_GUEST &&
	    config->mechanism != ATTACH_KPROBE)
		msg_warn("this kernel was preempted in programs, and skipped them meanwhile; "
			 "--mechanism kprobe misses nothing so, but costs more");
}

static bool print_losses(const struct session *s)
{
	bool lost = false;

	for (unsigned int i = 0; i < NR_LOSS_CLASSES; i++) {
		if (!s->losses[i])
			continue;
		if (loss_is_data_loss(i))
			msg_warn("lost: %" PRIu64 " %s (%s)", s->losses[i], loss_meaning(i),
				 loss_name(i));
		else
			msg_info("%" PRIu64 " %s (%s)", s->losses[i], loss_meaning(i),
				 loss_name(i));
		lost |= loss_is_data_loss(i);
	}
	say_remedies(s);
	return lost;
}

/* Not by opening it: the reader of a FIFO is gone. */
static uint64_t output_bytes(const struct session *s)
{
	struct stat st;

	if (!stat(s->config->capture.output, &st) && S_ISREG(st.st_mode))
		return (uint64_t)st.st_size;
	return s->bytes;
}

static int print_result(const struct session *s)
{
	char size[32], seconds[32];
	bool lost;

	msg_info("kept %" PRIu64 " requests of %s in %s, %s", s->requests,
		 format_ns((double)(s->end_ns - s->start_ns), seconds, sizeof(seconds)),
		 s->config->capture.output,
		 format_bytes((double)output_bytes(s), size, sizeof(size)));
	lost = print_losses(s);
	if (lost && s->config->strict) {
		msg_error("data was lost and --strict was given");
		return EXIT_LOST;
	}
	return EXIT_DONE;
}

/* It could not all be written, which has been said. */
static void print_part(const struct session *s)
{
	char size[32];

	msg_warn("kept %" PRIu64 " of %" PRIu64 " events in %s, %s; %" PRIu64 " were not written",
		 s->events - s->not_written, s->events, s->config->capture.output,
		 format_bytes((double)output_bytes(s), size, sizeof(size)), s->not_written);
	print_losses(s);
}

/* That a file can be made there, or an old one replaced. */
static int check_place(const char *path)
{
	char *copy = strdup(path);
	int err = 0;

	if (!copy)
		return -ENOMEM;
	if (!strcmp(path, VFT_STDOUT))
		err = 0;
	else if (access(path, W_OK))
		err = errno == ENOENT && !access(dirname(copy), W_OK | X_OK) ? 0 : -errno;
	free(copy);
	if (err)
		msg_error("cannot create %s: %s; choose another place", path, strerror(-err));
	return err;
}

int record_session_plan(const struct capture_ops *ops, const struct record_config *config,
			json_t **header)
{
	struct session s = {.ops = ops, .config = config};
	int err = check_place(config->capture.output);

	*header = NULL;
	if (!err && config->ready_file)
		err = check_place(config->ready_file);
	if (!err && config->command)
		err = record_command_check(config->command);
	if (!err)
		err = ops->open(&s.capture, &config->capture);
	if (err)
		return err;
	*header = header_json(&s);
	ops->close(s.capture);
	if (*header)
		return 0;
	msg_error("cannot describe this machine: out of memory");
	return -ENOMEM;
}

int record_session_run(const struct capture_ops *ops, const struct record_config *config)
{
	struct session s = {.ops = ops,
			    .config = config,
			    .deadline_ns = UINT64_MAX,
			    .pace = {.pause_ns = READER_PAUSE_NS,
				     .window_ns = READER_WINDOW_NS,
				     .bytes_per_s = READER_BYTES_PER_S}};
	int err, close_err, status = EXIT_CANNOT;
	bool leave_command;

	/* Before what takes seconds; but with --wait it may lie on the share that is to come. */
	if (config->command && !config->capture.wait_ns && record_command_check(config->command))
		return EXIT_CANNOT;
	if (ops->open(&s.capture, &config->capture))
		return EXIT_CANNOT;
	if (open_output(&s)) {
		ops->close(s.capture);
		return EXIT_CANNOT;
	}
	end_signal_catch(true);
	vft_writer_on_stall(s.writer, on_stall, &s);
	err = run(&s);
	/* A full disk is our trouble: nothing will be attached any more, the workload may finish.
	 */
	leave_command = s.overhead.exceeded || (err && !s.over_ns);
	close_err = close_output(&s);
	end_signal_catch(false);
	if (s.write_failed)
		print_part(&s);
	if (leave_command && s.command.name && !record_command_ended(&s.command))
		msg_warn("'%s' goes on without being recorded", s.command.name);
	record_command_finish(&s.command, !leave_command);
	if (!err && !close_err)
		status = print_result(&s);
	ops->close(s.capture);
	return status;
}
