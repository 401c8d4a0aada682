# SPDX-License-Identifier: GPL-2.0-or-later
#
# Every way to lose events that a guest and its daemon can be brought to, for real: each is counted in
# the file under its class, and printed. And no harm: whatever becomes of the recorder, the workload goes
# on without an error and nothing stays attached.
#
# Elsewhere: a ring buffer that overflows alone (record_guest, record_host), programs that a
# preemptible kernel skips (record_guest_modes), a file that is cut short or damaged (test_vft). No guest
# driver and daemon that work can overrun a ring or hide a header: test_host_probes does it to the programs.

bats_require_minimum_version 1.5.0
load vm

setup_file() {
	# Probes are attached while there is I/O: emulation by an older QEMU does not survive that (docs/lab.md).
	start_vm --cache never --queue-size 16 --qemu 11 || unless_unreachable
	truncate -s 4M "$VM_SHARE/file"
	export VFSCOPE=$TOP/build/vfscope
}

teardown_file() {
	stop_vm
}

# A test that fails must not leave the daemon stopped.
teardown() {
	kill -CONT "$VM_DAEMON_PID"
}

# 40 threads, 160 reads of a ring with room for 5 at once.
STORM=(fio --name=j --filename=/mnt/vfs/file --rw=randread --bs=4k --direct=1 --size=4m --ioengine=psync
	--thread --numjobs=40 --number_ios=4 --norandommap --output=/dev/null)

# For shells in the guest: programs and links there, without those that bpftool lists them with.
# shellcheck disable=SC2016
ATTACHED='attached() { { bpftool -j prog list | jq -c ".[] | select(.name != \"iter\")"
	bpftool -j link list | jq -c ".[] | select(.attach_type != \"trace_iter\")"; } | wc -l; }
'
# Sets status and stderr.
record_guest() { # OPTION... -- CMD...
	run --separate-stderr guest "$VFSCOPE" record --guest --mount /mnt/vfs -o /run/lab/guest.vft "$@"
	echo "$stderr"
}

# Beside what follows, until end_host.
begin_host() { # OPTION...
	rm -f "$BATS_TEST_TMPDIR/ready"
	[[ $* == *--daemon* ]] || set -- --daemon "$VM_DAEMON_PID" "$@"
	"$VFSCOPE" record --host -o "$BATS_TEST_TMPDIR/host.vft" \
		--ready-file "$BATS_TEST_TMPDIR/ready" "$@" 2>"$BATS_TEST_TMPDIR/host.err" 3>&- &
	HOST_PID=$!
	wait_for_ready
}

wait_for_ready() {
	until [[ -e $BATS_TEST_TMPDIR/ready ]]; do
		pause_for_vm && kill -0 "$HOST_PID" || return 1
	done
}

end_host() {
	kill -INT "$HOST_PID"
	wait "$HOST_PID"
	cat "$BATS_TEST_TMPDIR/host.err"
}

# The same in the guest: all its mounts, since it may not ask the daemon anything; into its memory.
begin_guest() { # OPTION...
	rm -f "$VM_DIR/begun" "$VM_DIR/end" "$VM_DIR/guest.vft"
	start_guest /dev/null sh -c "$VFSCOPE record --guest -o /tmp/guest.vft $* -- sh -c '
		touch /run/lab/begun; until [ -e /run/lab/end ]; do sleep 0.1; done' && cp /tmp/guest.vft /run/lab/"
	RECORDER_PID=$GUEST_PID
	until [[ -e $VM_DIR/begun ]]; do
		pause_for_vm && kill -0 "$RECORDER_PID" || return 1
	done
}

end_guest() {
	touch "$VM_DIR/end"
	wait "$RECORDER_PID"
}

# Losses of a class, or another JQ filter, of a file's footer.
footer() { # FILE JQ_FILTER
	"$VFSCOPE" export --format raw "$1" 2>/dev/null | tail -n 1 | jq "$2"
}

prints() { # FILE CLASS
	run --separate-stderr "$VFSCOPE" report "$1"
	[[ $output == *"$2"* ]]
}

# Requests or ops of one kind.
count() { # FILE JQ_CONDITION
	"$VFSCOPE" export "$1" 2>/dev/null | jq "select($2) | 1" | wc -l
}

# Reads in the guest, 12 at once, until stop_reads, which fails if a read did.
start_reads() {
	rm -f "$VM_DIR/stop"
	start_guest /dev/null sh -c 'fio --name=j --filename=/mnt/vfs/file --rw=randread --bs=4k --direct=1 \
		--size=4m --ioengine=libaio --iodepth=12 --time_based --runtime=600 --output=/run/lab/fio.txt &
		until [ -e /run/lab/stop ]; do sleep 0.1; done; kill -INT $!; wait $!'
	READS_PID=$GUEST_PID
	until guest sh -c 'grep -q fio /proc/[0-9]*/comm'; do
		pause_for_vm || return 1
	done
	sleep 0.5
}

stop_reads() {
	touch "$VM_DIR/stop"
	wait "$READS_PID" || true # fio ends by a signal
	# If the guest is gone, the end of its console tells why.
	grep 'err= 0' "$VM_DIR/fio.txt" || { cat "$VM_LOG" && return 1; }
}

@test "map_full: more in flight than --max-inflight, by fentry and by kprobes; on the host too" {
	local mechanism lost
	for mechanism in fentry kprobe; do
		record_guest --mechanism $mechanism --max-inflight 2 --strict -- "${STORM[@]}"
		[ "$status" -eq 5 ]
		[[ $stderr == *"(map_full)"*"--max-inflight"* ]]
		lost=$(footer "$VM_DIR/guest.vft" .losses.map_full)
		((lost > 0 && lost + $(count "$VM_DIR/guest.vft" '.op == "read"') >= 160))
		prints "$VM_DIR/guest.vft" map_full
	done
	begin_host --aggregate --max-inflight 1
	guest "${STORM[@]}"
	end_host
	(($(footer "$BATS_TEST_TMPDIR/host.vft" .losses.map_full) > 0))
	prints "$BATS_TEST_TMPDIR/host.vft" map_full
}

# An open(2) in the guest that the daemon is stuck in, until let_open: somebody on the host has a lease on
# the file (fcntl(2), F_SETLEASE), and ignores that he is asked to give it up.
hold_open() {
	: >"$VM_SHARE/held"
	# shellcheck disable=SC2016
	perl -e '$| = 1; $SIG{IO} = "IGNORE"; open(F, "+<", $ARGV[0]) && fcntl(F, 1024, 1) or die "no lease: $!";
		print "held\n"; sleep 600' "$VM_SHARE/held" >"$BATS_TEST_TMPDIR/held" 3>&- &
	LEASE_PID=$!
	until [[ -s $BATS_TEST_TMPDIR/held ]]; do
		pause_for_vm && kill -0 "$LEASE_PID" || return 1
	done
	start_guest /dev/null cat /mnt/vfs/held
	OPENER_PID=$GUEST_PID
	until grep -qs '^257 ' /proc/"$VM_DAEMON_PID"/task/*/syscall; do # openat
		pause_for_vm || return 1
	done
}

let_open() {
	kill "$LEASE_PID"
	wait "$LEASE_PID" || true
	wait "$OPENER_PID"
}

@test "start_no_end, end_no_start: recording ends, then begins, while the daemon is in a request" {
	local side
	begin_guest
	begin_host
	hold_open
	end_host
	end_guest
	# The request, and the op that it is of, or the daemon's system call for it.
	for side in "$VM_DIR/guest.vft" "$BATS_TEST_TMPDIR/host.vft"; do
		[ "$(footer "$side" .losses.start_no_end)" -eq 2 ]
		[ "$(footer "$side" '.losses | add')" -eq "$(footer "$side" .losses.start_no_end)" ]
		prints "$side" start_no_end
	done
	begin_guest
	begin_host
	let_open
	end_host
	end_guest
	for side in "$VM_DIR/guest.vft" "$BATS_TEST_TMPDIR/host.vft"; do
		[ "$(footer "$side" .losses.end_no_start)" -eq 2 ]
		[ "$(footer "$side" '.losses | add')" -eq 2 ]
		prints "$side" end_no_start
	done
}

# The daemon stopped: what the guest sends meanwhile waits.
@test "start_no_end, end_no_start: FORGETs that are under way when recording ends, then begins" {
	local inside sent side
	mkdir "$VM_SHARE"/forget{1..10}
	rm -f "$VM_DIR/leave"
	# shellcheck disable=SC2016
	start_guest "$BATS_TEST_TMPDIR/inside" sh -c 'for d in /mnt/vfs/forget*; do (cd $d && exec sleep infinity) & all="$all $!"; done
		until [ "$(ls -l /proc/[0-9]*/cwd | grep -c forget)" = 10 ]; do sleep 0.1; done; echo inside
		until [ -e /run/lab/leave ]; do sleep 0.1; done; kill $all; wait'
	inside=$GUEST_PID
	wait_for "$BATS_TEST_TMPDIR/inside"
	begin_guest --no-ops
	begin_host
	kill -STOP "$VM_DAEMON_PID"
	touch "$VM_DIR/leave"
	wait "$inside" || true
	end_guest
	end_host
	sent=$(footer "$VM_DIR/guest.vft" .losses.start_no_end)
	[ "$sent" -ge 10 ]
	[ "$(footer "$BATS_TEST_TMPDIR/host.vft" .losses.start_no_end)" -le "$sent" ]
	begin_guest --no-ops
	begin_host
	kill -CONT "$VM_DAEMON_PID"
	guest stat /mnt/vfs/file >/dev/null
	end_host
	end_guest
	# In the guest those of the other shares count, too.
	[ "$(footer "$BATS_TEST_TMPDIR/host.vft" .losses.end_no_start)" -eq 10 ]
	[ "$(footer "$VM_DIR/guest.vft" .losses.end_no_start)" -ge 10 ]
	for side in "$VM_DIR/guest.vft" "$BATS_TEST_TMPDIR/host.vft"; do
		[ "$(footer "$side" '.losses | add')" -eq "$(footer "$side" .losses.end_no_start)" ]
	done
}

@test "left_out: more connections and daemons than --max-shares" {
	begin_guest --no-ops --max-shares 1
	begin_host --daemon all --max-shares 1
	guest sh -c 'stat /mnt/vfs/file /run/lab/begun /usr/bin/true; cat /run/lab/begun; ls /usr/share' >/dev/null
	end_guest
	end_host
	# Three shares; described are one before recording and one of the first request, which may be the same.
	"$VFSCOPE" export --format raw "$VM_DIR/guest.vft" 2>/dev/null | jq -e -s '.[-1].losses.left_out
		== 3 - ([.[0].header.connections[], .[-1].footer.connections[] | .conn] | unique | length)'
	(($(footer "$BATS_TEST_TMPDIR/host.vft" .losses.left_out) >= 2))
	prints "$VM_DIR/guest.vft" left_out
	prints "$BATS_TEST_TMPDIR/host.vft" left_out
}

read_100() {
	guest dd if=/mnt/vfs/file of=/dev/null bs=4k count=100 iflag=direct status=none
}

@test "ringbuf, unmatched_guest, unmatched_host: recorders that do not get to read, and their join" {
	begin_host --buffer 4k
	begin_guest --buffer 4k --no-ops
	read_100
	kill -STOP "$HOST_PID"
	read_100
	kill -CONT "$HOST_PID"
	read_100
	# shellcheck disable=SC2016
	guest sh -c 'kill -STOP $(pgrep -x vfscope)'
	read_100
	# shellcheck disable=SC2016
	guest sh -c 'kill -CONT $(pgrep -x vfscope)'
	read_100
	end_guest
	end_host
	cd "$BATS_TEST_TMPDIR"
	"$VFSCOPE" join "$VM_DIR/guest.vft" host.vft -o joined.vft || [ $? -eq 1 ]
	local file class
	for file in "$VM_DIR/guest.vft" host.vft; do
		(($(footer "$file" .losses.ringbuf) > 0))
		prints "$file" ringbuf
	done
	for class in unmatched_guest unmatched_host; do
		(($(footer joined.vft .losses.$class) > 0))
		prints joined.vft $class
	done
}

@test "probe_missed: more tasks in a function than a kretprobe without tracefs follows" {
	# shellcheck disable=SC2016
	run --separate-stderr guest unshare -m sh -c 'umount -l /sys/kernel/tracing /sys/kernel/debug 2>/dev/null
		exec "$@"' sh "$VFSCOPE" record --guest --mount /mnt/vfs --mechanism kprobe --strict \
		-o /run/lab/guest.vft -- "${STORM[@]}"
	echo "$stderr"
	[ "$status" -eq 5 ]
	local lost
	lost=$(footer "$VM_DIR/guest.vft" .losses.probe_missed)
	((lost > 0 && lost + $(count "$VM_DIR/guest.vft" '.op == "read"') >= 160))
	[ "$(count "$VM_DIR/guest.vft" '.opcode == "READ"')" -eq 160 ]
	prints "$VM_DIR/guest.vft" probe_missed
}

# Runs a script in the guest with this as the command of its recorder, which waits for it: the storm, its
# status, and nothing more until the recorder has detached and had time to say so.
GOES_ON='"$@"; echo $? >/run/lab/rc
	while bpftool -j link list | grep -q trace_fentry; do sleep 0.1; done; sleep 2'

end_badly() { # SCRIPT
	rm -f "$VM_DIR/rc"
	run --separate-stderr guest bash -c "$1" "$VFSCOPE" "$GOES_ON" "${STORM[@]}" --number_ios=40
	echo "$stderr"
	[ "$status" -eq 3 ]
	[[ $stderr == *"goes on without being recorded"* ]]
	[ "$(cat "$VM_DIR/rc")" = 0 ]
}

@test "a full disk ends the recorder, which says so; the workload goes on" {
	# shellcheck disable=SC2016
	end_badly 'mkdir -p /tmp/small && mount -t tmpfs -o size=16k none /tmp/small || exit 9
		"$0" record --guest --no-ops --mount /mnt/vfs -o /tmp/small/full.vft -- sh -c "$1" sh "${@:2}"'
	[[ $stderr == *"No space left"* ]]
}

@test "a pipe whose reader goes away, or is killed, ends the guest's recorder; the workload goes on" {
	# shellcheck disable=SC2016
	end_badly 'mkfifo /tmp/pipe1; head -c 1000 </tmp/pipe1 >/dev/null &
		"$0" record --guest --no-ops --mount /mnt/vfs -o /tmp/pipe1 -- sh -c "$1" sh "${@:2}"'
	[[ $stderr == *"Broken pipe"* ]]
	# shellcheck disable=SC2016
	end_badly 'mkfifo /tmp/pipe2; cat </tmp/pipe2 >/dev/null & reader=$!
		"$0" record --guest --no-ops --mount /mnt/vfs -o /tmp/pipe2 -- sh -c "kill -KILL $reader; $1" sh "${@:2}"'
	[[ $stderr == *"Broken pipe"* ]]
}

@test "the host's recorder: into standard output, and into a pipe whose reader goes away" {
	local status=0
	cd "$BATS_TEST_TMPDIR"
	"$VFSCOPE" record --host --daemon "$VM_DAEMON_PID" -o - --ready-file ready > >(cat >piped.vft 3>&-) 2>host.err 3>&- &
	HOST_PID=$!
	wait_for_ready
	read_100
	end_host
	[ "$("$VFSCOPE" report --format json piped.vft | jq .summary.opcodes.READ.count)" -eq 100 ]
	[ "$(footer piped.vft '.losses | add')" -eq 0 ]
	rm ready
	mkfifo pipe
	head -c 1000 <pipe >part.vft 3>&- &
	"$VFSCOPE" record --host --daemon "$VM_DAEMON_PID" -o pipe --ready-file ready 2>host.err 3>&- &
	HOST_PID=$!
	wait_for_ready
	guest "${STORM[@]}" --number_ios=40
	wait "$HOST_PID" || status=$?
	cat host.err
	[ "$status" -eq 3 ]
	grep 'cannot write to pipe: Broken pipe' host.err
	"$VFSCOPE" report part.vft | grep interrupted
}

@test "kill -9 leaves a readable file, no program or map, and I/O that goes on" {
	# shellcheck disable=SC2016
	run --separate-stderr guest bash -c '
		"$0" record --guest --no-ops --mount /mnt/vfs -o /run/lab/killed.vft --ready-file /tmp/k.ready & pid=$!
		until [ -e /tmp/k.ready ] || ! kill -0 $pid; do sleep 0.1; done
		dd if=/mnt/vfs/file of=/dev/null bs=4k count=50 iflag=direct status=none
		until [ "$("$0" export /run/lab/killed.vft 2>/dev/null | grep -c READ)" -eq 50 ] || ! kill -0 $pid; do sleep 0.2; done
		kill -KILL $pid; wait $pid; rm /tmp/k.ready
		dd if=/mnt/vfs/file of=/dev/null bs=4k count=50 iflag=direct status=none || exit 1
		while bpftool prog show | grep -E "enqueue_begin|request_end|waiter_woke"; do sleep 0.1; done
		while bpftool map show | grep -E "requests|issues|enqueues"; do sleep 0.1; done
		true' "$VFSCOPE"
	[ "$status" -eq 0 ]
	[ "$(count "$VM_DIR/killed.vft" '.opcode == "READ"')" -eq 50 ]
	[ "$("$VFSCOPE" export --format raw "$VM_DIR/killed.vft" 2>/dev/null | tail -n 1 | jq .interrupted)" = true ]
	run --separate-stderr "$VFSCOPE" export "$VM_DIR/killed.vft"
	[ "$status" -eq 0 ]
	[ -n "$stderr" ]
}

@test "kill -9 of recorders by fentry and by kprobes leaves no program, link or live probe" {
	start_reads
	local mechanism
	for mechanism in fentry kprobe; do
		# shellcheck disable=SC2016
		run --separate-stderr guest bash -c "$ATTACHED"'
			"$0" record --guest --mount /mnt/vfs --mechanism "$1" -o /tmp/k.vft --ready-file /tmp/k.ready & pid=$!
			until [ -e /tmp/k.ready ] || ! kill -0 $pid; do sleep 0.1; done
			attached >/run/lab/attached; kill -KILL $pid; wait $pid; rm /tmp/k.ready
			while [ "$(attached)" != 0 ]; do sleep 0.1; done
			cat /sys/kernel/tracing/kprobe_events >/run/lab/left
			cat /sys/kernel/tracing/events/vfscope_*/*/enable 2>/dev/null | sort -u' "$VFSCOPE" $mechanism
		echo "$output"
		# Definitions in tracefs outlive who made them, but none is enabled.
		[ "$(cat "$VM_DIR/attached")" -gt 30 ]
		[[ -z $output || $output = 0 ]]
	done
	stop_reads
	[ -s "$VM_DIR/left" ]
	# probe tells of them, and how they are removed.
	run --separate-stderr guest "$VFSCOPE" probe --guest --format json
	echo "$output" >"$VM_DIR/probe.json"
	[ "$(jq '.machine.stale_definitions.names | length' "$VM_DIR/probe.json")" -eq "$(wc -l <"$VM_DIR/left")" ]
	guest bash -c "shopt -s expand_aliases; alias sudo=
		$(jq -r .machine.stale_definitions.remedy "$VM_DIR/probe.json")"
	run guest cat /sys/kernel/tracing/kprobe_events
	[ -z "$output" ]
	# So does the next recorder that defines some.
	guest sh -c 'echo "r8:vfscope_99999/left virtio_fs_enqueue_req" >/sys/kernel/tracing/kprobe_events'
	record_guest --no-ops --mechanism kprobe -- true
	[ "$status" -eq 0 ]
	run guest cat /sys/kernel/tracing/kprobe_events
	[ -z "$output" ]
}
