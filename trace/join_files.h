/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Joins a guest trace and a host trace into spans on the guest's clock.
 *
 * Passes over both files: find the connection, fit the clock band, join. Memory depends on how far
 * apart the two halves of a request lie in the files, not on the files' size.
 *
 * A request seen by one side only is normal where just one recording was running. It is a loss
 * where both were: then it counts as LOSS_UNMATCHED_GUEST or LOSS_UNMATCHED_HOST.
 */
#ifndef VFSCOPE_TRACE_JOIN_FILES_H
#define VFSCOPE_TRACE_JOIN_FILES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "bpf/events.h"
#include "lib/fuse_opcode.h"
#include "lib/op.h"
#include "lib/span.h"
#include "trace/clock_band.h"
#include "trace/halves.h"

struct join_config {
	const char *guest; /* paths */
	const char *host;
	bool conn_given;
	uint32_t conn; /* else found */
};

struct unmatched {
	uint64_t inside; /* while both were recording: lost by the other side */
	uint64_t edge; /* before or after the other recording */
	uint64_t by_opcode[FUSE_OPCODE_LIMIT]; /* of inside */
};

struct join_result {
	uint32_t conn;
	uint16_t daemon; /* slot of the daemon that serves it */
	struct clock_band band;
	uint64_t joined;
	uint64_t by_ring; /* of joined: named by ring entry, the header was unreadable */
	uint64_t contradicting; /* same unique, but another opcode or nodeid: not joined */
	uint64_t skewed; /* of joined */
	uint64_t not_sent; /* guest requests that ended without having been in the ring */
	uint64_t ops;
	uint64_t passes; /* of write-back */
	uint64_t names; /* of files, with --paths */
	struct unmatched guest; /* guest halves without their host half */
	struct unmatched host;
	struct host_assembler_stats assembled;
	uint64_t losses[NR_LOSS_CLASSES]; /* of both files, and of the join */
	uint64_t guest_losses[NR_LOSS_CLASSES];
	uint64_t host_losses[NR_LOSS_CLASSES];
	bool guest_interrupted, host_interrupted;
	bool output_failed; /* join_write(): the error is the output's, not the inputs' */
};

/*
 * Who gets the spans, in order of t_issue_ns, the ops, and as the guest recorded them passes of
 * write-back and names of files. Not 0 stops the join with that value.
 */
struct join_sink {
	/* Once, when the band is known. header is not to be kept. */
	int (*begin)(void *ctx, json_t *header);
	int (*span)(void *ctx, const struct span *span);
	int (*op)(void *ctx, const struct op_record *op);
	int (*event)(void *ctx, const struct event_header *event);
};

/*
 * 0, or -errno after a message: no request in common (-ENODATA), no connection stands out
 * (-ENOTUNIQ), the clocks contradict each other (-EBADE), bad files.
 */
int join_files(const struct join_config *config, const struct join_sink *sink, void *ctx,
	       struct join_result *result);

/* What the footer of a joined file says; also printed by --format json. New reference or NULL. */
json_t *join_result_json(const struct join_result *result);
json_t *clock_band_json(const struct clock_band *band);

/* join_files() into a new file. -EEXIST after a message if output is one of the inputs. */
int join_write(const struct join_config *config, const char *output, struct join_result *result);

#endif
