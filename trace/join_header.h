/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The header of a joined file (docs/vft-format.md), from those of both inputs.
 */
#ifndef VFSCOPE_TRACE_JOIN_HEADER_H
#define VFSCOPE_TRACE_JOIN_HEADER_H

#include <jansson.h>
#include "trace/join_files.h"

struct join_headers {
	const json_t *guest, *host; /* borrowed */
	const json_t *guest_footer, *host_footer; /* NULL: interrupted */
};

/* Of the connection, the daemon and the clocks in result. NULL: no memory. */
json_t *join_header(const struct join_headers *from, const struct join_result *result);

#endif
