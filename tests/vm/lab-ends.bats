# SPDX-License-Identifier: GPL-2.0-or-later
#
# How lab runs end: by themselves, by a signal, by the loss of the daemon or of the guest. Each test
# boots a VM of its own.

bats_require_minimum_version 1.5.0
load vm

teardown() {
	stop_vm
}

@test "a command in the guest: streams, status, and what it wrote is on the host" {
	mkdir "$BATS_TEST_TMPDIR/share"
	run --separate-stderr vm --share "$BATS_TEST_TMPDIR/share" --writeback \
		--console "$BATS_TEST_TMPDIR/console" --append lab.word -- \
		sh -c 'head -c 300000 /dev/zero >/mnt/vfs/zeros; cat /proc/cmdline; echo err >&2; exit 9'
	[ "$status" -eq 9 ]
	[[ $output == *lab.word* ]]
	[ "$stderr" = err ]
	[ "$(stat -c %s "$BATS_TEST_TMPDIR/share/zeros")" -eq 300000 ]
	[ -e "$BATS_TEST_TMPDIR/console" ]
}

@test "--cache never and --queue-size: no caching, requests that fit the ring" {
	start_vm --cache never --queue-size 64 --vcpus 1 --daemon-opt -d
	echo old >"$VM_SHARE/word"
	[ "$(guest cat /mnt/vfs/word)" = old ]
	echo new >"$VM_SHARE/word"
	[ "$(guest cat /mnt/vfs/word)" = new ]
	hold_open_in_guest
	[ "$(stat -c %s "$VM_SHARE/open")" -eq 5 ]
	# A ring of 64 descriptors leaves 60 pages for data: 1 MiB takes 5 READs.
	head -c 1048576 /dev/zero >"$VM_SHARE/mebibyte"
	guest dd if=/mnt/vfs/mebibyte of=/dev/null bs=1M count=1 status=none
	[ "$(grep -c 'lo_read(.*size=245760,' "$VM_DIR/share.log")" -eq 4 ]
	[ "$(guest nproc)" -eq 1 ]
}

@test "--timeout ends the command, with status 124" {
	run --separate-stderr vm --timeout 1 -- sleep infinity
	[ "$status" -eq 124 ]
	[[ $stderr == *"--timeout 1"* ]]
}

@test "a kernel that panics is reported with the end of its console" {
	run --separate-stderr vm -- sh -c 'echo c >/proc/sysrq-trigger'
	[ "$status" -eq 3 ]
	[[ $stderr == *"Kernel panic"* && $stderr == *"QEMU"*ended* ]]
}

@test "a guest that does not come up is reported with the end of its console" {
	run --separate-stderr vm --append rdinit=/nonexistent -- true
	[ "$status" -eq 3 ]
	[[ $stderr == *"did not come up"* && $stderr == *"| "*"panic"* ]]
	run --separate-stderr vm --boot-timeout 1 --append "rdinit=/bin/busybox -- sleep 1000" -- true
	[ "$status" -eq 3 ]
	[[ $stderr == *"--boot-timeout"* ]]
}

@test "a daemon that dies is reported, and no command waits for it" {
	local status=0
	# shellcheck disable=SC2016
	run --separate-stderr vm --host -- bash -c '
		"$0" sh -c "echo ready >/run/lab/ready; sleep infinity" & pid=$!
		until [ -s "$LAB_DIR/ready" ]; do sleep 0.1; done
		kill -KILL "$LAB_DAEMON_PID"
		wait $pid; echo "running: $?"
		"$0" cat /mnt/vfs/file; echo "later: $?"' "$TOP/lab/guest"
	[ "$status" -eq 3 ]
	[ "$output" = $'running: 3\nlater: 3' ]
	[[ $stderr == *"lab/vm: the daemon of the share directory"*"killed by signal 9"* ]]
	[[ $stderr == *"lab/guest: the daemon of the share directory"* ]]
}

# Processes of every kind that could stay: in the background, in a session of its own, in the guest.
start_busy_vm() {
	local out=$BATS_TEST_TMPDIR/state
	# shellcheck disable=SC2016
	setsid "$TOP/lab/vm" --die-with-parent --host -- bash -c '
		sleep infinity & setsid sleep infinity &
		"$0" sleep infinity &
		"$0" true
		echo "$LAB_DIR" >"$1"
		sleep infinity' "$TOP/lab/guest" "$out" >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- &
	VM_PID=$!
	wait_for "$out"
	VM_DIR=$(<"$out")
	run_processes "$VM_DIR"
}

@test "nothing is left after SIGTERM" {
	local status=0
	start_busy_vm
	kill -TERM "$VM_PID"
	wait "$VM_PID" || status=$?
	[ "$status" -eq 143 ]
	[ ! -d "$VM_DIR" ]
	nothing_is_left "$VM_DIR"
}

@test "nothing is left after Ctrl-C" {
	local status=0
	start_busy_vm
	kill -INT -- "-$VM_PID"
	wait "$VM_PID" || status=$?
	[ "$status" -eq 130 ]
	nothing_is_left "$VM_DIR"
}

@test "nothing is left after SIGKILL" {
	start_busy_vm
	kill -KILL "$VM_PID"
	wait "$VM_PID" || true
	nothing_is_left "$VM_DIR"
}

@test "nothing is left when the process that started it is killed" {
	# shellcheck disable=SC2016
	bash -c '"$0" --die-with-parent --host -- bash -c "echo \$LAB_DIR >$1; exec sleep infinity" &
		until [ -s "$1" ]; do kill -0 $! && sleep 0.1 || exit; done
		kill -KILL $$' "$TOP/lab/vm" "$BATS_TEST_TMPDIR/state" 3>&- || true
	nothing_is_left "$(<"$BATS_TEST_TMPDIR/state")"
}
