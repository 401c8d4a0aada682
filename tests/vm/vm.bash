# SPDX-License-Identifier: GPL-2.0-or-later
#
# For VM tests: a lab VM that stays up for all tests of a file, or within one test.
#
#	load vm
#	setup_file() { start_vm --cache never; }
#	teardown_file() { stop_vm; }
#	@test "..." { run guest uname -r; ...; kill -9 "$VM_DAEMON_PID"; }
#
# It does not outlive the tests, also if they are ended by Ctrl-C or SIGKILL.

TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)

# bats waits for everybody who holds its descriptor 3.
vm() {
	"$TOP/lab/vm" --die-with-parent "$@" 3>&-
}

guest() {
	LAB_DIR=$VM_DIR "$TOP/lab/guest" "$@" 3>&-
}

# In the background; sets GUEST_PID to lab/guest itself, which signals can then reach.
start_guest() { # OUTPUT_FILE CMD...
	LAB_DIR=$VM_DIR "$TOP/lab/guest" "${@:2}" >"$1" 3>&- &
	GUEST_PID=$!
}

# Has the guest write 5 bytes to the file `open` of the share, and keep it open: closing it, even a
# duplicate of its descriptor, would write it back.
hold_open_in_guest() {
	start_guest /dev/null sh -c 'exec >/mnt/vfs/open; echo data; exec sleep infinity'
	until [[ $(guest stat -c %s /mnt/vfs/open 2>/dev/null) = 5 ]]; do
		pause_for_vm || return 1
	done
}

# For loops that wait for something that the VM does: fails once lab/vm has ended.
pause_for_vm() {
	if ! kill -0 "$VM_PID" 2>/dev/null; then
		echo "lab/vm has ended${VM_LOG:+: $(cat "$VM_LOG")}"
		return 1
	fi
	sleep 0.1
}

# Waits until a file has some content.
wait_for() { # FILE
	until [[ -s $1 ]]; do
		pause_for_vm || return 1
	done
}

# Boots with these lab/vm options. Sets VM_PID, VM_DIR, VM_SHARE, VM_DAEMON_PID, VM_QEMU_PID, and
# VM_LOG, the file with what lab/vm says.
start_vm() { # OPTION...
	local tmp=${BATS_TEST_TMPDIR:-$BATS_FILE_TMPDIR}
	rm -f "$tmp/vm.env"
	# shellcheck disable=SC2016
	"$TOP/lab/vm" --die-with-parent "$@" --host -- bash -c 'printf "export VM_%s=%q\n" DIR "$LAB_DIR" SHARE "$LAB_SHARE" \
			DAEMON_PID "$LAB_DAEMON_PID" QEMU_PID "$LAB_QEMU_PID" >"$1.new"
		mv "$1.new" "$1"
		exec sleep infinity' vm "$tmp/vm.env" >"$tmp/vm.log" 2>&1 3>&- &
	export VM_PID=$! VM_LOG=$tmp/vm.log
	until [[ -e $tmp/vm.env ]]; do
		pause_for_vm >&2 || return 1
	done
	# shellcheck disable=SC1091
	source "$tmp/vm.env"
}

# After a start_vm that failed: skips if that is because a program of a newer suite cannot be fetched.
unless_unreachable() {
	! grep -qE 'cannot fetch|found no package|has no Debian mirror' "$VM_LOG" || skip "$(<"$VM_LOG")"
	return 1
}

# Prints what a kernel log has that no test may cause; false if there is nothing.
kernel_trouble() { # FILE
	grep -E 'WARNING:|BUG:|Oops|Call Trace|possible (circular|recursive) locking|inconsistent lock state|blocked for more than|general protection' "$1"
}

# A guest's kernel must have nothing to complain about, whatever the tests did: fails otherwise. The
# guest may be gone already, as some tests want it.
stop_vm() {
	local log status=0
	[[ -n ${VM_PID-} ]] || return 0
	log=${BATS_TEST_TMPDIR:-$BATS_FILE_TMPDIR}/vm.dmesg
	if kill -0 "$VM_PID" 2>/dev/null && LAB_DIR=$VM_DIR timeout 60 "$TOP/lab/guest" dmesg >"$log" 2>/dev/null 3>&-; then
		! kernel_trouble "$log" || status=1
	fi
	kill -TERM "$VM_PID" 2>/dev/null || true
	wait "$VM_PID" 2>/dev/null || true
	unset VM_PID
	return "$status"
}

# Prints the processes that belong to the run, beside its guard; false if there is none.
run_processes() { # VM_DIR
	local found
	# Processes come and go meanwhile: only the matches count.
	found=$(grep -lszx "LAB_RUN=$1" /proc/[0-9]*/environ || true)
	[[ -n $found ]] && echo "$found"
}

# However a run ended: each of its processes is gone, and its directory.
nothing_is_left() { # VM_DIR
	local i
	for ((i = 0; i < 600; i++)); do
		if [[ ! -d $1 ]] && ! run_processes "$1" >/dev/null; then
			return 0
		fi
		sleep 0.1
	done
	echo "left of $1:" && ls -d "$1"
	run_processes "$1"
	return 1
}
