// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The virtio-fs devices of this machine, as /sys and /proc/interrupts tell.
 */
#include "trace/guest_devices.h"
#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "trace/guest_mounts.h"

#define VIRTIO_DEVICES "/sys/bus/virtio/devices"
#define VIRTIOFS "/sys/fs/virtiofs" /* since 6.9 (a8f62f50b4e4); its mqs since 6.12 */
#define VIRTIO_ID_FS 26

/* Call back for each entry of a folder but hidden ones. */
static void each_entry(const char *path,
		       void (*visit)(const char *path, const char *name, void *ctx), void *ctx)
{
	DIR *dir = opendir(path);
	struct dirent *d;

	while (dir && (d = readdir(dir)))
		if (d->d_name[0] != '.')
			visit(path, d->d_name, ctx);
	if (dir)
		closedir(dir);
}

static void set_line(json_t *object, const char *key, const char *path)
{
	char line[256];

	guest_read_line(line, sizeof(line), path);
	if (line[0])
		json_object_set_new(object, key, json_string(line));
}

static json_t *find_queue(json_t *queues, const char *name)
{
	json_t *queue;
	size_t i;

	json_array_foreach(queues, i, queue)
	{
		if (!strcmp(json_string_value(json_object_get(queue, "name")), name))
			return queue;
	}
	queue = json_pack("{s:s}", "name", name);
	return json_array_append_new(queues, queue) ? NULL : queue;
}

/* The driver names its interrupts DEVICE-QUEUE; one for all queues names none. */
static void add_interrupts(json_t *queues, const char *device)
{
	FILE *file = fopen("/proc/interrupts", "re");
	size_t len = strlen(device), size = 0;
	char *line = NULL, path[64];

	while (file && getline(&line, &size, file) > 0) {
		char *last = strrchr(line, ' ');
		json_t *queue;
		int irq;

		if (!last || sscanf(line, " %d:", &irq) != 1 || strncmp(last + 1, device, len) ||
		    last[1 + len] != '-')
			continue;
		last += len + 2;
		last[strcspn(last, "\n")] = '\0';
		if (!strcmp(last, "config") || !strcmp(last, "virtqueues"))
			continue;
		queue = find_queue(queues, last);
		if (!queue)
			break;
		json_object_set_new(queue, "irq", json_integer(irq));
		snprintf(path, sizeof(path), "/proc/irq/%d/effective_affinity_list", irq);
		set_line(queue, "interrupt_cpus", path);
	}
	free(line);
	if (file)
		fclose(file);
}

static void add_submitters(const char *mqs, const char *number, void *queues)
{
	char path[PATH_MAX], name[64];
	json_t *queue;

	snprintf(path, sizeof(path), "%.200s/%.64s/name", mqs, number);
	guest_read_line(name, sizeof(name), path);
	queue = name[0] ? find_queue(queues, name) : NULL;
	snprintf(path, sizeof(path), "%.200s/%.64s/cpu_list", mqs, number);
	if (queue)
		set_line(queue, "submit_cpus", path);
}

/* ctx: the device's entry, if this is of the same device. */
static void add_instance(const char *root, const char *number, void *ctx)
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *name = json_string_value(json_object_get(ctx, "name")), *slash;
	ssize_t n;

	snprintf(path, sizeof(path), "%.200s/%.64s/device", root, number);
	n = readlink(path, target, sizeof(target) - 1);
	if (n <= 0)
		return;
	target[n] = '\0';
	slash = strrchr(target, '/');
	if (!slash || strcmp(slash + 1, name))
		return;
	snprintf(path, sizeof(path), "%.200s/%.64s/tag", root, number);
	set_line(ctx, "tag", path);
	snprintf(path, sizeof(path), "%.200s/%.64s/mqs", root, number);
	each_entry(path, add_submitters, json_object_get(ctx, "queues"));
}

static uint64_t read_features(const char *name)
{
	char path[PATH_MAX], bits[128];
	uint64_t features = 0;

	/* The file shows bit 0 first. */
	snprintf(path, sizeof(path), VIRTIO_DEVICES "/%.64s/features", name);
	guest_read_line(bits, sizeof(bits), path);
	for (size_t i = 0; bits[i] && i < 64; i++)
		if (bits[i] == '1')
			features |= 1ULL << i;
	return features;
}

static bool is_virtiofs(const char *name)
{
	char path[PATH_MAX], id[32];

	snprintf(path, sizeof(path), VIRTIO_DEVICES "/%.64s/device", name);
	guest_read_line(id, sizeof(id), path);
	return strtoul(id, NULL, 16) == VIRTIO_ID_FS;
}

/*
 * virtio_fs_setup_dax() reserves the window under the device's name: "  f8000000-fbffffff :
 * virtio3". Other drivers of virtio devices reserve none.
 */
bool guest_devices_have_dax_window(void)
{
	FILE *file = fopen("/proc/iomem", "re");
	char line[256], name[64];
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file)) {
		const char *colon = strstr(line, " : virtio");

		found = colon && sscanf(colon, " : %63s", name) == 1 && is_virtiofs(name);
	}
	if (file)
		fclose(file);
	return found;
}

static void add_device(const char *root, const char *name, void *devices)
{
	char line[128];
	json_t *device;

	if (!is_virtiofs(name))
		return;
	snprintf(line, sizeof(line), "0x%llx", (unsigned long long)read_features(name));
	device = json_pack("{s:s s:s s:[]}", "name", name, "features", line, "queues");
	if (json_array_append_new(devices, device))
		return;
	add_interrupts(json_object_get(device, "queues"), name);
	each_entry(VIRTIOFS, add_instance, device);
}

json_t *guest_devices_json(void)
{
	json_t *devices = json_array();

	if (devices)
		each_entry(VIRTIO_DEVICES, add_device, devices);
	return devices;
}
