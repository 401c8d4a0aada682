// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Find a vhost-user daemon's virtqueues in its private memory: see vring_find.h.
 *
 * A match of three words is checked against the rings it points to, and the same ring found
 * twice (copies on stacks, freed memory) counts once. vring_order.c tells which queue is which.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "lib/compiler.h"
#include "lib/msg.h"
#include "trace/vring_find.h"
#include "trace/vring_order.h"

#define SCAN_CHUNK_BYTES (1u << 20)
#define REGION_WORDS 5 /* the longest pattern */
#define MAX_CANDIDATES 256
#define MIN_GUEST_BYTES (16u << 20)
#define FOUR_GIB (4ULL << 30)

static void swap_if_greater(uint64_t *a, uint64_t *b)
{
	uint64_t t = *a;

	if (*a > *b) {
		*a = *b;
		*b = t;
	}
}

bool vring_match(const uint64_t words[3], struct host_queue *queue)
{
	static const uint16_t aligns[] = {4, 16, 32, 64, 128, 256, 4096};
	uint64_t desc = words[0], avail = words[1], used = words[2], end;
	uint64_t size;

	if (!desc || !avail || !used)
		return false;
	/* Whatever order the daemon keeps them in, this is the order in memory. */
	swap_if_greater(&desc, &avail);
	swap_if_greater(&avail, &used);
	swap_if_greater(&desc, &avail);
	size = (avail - desc) / 16;
	if (desc % 16 || avail % 2 || used % 4 || size < 2 || size > 32768 || size & (size - 1) ||
	    avail - desc != size * 16)
		return false;
	end = avail + 6 + 2 * size; /* flags, idx, ring, used_event */
	for (size_t i = 0; i < ARRAY_SIZE(aligns); i++) {
		if (used != (end + aligns[i] - 1) / aligns[i] * aligns[i])
			continue;
		*queue = (struct host_queue){
			.desc = desc, .avail = avail, .used = used, .size = (uint32_t)size};
		return true;
	}
	return false;
}

static bool is_guest_memory(const struct proc_map *map)
{
	return map->shared && map->readable && map->writable && map->inode && !map->device;
}

const struct proc_map *vring_guest_memory(const struct proc_maps *maps)
{
	const struct proc_map *best = NULL;

	for (size_t i = 0; i < maps->count; i++) {
		const struct proc_map *map = &maps->maps[i];

		if (is_guest_memory(map) && map->end - map->start >= MIN_GUEST_BYTES &&
		    (!best || map->end - map->start > best->end - best->start))
			best = map;
	}
	return best;
}

bool vring_match_region(const uint64_t words[5], const struct proc_maps *maps,
			struct host_region *region)
{
	const struct vring_region_words r = {words[0], words[1], words[2], words[3], words[4]};

	if (!r.mmap_addr || !r.size || r.mmap_addr % 4096 || r.size % 4096 || r.gpa % 4096)
		return false;
	for (size_t i = 0; i < maps->count; i++) {
		const struct proc_map *map = &maps->maps[i];
		uint64_t length = map->end - map->start;

		/* libvhost-user maps from the file's start and skips mmap_offset; the sum may wrap
		 * for words that are no region. */
		if (map->start != r.mmap_addr || !is_guest_memory(map) || r.size > length ||
		    r.mmap_offset > length || r.size + r.mmap_offset != length)
			continue;
		*region = (struct host_region){
			.gpa = r.gpa, .size = r.size, .addr = r.mmap_addr + r.mmap_offset};
		return true;
	}
	return false;
}

uint32_t vring_regions_by_layout(const struct proc_maps *maps, struct host_region *regions)
{
	const struct proc_map *memory = vring_guest_memory(maps);
	uint64_t below_end = 0;
	uint32_t nr = 0;

	for (size_t i = 0; memory && i < maps->count && nr < HOST_MAX_REGIONS; i++) {
		const struct proc_map *map = &maps->maps[i];
		uint64_t size = map->end - map->start;

		if (!is_guest_memory(map) || map->inode != memory->inode || map->dev != memory->dev)
			continue;
		regions[nr++] =
			(struct host_region){.gpa = map->offset, .size = size, .addr = map->start};
		if (!map->offset)
			below_end = size;
	}
	/* Memory that follows a first part of at least 2 GiB in the file was moved above the hole.
	 */
	for (uint32_t i = 0; i < nr; i++)
		if (regions[i].gpa && regions[i].gpa == below_end && below_end >= FOUR_GIB / 2)
			regions[i].gpa = FOUR_GIB;
	return nr;
}

uint64_t vring_guest_address(const struct host_region *regions, uint32_t nr, uint64_t gpa)
{
	for (uint32_t i = 0; i < nr; i++)
		if (gpa - regions[i].gpa < regions[i].size)
			return gpa - regions[i].gpa + regions[i].addr;
	return 0;
}

bool vring_plausible(uint32_t size, const struct vring_contents *c)
{
	uint32_t seen = c->avail_idx < size ? c->avail_idx : size;
	uint32_t used = c->used_idx < size ? c->used_idx : size;

	if (c->avail_flags > 1 || c->used_flags > 1 ||
	    (uint16_t)(c->avail_idx - c->used_idx) > size)
		return false;
	/* Index fields wrap at 2^16, so that a small index does not tell how many entries were
	 * written; those that certainly were come last. */
	for (uint32_t i = 1; i <= seen; i++)
		if (c->heads[(uint16_t)(c->avail_idx - i) & (size - 1)] >= size)
			return false;
	for (uint32_t i = 1; i <= used; i++)
		if (c->used_ids[2 * ((uint16_t)(c->used_idx - i) & (size - 1))] >= size)
			return false;
	return true;
}

/* What one pass over the daemon's memory found. */
struct search {
	pid_t pid;
	struct proc_maps maps;
	struct vring_candidate candidates[MAX_CANDIDATES];
	size_t nr_candidates;
	struct host_region regions[HOST_MAX_REGIONS];
	uint32_t nr_regions;
};

static void keep_region(struct search *s, const struct host_region *region)
{
	for (uint32_t i = 0; i < s->nr_regions; i++)
		if (s->regions[i].gpa == region->gpa)
			return;
	if (s->nr_regions < HOST_MAX_REGIONS)
		s->regions[s->nr_regions++] = *region;
}

static void search_words(struct search *s, const uint64_t *words, size_t n, uint64_t at)
{
	struct host_queue queue;
	struct host_region region;

	for (size_t i = 0; i + REGION_WORDS <= n; i++) {
		if (vring_match(&words[i], &queue) && s->nr_candidates < MAX_CANDIDATES)
			s->candidates[s->nr_candidates++] = (struct vring_candidate){
				.found_at = at + 8 * i,
				.queue = queue,
			};
		if (vring_match_region(&words[i], &s->maps, &region))
			keep_region(s, &region);
	}
}

/* Chunks overlap by the longest pattern; pages that cannot be read are skipped. */
static void search_map(struct search *s, const struct proc_map *map, uint64_t *buf)
{
	uint64_t at = map->start, step;
	size_t got, want;

	while (at < map->end) {
		want = min_u64(map->end - at, SCAN_CHUNK_BYTES);
		got = proc_read_memory(s->pid, at, buf, want);
		search_words(s, buf, got / 8, at);
		if (got < want)
			step = (got / 4096 + 1) * 4096;
		else if (at + want < map->end)
			step = want - 8 * (REGION_WORDS - 1);
		else
			step = want;
		at += step;
	}
}

static int search_memory(struct search *s)
{
	uint64_t *buf = malloc(SCAN_CHUNK_BYTES);

	if (!buf)
		return -ENOMEM;
	for (size_t i = 0; i < s->maps.count; i++) {
		const struct proc_map *map = &s->maps.maps[i];

		/* Writable and private: data, heap, arenas, stacks. */
		if (map->readable && map->writable && !map->shared && !map->device)
			search_map(s, map, buf);
	}
	free(buf);
	if (!s->nr_regions)
		s->nr_regions = vring_regions_by_layout(&s->maps, s->regions);
	return 0;
}

static bool in_daemon(const struct search *s, uint64_t addr)
{
	for (uint32_t i = 0; i < s->nr_regions; i++)
		if (addr - s->regions[i].addr < s->regions[i].size)
			return true;
	return false;
}

/* Put the ring at the daemon's addresses; false if it is not in guest memory. */
static bool place_ring(const struct search *s, struct host_queue *queue)
{
	uint64_t end = queue->used + 6 + 8ULL * queue->size - 1;
	uint64_t desc, avail, used;

	if (in_daemon(s, queue->desc) && in_daemon(s, end))
		return true;
	desc = vring_guest_address(s->regions, s->nr_regions, queue->desc);
	avail = vring_guest_address(s->regions, s->nr_regions, queue->avail);
	used = vring_guest_address(s->regions, s->nr_regions, queue->used);
	if (!desc || !avail || !used || !vring_guest_address(s->regions, s->nr_regions, end))
		return false;
	queue->desc = desc;
	queue->avail = avail;
	queue->used = used;
	return true;
}

static bool has_reply(const struct vring_contents *c, uint32_t size)
{
	uint32_t count = c->used_idx < size ? c->used_idx : size;

	for (uint32_t i = 1; i <= count; i++)
		if (c->used_ids[2 * ((uint16_t)(c->used_idx - i) & (size - 1)) + 1])
			return true;
	return false;
}

/* Read the ring and judge it. */
static bool check_ring(const struct search *s, const struct host_queue *queue,
		       struct vring_traits *traits)
{
	size_t avail_bytes = 4 + 2 * (size_t)queue->size, used_bytes = 4 + 8 * (size_t)queue->size;
	uint16_t *avail = malloc(avail_bytes);
	uint32_t *used = malloc(used_bytes);
	struct vring_contents contents;
	bool good = false;

	/* used first: what it says was answered must then be in avail */
	if (avail && used &&
	    proc_read_memory(s->pid, queue->used, used, used_bytes) == used_bytes &&
	    proc_read_memory(s->pid, queue->avail, avail, avail_bytes) == avail_bytes) {
		contents = (struct vring_contents){
			.avail_flags = avail[0],
			.avail_idx = avail[1],
			.used_flags = (uint16_t)used[0],
			.used_idx = (uint16_t)(used[0] >> 16),
			.heads = avail + 2,
			.used_ids = used + 1,
		};
		good = vring_plausible(queue->size, &contents);
		traits->used = contents.used_idx != 0;
		traits->replied = good && has_reply(&contents, queue->size);
	}
	free(avail);
	free(used);
	return good;
}

/* Is this number stored beside the words of a queue? Room for every other field of the record. */
static bool near_fd(void *ctx, uint64_t found_at, int fd)
{
	const struct search *s = ctx;
	int32_t words[40];
	size_t got = proc_read_memory(s->pid, found_at - 64, words, sizeof(words));

	for (size_t i = 0; i < got / sizeof(words[0]); i++)
		if (words[i] == fd)
			return true;
	return false;
}

static bool already_kept(const struct host_daemon *daemon, const struct host_queue *queue)
{
	for (uint32_t i = 0; i < daemon->nr_queues; i++)
		if (daemon->queues[i].desc == queue->desc)
			return true;
	return false;
}

static int choose_rings(struct search *s, struct host_daemon *daemon)
{
	struct vring_traits traits[HOST_MAX_QUEUES];
	int kicks[HOST_MAX_QUEUES];

	for (size_t i = 0; i < s->nr_candidates; i++) {
		struct host_queue *queue = &s->candidates[i].queue;
		struct vring_traits t = {.found_at = s->candidates[i].found_at};

		if (!place_ring(s, queue) || !check_ring(s, queue, &t) ||
		    already_kept(daemon, queue))
			continue;
		if (daemon->nr_queues == HOST_MAX_QUEUES)
			return -E2BIG;
		traits[daemon->nr_queues] = t;
		daemon->queues[daemon->nr_queues++] = *queue;
	}
	/* A file system device has hiprio and at least one request queue. */
	if (daemon->nr_queues < 2)
		return -ENOENT;
	vring_read_kicks(s->pid, kicks);
	vring_order(daemon->nr_queues, daemon->queues, traits, kicks, near_fd, s);
	for (uint32_t i = 0; i < daemon->nr_queues; i++)
		msg_debug("queue %u: ring of %u at 0x%llx, named at 0x%llx%s", i,
			  daemon->queues[i].size, (unsigned long long)daemon->queues[i].desc,
			  (unsigned long long)traits[i].found_at,
			  traits[i].replied ? ", has replied" : "");
	return 0;
}

int vring_find(pid_t pid, struct host_daemon *daemon)
{
	struct search *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->pid = pid;
	daemon->nr_queues = 0;
	daemon->nr_regions = 0;
	err = proc_maps_read(&s->maps, pid);
	if (!err && !vring_guest_memory(&s->maps))
		err = -ENODEV;
	if (!err)
		err = search_memory(s);
	if (!err)
		err = choose_rings(s, daemon);
	if (!err) {
		memcpy(daemon->regions, s->regions, sizeof(s->regions));
		daemon->nr_regions = s->nr_regions;
	}
	proc_maps_free(&s->maps);
	free(s);
	return err;
}
