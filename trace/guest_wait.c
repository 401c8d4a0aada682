// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Wait for what a guest's recording needs and is not there yet.
 *
 * Asked again and again: the kernel would tell of modules by netlink and of mounts by poll() on
 * mountinfo, but what it costs to look is far below what attaching takes.
 */
#include "trace/guest_wait.h"
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "lib/clock.h"
#include "lib/compiler.h"
#include "lib/msg.h"
#include "lib/units.h"
#include "trace/guest_mounts.h"

#define RETRY_NS (NS_PER_SEC / 50)

bool guest_has_driver(void)
{
	FILE *file = fopen("/sys/module/virtiofs/initstate", "re");
	char state[16] = "live\n";

	/* Without the file it is no module, or none that is loaded. */
	if (file && !fgets(state, sizeof(state), file))
		state[0] = '\0';
	if (file)
		fclose(file);
	return !strcmp(state, "live\n") && !access("/sys/bus/virtio/drivers/virtiofs", F_OK);
}

static bool is_mounted(const struct guest_mounts *mounts, const char *path)
{
	int64_t conn = guest_path_conn(path);

	return conn >= 0 && guest_mounts_find(mounts, (uint32_t)conn);
}

/* What is missing first, or NULL. */
static const char *find_missing(const struct string_list *wanted)
{
	struct guest_mounts mounts;
	const char *missing = NULL;

	if (!guest_has_driver())
		return "the virtio-fs driver";
	if (!wanted->count || guest_mounts_read(&mounts, "/proc/self/mountinfo"))
		return NULL;
	for (uint32_t i = 0; !missing && i < wanted->count; i++)
		if (!is_mounted(&mounts, wanted->items[i]))
			missing = wanted->items[i];
	guest_mounts_free(&mounts);
	return missing;
}

void guest_wait(const struct string_list *mounts, uint64_t wait_ns)
{
	const struct timespec pause = {.tv_nsec = RETRY_NS};
	uint64_t end_ns = clock_ns(CLOCK_MONOTONIC) + wait_ns;
	bool said = false;
	const char *missing;
	char limit[32];

	while ((missing = find_missing(mounts)) && clock_ns(CLOCK_MONOTONIC) < end_ns) {
		if (!said)
			msg_info("waiting up to %s for %s",
				 format_ns((double)wait_ns, limit, sizeof(limit)), missing);
		said = true;
		nanosleep(&pause, NULL);
	}
}
