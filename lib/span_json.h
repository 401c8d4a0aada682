/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests and ops as JSON lines: the one format of "export --format jsonl" (real) and "simulate
 * --requests" (predicted), so that the two can be diffed. vfscope-export(1) lists the keys.
 */
#ifndef VFSCOPE_LIB_SPAN_JSON_H
#define VFSCOPE_LIB_SPAN_JSON_H

#include <stdio.h>
#include "lib/op.h"
#include "lib/span.h"

/* With the file's path, in UTF-8; NULL: without. */
int span_json_write_named(FILE *out, const struct span *span, const char *path);
int op_json_write_named(FILE *out, const struct op_record *op, const char *path);
/* One line each, newline included. 0, or -EIO if out does not take it. */
int span_json_write(FILE *out, const struct span *span);
int op_json_write(FILE *out, const struct op_record *op);

enum span_json_kind {
	SPAN_JSON_REQUEST,
	SPAN_JSON_OP,
};

/*
 * Read one line back into span or op. enum span_json_kind, or -EINVAL with a message for people in
 * err (never NULL, err_len > 0).
 */
int span_json_parse(const char *line, struct span *span, struct op_record *op, char *err,
		    size_t err_len);

#endif
