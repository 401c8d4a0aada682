#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Mode dax by the command line: what is printed, what is written, what is refused.

load common

setup() {
	cd "$REPO"
	script=$BATS_TEST_TMPDIR/a.ops
	printf '%s\n' 'file a 16M' 'open a' 'read a 0 4k' 'read a 3M 2M' 'write a 0 4k' 'write a 15M 2M' \
		'close a' 'unlink a' >"$script"
}

# dax WINDOW OPTION...: simulates the script.
dax() {
	local window=$1
	shift
	"$VFSCOPE" simulate "$script" --mode dax --set "dax.window_bytes=$window" "$@"
}

@test "requests: parts of the file, ranges of the window, flags and classes" {
	dax 20m --set transport.queue_size=128 --requests "$BATS_TEST_TMPDIR/requests" \
		>"$BATS_TEST_TMPDIR/log"
	jq -r 'select(.opcode == "SETUPMAPPING" or .opcode == "REMOVEMAPPING") |
		[.opcode, .class, .offset, .size, .window_offset, .ranges, .sg_out, .sg_in,
		 (.flags | index("writable") != null)] | join(" ")' \
		"$BATS_TEST_TMPDIR/requests" >"$BATS_TEST_TMPDIR/mappings"
	diff - "$BATS_TEST_TMPDIR/mappings" <<-'END'
		SETUPMAPPING setup 0 2097152 0 1 2 1 false
		SETUPMAPPING setup 2097152 2097152 2097152 1 2 1 false
		SETUPMAPPING setup 4194304 2097152 4194304 1 2 1 false
		SETUPMAPPING upgrade 0 2097152 0 1 2 1 true
		REMOVEMAPPING evict 0 6291456 4194304 3 2 1 false
	END
	[ "$(jq -s 'map(select(.window_offset)) | length' "$BATS_TEST_TMPDIR/requests")" -eq 5 ]
	[ "$(jq -c 'select(.opcode == "WRITE") | [.offset, .size]' "$BATS_TEST_TMPDIR/requests" | head -n 1)" = \
		"[15728640,507904]" ]
}

@test "summary and JSON tell what the window did" {
	expect 0 dax 20m
	[[ $output == *"SETUPMAPPING: setup 3, upgrade 1"* ]]
	[[ $output == *"REMOVEMAPPING: evict 1"* ]]
	[[ $output == *"dax: 10 ranges of 2 MiB, 0 mapped at the end; set up 3, upgraded 1"* ]]
	! tail -n +2 <<<"$output" | grep -E "^.{101,}"
	expect 0 dax 20m -f json
	jq -e '.stats.dax | .ranges == 10 and .free == 10 and .mapped == 0 and .setups == 3 and
		.removed_at_eviction == 3 and .waits == 0' <<<"$output"
	expect 0 "$VFSCOPE" simulate "$script" -f json
	jq -e '.stats.dax == null' <<<"$output"
}

@test "what the model does not give is named, and no more once it is given" {
	expect 0 dax 20m
	[[ $output == *"defaults stand in:"$'\n'"    dax.ept_fault, service.SETUPMAPPING, service.REMOVEMAPPING"* ]]
	expect 0 dax 20m --set 'dax.ept_fault=const 2us' --set 'service.REMOVEMAPPING.host_io=const 9us'
	[ "$(tail -n 1 <<<"$output")" = "    service.SETUPMAPPING" ]
	expect 0 dax 20m --set 'dax.ept_fault=const 2us' --set 'service.REMOVEMAPPING.host_io=const 9us' \
		--set 'service.SETUPMAPPING.host_io=const 9us'
	[[ $output != *"stand in"* ]]
}

@test "mapped memory: page faults by size, costs.fault stands in for theirs" {
	printf '%s\n' 'file a 5M' 'open a' 'mmap a' 'mread a 0 4k' 'mwrite a 3M 8k' 'mread a 4M 8k' \
		'msync a' 'munmap a' 'close a' >"$script"
	expect 0 dax 20m --set 'costs.fault=const 50us' -f json
	jq -e '.stats.dax | .pmd_faults == 2 and .pte_faults == 2 and .setups == 3 and
		(.stand_ins | startswith("dax.ept_fault, dax.pte_fault, dax.pmd_fault, "))' <<<"$output"
	jq -e '.summary.ops.mmap_fault.latency_ns.max > 100000' <<<"$output"
	expect 0 dax 20m
	[[ $output == *"page faults of mapped memory: 2 for 4 KiB, 2 for 2 MiB"* ]]
	! tail -n +2 <<<"$output" | grep -E "^.{101,}"
}

@test "several runs and several VMs add up" {
	expect 0 dax 20m -f json --replications 3 --threads 2
	jq -e '.stats.dax | .ranges == 30 and .setups == 9' <<<"$output"
	expect 0 dax 20m -f json --set host.vms=2
	jq -e '.stats.dax | .ranges == 20 and .setups == 6' <<<"$output"
}

@test "mode dax needs a window of a range, and a kernel that has DAX" {
	expect 4 "$VFSCOPE" simulate "$script" --mode dax
	says "no DAX window" "dax.window_bytes"
	expect 4 dax 1m
	says "at least 2m"
	expect 4 dax 20m --set guest.kernel=5.4
	says "before 5.10"
	expect 2 dax 2x
}

@test "compare has mode dax where there is a window, and says what it needs" {
	expect 0 "$VFSCOPE" compare workloads/randread-4k-direct.fio
	[[ $output != *"-- dax"* ]]
	expect 0 "$VFSCOPE" compare workloads/randread-4k-direct.fio --set dax.window_bytes=1g
	[[ $output == *"-- writeback"*"-- dax: "*"needs a VMM and daemon with a window"* ]]
	[[ $output == *"defaults stand in:"$'\n'"   dax.ept_fault, service.SETUPMAPPING"$'\n'* ]]
	! tail -n +2 <<<"$output" | grep -E "^.{101,}"
	expect 0 "$VFSCOPE" compare workloads/randread-4k-direct.fio --set dax.window_bytes=1g -f json
	jq -e '.modes[3] | .mode == "dax" and (.stand_ins | length > 0)' <<<"$output"
	expect 4 "$VFSCOPE" compare workloads/randread-4k-direct.fio --modes dax
	says "no DAX window"
	expect 2 "$VFSCOPE" compare workloads/randread-4k-direct.fio --set dax.window=1g
	[ "$(wc -l <<<"$stderr")" -eq 1 ]
}
