#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# vfscope compare and calibrate: tables, measured results of real fio, bad input.

load common

setup() {
	cd "$REPO"
	job=$BATS_TEST_TMPDIR/job.fio
	printf '[one]\nrw=randread\nsize=256k\nnumjobs=2\n[two]\nstonewall\nrw=write\nsize=64k\nfsync=4\n' \
		>"$job"
}

# simulated SEED: fio-like JSON of the job.
simulated() {
	"$VFSCOPE" simulate "$job" --mode direct --seed "$1" --format fio
}

@test "a prediction compared with itself has no error" {
	simulated 1 >"$BATS_TEST_TMPDIR/fio.json"
	expect 0 "$VFSCOPE" compare "$job" --modes direct --measured "direct=$BATS_TEST_TMPDIR/fio.json" \
		-o "$BATS_TEST_TMPDIR/out"
	[[ $output == *"direct:"* && $output == *"one"* && $output == *"sync"* ]]
	! grep -E '^.{101,}' <<<"$output"
	# Bins are 1/64 wide, rates are exact.
	awk -F, 'NR > 1 { n++; if ($6 > 2 || $6 < -2 || $12 > 2 || $12 < -2) bad++ }
		 END { exit !(n == 3 && !bad) }' "$BATS_TEST_TMPDIR/out/compare.csv"
}

@test "results of real fio are read, processes of a section added up" {
	command -v fio >/dev/null || skip "fio is not installed"
	(cd "$BATS_TEST_TMPDIR" && fio job.fio --output-format=json+ --output=fio.json)
	expect 0 "$VFSCOPE" compare "$job" --modes direct --format json \
		--measured "direct=$BATS_TEST_TMPDIR/fio.json"
	[[ $output == *'"measured"'* && $output == *'"error_percent"'* ]]
	[ "$(grep -c '"ios": 128' <<<"$output")" -eq 2 ]
	(cd "$BATS_TEST_TMPDIR" && fio job.fio --output-format=json --output=plain.json)
	expect 4 "$VFSCOPE" compare "$job" --modes direct \
		--measured "direct=$BATS_TEST_TMPDIR/plain.json"
	says "json+"
}

@test "without measurements only predictions are printed" {
	expect 0 "$VFSCOPE" compare "$job" --modes direct
	[[ $output != *"meas"* ]]
}

@test "bad measured files" {
	expect 4 "$VFSCOPE" compare "$job" --modes direct --measured direct=/nonexistent.json
	says "/nonexistent.json"
	echo '{"jobs": []}' >"$BATS_TEST_TMPDIR/empty.json"
	expect 4 "$VFSCOPE" compare "$job" --modes direct --measured "direct=$BATS_TEST_TMPDIR/empty.json"
	says "no 'jobs'"
	simulated 1 | head -c 700 >"$BATS_TEST_TMPDIR/cut.json"
	expect 4 "$VFSCOPE" compare "$job" --modes direct --measured "direct=$BATS_TEST_TMPDIR/cut.json"
	says "cut.json" "not JSON"
	simulated 1 | sed 's/"mean": [0-9.e+]*/"mean": "x"/' >"$BATS_TEST_TMPDIR/odd.json"
	expect 4 "$VFSCOPE" compare "$job" --modes direct --measured "direct=$BATS_TEST_TMPDIR/odd.json"
	says "odd.json" "no valid 'mean'"
}

@test "wrong use" {
	expect 2 "$VFSCOPE" compare "$job" --modes sideways
	says "'sideways' is no mode"
	expect 2 "$VFSCOPE" compare "$job" --modes direct,direct
	expect 2 "$VFSCOPE" compare "$job" --modes direct --measured writeback=x.json
	says "not among --modes"
	expect 2 "$VFSCOPE" compare "$job" --measured x.json
}

@test "calibrate wants a joined trace" {
	expect 4 "$VFSCOPE" calibrate "$BATS_TEST_TMPDIR/none.vft"
	says "none.vft"
	expect 4 "$VFSCOPE" calibrate "$job"
	says "job.fio"
	expect 2 "$VFSCOPE" calibrate
}
