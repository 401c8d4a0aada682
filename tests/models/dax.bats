#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Mode dax against public measurements: how IOPS and latency depend on the size of the window.
# docs/simulator.md has the table.

load ../cli/common

HERE=$BATS_TEST_DIRNAME

setup_file() {
	cd "$REPO"
	local window
	for window in 1 2 4 5 8 16; do
		"$VFSCOPE" simulate "$HERE/dax-randread.fio" --model "$HERE/dax-2020.model" \
			--set "dax.window_bytes=${window}g" -f json |
			jq -r --arg window "$window" '.jobs[] | [.job, $window, .iops, .mean_ns / 1000,
				.p50_ns / 1000, .p99_ns / 1000] | map(tostring) | join(" ")'
	done >"$BATS_FILE_TMPDIR/predicted"
}

# within JOB FACTOR: predicted IOPS and mean lie within this factor of what was measured.
within() {
	awk -F, -v job="$1" '$1 == job { print $2, $3, $4 }' "$HERE/dax-published.csv" |
		awk -v job="$1" -v most="$2" '
		FNR == NR { if ($1 == job) { iops[$2] = $3; mean[$2] = $4 } next }
		{ print "window", $1, "IOPS", iops[$1], "of", $2, "mean", mean[$1], "of", $3; n++ }
		iops[$1] / $2 > most || $2 / iops[$1] > most || mean[$1] / $3 > most || $3 / mean[$1] > most { bad++ }
		END { exit n != 5 || bad != 0 }' "$BATS_FILE_TMPDIR/predicted" -
}

# figure JOB WINDOW COLUMN: 3 IOPS, 4 mean, 5 median, 6 99th percentile, in us.
figure() {
	awk -v job="$1" -v window="$2" -v column="$3" '$1 == job && $2 == window { print $column }' \
		"$BATS_FILE_TMPDIR/predicted"
}

# larger A B FACTOR: A is more than FACTOR times B.
larger() {
	awk -v a="$1" -v b="$2" -v factor="$3" 'BEGIN { exit !(a > factor * b) }'
}

@test "pread through windows of 1 to 16 GiB: as measured, within a factor of 1.5" {
	within randread-psync 1.5
}

@test "mapped memory through the same windows: as measured, within a factor of three" {
	within randread-mmap 3
}

@test "a window as large as the file is much slower than one that leaves a fifth free" {
	for job in randread-psync randread-mmap; do
		larger "$(figure "$job" 5 3)" "$(figure "$job" 4 3)" 5
		larger "$(figure "$job" 4 3)" "$(figure "$job" 2 3)" 2
		larger "$(figure "$job" 2 3)" "$(figure "$job" 1 3)" 1.2
		# 2560 ranges, of which the worker wants 512 free: exactly the file's 2048 are left.
		[ "$(figure "$job" 5 3)" = "$(figure "$job" 16 3)" ]
	done
	# Most reads of the former find their range, but must have the host map the page.
	larger "$(figure randread-psync 4 5)" "$(figure randread-psync 5 5)" 1.9
}
