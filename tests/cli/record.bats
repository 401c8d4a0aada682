# SPDX-License-Identifier: GPL-2.0-or-later
#
# vfscope record where there is nothing to record: what it refuses, with what status and advice.

load common

setup() {
	cd "$BATS_TEST_TMPDIR"
}

@test "exactly one side is needed, with its own options" {
	expect 2 "$VFSCOPE" record
	says --guest --host
	expect 2 "$VFSCOPE" record --guest --host
	says "exactly one"
	expect 2 "$VFSCOPE" record --host --mount /
	says --mount --daemon
	expect 2 "$VFSCOPE" record --guest --daemon 1
	says --daemon --mount
	expect 2 "$VFSCOPE" record --guest --duration 10
	says --duration
	expect 2 "$VFSCOPE" record --guest --buffer much
	says --buffer
	expect 2 "$VFSCOPE" record --host -o - -- true
	says FIFO
	expect 2 "$VFSCOPE" record --guest --max-shares 4097
	says --max-shares 4096
	expect 2 "$VFSCOPE" record --guest --max-inflight 0
	says --max-inflight 1048576
	expect 2 "$VFSCOPE" record --host --max-inflight 1048577
	says --max-inflight
	[ ! -e vfscope.vft ]
}

@test "a machine without virtio-fs: says so, writes no file, runs no command" {
	if grep -q ' - virtiofs ' /proc/self/mountinfo || [ -e /sys/bus/virtio/drivers/virtiofs ]; then
		skip "this machine has virtio-fs"
	fi
	expect 3 "$VFSCOPE" record --guest -- touch ran
	says "vfscope: error: "
	[ ! -e vfscope.vft ] && [ ! -e ran ]
	expect 3 "$VFSCOPE" record --guest --mount /proc
	says "/proc is not on a virtio-fs mount" "none on this machine"
	expect 3 "$VFSCOPE" record --guest --mount /no/such
	says "/no/such" "No such file"
}

@test "--dry-run checks what a recording would need, and leaves nothing" {
	expect 3 "$VFSCOPE" record --host --dry-run -o /no/such/dir/x.vft
	says "/no/such/dir/x.vft"
	expect 3 "$VFSCOPE" record --host --dry-run --ready-file /no/such/dir/ready
	says "/no/such/dir/ready"
	expect 3 "$VFSCOPE" record --host --dry-run -- no-such-program-anywhere
	says "no-such-program-anywhere"
	expect 3 "$VFSCOPE" record --host --dry-run -- ./no-such-program
	says "./no-such-program"
	expect 3 "$VFSCOPE" record --host --daemon $$ --dry-run -- true
	says "not a virtio-fs daemon"
	[ ! -e vfscope.vft ]
}

@test "a ring buffer that cannot be is refused" {
	expect 3 "$VFSCOPE" record --guest --buffer 2g
	says --buffer
}
