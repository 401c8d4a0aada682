/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Model files: a calibrated stack as text. vfscope-model(5) lists every key.
 */
#ifndef VFSCOPE_MODELS_MODEL_FILE_H
#define VFSCOPE_MODELS_MODEL_FILE_H

#include <stddef.h>
#include <stdio.h>
#include "sim/stack.h"

/*
 * Read path into stack (which is initialised first). A name without '/' and '.' is looked up as
 * NAME.model in ./models, then among the shipped ones. 0; -ENOENT, or -EINVAL after one message
 * naming file, line and key.
 */
int model_read(struct stack *stack, const char *path);

/* The same from memory, for fuzzing; name is used in messages. */
int model_parse(struct stack *stack, const char *name, const char *text, size_t len);

/* Apply one "section.key=value", as from --set. 0 or -EINVAL after a message. */
int model_set(struct stack *stack, const char *assignment);

/* Check what no single key can: 0 or -EINVAL after a message. */
int model_check(const struct stack *stack);

/* Write every key with its meaning as a comment. comment_lines (may be NULL) opens the file. */
int model_write(const struct stack *stack, FILE *out, const char *comment_lines);

#endif
