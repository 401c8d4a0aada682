# SPDX-License-Identifier: GPL-2.0-or-later
#
# lab/vm and lab/guest: what a command in the VM says comes out unchanged, options have the effect
# that they name, failures are reported, and nothing is left behind however a run ends.

bats_require_minimum_version 1.5.0
load vm

# One VM for most tests; its options are those that the tests below look for.
setup_file() {
	start_vm --cache always --writeback --vcpus 3 --memory 700M --thread-pool 4
}

teardown_file() {
	stop_vm
}

@test "wrong use says what is wrong, and boots nothing" {
	local wrong
	for wrong in "" "--" "true" "--nosuch 1 -- true" "--cache maybe -- true" "--vcpus 0 -- true" \
		"--queue-size 100 -- true" "--memory lots -- true" "--share /nonexistent -- true" "--accel" \
		"--qemu new -- true" "--dax-window 64M -- true" "--daemon dax --dax-window 3M -- true" \
		"--daemon dax --thread-pool 2 -- true" "--tcp 8347 -- true" "--tcp 0:8347 -- true" \
		"--tcp 8347:65536 -- true"; do
		# shellcheck disable=SC2086
		run --separate-stderr vm $wrong
		[ "$status" -eq 2 ] || { echo "'$wrong': $status" && false; }
		[[ -z $output && $stderr == lab/vm:* ]]
	done
	run vm --help
	[ "$status" -eq 0 ]
	[[ $output == usage:* ]]
}

@test "what cannot work is refused with what to do" {
	run --separate-stderr vm --daemon /bin/true -- true
	[ "$status" -eq 3 ]
	[[ $stderr == *virtiofsd* ]]
	run --separate-stderr vm --kernel linux-image-nosuch -- true
	[ "$status" -eq 3 ]
	[[ $stderr == *nosuch*apt-get* ]]
	run --separate-stderr vm --kernel /nonexistent/vmlinuz -- true
	[ "$status" -eq 3 ]
}

@test "stdout, stderr and exit status pass through" {
	run --separate-stderr guest sh -c 'echo out; echo err >&2; exit 7'
	echo "status $status, '$output', '$stderr'"
	[ "$status" -eq 7 ]
	[ "$output" = out ]
	[ "$stderr" = err ]
}

@test "arguments, environment and working directory pass unchanged" {
	run guest printf '%s|' 'a b' '' "x'y" $'two\nlines' '$HOME' 'ä'
	[ "$output" = "a b||x'y|"$'two\nlines|$HOME|ä|' ]
	run guest -e 'WORD=a b' -C /usr sh -c 'echo "$WORD $PWD $HOME $LAB_DIR"'
	[ "$output" = "a b /usr /tmp /run/lab" ]
}

@test "a command that is killed, missing or not executable has the shell's exit status" {
	run guest sh -c 'kill -9 $$'
	[ "$status" -eq 137 ]
	run -127 guest no-such-command
	[[ $output == *no-such-command*"No such file"* ]]
	run guest /etc/passwd
	[ "$status" -eq 126 ]
}

@test "much output arrives whole, also beside a reader that does not read" {
	start_guest "$BATS_TEST_TMPDIR/ready" yes
	wait_for "$BATS_TEST_TMPDIR/ready"
	kill -STOP "$GUEST_PID"
	[ "$(guest seq 1 300000 | sha256sum)" = "$(seq 1 300000 | sha256sum)" ]
	kill -KILL "$GUEST_PID"
	wait "$GUEST_PID" || true
	# Its command is ended with it.
	while guest pgrep -x yes; do
		pause_for_vm
	done
}

@test "commands run side by side, each with its own output" {
	local i pids=()
	# Each waits for all others to have started: one after the other, this would not end.
	for i in 1 2 3 4 5; do
		start_guest "$BATS_TEST_TMPDIR/$i" sh -c "touch /tmp/par.$i
			until [ \$(ls /tmp/par.? | wc -l) = 5 ]; do sleep 0.1; done
			echo $i; exit $i"
		pids+=("$GUEST_PID")
	done
	for i in 1 2 3 4 5; do
		status=0
		wait "${pids[i - 1]}" || status=$?
		[ "$status" -eq "$i" ]
		[ "$(<"$BATS_TEST_TMPDIR/$i")" = "$i" ]
	done
}

@test "a signal to lab/guest reaches the command in the guest" {
	local status=0
	start_guest "$BATS_TEST_TMPDIR/out" \
		sh -c 'trap "echo caught; exit 5" INT; echo ready; while :; do sleep 0.1; done'
	wait_for "$BATS_TEST_TMPDIR/out"
	kill -INT "$GUEST_PID"
	wait "$GUEST_PID" || status=$?
	[ "$status" -eq 5 ]
	[[ $(<"$BATS_TEST_TMPDIR/out") == *caught ]]
}

@test "the guest has the CPUs and the memory that were asked for" {
	[ "$(guest nproc)" -eq 3 ]
	local kib
	kib=$(guest sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo)
	((kib < 700 * 1024 && kib > 500 * 1024))
}

@test "the run directory is shared without caching, both ways" {
	guest sh -c 'echo one >/run/lab/word'
	[ "$(<"$VM_DIR/word")" = one ]
	echo two >"$VM_DIR/word"
	[ "$(guest cat /run/lab/word)" = two ]
}

@test "the host's root is there, read-only" {
	[ "$(guest sha256sum "$TOP/lab/vm")" = "$(sha256sum "$TOP/lab/vm")" ]
	run guest touch /etc/written-by-guest
	[ "$status" -ne 0 ]
	[[ $output == *Read-only* ]]
}

@test "the guest can be traced: BTF, tracefs, BPF file system" {
	guest test -r /sys/kernel/btf/vmlinux -a -d /sys/kernel/tracing/events/sched -a -d /sys/fs/bpf
	guest grep -q '^vfs /mnt/vfs virtiofs rw' /proc/mounts
}

@test "--cache always: the guest keeps what it has read" {
	echo old >"$VM_SHARE/kept"
	[ "$(guest cat /mnt/vfs/kept)" = old ]
	echo new >"$VM_SHARE/kept"
	[ "$(guest cat /mnt/vfs/kept)" = old ]
}

@test "--writeback: the guest keeps what it has written until it must not" {
	guest sh -c 'echo 360000 >/proc/sys/vm/dirty_expire_centisecs'
	hold_open_in_guest
	[ "$(stat -c %s "$VM_SHARE/open")" -eq 0 ]
}

@test "--thread-pool: the daemon gets worker threads, and survives" {
	guest fio --name=pool --directory=/mnt/vfs --rw=randread --bs=4k --size=1m --numjobs=4 \
		--thread --direct=1 --loops=4 --output=/dev/null
	grep -qx pool /proc/"$VM_DAEMON_PID"/task/*/comm
}
