// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a joined file says of its inputs: both headers, cut down to the mount and the daemon that
 * were joined, with what only the footers know.
 */
#include "lib/compiler.h"
#include "trace/join_header.h"

/* Entries of an array of objects that are of this connection. */
static json_t *only_conn(const json_t *array, uint32_t conn)
{
	json_t *kept = json_array(), *entry;
	size_t i;

	json_array_foreach((json_t *)array, i, entry)
	{
		const json_t *value = json_object_get(entry, "conn");

		if (kept && json_is_integer(value) && json_integer_value(value) == conn)
			json_array_append(kept, entry);
	}
	return kept;
}

/*
 * The guest's header, with the one mount that was joined, what it negotiated and what the probes
 * cost, which the recorder knows only at its end.
 */
static json_t *joined_guest(const struct join_headers *from, uint32_t conn)
{
	json_t *guest = json_copy((json_t *)from->guest);

	if (guest && json_object_get(guest, "mounts"))
		json_object_set_new(guest, "mounts",
				    only_conn(json_object_get(guest, "mounts"), conn));
	if (guest && json_object_get(from->guest_footer, "connections"))
		json_object_set_new(
			guest, "connections",
			only_conn(json_object_get(from->guest_footer, "connections"), conn));
	if (guest && json_object_get(from->guest_footer, "probe_cost"))
		json_object_set(guest, "probe_cost",
				json_object_get(from->guest_footer, "probe_cost"));
	return guest;
}

static const json_t *daemon_entry(const json_t *daemons, uint16_t slot)
{
	const json_t *entry;
	size_t i;

	json_array_foreach((json_t *)daemons, i, entry)
	{
		const json_t *value = json_object_get(entry, "slot");

		if (json_is_integer(value) && json_integer_value(value) == slot)
			return entry;
	}
	return NULL;
}

/* Of several VMs, that of the daemon that was joined. */
static json_t *joined_kvm(const struct join_headers *from, uint16_t daemon)
{
	json_t *kept = json_array(), *vm, *slot;
	size_t i, k;

	json_array_foreach(json_object_get(from->host_footer, "kvm"), i, vm)
	{
		json_array_foreach(json_object_get(vm, "daemons"), k, slot)
		{
			if (kept && json_is_integer(slot) && json_integer_value(slot) == daemon)
				json_array_append(kept, vm);
		}
	}
	return kept;
}

/* Of several daemons, the one that was joined is told of as if it had been the only one. */
static json_t *joined_host(const struct join_headers *from, uint16_t daemon)
{
	static const char *const keys[] = {"daemon", "queues", "guest_memory"};
	json_t *host = json_copy((json_t *)from->host);
	const json_t *const daemons[] = {json_object_get(host, "daemons"),
					 json_object_get(from->host_footer, "daemons")};

	for (size_t i = 0; host && i < ARRAY_SIZE(daemons) * ARRAY_SIZE(keys); i++) {
		const json_t *entry = daemon_entry(daemons[i / ARRAY_SIZE(keys)], daemon);
		json_t *value = json_object_get(entry, keys[i % ARRAY_SIZE(keys)]);

		if (value)
			json_object_set(host, keys[i % ARRAY_SIZE(keys)], value);
	}
	json_object_del(host, "daemons");
	if (host && json_object_get(from->host_footer, "kvm"))
		json_object_set_new(host, "kvm", joined_kvm(from, daemon));
	return host;
}

json_t *join_header(const struct join_headers *from, const struct join_result *result)
{
	static const char *const from_guest[] = {
		"start_ns", "start_realtime_ns", "hostname", "kernel", "arch",
	};
	json_t *header = json_object(), *value;

	for (size_t i = 0; header && i < ARRAY_SIZE(from_guest); i++)
		if ((value = json_object_get(from->guest, from_guest[i])))
			json_object_set(header, from_guest[i], value);
	if (!header || json_object_set_new(header, "guest", joined_guest(from, result->conn)) ||
	    json_object_set_new(header, "host", joined_host(from, result->daemon)) ||
	    json_object_set_new(header, "connection", json_integer(result->conn)) ||
	    json_object_set_new(header, "clock", clock_band_json(&result->band))) {
		json_decref(header);
		return NULL;
	}
	return header;
}
