// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From the maps of bpf/host_kvm.bpf.h to JSON. Histograms are put together from their buckets; what
 * was not seen is left out.
 */
#include "trace/host_kvm.h"
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lib/aggregate.h"
#include "lib/compiler.h"
#include "lib/hist_json.h"
#include "lib/msg.h"
#include "trace/kvm_names.h"
#include "trace/tracefs.h"

struct counted {
	struct host_kvm_key key;
	struct aggregate_count count;
};

struct counts {
	struct counted *items; /* sorted by key */
	size_t count;
};

void host_kvm_find_fields(struct host_point_choice *choices, struct host_kvm_fields *fields)
{
	for (size_t i = 0; i < nr_host_points; i++) {
		const struct host_point *point = &host_points[i];
		int reason, isa;

		if (point->tp_program && choices[i].mechanism == ATTACH_RAW_TP)
			msg_warn(
				"exits are recorded without their reasons: %s in tracefs cannot be "
				"used; run as root, where that is mounted",
				point->event);
		if (choices[i].mechanism != ATTACH_TP)
			continue;
		reason = tracefs_event_field(point->event, "exit_reason", sizeof(uint32_t));
		isa = tracefs_event_field(point->event, "isa", sizeof(uint32_t));
		if (reason >= 0 && isa >= 0) {
			*fields = (struct host_kvm_fields){.reason = (uint32_t)reason,
							   .isa = (uint32_t)isa};
			continue;
		}
		msg_warn("exits are recorded without their reasons: records of %s are not as "
			 "expected (%s)",
			 point->event, strerror(reason < 0 ? -reason : -isa));
		choices[i].mechanism = ATTACH_RAW_TP;
	}
}

static int compare_counted(const void *x, const void *y)
{
	const struct host_kvm_key *a = &((const struct counted *)x)->key;
	const struct host_kvm_key *b = &((const struct counted *)y)->key;

	if (a->vmm != b->vmm)
		return a->vmm < b->vmm ? -1 : 1;
	if (a->isa != b->isa)
		return a->isa < b->isa ? -1 : 1;
	if (a->of != b->of)
		return a->of < b->of ? -1 : 1;
	if (a->what != b->what)
		return a->what < b->what ? -1 : 1;
	return a->bucket < b->bucket ? -1 : a->bucket > b->bucket;
}

static int read_count(int fd, struct aggregate_count *of_cpu, int nr_cpus, struct counted *out)
{
	if (bpf_map_lookup_elem(fd, &out->key, of_cpu))
		return -errno;
	out->count = (struct aggregate_count){};
	for (int i = 0; i < nr_cpus; i++) {
		out->count.count += of_cpu[i].count;
		out->count.sum += of_cpu[i].sum;
	}
	return 0;
}

static int read_counts(int fd, struct counts *c)
{
	int nr_cpus = libbpf_num_possible_cpus();
	struct aggregate_count *of_cpu = calloc(nr_cpus > 0 ? nr_cpus : 1, sizeof(*of_cpu));
	struct host_kvm_key *before = NULL;
	int err = 0;

	c->count = 0;
	c->items = calloc(HOST_KVM_MAX_COUNTS, sizeof(*c->items));
	if (!c->items || !of_cpu || nr_cpus < 0)
		err = nr_cpus < 0 ? nr_cpus : -ENOMEM;
	while (!err && c->count < HOST_KVM_MAX_COUNTS) {
		struct counted *next = &c->items[c->count];

		if (bpf_map_get_next_key(fd, before, &next->key))
			break;
		err = read_count(fd, of_cpu, nr_cpus, next);
		before = &next->key;
		c->count++;
	}
	free(of_cpu);
	if (!err)
		qsort(c->items, c->count, sizeof(*c->items), compare_counted);
	return err;
}

/* The values of all keys that agree in all but the bucket with this one. */
static void add_same(struct hist *h, const struct counts *c, const struct host_kvm_key *key)
{
	for (size_t i = 0; i < c->count; i++) {
		const struct counted *item = &c->items[i];

		if (item->key.vmm == key->vmm && item->key.what == key->what &&
		    item->key.of == key->of && item->key.isa == key->isa)
			hist_add_bucket(h, item->key.bucket, item->count.count, item->count.sum);
	}
}

static json_t *times_json(const struct counts *c, const struct host_kvm_key *key)
{
	struct hist *h = malloc(sizeof(*h));
	json_t *object;

	if (!h)
		return NULL;
	hist_init(h);
	add_same(h, c, key);
	object = hist_to_json(h);
	free(h);
	return object;
}

static json_int_t counter(const struct counts *c, uint32_t vmm, enum host_kvm_what what)
{
	uint64_t n = 0;

	for (size_t i = 0; i < c->count; i++)
		if (c->items[i].key.vmm == vmm && c->items[i].key.what == what)
			n += c->items[i].count.count;
	return (json_int_t)n;
}

/* True for the first bucket of a reason that such exits had. */
static bool begins_exit(const struct counts *c, size_t i, uint32_t vmm)
{
	const struct host_kvm_key *key = &c->items[i].key;
	const struct host_kvm_key *before = i ? &c->items[i - 1].key : NULL;

	if (key->vmm != vmm || key->what > HKVM_EXIT_VMM)
		return false;
	return !before || before->vmm != vmm || before->isa != key->isa || before->of != key->of ||
	       before->what != key->what;
}

static json_t *exit_json(const struct counts *c, const struct host_kvm_key *key)
{
	static const char *const handled[] = {
		[HKVM_EXIT] = "kvm",
		[HKVM_EXIT_DOOR] = "doorbell",
		[HKVM_EXIT_VMM] = "vmm",
	};
	char name[32];

	return json_pack("{s:s s:I s:s s:s s:o}", "isa", kvm_isa_name(key->isa), "reason",
			 (json_int_t)key->of, "name",
			 kvm_exit_name(key->isa, key->of, name, sizeof(name)), "handled_by",
			 handled[key->what], "outside_ns", times_json(c, key));
}

static json_t *exits_json(const struct counts *c, uint32_t vmm)
{
	json_t *array = json_array();

	for (size_t i = 0; i < c->count; i++)
		if (begins_exit(c, i, vmm))
			json_array_append_new(array, exit_json(c, &c->items[i].key));
	return array;
}

static json_t *to_vmm_json(const struct counts *c, uint32_t vmm)
{
	json_t *array = json_array();
	char name[32];

	for (size_t i = 0; i < c->count; i++) {
		const struct host_kvm_key *key = &c->items[i].key;

		if (key->vmm != vmm || key->what != HKVM_TO_VMM)
			continue;
		if (key->of >= HKVM_ERRNO)
			kvm_errno_name(key->of - HKVM_ERRNO, name, sizeof(name));
		else
			kvm_user_exit_name(key->of, name, sizeof(name));
		json_array_append_new(array, json_pack("{s:s s:I}", "name", name, "count",
						       (json_int_t)c->items[i].count.count));
	}
	return array;
}

static void add_times(const struct counts *c, uint32_t vmm, json_t *object)
{
	static const struct {
		enum host_kvm_what what;
		const char *name;
	} times[] = {
		{HKVM_DOOR_TO_WAKE, "doorbell_to_wake_ns"},
		{HKVM_WAKE_TO_RUN, "wake_to_run_ns"},
		{HKVM_CALL_TO_MSI, "call_to_message_ns"},
		{HKVM_CALL_TO_INJECTION, "call_to_injection_ns"},
		{HKVM_CALL_TO_AWAKE, "call_to_awake_ns"},
		{HKVM_HALT_WAIT, "halt_wait_ns"},
		{HKVM_HALT_POLL, "halt_poll_ns"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		struct host_kvm_key key = {.vmm = vmm, .what = times[i].what};

		if (counter(c, vmm, times[i].what))
			json_object_set_new(object, times[i].name, times_json(c, &key));
	}
}

static json_t *interrupts_json(const struct counts *c, uint32_t vmm)
{
	return json_pack("{s:I s:I s:I s:I}", "messages_of_daemons",
			 counter(c, vmm, HKVM_CALL_TO_MSI), "other_messages",
			 counter(c, vmm, HKVM_MSI_OTHER), "by_number", counter(c, vmm, HKVM_LINE),
			 "injected", counter(c, vmm, HKVM_INJECTED));
}

/*
 * A write counts as taken by KVM when something follows it; the last one of each thread has nothing
 * behind it.
 */
static void count_last_writes(const struct host_kvm_maps *maps)
{
	uint32_t tid, *before = NULL;
	struct host_vcpu v;

	while (!bpf_map_get_next_key(maps->vcpus, before, &tid)) {
		struct host_door_count count = {};

		before = &tid;
		if (bpf_map_lookup_elem(maps->vcpus, &tid, &v) || v.door.space == HOST_DOOR_NONE)
			continue;
		bpf_map_lookup_elem(maps->doors, &v.door, &count);
		count.writes++;
		count.wakes += v.woke;
		if (bpf_map_update_elem(maps->doors, &v.door, &count, BPF_ANY))
			msg_debug("the last doorbell of thread %u is not counted: %s", tid,
				  strerror(errno));
	}
}

static json_t *doors_json(const struct host_kvm_maps *maps, uint32_t vmm)
{
	struct host_door door, *before = NULL;
	struct host_door_count count;
	json_t *array = json_array();

	while (!bpf_map_get_next_key(maps->doors, before, &door)) {
		before = &door;
		if (door.vmm != vmm || bpf_map_lookup_elem(maps->doors, &door, &count))
			continue;
		json_array_append_new(
			array, json_pack("{s:s s:I s:I s:I}", "space",
					 door.space == HOST_DOOR_PIO ? "port" : "memory", "address",
					 (json_int_t)door.addr, "writes", (json_int_t)count.writes,
					 "wakes", (json_int_t)count.wakes));
	}
	return array;
}

/* Threads that KVM ran a virtual CPU in. The map is not by VM, so each is asked whose it was. */
static int count_vcpus(int vcpus_fd, uint32_t vmm)
{
	uint32_t tid, *before = NULL;
	struct host_vcpu v;
	int n = 0;

	while (!bpf_map_get_next_key(vcpus_fd, before, &tid)) {
		before = &tid;
		n += !bpf_map_lookup_elem(vcpus_fd, &tid, &v) && v.vmm == vmm;
	}
	return n;
}

static json_t *slots_json(const struct host_targets *targets, uint32_t vmm)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < targets->count; i++)
		if (targets->items[i].layout.vmm == vmm)
			json_array_append_new(array, json_integer(i));
	return array;
}

static json_t *vm_json(const struct host_kvm_maps *maps, const struct counts *c,
		       const struct host_targets *targets, uint32_t vmm)
{
	json_t *object =
		json_pack("{s:I s:o s:i s:o s:o s:o s:o}", "vmm", (json_int_t)vmm, "daemons",
			  slots_json(targets, vmm), "vcpu_threads", count_vcpus(maps->vcpus, vmm),
			  "exits", exits_json(c, vmm), "to_vmm", to_vmm_json(c, vmm), "doorbells",
			  doors_json(maps, vmm), "interrupts", interrupts_json(c, vmm));

	if (object)
		add_times(c, vmm, object);
	return object;
}

/* Is this the first target of its VM? */
static bool is_first_of_vm(const struct host_targets *targets, uint32_t i)
{
	for (uint32_t j = 0; j < i; j++)
		if (targets->items[j].layout.vmm == targets->items[i].layout.vmm)
			return false;
	return targets->items[i].layout.vmm;
}

json_t *host_kvm_json(const struct host_kvm_maps *maps, const struct host_targets *targets)
{
	json_t *array = json_array();
	struct counts c;

	count_last_writes(maps);
	if (read_counts(maps->counts, &c))
		msg_warn("the counts of exits and interrupts cannot be read");
	for (uint32_t i = 0; array && i < targets->count; i++)
		if (is_first_of_vm(targets, i))
			json_array_append_new(
				array, vm_json(maps, &c, targets, targets->items[i].layout.vmm));
	free(c.items);
	return array;
}

/* By its descriptors: KVM's have names of their own. True if that is not to be known. */
static bool uses_kvm(uint32_t pid)
{
	char path[64], link[64];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%u/fd", pid);
	dir = opendir(path);
	if (!dir)
		return true;
	while (!found && (entry = readdir(dir))) {
		ssize_t len = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1);

		link[len > 0 ? len : 0] = '\0';
		found = !strcmp(link, "anon_inode:kvm-vm");
	}
	closedir(dir);
	return found;
}

void host_kvm_check(const struct host_targets *targets)
{
	for (uint32_t i = 0; i < targets->count; i++) {
		const struct host_target *target = &targets->items[i];

		if (!target->layout.vmm)
			msg_warn("the VM of daemon %d is not to be seen: nothing of its exits and "
				 "interrupts will be recorded; run as root",
				 (int)target->daemon.pid);
		else if (is_first_of_vm(targets, i) && !uses_kvm(target->layout.vmm))
			msg_warn("process %u runs its VM without KVM: --kvm will record nothing of "
				 "it",
				 target->layout.vmm);
	}
}
