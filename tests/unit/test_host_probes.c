// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The host's programs on virtqueues that this process makes up in its own memory, with itself as
 * the daemon: what no guest driver and daemon that work ever do, but the programs must survive and
 * count. Any system call makes them look. Needs the right to load them.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <cmocka.h>
#include "bpf/host_abi.h"
#include "lib/compiler.h"
#include "trace/aggregate_counts.h"
#include "trace/bpf_util.h"

#include "bpf/host.skel.h"

#define RING 8
#define MEMORY_BYTES (64 << 10)
#define MEMORY_BEGIN 0x100000 /* guest address */
#define PAGE 4096
#define LOOKUP 1

struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};

struct avail {
	uint16_t flags;
	uint16_t idx;
	uint16_t ring[RING];
};

struct used {
	uint16_t flags;
	uint16_t idx;
	struct {
		uint32_t id;
		uint32_t len;
	} ring[RING];
};

struct fixture {
	struct host_bpf *bpf;
	struct desc desc[RING];
	struct avail avail;
	struct used used;
	unsigned char *memory;
};

static void look(void)
{
	syscall(SYS_getppid);
}

/* The guest puts a chain with a header at an offset of its memory into the ring; the daemon looks
 * later. */
static void put(struct fixture *f, uint16_t head, uint64_t header)
{
	f->desc[head] = (struct desc){.addr = MEMORY_BEGIN + header, .len = 40};
	f->avail.ring[f->avail.idx % RING] = head;
	__atomic_store_n(&f->avail.idx, f->avail.idx + 1, __ATOMIC_RELEASE);
}

static void use(struct fixture *f, uint16_t head)
{
	f->used.ring[f->used.idx % RING].id = head;
	f->used.ring[f->used.idx % RING].len = 16;
	__atomic_store_n(&f->used.idx, f->used.idx + 1, __ATOMIC_RELEASE);
}

static void write_header(struct fixture *f, uint64_t at)
{
	const uint32_t len_opcode[2] = {40, LOOKUP};
	const uint64_t unique = 2 + at;

	memcpy(f->memory + at, len_opcode, sizeof(len_opcode));
	memcpy(f->memory + at + 8, &unique, sizeof(unique));
}

static uint64_t lost(const struct fixture *f, enum loss_class which)
{
	uint64_t losses[NR_LOSS_CLASSES] = {0};

	assert_int_equal(
		bpf_util_sum_percpu(bpf_map__fd(f->bpf->maps.losses), NR_LOSS_CLASSES, losses), 0);
	return losses[which];
}

static struct host_queue_state state_of(const struct fixture *f)
{
	struct host_queue_state s;
	uint32_t key = 0;

	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(f->bpf->maps.queue_states), &key, &s), 0);
	return s;
}

/* The rings begin empty, and known to be. */
static int name_rings(struct fixture *f)
{
	struct host_daemon layout = {
		.nr_queues = 1,
		.nr_regions = 1,
		.regions = {{.gpa = MEMORY_BEGIN,
			     .size = MEMORY_BYTES,
			     .addr = (uint64_t)(uintptr_t)f->memory}},
		.queues = {{.desc = (uint64_t)(uintptr_t)f->desc,
			    .avail = (uint64_t)(uintptr_t)&f->avail,
			    .used = (uint64_t)(uintptr_t)&f->used,
			    .size = RING}},
	};
	struct host_queue_state state = {.idle_at = HOST_POSITION_KNOWN};
	uint32_t pid = (uint32_t)getpid(), key = 0;
	int err =
		bpf_map_update_elem(bpf_map__fd(f->bpf->maps.queue_states), &key, &state, BPF_ANY);

	return err ? err
		   : bpf_map_update_elem(bpf_map__fd(f->bpf->maps.daemons), &pid, &layout, BPF_ANY);
}

static void begin(struct fixture *f, uint32_t buffer_bytes, bool aggregate)
{
	int err;

	*f = (struct fixture){0};
	f->memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	assert_ptr_not_equal(f->memory, MAP_FAILED);
	write_header(f, 0);
	bpf_util_begin();
	f->bpf = host_bpf__open();
	if (!f->bpf)
		skip();
	bpf_program__set_autoload(f->bpf->progs.btf_sys_enter, false);
	bpf_program__set_autoload(f->bpf->progs.btf_sys_exit, false);
	bpf_map__set_max_entries(f->bpf->maps.events, buffer_bytes);
	if (aggregate)
		bpf_map__set_max_entries(f->bpf->maps.aggregates, AGGREGATE_MAX_COUNTS);
	f->bpf->rodata->aggregate = aggregate;
	err = host_bpf__load(f->bpf);
	if (!err)
		err = name_rings(f);
	if (!err)
		err = host_bpf__attach(f->bpf);
	if (err) {
		host_bpf__destroy(f->bpf);
		munmap(f->memory, MEMORY_BYTES);
		print_message("cannot load BPF programs here: %s\n", strerror(-err));
		skip();
	}
	look();
}

static void end(struct fixture *f)
{
	host_bpf__destroy(f->bpf);
	munmap(f->memory, MEMORY_BYTES);
}

static void headers_that_cannot_be_read(void **state)
{
	struct fixture f;

	begin(&f, 1 << 20, false);
	put(&f, 0, 0);
	look();
	use(&f, 0);
	look();
	assert_int_equal(state_of(&f).chains, 1);
	assert_int_equal(lost(&f, LOSS_HEADER), 0);
	/* Nobody has touched the page yet; whoever serves the request does. */
	put(&f, 1, PAGE);
	look();
	assert_int_equal(state_of(&f).unreadable, 1);
	write_header(&f, PAGE);
	look();
	assert_int_equal(state_of(&f).recovered, 1);
	use(&f, 1);
	look();
	assert_int_equal(lost(&f, LOSS_HEADER), 0);
	/* Answered and never readable: an untouched page, and an address that is no memory. */
	put(&f, 2, 2 * PAGE);
	put(&f, 3, MEMORY_BYTES);
	look();
	use(&f, 3);
	use(&f, 2);
	look();
	assert_int_equal(lost(&f, LOSS_HEADER), 2);
	assert_int_equal(state_of(&f).chains, 4);
	assert_int_equal(state_of(&f).used, 4);
	end(&f);
}

static void a_ring_that_moved_on_unseen(void **state)
{
	struct fixture f;

	begin(&f, 1 << 20, false);
	f.avail.idx = f.used.idx = RING + 3;
	look();
	assert_int_equal(lost(&f, LOSS_RING_OVERRUN), 2 * 3);
	assert_int_equal(state_of(&f).chains, RING);
	assert_int_equal(state_of(&f).used, RING);
	end(&f);
}

/* As if the ring's page were not there for a while. */
static void move_avail(struct fixture *f, const void *to)
{
	int map = bpf_map__fd(f->bpf->maps.daemons);
	uint32_t pid = (uint32_t)getpid();
	struct host_daemon layout;

	assert_int_equal(bpf_map_lookup_elem(map, &pid, &layout), 0);
	layout.queues[0].avail = (uint64_t)(uintptr_t)to;
	assert_int_equal(bpf_map_update_elem(map, &pid, &layout, BPF_ANY), 0);
}

static void a_ring_that_cannot_be_read(void **state)
{
	struct fixture f;

	begin(&f, 1 << 20, false);
	move_avail(&f, (const void *)(uintptr_t)PAGE);
	put(&f, 0, 0);
	look();
	assert_int_equal(state_of(&f).left, 1);
	assert_int_equal(state_of(&f).chains, 0);
	/* Late is not lost. */
	move_avail(&f, &f.avail);
	look();
	assert_int_equal(state_of(&f).left, 0);
	assert_int_equal(state_of(&f).chains, 1);
	end(&f);
}

static void a_buffer_that_nobody_reads(void **state)
{
	const unsigned int n = 2 * PAGE / sizeof(struct host_chain_event);
	struct fixture f;

	begin(&f, PAGE, false);
	for (unsigned int i = 0; i < n; i++) {
		put(&f, i % RING, 0);
		look();
		use(&f, i % RING);
		look();
	}
	assert_true(lost(&f, LOSS_RINGBUF) >= n);
	assert_int_equal(state_of(&f).chains, n);
	assert_int_equal(lost(&f, LOSS_MAP_FULL), 0);
	end(&f);
}

static void aggregated_ends_without_start(void **state)
{
	struct fixture f;

	begin(&f, PAGE, true);
	use(&f, 5);
	look();
	assert_int_equal(lost(&f, LOSS_END_NO_START), 1);
	/* A chain of the same head that comes later is another one. */
	put(&f, 5, 0);
	look();
	assert_int_equal(lost(&f, LOSS_END_NO_START), 1);
	use(&f, 5);
	look();
	use(&f, 5);
	look();
	assert_int_equal(lost(&f, LOSS_END_NO_START), 2);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_that_cannot_be_read),
		cmocka_unit_test(a_ring_that_moved_on_unseen),
		cmocka_unit_test(a_ring_that_cannot_be_read),
		cmocka_unit_test(a_buffer_that_nobody_reads),
		cmocka_unit_test(aggregated_ends_without_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
