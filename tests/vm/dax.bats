# SPDX-License-Identifier: GPL-2.0-or-later
#
# lab/vm --daemon dax: the guest reads and writes files through a DAX window, which is smaller than
# the files are, and the host has what it wrote.

bats_require_minimum_version 1.5.0
load vm

setup_file() {
	start_vm --daemon dax --dax-window 8M || unless_unreachable
}

teardown_file() {
	stop_vm
}

setup() {
	cd "$BATS_TEST_TMPDIR" || return
}

same_file() { # GUEST_NAME: as the guest and as the host see it
	[ "$(guest sha256sum "/mnt/vfs/$1" | cut -d ' ' -f 1)" = \
		"$(sha256sum "$VM_SHARE/$1" | cut -d ' ' -f 1)" ]
}

@test "the share is mounted with dax=always, and the window is there" {
	guest grep -q '^vfs /mnt/vfs virtiofs .*dax=always' /proc/mounts
	[[ $(guest dmesg) == *"Cache len: 0x800000 "* ]]
}

@test "8 MiB written through the window are what the host has" {
	truncate -s 8M "$VM_SHARE/written"
	guest sh -c 'head -c 8M /dev/urandom >/tmp/data
		dd if=/tmp/data of=/mnt/vfs/written bs=256k conv=notrunc,fsync status=none'
	[ "$(guest sha256sum /tmp/data | cut -d ' ' -f 1)" = \
		"$(sha256sum "$VM_SHARE/written" | cut -d ' ' -f 1)" ]
	same_file written
}

@test "mapped files larger than the window: what was stored is found again" {
	guest fio --name=j --filename=/mnt/vfs/mapped --ioengine=mmap --rw=randwrite --bs=128k --size=12m \
		--verify=crc32c --output=/dev/null
	same_file mapped
}

@test "files of any size keep it, on both sides" {
	local size
	for size in 1 5000 2097151 2097153 3000001; do
		head -c "$size" /dev/urandom >"$VM_SHARE/odd"
		[ "$(guest stat -c %s /mnt/vfs/odd)" -eq "$size" ]
		guest sh -c 'cp /mnt/vfs/odd /mnt/vfs/copy && cmp /mnt/vfs/odd /mnt/vfs/copy'
		cmp "$VM_SHARE/odd" "$VM_SHARE/copy"
		guest rm /mnt/vfs/odd /mnt/vfs/copy
	done
	[ ! -e "$VM_SHARE/odd" ]
}

@test "appending, truncating, renaming, linking, listing" {
	guest sh -ec 'cd /mnt/vfs; mkdir d; for i in 1 2 3; do echo $i >>d/a; done; truncate -s 4 d/a
		mv d/a d/b; ln d/b d/c; ln -s b d/l; chmod 640 d/b; mkdir d/e; rmdir d/e; ls d >names'
	[ "$(<"$VM_SHARE/d/c")" = $'1\n2' ]
	[ "$(readlink "$VM_SHARE/d/l")" = b ]
	[ "$(stat -c '%a %h' "$VM_SHARE/d/b")" = "640 2" ]
	[ "$(tr '\n' ' ' <"$VM_SHARE/names")" = "b c l " ]
	[ "$(guest sh -c 'mkdir /mnt/vfs/many; cd /mnt/vfs/many; touch $(seq 1 1500); ls | wc -l')" -eq 1500 ]
}

# Records what the command in the guest does; leaves what export says of it in trace.jsonl.
record() { # OPTION... -- CMD...
	guest "$TOP/build/vfscope" record --guest --mount /mnt/vfs --strict -o /run/lab/trace.vft "$@"
	"$TOP/build/vfscope" export "$VM_DIR/trace.vft" >trace.jsonl
	"$TOP/build/vfscope" report --format json "$VM_DIR/trace.vft" >report.json
}

# Of the requests of a class: how many ranges they were about.
ranges() { # CLASS
	jq -s "map(select(.class == \"$1\") | .ranges) | add // 0" trace.jsonl
}

# From a window without any range in use; the kernel gives them up with the inodes.
empty_window() {
	guest sh -c 'echo 3 >/proc/sys/vm/drop_caches'
}

@test "recorded: set-ups, upgrades, reclaims, evictions, extending writes; nothing else moves data" {
	truncate -s 4M "$VM_SHARE/life"
	head -c 24M /dev/urandom >"$VM_SHARE/large"
	empty_window
	record -- sh -c 'cd /mnt/vfs; dd if=life of=/dev/null bs=1M status=none
		dd if=/dev/zero of=life bs=1M count=4 conv=notrunc status=none; rm life
		sha256sum large >sum; dd if=/dev/zero of=new bs=64k count=16 status=none'
	[ "$(cut -d ' ' -f 1 <"$VM_SHARE/sum")" = "$(sha256sum <"$VM_SHARE/large" | cut -d ' ' -f 1)" ]
	[ "$(ranges upgrade)" -eq 2 ]
	[ "$(ranges evict)" -ge 2 ]
	# The first two of life, all twelve of large.
	[ "$(jq -s -c 'map(select(.class == "setup") | [.offset, (.flags | index("writable"))]) | .[:3]' \
		trace.jsonl)" = "[[0,null],[2097152,null],[0,null]]" ]
	[ "$(ranges setup)" -ge 14 ]
	local kept=$(($(ranges setup) - $(ranges reclaim) - $(ranges inline_reclaim) - $(ranges evict)))
	((kept >= 0 && kept <= 4))
	# An upgrade is of the same range of the window as the set-up.
	[ "$(jq -s 'map(select(.class == "upgrade")) as $up | map(select(.class == "setup")) | .[:2] |
		map(.window_offset) == ($up | map(.window_offset))' trace.jsonl)" = true ]
	# Whoever removed one inline was an op that had none; and no op waited longer than it took.
	[ "$(jq -s '(map(select(.type == "op") | {key: "\(.op_id)", value: .}) | from_entries) as $ops |
		map(select(.class == "inline_reclaim")) | all($ops["\(.op_id)"].range_wait_ns >= .latency_ns)' \
		trace.jsonl)" = true ]
	[ "$(jq -s 'map(select(.type == "op" and .range_wait_ns != null)) |
		length > 90 and all(.range_wait_ns <= .t_end_ns - .t_start_ns)' trace.jsonl)" = true ]
	# What extends a file goes past the window: the lines of sum, and new.
	[ "$(jq -s -c 'map(select(.opcode == "WRITE" and .size == 65536)) | [length, (map(.class) | unique)]' \
		trace.jsonl)" = '[16,["direct"]]' ]
	run ! grep -q '"opcode":"READ"' trace.jsonl
	[ "$(jq '.summary.dax | .setup.ranges' report.json)" -eq "$(ranges setup)" ]
	[[ $("$TOP/build/vfscope" report "$VM_DIR/trace.vft") == *'DAX window: '*'upgrade'*'remove: evict'* ]]
}

@test "recorded with --aggregate --ops: the same counts by reason" {
	truncate -s 4M "$VM_SHARE/life"
	empty_window
	guest "$TOP/build/vfscope" record --guest --mount /mnt/vfs --strict --aggregate --ops -o /run/lab/agg.vft -- \
		sh -c 'cd /mnt/vfs; dd if=life of=/dev/null bs=1M status=none
		dd if=/dev/zero of=life bs=1M count=4 conv=notrunc status=none; rm life'
	"$TOP/build/vfscope" report "$VM_DIR/agg.vft"
	"$TOP/build/vfscope" report --format json "$VM_DIR/agg.vft" >agg.json
	jq -e '.summary.dax | .setup.ranges == 2 and .setup.latency_ns.count == 2 and .upgrade.ranges == 2 and
		.evict.ranges == 2 and .reads >= 4 and .writes == 4' agg.json
	jq -e '.summary.opcodes.SETUPMAPPING.classes | .setup == 2 and .upgrade == 2' agg.json
}

@test "recorded: faults of mapped files, here by kprobes" {
	truncate -s 4M "$VM_SHARE/faults"
	empty_window
	record --mechanism kprobe -- fio --name=j --filename=/mnt/vfs/faults --ioengine=mmap \
		--rw=write --bs=1m --size=4m --overwrite=1 --fallocate=none --output=/dev/null
	# 2 MiB each, or where that is not possible 4 KiB; all of the file was touched.
	[ "$(jq -s 'map(select(.op == "mmap_fault" and .result > 4096) | .offset) | unique' -c \
		trace.jsonl)" = "[0,2097152]" ] ||
		[ "$(jq -s 'map(select(.op == "mmap_fault" and .result == 4096) | .offset) | unique |
			length' trace.jsonl)" -eq 1024 ]
	[ "$(jq -s 'map(select(.op == "mmap_fault") | .flags) |
		all(index("dax") and index("fault_write"))' trace.jsonl)" = true ]
	[ "$(jq '.summary.dax.write_faults' report.json)" -gt 0 ]
	[ "$(ranges setup)" -eq 2 ]
}

@test "guest and host recorded at once, without ops, are joined: none is missing" {
	head -c 8M /dev/urandom >"$VM_SHARE/joined"
	LAB_DIR=$VM_DIR "$TOP/build/vfscope" record --strict --host --daemon "$VM_DAEMON_PID" -o host.vft -- \
		"$TOP/lab/guest" "$TOP/build/vfscope" record --strict --guest --mount /mnt/vfs --no-ops \
		-o /run/lab/guest.vft -- cat /mnt/vfs/joined 3>&- >/dev/null
	"$TOP/build/vfscope" join --strict "$VM_DIR/guest.vft" host.vft -o joined.vft --format json >join.json
	[ "$(jq '.join | .guest_without_host.inside + .host_without_guest.inside + .skewed' join.json)" = 0 ]
	[ "$("$TOP/build/vfscope" export joined.vft | jq -s 'map(select(.class == "setup")) |
		length >= 4 and all((.flags | contains(["guest", "host"])) and .unsplit_ns == 0)')" = true ]
	[[ $("$TOP/build/vfscope" report joined.vft) == *'mode      dax'* ]]
}

@test "a mount that does not use the window is recorded without its probes" {
	guest sh -ec 'umount /mnt/vfs; mount -t virtiofs -o dax=never vfs /mnt/vfs'
	record -- dd if=/mnt/vfs/large of=/dev/null bs=1M count=2 status=none
	[ "$(jq '.header.points | map(.function | test("dax|setup_one_mapping")) | any' report.json)" = false ]
	[ "$(jq '.summary.dax' report.json)" = null ]
	[ "$(jq -s 'map(select(.opcode == "READ" and .class == "readahead") | .size) | add >= 2097152' \
		trace.jsonl)" = true ]
}

@test "neither the daemon nor the guest's kernel has complained" {
	[ ! -s "$VM_DIR/share.log" ]
	run ! guest sh -c "dmesg | grep -E 'WARNING:|BUG:|Oops|hung_task|I/O error'"
}
