# SPDX-License-Identifier: GPL-2.0-or-later
#
# vfscope record --guest where the guest caches writes, where no page is cached, and where the ring
# is too small for its load. Each test boots a VM of its own.

bats_require_minimum_version 1.5.0
load vm

teardown() {
	stop_vm
}

record() { # CMD...
	TRACE=$VM_DIR/trace.vft
	run --separate-stderr guest "$TOP/build/vfscope" record --guest --mount /mnt/vfs --strict \
		-o /run/lab/trace.vft -- "$@"
	echo "$stderr"
	[ "$status" -eq 0 ]
}

# Requests and ops as the simulator prints them too, all in one array.
spans() { # JQ_FILTER
	"$TOP/build/vfscope" export "$TRACE" | jq -s -r "$1"
}

@test "write-back: WRITEs in the background, READs of partly written pages" {
	start_vm --cache always --writeback
	head -c 1000000 /dev/zero >"$VM_SHARE/file"
	record sh -c 'dd if=/dev/zero of=/mnt/vfs/file bs=300000 seek=1 count=1 conv=notrunc status=none; sync'
	[ "$(spans 'map(select(.opcode == "WRITE") | .class) | unique | join(" ")')" = writeback ]
	[ "$(spans 'map(select(.opcode == "WRITE") | .flags | index("background")) | all')" = true ]
	[ "$(spans 'map(select(.opcode == "READ") | .class) | unique | join(" ")')" = read_modify ]
	# 300000..600000 begins and ends within a page: two are read, 74 written.
	[ "$(spans 'map(select(.opcode == "READ")) | length')" -eq 2 ]
	[ "$(spans 'map(select(.opcode == "WRITE") | .size) | add')" -eq $((74 * 4096)) ]
	[ "$("$TOP/build/vfscope" export --format raw "$TRACE" | tail -n 1 |
		jq '.footer.connections[0].writeback')" = true ]
	[ "$("$TOP/build/vfscope" export --format raw "$TRACE" | head -n 1 |
		jq '.header.connections[0].writeback')" = true ]
}

@test "7.2, preemptible: stand-ins make up for fentry's skipped programs, and by kprobes nothing is skipped" {
	start_vm --kernel 7.2 --cache never --queue-size 16
	truncate -s 1M "$VM_SHARE/file"
	TRACE=$VM_DIR/trace.vft
	local mechanism lost runs
	for mechanism in fentry kprobe; do
		run --separate-stderr guest "$TOP/build/vfscope" record --guest --mount /mnt/vfs --mechanism $mechanism \
			-o /run/lab/trace.vft -- fio --name=j --filename=/mnt/vfs/file --rw=randread --bs=4k \
			--ioengine=psync --thread --numjobs=40 --number_ios=25 --size=1m --norandommap --output=/dev/null
		echo "$stderr"
		[ "$status" -eq 0 ]
		# Not one request is missing in any case; an op that is would be counted.
		[ "$(spans 'map(select(.opcode == "READ")) | length')" -eq 1000 ]
		read -r lost runs < <("$TOP/build/vfscope" export --format raw "$TRACE" | tail -n 1 |
			jq -r '[.losses.probe_missed, .footer.probe_cost.read_begin.runs] | @tsv')
		[ $(($(spans 'map(select(.op == "read")) | length') + lost)) -ge 1000 ]
		# Each read ran it and its two stand-ins, but for what was skipped.
		[ $mechanism = kprobe ] || [ "$runs" -gt 2000 ]
	done
	[ "$("$TOP/build/vfscope" export --format raw "$TRACE" | head -n 1 | jq -r '.header |
		[.connections[0].queue_size, .connections[0].max_pages, .devices[2].tag, .preemption,
		(.connections[0] | .passthrough, .learned.no_statx, .learned.no_link)] | tostring')" = \
		'[16,12,"vfs","lazy",false,false,false]' ]
	[ "$lost" -eq 0 ]
	[ "$(spans 'map(select(.op == "read")) | length')" -eq 1000 ]
}

@test "no caching: reads are direct and synchronous; those that find the ring full are retried" {
	start_vm --cache never --queue-size 16
	truncate -s 1M "$VM_SHARE/file"
	record fio --name=j --filename=/mnt/vfs/file --rw=randread --bs=4k --ioengine=psync --thread \
		--numjobs=40 --number_ios=25 --size=1m --norandommap --output=/dev/null
	[ "$(spans 'map(select(.opcode == "READ" and .class == "direct")) | length')" -eq 1000 ]
	[ "$(spans 'map(select(.opcode == "READ") | .flags | index("background")) | any')" = false ]
	[ "$(spans 'map(select(.op == "read") | .flags | index("fopen_direct")) | all')" = true ]
	[ "$(spans 'map(.ring_full_retries // 0) | add')" -gt 0 ]
	[ "$(spans 'map(select(.ring_full_retries > 0 and .stages.ring_wait == 0)) | length')" -eq 0 ]
}
