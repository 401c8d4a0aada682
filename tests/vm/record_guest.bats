# SPDX-License-Identifier: GPL-2.0-or-later
#
# vfscope record --guest in a real guest: of a known number of requests exactly that many are
# recorded, each with its life in order and its class; losses are counted; nothing is left behind.

bats_require_minimum_version 1.5.0
load vm

setup_file() {
	start_vm --cache auto
	truncate -s 8M "$VM_SHARE/file"
}

teardown_file() {
	stop_vm
}

# Records what the command in the guest does on the share.
record() { # OPTION... -- CMD...
	run --separate-stderr guest "$TOP/build/vfscope" record --guest --mount /mnt/vfs \
		-o /run/lab/trace.vft "$@"
	echo "$stderr"
	export_trace "$VM_DIR/trace.vft"
}

# Leaves its raw events and its requests for raw and requests.
export_trace() { # FILE
	"$TOP/build/vfscope" export --format raw "$1" 2>/dev/null >"$BATS_TEST_TMPDIR/raw" || true
	"$TOP/build/vfscope" export "$1" 2>/dev/null >"$BATS_TEST_TMPDIR/requests" || true
}

# What jq says of all raw events, in one array. The first is the file's header, the last its footer.
raw() { # JQ_FILTER
	jq -s -r "$1" "$BATS_TEST_TMPDIR/raw"
}

count() { # JQ_CONDITION
	raw "map(select($1)) | length"
}

# Requests of an opcode by class: "5 writethrough".
classes() { # OPCODE
	jq -r "select(.opcode == \"$1\") | .class" "$BATS_TEST_TMPDIR/requests" | sort | uniq -c |
		sed 's/^ *//'
}

# Of every request: no time is before the one that it follows, and no request is doubled.
well_formed() {
	[ "$(raw 'map(select(.type == "request" and (
		([.t_issue_ns, .t_send_ns, .t_queued_ns, .t_add_ns, .t_complete_ns, .t_end_ns, .t_wake_ns]
			| map(select(. != null)) | . != sort)
		or .t_irq_ns > .t_complete_ns or .t_work_ns > .t_complete_ns))) | length')" -eq 0 ]
	[ "$(raw 'map(select(.type == "request") | [.conn, .unique]) | length - (unique | length)')" -eq 0 ]
}

nothing_lost() {
	[ "$(raw '.[-1] | .interrupted or (.losses | add > 0)')" = false ]
}

direct_reads() { # NUMBER
	record --strict -- dd if=/mnt/vfs/file of=/dev/null bs=4k count="$1" iflag=direct status=none
	[ "$status" -eq 0 ]
	[ "$(count '.opcode == "READ"')" -eq "$1" ]
	[ "$(count '.opcode == "READ" and .size == 4096 and .reply_bytes == 4096 and .error == 0
		and .queue == 1 and .sg_out == 2 and .sg_in == 2')" -eq "$1" ]
	[ "$(count '.op == "read" and .result == 4096 and .nr_requests > 0')" -eq "$1" ]
	[ "$(classes READ)" = "$1 direct" ]
	well_formed
	nothing_lost
}

@test "2003 direct reads are 2003 requests, each issued by an op; the file tells on what connection" {
	direct_reads 2003
	[ "$(raw '(map(select(.op == "read") | .op_id) | sort) ==
		(map(select(.opcode == "READ") | .op_id) | sort)')" = true ]
	[ "$(raw 'map(select(.opcode == "READ") | .offset) | sort == [range(2003) * 4096]')" = true ]
	[ "$(raw '.[0].header.mounts | map(.path) | join(" ")')" = /mnt/vfs ]
	[ "$(raw '.[-1].footer.connections[0] | .max_pages > 0 and .max_write >= 4096 and
		.queue_size == 128 and .request_queues == 1 and .max_background > 0')" = true ]
	[ "$(raw '[.[0].header.mounts[0].conn] == [.[-1].footer.connections[].conn]')" = true ]
	# The same is known before the first request.
	[ "$(raw '.[0].header.connections == .[-1].footer.connections')" = true ]
	# What this kernel does not have is not there; what it may still learn is.
	[ "$(raw '.[0].header.connections[0] | [.atomic_o_trunc, .big_writes, .writeback, .dax,
		has("passthrough"), .learned.no_open, (.learned | has("no_statx"))] | tostring')" = \
		'[true,true,false,false,false,false,false]' ]
	[ "$(raw '.[0].header.mounts[0] | [.options, .mount_options] | tostring')" = '["rw","rw,relatime"]' ]
	[ "$(raw '.[0].header.devices | length')" -eq 3 ]
	[ "$(raw '.[0].header.devices[2].queues | map(.name) | join(" ")')" = 'hiprio requests.0' ]
	[ "$(raw '.[0].header.devices[2].queues[1].interrupt_cpus | test("^[01]$")')" = true ]
	[ "$(raw '.[0].header | [.cpus, .page_bytes] | tostring')" = '[2,4096]' ]
	[ "$(raw '.[0].header.clocksource')" = \
		"$(guest cat /sys/devices/system/clocksource/clocksource0/current_clocksource)" ]
	run "$TOP/build/vfscope" report "$VM_DIR/trace.vft"
	[[ $output == *"vfs on /mnt/vfs, connection "*" rw"*"FUSE 7."*"request queues 1,"*"ring 128"*" async_dio"* ]]
}

@test "probe finds every attach point and mount of the guest, and leaves nothing attached" {
	run --separate-stderr guest "$TOP/build/vfscope" probe --format json
	[ "$status" -eq 0 ]
	[ "$(jq '.guest | .present and .possible and .driver' <<<"$output")" = true ]
	[ "$(jq '.host' <<<"$output")" = null ]
	[ "$(jq -r '.guest.points | map(.mechanism) | index("none")' <<<"$output")" = null ]
	[ "$(jq -r '.guest.points | map(select(.module == "virtiofs").function) | index("virtio_fs_enqueue_req") != null' \
		<<<"$output")" = true ]
	[ "$(jq -r '.guest.mounts[] | select(.tag == "vfs").path' <<<"$output")" = /mnt/vfs ]
	run guest sh -c 'bpftool prog show | grep vfscope_try'
	[ "$status" -eq 1 ]
	# Where a capability is missing, it is named.
	run --separate-stderr guest setpriv --bounding-set=-all,+bpf,+perfmon \
		"$TOP/build/vfscope" probe
	[ "$status" -eq 3 ]
	[[ $output == *"problem: CAP_SYS_ADMIN is missing"*"setcap cap_bpf,cap_perfmon,cap_sys_admin+ep"* ]]
}

@test "--dry-run names mounts and attach points, and attaches, runs and writes nothing" {
	local trace=()
	! command -v strace >/dev/null || trace=(strace -f -e trace=bpf,perf_event_open -o /run/lab/dry.strace)
	run --separate-stderr guest "${trace[@]}" "$TOP/build/vfscope" record --guest --mount /mnt/vfs \
		--dry-run -o /tmp/dry.vft -- touch /tmp/ran
	echo "$output$stderr"
	[ "$status" -eq 0 ]
	[[ $output == *"vfs on /mnt/vfs"* && $output == *"virtio_fs_enqueue_req"*fentry* ]]
	run guest ls /tmp/dry.vft /tmp/ran
	[ "$status" -ne 0 ]
	command -v strace >/dev/null || skip 'no strace: not checked that nothing is attached'
	grep -q BPF_PROG_LOAD "$VM_DIR/dry.strace"
	# The iterator that reads what the mounts negotiated is attached to nothing.
	run sh -c 'grep -E "BPF_LINK_CREATE|BPF_RAW_TRACEPOINT_OPEN" "$0" | grep -v BPF_TRACE_ITER' "$VM_DIR/dry.strace"
	[ -z "$output" ]
}

@test "by kprobes alone: the same requests and ops, also of 40 tasks at once; nothing stays defined" {
	local mechanism
	for mechanism in fentry kprobe; do
		record --strict --mechanism $mechanism -- fio --name=j --filename=/mnt/vfs/file --size=1m \
			--rw=randread --bs=4k --direct=1 --ioengine=psync --thread --numjobs=40 \
			--number_ios=10 --norandommap --output=/dev/null
		[ "$status" -eq 0 ]
		[ "$(raw '.[0].header.points | map(.mechanism) | unique | join(" ")')" = $mechanism ]
		[ "$(count '.opcode == "READ" and .size == 4096 and .reply_bytes == 4096')" -eq 400 ]
		[ "$(count '.op == "read" and .result == 4096 and .nr_requests > 0')" -eq 400 ]
		[ "$(raw '(map(select(.op == "read") | .op_id) | sort) ==
			(map(select(.opcode == "READ") | .op_id) | sort)')" = true ]
		[ "$(count '.opcode == "OPEN" and .t_wake_ns == null')" -eq 0 ]
		[ "$(count '.opcode == "READ" and (.t_kick_ns == null) == (.flags | index("kicked") != null)')" -eq 0 ]
		well_formed
		nothing_lost
	done
	run guest cat /sys/kernel/tracing/kprobe_events
	[ -z "$output" ]
}

@test "an attach point that fentry cannot have gets a kprobe, the others not; probe says so" {
	# shellcheck disable=SC2016
	run --separate-stderr guest bash -c '
		mkfifo /tmp/held /tmp/hold
		"$0" fuse_flush </tmp/hold >/tmp/held & exec 3>/tmp/hold
		read -r n </tmp/held && [ "$n" -gt 30 ] || exit 9
		"$1" record --guest --mount /mnt/vfs --strict -o /run/lab/trace.vft -- \
			dd if=/mnt/vfs/file of=/dev/null bs=4k count=5 status=none || exit 8
		"$1" probe -f json' "$TOP/build/tests/tools/hold_fentry" "$TOP/build/vfscope"
	echo "$stderr"
	[ "$status" -eq 0 ]
	[[ $stderr == *"refuses fentry for fuse_flush"* ]]
	[ "$(jq -r '.guest.points[] | select(.mechanism != "fentry") | [.function, .mechanism] | join(" ")' \
		<<<"$output")" = 'fuse_flush kprobe' ]
	[ "$(jq -r '.possible' <<<"$output")" = true ]
	export_trace "$VM_DIR/trace.vft"
	[ "$(raw '.[-1].footer.points | map(select(.mechanism == "kprobe").function) | join(" ")')" = fuse_flush ]
	[ "$(count '.opcode == "FLUSH"')" -gt 0 ]
	[ "$(raw '(map(select(.opcode == "FLUSH").op_id) | sort) ==
		(map(select(.op == "close").op_id) | sort)')" = true ]
	nothing_lost
}

@test "lookups, read-ahead, write-through, FORGET: each is counted and classed" {
	guest sh -c 'echo 3 >/proc/sys/vm/drop_caches'
	# shellcheck disable=SC2016
	record --strict -- bash -c '
		i=0; while ((i++ < 500)); do [ -e "/mnt/vfs/none$i" ]; done
		dd if=/mnt/vfs/file of=/dev/null bs=64k count=64 status=none
		dd if=/dev/zero of=/mnt/vfs/written bs=100k count=5 conv=fsync status=none
		mkdir -p /mnt/vfs/dir
		for i in {1..40}; do : >"/mnt/vfs/dir/$i"; done
		rm -r /mnt/vfs/dir; echo 2 >/proc/sys/vm/drop_caches; sleep 1'
	[ "$status" -eq 0 ]
	nothing_lost
	well_formed
	# Synchronous requests: the waiting task woke up.
	[ "$(count '.opcode == "LOOKUP" and .error == -2 and .t_wake_ns > 0 and .size == 0 and
		(.flags | index("background") | not)')" -ge 500 ]
	# Read-ahead: in the background, each part of the file once, so that some reads need no request.
	[[ $(classes READ) == *" readahead" ]]
	[ "$(count '.opcode == "READ" and (.flags | index("background") | not)')" -eq 0 ]
	[ "$(raw 'map(select(.opcode == "READ") | .offset) | length - (unique | length)')" -eq 0 ]
	[ "$(raw 'map(select(.opcode == "READ") | .size) | add')" -ge $((64 * 65536)) ]
	[ "$(count '.op == "read" and .size == 65536 and .nr_requests == 0')" -gt 0 ]
	# Write-through.
	[ "$(classes WRITE)" = "5 writethrough" ]
	[ "$(count '.opcode == "WRITE" and .size == 102400 and .sg_out == 27')" -eq 5 ]
	[ "$(count '.opcode == "FSYNC"')" -eq 1 ]
	[ "$(count '.op == "fsync" and .nr_requests == 1')" -eq 1 ]
	# FORGET: one buffer on the hiprio queue, no reply, one for each file.
	[ "$(count '.opcode == "FORGET"')" -ge 41 ]
	[ "$(count '.opcode == "FORGET" and (.queue != 0 or .sg_out != 1 or .sg_in != 0 or
		.t_end_ns == null or (.flags | index("forget") | not))')" -eq 0 ]
}

@test "a buffer that is too small loses events, counts them, says so, and --strict fails" {
	# The recorder is stopped while the requests are made.
	# shellcheck disable=SC2016
	record --buffer 4k --no-ops --strict -- sh -c 'kill -STOP $PPID
		dd if=/mnt/vfs/file of=/dev/null bs=4k count=100 iflag=direct status=none
		kill -CONT $PPID'
	[ "$status" -eq 5 ]
	[[ $stderr == *"lost: "*"(ringbuf)"* && $stderr == *"--strict"* ]]
	local kept lost
	kept=$(count '.opcode == "READ"')
	lost=$(raw '.[-1].losses.ringbuf')
	[ "$kept" -lt 100 ]
	[ $((kept + lost)) -ge 100 ]
	well_formed
}

@test "without --mount every virtio-fs mount is recorded" {
	run guest sh -c "'$TOP/build/vfscope' record --guest --no-ops -o /tmp/all.vft -- \
		ls -l /usr/share/zoneinfo /mnt/vfs && cp /tmp/all.vft /run/lab/"
	[ "$status" -eq 0 ]
	export_trace "$VM_DIR/all.vft"
	[ "$(raw 'map(select(.type == "request") | .conn) | unique | length')" -ge 2 ]
	[ "$(raw '.[0].header.mounts | length')" -ge 2 ]
}

@test "what cannot be recorded is refused with what to do" {
	run --separate-stderr guest "$TOP/build/vfscope" record --guest -o /mnt/vfs/trace.vft -- true
	[ "$status" -eq 3 ]
	[[ $stderr == *"/mnt/vfs"*"record itself"* ]]
	[ ! -e "$VM_SHARE/trace.vft" ]
	run --separate-stderr guest "$TOP/build/vfscope" record --guest --mount /proc -o /tmp/x.vft
	[ "$status" -eq 3 ]
	[[ $stderr == *"/proc is not on a virtio-fs mount"* ]]
	record -- /nonexistent/program
	[ "$status" -eq 3 ]
	[[ $stderr == *"/nonexistent/program"* ]]
}

@test "ends: by duration, with the command, whatever its status, and by a signal" {
	record --no-ops --duration 300ms -- sh -c 'trap "exit 7" TERM; while :; do sleep 0.1; done'
	[ "$status" -eq 0 ]
	[[ $stderr == *"status 7"* ]]
	nothing_lost
	# shellcheck disable=SC2016
	run --separate-stderr guest bash -c '
		"$0" record --guest --no-ops --mount /mnt/vfs -o /tmp/s.vft --ready-file /tmp/s.ready & pid=$!
		until [ -e /tmp/s.ready ] || ! kill -0 $pid; do sleep 0.1; done
		kill -INT $pid; wait $pid' "$TOP/build/vfscope"
	[ "$status" -eq 0 ]
	[[ $stderr == *"kept "*" requests"* ]]
}

@test "the guest's kernel has nothing to complain about" {
	run guest dmesg
	[ "$status" -eq 0 ]
	[[ $output != *WARNING* && $output != *BUG:* && $output != *Oops* && $output != *"Call Trace"* ]]
}
