# SPDX-License-Identifier: GPL-2.0-or-later
#
# vfscope record --host beside several daemons at once (each VM of the lab has three), and beside one
# that ends and is started again: the recording goes on with the one that takes its place.

bats_require_minimum_version 1.5.0
load vm

setup_file() {
	export SHARE=$BATS_FILE_TMPDIR/share
	mkdir "$SHARE"
	truncate -s 4M "$SHARE/file"
	start_vm --cache never --share "$SHARE"
}

teardown_file() {
	stop_vm
}

setup() {
	cd "$BATS_TEST_TMPDIR" || return
}

raw() { # JQ_FILTER
	"$TOP/build/vfscope" export --format raw host.vft 2>/dev/null | jq -s -r "$1"
}

read_blocks() { # COUNT
	guest dd if=/mnt/vfs/file of=/dev/null bs=4k count="$1" iflag=direct status=none
}

@test "all daemons at once: each event has its daemon, and join finds the one that serves the guest" {
	local count
	# Those of other VMs, too, of which some may be about to begin.
	count=$("$TOP/build/vfscope" probe --host --format json | jq '.host.daemons | length')
	((count < 14)) || skip "$count daemons run on this machine, 16 are followed at most"
	LAB_DIR=$VM_DIR "$TOP/build/vfscope" record --host --daemon all -o host.vft -- \
		"$TOP/lab/guest" "$TOP/build/vfscope" record --strict --guest --no-ops --mount /mnt/vfs -o /run/lab/guest.vft -- \
		dd if=/mnt/vfs/file of=/dev/null bs=4k count=203 iflag=direct status=none 3>&-
	cp "$VM_DIR/guest.vft" .
	raw '.[-1].footer.daemons | map({slot, pid, requests}) | tostring'
	# The root, the run directory and the share under test; other VMs may run beside.
	count=$(raw '.[0].header.daemons | map(select(.daemon.vmm.pid == '"$VM_QEMU_PID"')) | length')
	[ "$count" -eq 3 ]
	[ "$(raw "[.[0].header.daemons[] | select(.daemon.pid == $VM_DAEMON_PID) | .slot] as [\$slot] |
		map(select(.type == \"chain\" or .type == \"header\") | select(.opcode == \"READ\" and .daemon == \$slot)) |
		length")" -eq 203 ]
	[ "$(raw 'map(select(.type == "chain") | .daemon) | unique | length > 1')" = true ]
	# The ring positions of each queue of each daemon are whole and answered.
	[ "$(raw "(.[-1].footer.daemons | map(select(.pid == $VM_DAEMON_PID)) | .[0].queue_counts | map(.chains == .used) | all)")" = true ]
	"$TOP/build/vfscope" join guest.vft host.vft -o joined.vft --format json >join.json
	jq .join join.json
	[ "$(jq '.join | .guest_without_host.inside + .host_without_guest.inside + .skewed' join.json)" = 0 ]
	[ "$("$TOP/build/vfscope" export joined.vft | jq -s 'map(select(.opcode == "READ" and .type == "request")) |
		[length, all(.flags | contains(["guest", "host"]))] == [203, true]')" = true ]
	# The joined file tells of that daemon alone.
	run "$TOP/build/vfscope" report joined.vft
	[[ $output == *"process $VM_DAEMON_PID"* ]]
	run "$TOP/build/vfscope" report host.vft
	[[ $output == *"process $VM_DAEMON_PID"*"requests of $SHARE"* ]]
}

@test "--sched: a daemon that shares its CPU with another task waits for it, and that is told" {
	local busy cpus
	cpus=$(taskset -pc "$VM_DAEMON_PID" | sed 's/.*: //')
	taskset -apc 0 "$VM_DAEMON_PID" >/dev/null
	taskset -c 0 sh -c 'while :; do :; done' 3>&- &
	busy=$!
	LAB_DIR=$VM_DIR "$TOP/build/vfscope" record --strict --host --sched --daemon "$VM_DAEMON_PID" -o host.vft -- \
		"$TOP/lab/guest" "$TOP/build/vfscope" record --strict --guest --no-ops --mount /mnt/vfs -o /run/lab/guest.vft -- \
		dd if=/mnt/vfs/file of=/dev/null bs=4k count=300 iflag=direct status=none 3>&-
	kill $busy
	taskset -apc "$cpus" "$VM_DAEMON_PID" >/dev/null
	cp "$VM_DIR/guest.vft" .
	raw '[.[-1].footer.daemons, .[-1].footer.probe_cost] | tostring'
	[ "$(raw '.[-1].footer.daemons[0] | .cpu_waits > 0 and .cpu_wait_ns > 0')" = true ]
	# What the threads were told of, call by call, is not more than the whole.
	[ "$(raw '(map(select(.type == "syscall") | .runnable_ns // 0) | add) as $told |
		.[-1].footer.daemons[0].cpu_wait_ns | . >= $told and $told > 0')" = true ]
	[ "$(raw '[.[0].header.points[].function] | tostring')" = \
		'["sys_enter","sys_exit","sched_wakeup","sched_switch"]' ]
	"$TOP/build/vfscope" join --strict guest.vft host.vft -o joined.vft
	[ "$("$TOP/build/vfscope" export joined.vft | jq -s 'map(select(.cpu_wait_ns)) |
		length > 0 and all(.cpu_wait_ns <= .stages.notify)')" = true ]
	run "$TOP/build/vfscope" report joined.vft
	[[ $output == *'of it CPU wait'* ]]
	run "$TOP/build/vfscope" report host.vft
	echo "$output"
	[[ $output == *'waited '*' for a CPU'* ]]
}

@test "a daemon that ends and is started again is recorded again, and what it left is counted" {
	local recorder first=$VM_DAEMON_PID second helper
	"$TOP/build/vfscope" record --host --daemon "$VM_DAEMON_PID" --wait 10m -o host.vft --ready-file ready \
		2>err 3>&- &
	recorder=$!
	until [[ -e ready ]]; do sleep 0.1; done
	read_blocks 11
	# The one that looks for daemons has what this takes and no more.
	helper=$(pgrep -P $recorder)
	[ "$(cat /proc/"$helper"/comm)" = vfscope-watch ]
	# It dies while it is busy.
	start_guest /dev/null fio --name=j --filename=/mnt/vfs/file --size=4m --rw=randread --bs=1m --direct=1 \
		--ioengine=libaio --iodepth=16 --time_based --runtime=600 --output=/dev/null
	until [[ $(stat -c %s host.vft) -gt 30000 ]]; do pause_for_vm; done
	kill -9 "$first"
	stop_vm
	start_vm --cache never --share "$SHARE"
	second=$VM_DAEMON_PID
	until grep -q "daemon $second takes the place of $first" err; do
		kill -0 $recorder && pause_for_vm || { cat err; return 1; }
	done
	read_blocks 23
	kill -INT $recorder
	wait $recorder
	cat err
	! kill -0 "$helper" 2>/dev/null
	grep -q "daemon $first has ended" err
	[ "$(raw '.[-1].footer | [.daemon_ended, (.daemons | map([.slot, .pid, .follows]))] | tostring')" = \
		"[false,[[0,$first,null],[1,$second,0]]]" ]
	[ "$(raw '.[-1].footer.daemons[1] | .daemon.pid')" = "$second" ]
	[ "$(raw 'map(select(.opcode == "READ" and (.type == "chain" or .type == "header")) | .daemon) |
		[(map(select(. == 0)) | length > 11), (map(select(. == 1)) | length)] | tostring')" = '[true,23]' ]
	# What was not answered is counted, of both. (Only mostly, the first has died with something to do.)
	# So are the system calls that it died in: one of each queue's thread at most.
	[ "$(raw '.[-1] | .losses.start_no_end - (.footer.daemons |
		map(.queue_counts | map(.chains - .used + .under_way_at_start) | add) | add) | . >= 0 and . <= 2')" = true ]
	run "$TOP/build/vfscope" report host.vft
	[[ $output == *"process $second"*"takes the place of $first"* ]]
}
