/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keys of a model file: finds the row of sim/stack.h's tables that a section and key name, and
 * reads and writes values by it. --set goes the same way.
 *
 * Internal to models/.
 */
#ifndef VFSCOPE_MODELS_MODEL_KEYS_H
#define VFSCOPE_MODELS_MODEL_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include "sim/stack.h"

struct model_key {
	const struct stack_setting *setting; /* NULL: the model's name */
	void *field;
	struct service_cost *service; /* not NULL for keys of [service...] */
	unsigned int slot; /* different for each key, below model_nr_slots() */
};

unsigned int model_nr_slots(void);

/* True for a section that some key is in. */
bool model_section_known(const char *section);

/* 0, or -ENOENT if there is no such key. */
int model_key_find(struct stack *stack, const char *section, const char *key,
		   struct model_key *found);

/* 0, or -EINVAL with a message for people in err. */
int model_key_assign(struct stack *stack, const struct model_key *key, const char *value, char *err,
		     size_t err_len);

/* The longest text that setting_format() writes: a distribution with all its points. */
#define MODEL_MAX_VALUE 4096

/* The value in field as model_key_assign() would take it, without loss. Returns buf. */
const char *setting_format(const struct stack_setting *setting, const void *field, char *buf,
			   size_t len);

#endif
