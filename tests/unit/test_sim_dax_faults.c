// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Mapped memory in mode dax: which faults there are, of which size, what they set up, when they
 * wait and what empties page tables.
 */
#include "dax_script.h"

#define MREAD(at, size)                                                                            \
	{                                                                                          \
		.type = OP_MMAP_FAULT, .offset_bytes = (at), .size_bytes = (size)                  \
	}
#define MWRITE(at, size)                                                                           \
	{                                                                                          \
		.type = OP_MMAP_FAULT, .offset_bytes = (at), .size_bytes = (size),                 \
		.flags = OP_FAULT_WRITE                                                            \
	}

/* Faults map 2 MiB where file and mapping have as much, and behave to ranges like reads and writes.
 */
static void test_faults(void **state)
{
	static const struct workload_op ops[] = {
		OPEN,
		{.type = OP_MMAP},
		MREAD(4 * K, 8 * K), /* 2 MiB */
		MREAD(1 * M, 4 * K), /* nothing */
		MWRITE(1 * M, 4 * K), /* 2 MiB again, and an upgrade */
		MWRITE(0, 4 * K), /* nothing */
		MWRITE(3 * M, 4 * K), /* 2 MiB */
		MREAD(4 * M, 8 * K), /* the file ends in this range: two times 4 KiB */
		MWRITE(4 * M, 4 * K), /* 4 KiB and an upgrade */
		READ(4 * M, 4 * K), /* hit */
		{.type = OP_FADVISE, .flags = OP_WILLNEED},
		{.type = OP_MADVISE, .flags = OP_WILLNEED},
		{.type = OP_MSYNC},
		{.type = OP_MUNMAP},
		CLOSE,
	};
	struct stack stack;
	struct sim_stats stats;

	dax_stack(&stack, 20);
	stats = RUN(&stack, 5 * M, ops,
		    "setup 0 -> 0 r\nupgrade 0 -> 0 rw\nsetup 1 -> 1 rw\nsetup 2 -> 2 r\n"
		    "upgrade 2 -> 2 rw\nFSYNC\nFLUSH\nRELEASE\n");
	assert_int_equal(stats.dax.pmd_faults, 3);
	assert_int_equal(stats.dax.pte_faults, 3);
	stack.dax.huge_pages = false;
	stats = RUN(&stack, 5 * M, ops,
		    "setup 0 -> 0 r\nupgrade 0 -> 0 rw\nsetup 1 -> 1 rw\nsetup 2 -> 2 r\n"
		    "upgrade 2 -> 2 rw\nFSYNC\nFLUSH\nRELEASE\n");
	assert_int_equal(stats.dax.pmd_faults, 0);
	assert_int_equal(stats.dax.pte_faults, 3 + 2 + 1 + 3);
}

/* A private page is copied from a range that need not be writable; a 2 MiB entry is taken apart. */
static void test_private_faults(void **state)
{
	static const struct workload_op ops[] = {
		OPEN,
		{.type = OP_MMAP, .flags = OP_MAP_PRIVATE},
		MREAD(0, 4 * K),
		MWRITE(0, 4 * K),
		MWRITE(0, 4 * K), /* nothing: its own */
		MREAD(4 * K, 4 * K), /* 4 KiB from now on */
	};
	struct stack stack;
	struct sim_stats stats;

	dax_stack(&stack, 20);
	stats = RUN(&stack, 4 * M, ops, "setup 0 -> 0 r\n");
	assert_int_equal(stats.dax.pmd_faults, 1);
	assert_int_equal(stats.dax.pte_faults, 2);
}

/*
 * Nothing is free and a fault takes nothing away: it sleeps until the worker has. What is taken
 * away is in no page table any more. What got 4 KiB because nothing was free stays so.
 */
static void test_faults_wait(void **state)
{
	static const struct workload_op ops[] = {
		OPEN,
		{.type = OP_MMAP},
		MREAD(0, 4 * K),
		MREAD(2 * M, 4 * K),
		MREAD(0, 4 * K),
		{.type = OP_MMAP_FAULT, .size_bytes = 8 * K, .think_ns = MS},
	};
	struct stack stack;
	struct sim_stats stats;

	dax_stack(&stack, 1);
	stats = RUN(&stack, 4 * M, ops,
		    "setup 0 -> 0 r\nreclaim 1 from 0\nsetup 1 -> 0 r\nreclaim 1 from 0\n"
		    "setup 0 -> 0 r\n");
	assert_int_equal(stats.dax.waits, 2);
	assert_int_equal(stats.dax.pmd_faults, 1);
	assert_int_equal(stats.dax.pte_faults, 3);
	assert_int_equal(stats.dax.removed_inline, 0);
}

/* Opening a file empties its page tables, not its ranges. */
static void test_open_unmaps(void **state)
{
	struct workload_op a[] = {
		OPEN,
		{.type = OP_MMAP},
		MREAD(0, 4 * K),
		{.type = OP_MMAP_FAULT, .size_bytes = 4 * K, .think_ns = 10 * MS},
	};
	struct workload_op b[] = {{.type = OP_OPEN, .think_ns = 5 * MS}};
	struct record_sink r;
	struct sim_stats stats;
	struct stack stack;

	dax_stack(&stack, 20);
	run_two(&stack, a, 4, b, 1, false, &r, &stats);
	assert_int_equal(stats.dax.setups, 1);
	assert_int_equal(stats.dax.pmd_faults, 2);
	record_free(&r);
}

/* A fault costs what [costs] say of faults, unless [dax] knows better. */
static void test_fault_costs(void **state)
{
	struct workload_op a[] = {OPEN, READ(0, 4 * K), {.type = OP_MMAP}, MREAD(0, 4 * K)};
	struct workload_op b[] = {OPEN};
	struct record_sink r;
	struct sim_stats stats;
	struct stack stack;

	for (int given = 0; given < 2; given++) {
		dax_stack(&stack, 20);
		dist_const(&stack.cost[COST_FAULT], 3000);
		dist_const(&stack.dax.cost[DAX_PMD_FAULT], 7000);
		stack.dax.given = given << DAX_PMD_FAULT;
		run_two(&stack, a, 4, b, 1, true, &r, &stats);
		assert_int_equal(r.ops[r.nr_ops - 1].type, OP_MMAP_FAULT);
		assert_int_equal(r.ops[r.nr_ops - 1].t_end_ns - r.ops[r.nr_ops - 1].t_start_ns,
				 given ? 7000 : 3000);
		record_free(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_faults),	    cmocka_unit_test(test_private_faults),
		cmocka_unit_test(test_faults_wait), cmocka_unit_test(test_open_unmaps),
		cmocka_unit_test(test_fault_costs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
