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
	# 300000..600000 begins and ends within a page: two are read, 75 written.
	[ "$(spans 'map(select(.opcode == "READ")) | length')" -eq 2 ]
	[ "$(spans 'map(select(.opcode == "WRITE") | .size) | add')" -eq $((75 * 4096)) ]
	[ "$("$TOP/build/vfscope" export --format raw "$TRACE" | tail -n 1 |
		jq '.footer.connections[0].writeback')" = true ]
}

@test "cache=never: reads are direct and synchronous, known by the daemon's open flags" {
	start_vm --cache never
	head -c 1000000 /dev/zero >"$VM_SHARE/file"
	record dd if=/mnt/vfs/file of=/dev/null bs=4k count=23 status=none
	[ "$(spans 'map(select(.opcode == "READ" and .class == "direct")) | length')" -eq 23 ]
	[ "$(spans 'map(select(.opcode == "READ") | .flags | index("background")) | any')" = false ]
	[ "$(spans 'map(select(.op == "read") | .flags | index("fopen_direct")) | all')" = true ]
}

@test "a full ring: each request is recorded once, with its retries" {
	start_vm --cache auto --queue-size 16
	truncate -s 1M "$VM_SHARE/file"
	record fio --name=j --filename=/mnt/vfs/file --rw=randread --bs=4k --direct=1 --ioengine=libaio \
		--iodepth=64 --size=1m --io_size=8m --norandommap --output=/dev/null
	[ "$(spans 'map(select(.opcode == "READ")) | length')" -eq 2048 ]
	[ "$(spans 'map(.ring_full_retries // 0) | add')" -gt 0 ]
	[ "$(spans 'map(select(.ring_full_retries > 0 and .stages.ring_wait == 0)) | length')" -eq 0 ]
}
