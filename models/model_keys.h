/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every key of a model file: where its value is kept, how it is written, what it means.
 *
 * Internal to models/: model_file.c reads and writes files by it, --set goes through it too.
 */
#ifndef VFSCOPE_MODELS_MODEL_KEYS_H
#define VFSCOPE_MODELS_MODEL_KEYS_H

#include <stddef.h>
#include "sim/stack.h"

enum model_setting_type {
	MODEL_SETTING_U32,
	MODEL_SETTING_SIZE32, /* uint32_t bytes */
	MODEL_SETTING_SIZE, /* uint64_t bytes */
	MODEL_SETTING_TIME, /* uint64_t ns */
	MODEL_SETTING_BOOL,
	MODEL_SETTING_KERNEL, /* uint32_t KERNEL(major, minor), written 6.1 */
	MODEL_SETTING_DAEMON, /* enum daemon_kind */
	MODEL_SETTING_MODE, /* enum io_mode */
};

/* One plain setting, an element of model_settings. */
struct model_setting {
	const char *section;
	const char *key;
	enum model_setting_type type;
	size_t offset; /* in struct stack */
	uint64_t low, high; /* numbers, sizes, times */
	const char *meaning;
};

extern const struct model_setting model_settings[];
extern const size_t nr_model_settings;

enum model_key_kind {
	MODEL_KEY_NAME,
	MODEL_KEY_SETTING,
	MODEL_KEY_DIST,
	MODEL_KEY_SLOPE, /* double, ns per something, not negative */
};

struct model_key {
	enum model_key_kind kind;
	unsigned int slot; /* different for each key: below MODEL_NR_SLOTS */
	const struct model_setting *setting;
	struct dist *dist;
	double *slope;
	struct service_cost *service; /* not NULL for keys of [service...] */
};

#define MODEL_MAX_SETTINGS 64
#define MODEL_SLOT_COSTS (1 + MODEL_MAX_SETTINGS)
#define MODEL_SLOT_SLOPES (MODEL_SLOT_COSTS + NR_COSTS)
#define MODEL_SLOT_SERVICE (MODEL_SLOT_SLOPES + 3)
#define MODEL_KEYS_PER_SERVICE 4
/* Opcode rows, then the row of [service.default]. */
#define MODEL_NR_SLOTS (MODEL_SLOT_SERVICE + MODEL_KEYS_PER_SERVICE * (FUSE_OPCODE_LIMIT + 1))

/* True for a section that some key is in. */
int model_section_known(const char *section);

/* 0, or -ENOENT if there is no such key. */
int model_key_find(struct stack *stack, const char *section, const char *key,
		   struct model_key *found);

/* 0, or -EINVAL with a message for people in err. */
int model_key_assign(struct stack *stack, const struct model_key *key, const char *value, char *err,
		     size_t err_len);

/* The value as assign would take it. Returns buf. */
const char *setting_format(const struct stack *stack, const struct model_setting *setting,
			   char *buf, size_t len);

struct model_slope {
	const char *key;
	size_t offset; /* in struct stack */
	const char *meaning;
};

#define MODEL_NR_SLOPES 3
extern const struct model_slope model_slopes[MODEL_NR_SLOPES];

#endif
