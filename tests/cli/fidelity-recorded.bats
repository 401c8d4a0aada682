# SPDX-License-Identifier: GPL-2.0-or-later
#
# Random scripts that tests/live/fidelity performed in guests, kept in tests/fidelity/recorded, simulated
# now: each has shown a difference once, or stands for a kernel, daemon and mode.

bats_require_minimum_version 1.5.0
load common

@test "random scripts: every step sends what was recorded on 6.1, 6.12, 6.18 and 7.2" {
	cp -r "$BATS_TEST_DIRNAME/../fidelity/recorded" "$BATS_TEST_TMPDIR"
	run "$BATS_TEST_DIRNAME/../live/fidelity" --again "$BATS_TEST_TMPDIR/recorded"
	echo "$output"
	[ "$status" -eq 0 ]
	[[ ${lines[-1]} = "18 scripts, 0 differ, 0 VMs failed" ]]
}
