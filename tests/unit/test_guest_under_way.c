// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which stacks of tasks tell of an op or of a pass of write-back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "lib/compiler.h"
#include "trace/guest_under_way.h"

#define WAITS                                                                                      \
	"[<0>] request_wait_answer+0x11f/0x1f0 [fuse]\n[<0>] fuse_simple_request+0x180/0x2d0 "     \
	"[fuse]\n"

static const struct {
	const char *text;
	bool op, pass;
} stacks[] = {
	{"", false, false},
	{"[<0>] do_nanosleep+0x67/0x1a0\n[<0>] hrtimer_nanosleep+0xb9/0x190\n", false, false},
	{WAITS "[<0>] fuse_do_open+0x116/0x1e0 [fuse]\n[<0>] fuse_open+0xa9/0x330 [fuse]\n", true,
	 false},
	/* Only whole names, and only of functions that are ops. */
	{WAITS "[<0>] fuse_open_common+0xa9/0x330 [fuse]\n", false, false},
	{WAITS "[<0>] fuse_dentry_revalidate+0x1/0x2 [fuse]\n[<0>] lookup_fast+0x1/0x2\n", false,
	 false},
	{"[<0>] fuse_writepages+0xe6/0x1c0 [fuse]\n[<0>] do_writepages+0xcf/0x1c0\n"
	 "[<0>] wb_workfn+0x2bd/0x4b0\n",
	 false, true},
	{"[<0>] fuse_writepages+0xe6/0x1c0 [fuse]\n[<0>] fuse_fsync+0x4e/0x140 [fuse]\n", true,
	 true},
	{"[<0>] io_schedule_timeout+0x1/0x2\n[<0>] balance_dirty_pages+0x1/0x2\n"
	 "[<0>] fuse_file_write_iter+0x1/0x2 [fuse]\n",
	 true, false},
	{"[<0>] io_schedule_timeout+0x1/0x2\n[<0>] ext4_file_write_iter+0x1/0x2\n", false, false},
	/* Every file system's faults are in this function. */
	{"[<0>] folio_wait_bit_common+0x1/0x2\n[<0>] filemap_fault+0x1/0x2\n", false, false},
	{WAITS "[<0>] fuse_readahead+0x1/0x2 [fuse]\n[<0>] filemap_fault+0x1/0x2\n", true, false},
};

static void stacks_of_ops(void **state)
{
	const struct guest_recorded what = {.level = RECORD_OPS},
				    requests = {.level = RECORD_REQUESTS};
	struct guest_point_choice choices[GUEST_POINTS_MAX] = {};
	struct guest_stack in;

	for (size_t i = 0; i < nr_guest_points; i++)
		choices[i].mechanism = ATTACH_FENTRY;
	for (size_t i = 0; i < ARRAY_SIZE(stacks); i++) {
		in = guest_stack_of(stacks[i].text, choices, &what);
		if (in.op != stacks[i].op || in.pass != stacks[i].pass)
			fail_msg("op %d, pass %d: %s", in.op, in.pass, stacks[i].text);
		in = guest_stack_of(stacks[i].text, choices, &requests);
		assert_false(in.op || in.pass);
	}
	/* What is not probed is not missed. */
	for (size_t i = 0; i < nr_guest_points; i++)
		choices[i].mechanism = ATTACH_NONE;
	in = guest_stack_of(stacks[2].text, choices, &what);
	assert_false(in.op);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stacks_of_ops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
