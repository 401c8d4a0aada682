/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One recording: the loop that `vfscope record` runs, the same for guest and host.
 *
 * What is traced is behind struct capture_ops (guest_capture_ops, host_capture_ops). The session
 * owns everything else: the output file, the command it runs, the ends (command, duration, SIGINT
 * or SIGTERM), the flush once a second, the footer with the losses, and what is printed.
 */
#ifndef VFSCOPE_TRACE_RECORD_SESSION_H
#define VFSCOPE_TRACE_RECORD_SESSION_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "bpf/events.h"
#include "lib/option.h"
#include "trace/attach.h"
#include "trace/record_level.h"
#include "trace/vft.h"

#define RECORD_DEFAULT_INFLIGHT 16384
#define RECORD_MAX_SHARES 4096
#define RECORD_MAX_INFLIGHT (1u << 20) /* about 550 MiB of maps in a guest */

struct capture_config {
	const char *output; /* where the trace will be: must not lie on what is recorded */
	uint64_t buffer_bytes; /* BPF ring buffer: a power of two, at least one page */
	uint32_t max_inflight; /* requests, ops and system calls that can be followed at once */
	uint32_t max_shares; /* guest: connections described; host: daemons followed; 0: the default */
	struct string_list mounts; /* guest: record only these; none: every virtio-fs mount */
	enum record_level level;
	bool aggregate_ops; /* guest: RECORD_AGGREGATE, of ops, too */
	bool paths; /* guest: names of files, too */
	enum attach_mechanism mechanism; /* guest: this alone; ATTACH_NONE: what is best */
	struct string_list daemons; /* host: process ids, or "auto" or "all"; none: auto */
	uint64_t wait_ns; /* how long open() may wait for what is not there yet */
	uint64_t restart_wait_ns; /* host: for what follows the last daemon named by its PID */
	bool sched; /* host: also how long threads of daemons wait for a CPU */
	bool kvm; /* host: also exits and interrupts of their VMs under KVM */
};

struct capture; /* private to each implementation */
struct bpf_cost; /* trace/bpf_util.h */

/* Gets each event in arrival order; not 0 (-errno) stops the recording as failed. */
typedef int (*capture_event_fn)(void *ctx, const struct event_header *event);

/* Called in this order; a function that fails has said why by msg_error() and returns -errno. */
struct capture_ops {
	enum vft_kind kind;
	enum event_type request_event; /* one of these is one request, for the closing line */

	/* Refuse what cannot work, load and size everything, attach nothing. *out: NULL on error.
	 */
	int (*open)(struct capture **out, const struct capture_config *config);
	/* Add to the file's header; kind, times, host and version are already there. */
	int (*describe)(struct capture *c, json_t *header);
	/* Attach. From here on, emit is called out of poll() and stop(). */
	int (*start)(struct capture *c, capture_event_fn emit, void *ctx);
	/*
	 * Hand over what has arrived; wait up to timeout_ms for it. 0 (also on EINTR), -errno, or 1
	 * after a message if nothing more can come: the recording ends as if its time were up.
	 */
	int (*poll)(struct capture *c, int timeout_ms);
	/* What BPF programs cost so far; 0 if the kernel does not count it. */
	struct bpf_cost (*cost)(struct capture *c);
	/* No longer have it counted. What was counted until now, of requests too, is handed over. */
	int (*end_costs)(struct capture *c);
	/* Detach, then hand over what is left in the buffers. */
	int (*stop)(struct capture *c);
	/* After stop. losses has NR_LOSS_CLASSES entries; add to them. */
	int (*losses)(struct capture *c, uint64_t *losses);
	/* After stop; may be NULL. Add to the file's footer ("connection", counters, ...). */
	int (*summarize)(struct capture *c, json_t *footer);
	/* Also after a failed start; c may be NULL. */
	void (*close)(struct capture *c);
};

extern const struct capture_ops guest_capture_ops; /* trace/guest_capture.c */
extern const struct capture_ops host_capture_ops; /* trace/host_capture.c */

struct record_config {
	struct capture_config capture;
	const char *ready_file; /* NULL: none. Created once everything is attached */
	uint64_t duration_ns; /* 0: no limit */
	double max_overhead_percent; /* end when probes take more of a CPU; 0: no limit */
	bool strict;
	char **command; /* NULL: none. NULL-terminated argument vector */
	const char *version; /* of vfscope, for the header */
	/* Once everything is attached; NULL: say so to people, and make the ready_file. */
	void (*started)(void *ctx);
	void *started_ctx;
};

/*
 * All that record_session_run() does before it attaches and writes, with the same checks. 0 and
 * what would be the file's header, a new object; or -errno after a message.
 */
int record_session_plan(const struct capture_ops *ops, const struct record_config *config,
			json_t **header);

/* Record until an end; prints what was kept. Returns an enum exit_status. */
int record_session_run(const struct capture_ops *ops, const struct record_config *config);

#endif
