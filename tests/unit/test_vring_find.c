// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Recognising virtqueues and guest memory in a daemon's words, and what a command line asks for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "lib/compiler.h"
#include "trace/daemon_find.h"
#include "trace/vring_find.h"
#include "trace/vring_order.h"

static uint64_t align_up(uint64_t value, uint64_t to)
{
	return (value + to - 1) / to * to;
}

/* Linux's vring_init() with every size and alignment, in every order of the three. */
static void test_ring_words(void **state)
{
	static const uint64_t aligns[] = {4, 64, 4096};
	static const uint8_t orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
					    {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

	for (uint32_t size = 2; size <= 32768; size *= 2)
		for (size_t a = 0; a < ARRAY_SIZE(aligns); a++)
			for (size_t o = 0; o < ARRAY_SIZE(orders); o++) {
				uint64_t desc = 0x7f0000000000, avail = desc + 16 * size;
				uint64_t ring[3] = {desc, avail,
						    align_up(avail + 6 + 2 * size, aligns[a])};
				uint64_t words[3];
				struct host_queue q;

				for (size_t i = 0; i < 3; i++)
					words[i] = ring[orders[o][i]];
				assert_true(vring_match(words, &q));
				assert_int_equal(q.size, size);
				assert_true(q.desc == ring[0] && q.avail == ring[1] &&
					    q.used == ring[2]);
			}
}

static void test_no_ring_words(void **state)
{
	static const uint64_t cases[][3] = {
		{0, 0, 0},
		{0x1000, 0x1000, 0x1000},
		{0x1000, 0x1000 + 16 * 100, 0x2000}, /* 100 is no power of two */
		{0x1000, 0x1800, 0x3000}, /* used too far away */
		{0x1008, 0x1808, 0x2000}, /* descriptors are 16-aligned */
		{0x1000, 0x1010, 0x1018}, /* one descriptor */
		{1, 2, 3},
		{UINT64_MAX, UINT64_MAX - 16, 8},
	};
	struct host_queue q;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_false(vring_match(cases[i], &q));
}

static void test_contents(void **state)
{
	uint16_t heads[4] = {0, 3, 1, 2};
	uint32_t ids[8] = {0, 16, 3, 16, 1, 16, 2, 16};
	struct vring_contents c = {.heads = heads, .used_ids = ids};

	assert_true(vring_plausible(4, &c)); /* never used */
	c.avail_idx = 2;
	c.used_idx = 65535; /* wrapped: 3 in flight */
	assert_true(vring_plausible(4, &c));
	c.used_idx = 65533;
	assert_false(vring_plausible(4, &c)); /* 5 in flight in a ring of 4 */
	c.used_idx = 2;
	heads[1] = 4;
	assert_false(vring_plausible(4, &c));
	heads[1] = 3;
	ids[2] = 9;
	assert_false(vring_plausible(4, &c));
	ids[2] = 3;
	c.avail_flags = 2;
	assert_false(vring_plausible(4, &c));
}

static const char pc_maps[] =
	"55c0015c5000-55c001607000 rw-p 00000000 00:00 0                          [heap]\n"
	"7f0d00000000-7f0d00021000 rw-p 00000000 00:00 0 \n"
	"7f0d4c000000-7f0dcc000000 rw-s 00000000 00:01 1438                       /memfd:m "
	"(deleted)\n"
	"7f0dcc000000-7f0e0c000000 rw-s 80000000 00:01 1438                       /memfd:m "
	"(deleted)\n"
	"7f0e10000000-7f0e20000000 rw-s 00000000 00:05 99                         /dev/zero\n"
	"7ffe7b9e4000-7ffe7ba05000 rw-p 00000000 00:00 0                          [stack]\n";

static void test_layout(void **state)
{
	struct host_region regions[HOST_MAX_REGIONS];
	struct proc_maps maps;
	uint32_t nr;

	assert_int_equal(proc_maps_parse(&maps, pc_maps), 0);
	assert_int_equal(maps.count, 6);
	assert_false(maps.maps[0].device);
	assert_true(maps.maps[4].device);
	assert_int_equal(vring_guest_memory(&maps)->start, 0x7f0d4c000000);
	nr = vring_regions_by_layout(&maps, regions);
	assert_int_equal(nr, 2);
	assert_int_equal(vring_guest_address(regions, nr, 0x1000), 0x7f0d4c001000);
	/* the part behind the hole below 4 GiB */
	assert_int_equal(vring_guest_address(regions, nr, 0x100002000), 0x7f0dcc002000);
	assert_int_equal(vring_guest_address(regions, nr, 0x90000000), 0);
	proc_maps_free(&maps);
}

/* libvhost-user maps each region from the file's start and keeps how far in it begins. */
static void test_region_words(void **state)
{
	uint64_t above[5] = {0x100000000, 0x40000000, 0x7f5555555000, 0x40000000, 0x7f0d4c000000};
	struct host_region region;
	struct proc_maps maps;

	assert_int_equal(proc_maps_parse(&maps, pc_maps), 0);
	assert_true(vring_match_region(above, &maps, &region));
	assert_int_equal(region.gpa, 0x100000000);
	assert_int_equal(region.size, 0x40000000);
	assert_int_equal(region.addr, 0x7f0d8c000000);
	above[1] = 0x80000000; /* longer than what is mapped */
	assert_false(vring_match_region(above, &maps, &region));
	above[1] = -0x40000000ULL;
	assert_false(vring_match_region(above, &maps, &region));
	proc_maps_free(&maps);
}

/* As the Rust daemon's epoll set shows: exit, request queue, hiprio, the listener. */
static void test_kicks(void **state)
{
	static const char fdinfo[] =
		"pos:\t0\nflags:\t02000002\nmnt_id:\t15\nino:\t1060\n"
		"tfd:       12 events:       19 data:                2  pos:0 ino:424 sdev:f\n"
		"tfd:       20 events:       19 data:                1  pos:0 ino:424 sdev:f\n"
		"tfd:       18 events:       19 data:                0  pos:0 ino:424 sdev:f\n"
		"tfd:        7 events:       19 data: ffffffffffffffff  pos:0 ino:424 sdev:f\n";
	int kicks[HOST_MAX_QUEUES];

	memset(kicks, -1, sizeof(kicks));
	vring_parse_kicks(fdinfo, kicks);
	assert_int_equal(kicks[0], 18);
	assert_int_equal(kicks[1], 20);
	assert_int_equal(kicks[2], 12);
	assert_int_equal(kicks[3], -1);
}

/* found_at stands for the kick that is stored there */
static bool kick_is(void *ctx, uint64_t found_at, int fd)
{
	return found_at == (uint64_t)fd;
}

static void test_order(void **state)
{
	static const struct {
		struct vring_traits traits[3];
		int kicks[3];
		uint32_t nr;
		uint32_t first; /* index before ordering of what must be hiprio */
	} cases[] = {
		{{{5, false, false}, {6, false, false}},
		 {-1, -1},
		 2,
		 0}, /* nothing known: as in memory */
		{{{5, false, false}, {6, false, false}}, {6, 5}, 2, 1}, /* by kicks */
		{{{5, false, false}, {6, false, false}}, {5, 6}, 2, 0},
		{{{5, true, true}, {6, false, false}}, {-1, -1}, 2, 1}, /* only requests so far */
		{{{5, true, true}, {6, true, false}}, {-1, -1}, 2, 1}, /* and FORGETs */
		{{{5, true, false}, {6, true, true}}, {-1, -1}, 2, 0},
		{{{5, true, false}, {6, true, true}}, {6, 5}, 2, 0}, /* replies win */
		{{{5, true, true}, {6, false, false}, {7, false, false}}, {7, 5, 6}, 3, 2},
		{{{5, true, true}, {6, true, true}, {7, false, false}}, {-1, -1, -1}, 3, 2},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vring_traits traits[3];
		struct host_queue queues[3];

		memcpy(traits, cases[i].traits, sizeof(traits));
		for (uint32_t q = 0; q < 3; q++)
			queues[q].desc = traits[q].found_at;
		vring_order(cases[i].nr, queues, traits, cases[i].kicks, kick_is, NULL);
		assert_int_equal(queues[0].desc, 5 + cases[i].first);
		for (uint32_t q = 0; q < cases[i].nr; q++)
			assert_int_equal(queues[q].desc, traits[q].found_at);
	}
}

static struct daemon_options parse(char *text)
{
	struct daemon_options o;
	char *argv[32], *save = NULL;
	int argc = 0;

	for (char *w = strtok_r(text, " ", &save); w; w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	daemon_options_parse(&o, argc, argv);
	return o;
}

static void test_c_options(void **state)
{
	char text[] = "virtiofsd --socket-path=/run/s -o source=/srv,cache=none -o writeback "
		      "-oxattr,no_writeback --thread-pool-size=16 -o sandbox=chroot";
	struct daemon_options o = parse(text);

	assert_int_equal(o.kind, DAEMON_C);
	assert_string_equal(o.socket, "/run/s");
	assert_string_equal(o.shared_dir, "/srv");
	assert_string_equal(o.cache, "none");
	assert_string_equal(o.sandbox, "chroot");
	assert_int_equal(o.thread_pool, 16);
	assert_true(o.xattr);
	assert_false(o.writeback);
}

static void test_rust_options(void **state)
{
	char text[] = "virtiofsd --shared-dir /srv --socket-path /run/s --cache=never --writeback "
		      "--thread-pool-size 4 --allow-direct-io --inode-file-handles=prefer --tag t";
	struct daemon_options o = parse(text);

	assert_int_equal(o.kind, DAEMON_RUST);
	assert_string_equal(o.shared_dir, "/srv");
	assert_string_equal(o.cache, "never");
	assert_string_equal(o.inode_file_handles, "prefer");
	assert_string_equal(o.tag, "t");
	assert_int_equal(o.thread_pool, 4);
	assert_true(o.writeback && o.allow_direct_io);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ring_words),   cmocka_unit_test(test_no_ring_words),
		cmocka_unit_test(test_contents),     cmocka_unit_test(test_layout),
		cmocka_unit_test(test_region_words), cmocka_unit_test(test_kicks),
		cmocka_unit_test(test_order),	     cmocka_unit_test(test_c_options),
		cmocka_unit_test(test_rust_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
