// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Keys of model files, by the tables of sim/stack.c.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/compiler.h"
#include "lib/units.h"
#include "models/model_keys.h"

/* Slot 0 is the name's; then stack_settings; then service_settings of each opcode and default. */
unsigned int model_nr_slots(void)
{
	return 1 + nr_stack_settings + nr_service_settings * (FUSE_OPCODE_LIMIT + 1);
}

/* Opcode of [service.NAME], FUSE_OPCODE_LIMIT for default, or -ENOENT. */
static int service_row(const char *section)
{
	int opcode;

	if (strncmp(section, "service.", 8))
		return -ENOENT;
	if (!strcmp(section + 8, "default"))
		return FUSE_OPCODE_LIMIT;
	opcode = fuse_opcode_from_name(section + 8);
	return opcode < 0 || opcode >= FUSE_OPCODE_LIMIT ? -ENOENT : opcode;
}

bool model_section_known(const char *section)
{
	if (!strcmp(section, "model") || service_row(section) >= 0)
		return true;
	for (unsigned int i = 0; i < nr_stack_settings; i++)
		if (!strcmp(stack_settings[i].section, section))
			return true;
	return false;
}

static int find_service(struct stack *stack, int row, const char *key, struct model_key *found)
{
	struct service_cost *service =
		row == FUSE_OPCODE_LIMIT ? &stack->service_default : &stack->service[row];

	for (unsigned int i = 0; i < nr_service_settings; i++) {
		if (strcmp(service_settings[i].key, key))
			continue;
		*found = (struct model_key){
			.setting = &service_settings[i],
			.field = (char *)service + service_settings[i].offset,
			.service = service,
			.slot = 1 + nr_stack_settings + nr_service_settings * row + i,
		};
		return 0;
	}
	return -ENOENT;
}

int model_key_find(struct stack *stack, const char *section, const char *key,
		   struct model_key *found)
{
	int row = service_row(section);

	*found = (struct model_key){0};
	if (!strcmp(section, "model"))
		return strcmp(key, "name") ? -ENOENT : 0;
	if (row >= 0)
		return find_service(stack, row, key, found);
	for (unsigned int i = 0; i < nr_stack_settings; i++) {
		if (strcmp(stack_settings[i].section, section) ||
		    strcmp(stack_settings[i].key, key))
			continue;
		found->setting = &stack_settings[i];
		found->field = (char *)stack + stack_settings[i].offset;
		found->slot = 1 + i;
		return 0;
	}
	return -ENOENT;
}

static int parse_kernel(const char *text, uint64_t *value)
{
	unsigned int major, minor;
	int used = 0;

	if (sscanf(text, "%3u.%3u%n", &major, &minor, &used) != 2 || text[used])
		return -EINVAL;
	*value = KERNEL(major, minor);
	return 0;
}

static int parse_bool(const char *text, uint64_t *value)
{
	static const char *const yes[] = {"true", "on", "yes", "1"};
	static const char *const no[] = {"false", "off", "no", "0"};

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		*value = !strcmp(text, yes[i]);
		if (*value || !strcmp(text, no[i]))
			return 0;
	}
	return -EINVAL;
}

static int parse_choice(const struct stack_setting *s, const char *text, uint64_t *value, char *err,
			size_t err_len)
{
	size_t used;

	for (*value = 0; s->words[*value]; ++*value)
		if (!strcmp(text, s->words[*value]))
			return 0;
	used = snprintf(err, err_len, "write one of");
	for (int i = 0; s->words[i] && used < err_len; i++)
		used += snprintf(err + used, err_len - used, "%s %s", i ? "," : "", s->words[i]);
	return -EINVAL;
}

/* Types that are kept as one whole number. */
static const struct {
	int (*parse)(const char *text, uint64_t *value);
	const char *form; /* for messages */
} number_types[] = {
	[SETTING_U32] = {parse_u64, "write a whole number"},
	[SETTING_SIZE] = {parse_size, "write a size like 1g"},
	[SETTING_SIZE32] = {parse_size, "write a size like 128k"},
	[SETTING_TIME] = {parse_time_ns, "write a time with its unit, like 1s"},
	[SETTING_BOOL] = {parse_bool, "write true or false"},
	[SETTING_KERNEL] = {parse_kernel, "write a kernel version like 6.1"},
};

static void store_number(const struct stack_setting *s, void *field, uint64_t value)
{
	switch (s->type) {
	case SETTING_SIZE:
	case SETTING_TIME:
		*(uint64_t *)field = value;
		break;
	case SETTING_BOOL:
		*(bool *)field = value;
		break;
	case SETTING_CHOICE:
		*(int *)field = (int)value;
		break;
	default:
		*(uint32_t *)field = (uint32_t)value;
	}
}

static uint64_t fetch_number(const struct stack_setting *s, const void *field)
{
	switch (s->type) {
	case SETTING_SIZE:
	case SETTING_TIME:
		return *(const uint64_t *)field;
	case SETTING_BOOL:
		return *(const bool *)field;
	case SETTING_CHOICE:
		return *(const int *)field;
	default:
		return *(const uint32_t *)field;
	}
}

/* "128k", "2s": the largest unit that divides the value, so that nothing is rounded. */
static void format_exact(uint64_t value, uint64_t base, const char *const *units, char *buf,
			 size_t len)
{
	int i = 0;

	while (value && value % base == 0 && units[i + 1]) {
		value /= base;
		i++;
	}
	snprintf(buf, len, "%" PRIu64 "%s", value, units[i]);
}

static void format_number(const struct stack_setting *s, uint64_t value, char *buf, size_t len)
{
	static const char *const sizes[] = {"", "k", "m", "g", NULL};
	static const char *const times[] = {"ns", "us", "ms", "s", NULL};

	switch (s->type) {
	case SETTING_SIZE:
	case SETTING_SIZE32:
		format_exact(value, 1024, sizes, buf, len);
		break;
	case SETTING_TIME:
		format_exact(value, 1000, times, buf, len);
		break;
	case SETTING_BOOL:
		snprintf(buf, len, "%s", value ? "true" : "false");
		break;
	case SETTING_KERNEL:
		snprintf(buf, len, "%" PRIu64 ".%" PRIu64, value / 1000, value % 1000);
		break;
	case SETTING_CHOICE:
		snprintf(buf, len, "%s", s->words[value]);
		break;
	default:
		snprintf(buf, len, "%" PRIu64, value);
	}
}

const char *setting_format(const struct stack_setting *s, const void *field, char *buf, size_t len)
{
	if (s->type == SETTING_DIST)
		dist_format(field, buf, len);
	else if (s->type == SETTING_DOUBLE)
		snprintf(buf, len, "%.9g", *(const double *)field);
	else
		format_number(s, fetch_number(s, field), buf, len);
	return buf;
}

static int assign_number(const struct stack_setting *s, void *field, const char *value, char *err,
			 size_t err_len)
{
	char low[32], high[32];
	uint64_t number;

	if (s->type == SETTING_CHOICE) {
		if (parse_choice(s, value, &number, err, err_len))
			return -EINVAL;
	} else if (number_types[s->type].parse(value, &number)) {
		snprintf(err, err_len, "%s", number_types[s->type].form);
		return -EINVAL;
	}
	if (number < s->min || number > s->max) {
		format_number(s, s->min, low, sizeof(low));
		format_number(s, s->max, high, sizeof(high));
		snprintf(err, err_len, "out of range: %s to %s", low, high);
		return -EINVAL;
	}
	store_number(s, field, number);
	return 0;
}

static int assign_double(double *field, const char *value, char *err, size_t err_len)
{
	double number;

	if (parse_double(value, &number) || !(number >= 0) || number > 1e9) {
		snprintf(err, err_len, "write a number from 0 to 1e9");
		return -EINVAL;
	}
	*field = number;
	return 0;
}

static int assign_name(struct stack *stack, const char *value, char *err, size_t err_len)
{
	if (!*value || strlen(value) >= sizeof(stack->name)) {
		snprintf(err, err_len, "write 1 to %zu characters", sizeof(stack->name) - 1);
		return -EINVAL;
	}
	strcpy(stack->name, value);
	return 0;
}

int model_key_assign(struct stack *stack, const struct model_key *key, const char *value, char *err,
		     size_t err_len)
{
	struct dist dist;
	int ret;

	if (!key->setting)
		return assign_name(stack, value, err, err_len);
	if (key->setting->type == SETTING_DIST) {
		ret = dist_parse(&dist, value, err, err_len);
		if (!ret)
			*(struct dist *)key->field = dist;
	} else if (key->setting->type == SETTING_DOUBLE) {
		ret = assign_double(key->field, value, err, err_len);
	} else {
		ret = assign_number(key->setting, key->field, value, err, err_len);
	}
	if (!ret && key->service)
		key->service->known = true;
	if (!ret)
		stack->dax.given |= key->setting->given_bit;
	return ret;
}
