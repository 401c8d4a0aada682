# SPDX-License-Identifier: GPL-2.0-or-later
#
# A simulated guest sends, step by step, what recorded guests sent: tests/fidelity/VERSION-MODE.txt
# are extracts of recordings of Debian kernels 6.1.192 and 7.2.12 under QEMU, Rust virtiofsd 1.13.2,
# a ring of 128 descriptors, daemon cache modes auto, never and auto with writeback (wb).

bats_require_minimum_version 1.5.0
load common

DATA=$BATS_TEST_DIRNAME/../fidelity

simulated_steps() { # KERNEL MODE
	local names script=$BATS_TEST_TMPDIR/script.ops
	sed -E "s/^#$1 //; s/^#$([[ $2 = direct ]] && echo direct || echo cached) //" "$DATA/shared.ops" >"$script"
	names=$(sed -E '/^#|^sleep/d; s/.*# == ?(.*)/=\1/; t; s/.*//' "$script" |
		jq -R 'if startswith("=") then .[1:] else null end' | jq -sc .)
	# A pause before each op: what read-ahead has begun ends meanwhile, as in the recordings.
	sed -E 's/^(open|read|write|fsync|close|stat|unlink|dropcaches|mmap|mread|mwrite|msync|munmap|mkdir|rmdir|readdir|mount|umount)/sleep 2ms\n&/' \
		"$script" >"$BATS_TEST_TMPDIR/paced.ops"
	"$VFSCOPE" simulate "$BATS_TEST_TMPDIR/paced.ops" --mode "$2" --set guest.kernel="$1" \
		--set transport.queue_size=128 --set daemon.kind=rust --set guest.vcpus=2 \
		--set guest.memory=1G --set costs.kick='const 10us' --set costs.wakeup='const 5us' \
		--set costs.syscall='const 1us' --set service.default.cpu='const 20us' \
		--set service.READ.cpu='const 20us' \
		--requests "$BATS_TEST_TMPDIR/requests.json" >"$BATS_TEST_TMPDIR/log" || return 1
	jq -rs --argjson names "$names" -f "$DATA/steps.jq" "$BATS_TEST_TMPDIR/requests.json"
}


same_steps() { # KERNEL MODE RECORDING
	simulated_steps "$1" "$2" >"$BATS_TEST_TMPDIR/steps"
	diff -U 5 "$DATA/$3.txt" "$BATS_TEST_TMPDIR/steps"
}

# Steps in which the flusher's moment decides what is in which WRITE.
without_flusher_steps() {
	awk '/^==/ { skip = /write 8x128K|write 1M|== fsync/ } !skip' "$1"
}

same_steps_but_flusher() { # KERNEL RECORDING
	simulated_steps "$1" writeback >"$BATS_TEST_TMPDIR/steps"
	diff -U 5 <(without_flusher_steps "$DATA/$2.txt") \
		<(without_flusher_steps "$BATS_TEST_TMPDIR/steps")
}

@test "6.1, auto: every step sends what was recorded" {
	same_steps 6.1 writethrough 61-auto
}

@test "6.1, never: every step sends what was recorded" {
	same_steps 6.1 direct 61-never
}

@test "6.1, writeback: every step but the flusher's sends what was recorded" {
	same_steps_but_flusher 6.1 61-wb
}

@test "7.2, auto: every step sends what was recorded" {
	same_steps 7.2 writethrough 72-auto
}

@test "7.2, never: every step sends what was recorded" {
	same_steps 7.2 direct 72-never
}

@test "7.2, writeback: every step but the flusher's sends what was recorded" {
	same_steps_but_flusher 7.2 72-wb
}

# The lab's own daemon with a window of 32 MiB (lab/vm --daemon dax). VERSION-dax.ops is what was performed,
# with the times at which each op began.
same_through_window() { # KERNEL RECORDING
	"$VFSCOPE" simulate "$DATA/$2.ops" --mode dax --set dax.window_bytes=32m --set guest.kernel="$1" \
		--set transport.queue_size=128 --set daemon.kind=rust --set costs.kick='const 10us' \
		--set costs.wakeup='const 5us' --set service.default.cpu='const 5ms' \
		--requests "$BATS_TEST_TMPDIR/requests.json" >"$BATS_TEST_TMPDIR/log" || return 1
	jq -rs -f "$DATA/dax.jq" "$BATS_TEST_TMPDIR/requests.json" | diff -U 5 "$DATA/$2.txt" -
}

@test "6.1, dax: the task and the worker send what was recorded" {
	same_through_window 6.1 61-dax
}

@test "7.2, dax: the task and the worker send what was recorded" {
	same_through_window 7.2 72-dax
}

# As above with a window of 8 MiB, and recorded with what is mapped: the same on both kernels.
same_ranges() { # KERNEL
	"$VFSCOPE" simulate "$DATA/ranges.ops" --mode dax --set dax.window_bytes=8m --set guest.kernel="$1" \
		--set daemon.kind=rust --set costs.kick='const 10us' --set costs.wakeup='const 5us' \
		--set costs.syscall='const 1us' --set service.default.cpu='const 20us' \
		--requests "$BATS_TEST_TMPDIR/requests.json" >"$BATS_TEST_TMPDIR/log" || return 1
	jq -rs -f "$DATA/ranges.jq" "$BATS_TEST_TMPDIR/requests.json" | diff -U 5 "$DATA/ranges.txt" -
}

@test "6.1, dax: the same ranges of the window for the same parts of files, for the same reasons" {
	same_ranges 6.1
}

@test "7.2, dax: the same ranges of the window for the same parts of files, for the same reasons" {
	same_ranges 7.2
}
