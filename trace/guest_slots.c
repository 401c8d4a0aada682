// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sizes and contents of the tables of the guest's programs.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include "bpf/guest_abi.h"
#include "trace/guest_slots.h"

void guest_slots_limit(struct bpf_map *slots, struct bpf_map *spill, uint32_t entries)
{
	/* Keys whose place is beyond the end are spilled. */
	if (entries < bpf_map__max_entries(slots))
		bpf_map__set_max_entries(slots, entries);
	bpf_map__set_max_entries(spill, entries);
}

bool guest_slots_find(const struct bpf_map *slots, const struct bpf_map *spill, uint64_t key,
		      void *entry)
{
	uint32_t at = slot_place(key);

	return (!bpf_map_lookup_elem(bpf_map__fd(slots), &at, entry) &&
		*(uint64_t *)entry == key) ||
	       !bpf_map_lookup_elem(bpf_map__fd(spill), &key, entry);
}

/* In one call: a call for each place would take longer than all else at the end of a recording. */
static int each_slot(const struct bpf_map *slots, guest_slot_fn fn, void *ctx)
{
	uint32_t count = bpf_map__max_entries(slots), next, *keys;
	size_t bytes = (bpf_map__value_size(slots) + 7) / 8 * 8;
	char *values = calloc(count, bytes);
	int err = 0;

	keys = calloc(count, sizeof(*keys));
	if (!keys || !values)
		err = -ENOMEM;
	else
		err = bpf_map_lookup_batch(bpf_map__fd(slots), NULL, &next, keys, values, &count,
					   NULL);
	if (err == -ENOENT) /* that was all */
		err = 0;
	for (uint32_t i = 0; !err && i < count; i++)
		if (*(uint64_t *)(values + i * bytes))
			err = fn(ctx, values + i * bytes);
	free(values);
	free(keys);
	return err;
}

static int each_spilled(const struct bpf_map *spill, guest_slot_fn fn, void *ctx)
{
	void *value = calloc(1, bpf_map__value_size(spill));
	uint64_t key, *at = NULL;
	int err = value ? 0 : -ENOMEM;

	for (; !err && !bpf_map_get_next_key(bpf_map__fd(spill), at, &key); at = &key)
		if (!bpf_map_lookup_elem(bpf_map__fd(spill), &key, value))
			err = fn(ctx, value);
	free(value);
	return err;
}

int guest_slots_each(const struct bpf_map *slots, const struct bpf_map *spill, guest_slot_fn fn,
		     void *ctx)
{
	int err = each_slot(slots, fn, ctx);

	return err ? err : each_spilled(spill, fn, ctx);
}
