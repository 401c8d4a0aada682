#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Mode dax against public measurements: how IOPS and latency depend on the size of the window.
# docs/simulator.md has the table.

load ../cli/common

HERE=$BATS_TEST_DIRNAME

setup() {
	cd "$REPO"
}

# predicted JOB: lines "window_gib iops mean_us p50_us p99_us", for each window of the measurements.
predicted() {
	local window
	for window in $(awk -F, -v job="$1" '$1 == job { print $2 }' "$HERE/dax-published.csv"); do
		"$VFSCOPE" simulate "$HERE/dax-randread.fio" --model "$HERE/dax-2020.model" \
			--set "dax.window_bytes=${window}g" -f json |
			jq -r --arg job "$1" --arg window "$window" '.jobs[] | select(.job == $job) |
				"\($window) \(.iops) \(.mean_ns / 1000) \(.p50_ns / 1000) \(.p99_ns / 1000)"'
	done
}

@test "reads through windows of 1 to 16 GiB: as fast as measured, within a third" {
	predicted randread-psync >"$BATS_TEST_TMPDIR/predicted"
	awk -F, '$1 == "randread-psync" { print $2, $3, $4 }' "$HERE/dax-published.csv" |
		paste -d ' ' "$BATS_TEST_TMPDIR/predicted" - | tee "$BATS_TEST_TMPDIR/both"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/both")" -eq 5 ]
	# 1-5 predicted, 6 window, 7 and 8 measured IOPS and mean
	awk '$1 != $6 || $2 > 4 / 3 * $7 || $2 < 3 / 4 * $7 || $3 > 4 / 3 * $8 || $3 < 3 / 4 * $8 { bad++ }
	     END { exit bad != 0 }' "$BATS_TEST_TMPDIR/both"
}

@test "a window that leaves a fifth free is as good as any larger one" {
	for window in 5g 6g 64g; do
		"$VFSCOPE" simulate "$HERE/dax-randread.fio" --model "$HERE/dax-2020.model" \
			--set "dax.window_bytes=$window" -f json | jq -c '.stats | del(.dax)'
	done | sort -u >"$BATS_TEST_TMPDIR/stats"
	# 5 GiB is 2560 ranges, of which the worker wants 512 free: exactly 2048 are left.
	[ "$(wc -l <"$BATS_TEST_TMPDIR/stats")" -eq 1 ]
}
