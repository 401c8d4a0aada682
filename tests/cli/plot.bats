#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# vfscope plot: each figure is drawn in both formats; bad input is refused.

load common

setup() {
	cd "$REPO"
	job=$BATS_TEST_TMPDIR/job.fio
	printf '[a]\nrw=randread\nsize=256k\n[b]\nstonewall\nrw=write\nsize=64k\nfsync=4\n' >"$job"
}

is_svg() {
	grep -q '<svg' "$1" && tail -c 20 "$1" | grep -q '</svg>'
}

is_png() {
	[ "$(head -c 4 "$1" | tail -c 3)" = PNG ]
}

@test "figures of a comparison" {
	command -v gnuplot >/dev/null || skip "gnuplot is not installed"
	"$VFSCOPE" compare "$job" --modes direct -o "$BATS_TEST_TMPDIR" >/dev/null
	for figure in cdf modes; do
		expect 0 "$VFSCOPE" plot $figure "$BATS_TEST_TMPDIR/compare.json" -o "$BATS_TEST_TMPDIR/f.svg"
		is_svg "$BATS_TEST_TMPDIR/f.svg"
		expect 0 "$VFSCOPE" plot $figure "$BATS_TEST_TMPDIR/compare.json" -o "$BATS_TEST_TMPDIR/f.png"
		is_png "$BATS_TEST_TMPDIR/f.png"
		[ -z "$stderr" ]
	done
}

@test "stages of simulated requests name every stage" {
	command -v gnuplot >/dev/null || skip "gnuplot is not installed"
	"$VFSCOPE" simulate "$job" --mode direct --requests "$BATS_TEST_TMPDIR/r.jsonl" >/dev/null
	expect 0 "$VFSCOPE" plot stages "$BATS_TEST_TMPDIR/r.jsonl" -o "$BATS_TEST_TMPDIR/f.svg"
	is_svg "$BATS_TEST_TMPDIR/f.svg"
	[ -z "$stderr" ]
	for stage in bg_wait ring_wait notify pool service interrupt completion wakeup; do
		grep -q "$stage" "$BATS_TEST_TMPDIR/f.svg"
	done
	expect 0 "$VFSCOPE" plot stages "$BATS_TEST_TMPDIR/r.jsonl" "$BATS_TEST_TMPDIR/r.jsonl" \
		-o "$BATS_TEST_TMPDIR/f.png"
	is_png "$BATS_TEST_TMPDIR/f.png"
}

@test "without gnuplot the message says so" {
	"$VFSCOPE" compare "$job" --modes direct -o "$BATS_TEST_TMPDIR" >/dev/null
	expect 3 env PATH=/nonexistent "$VFSCOPE" plot modes "$BATS_TEST_TMPDIR/compare.json" \
		-o "$BATS_TEST_TMPDIR/f.svg"
	says "gnuplot is not in PATH"
}

@test "bad input and wrong use" {
	expect 2 "$VFSCOPE" plot stages x.vft
	says "-o"
	expect 2 "$VFSCOPE" plot stages x.vft -o x.jpeg
	says ".svg or .png"
	expect 2 "$VFSCOPE" plot circles x.vft -o x.svg
	expect 4 "$VFSCOPE" plot stages "$BATS_TEST_TMPDIR/none.vft" -o "$BATS_TEST_TMPDIR/f.svg"
	says "none.vft"
	expect 4 "$VFSCOPE" plot modes "$job" -o "$BATS_TEST_TMPDIR/f.svg"
	says "compare"
	echo '{"modes": [{"mode": "direct", "rows": [{"job": 1}]}]}' >"$BATS_TEST_TMPDIR/odd.json"
	expect 4 "$VFSCOPE" plot cdf "$BATS_TEST_TMPDIR/odd.json" -o "$BATS_TEST_TMPDIR/f.svg"
	says "not a comparison"
	echo '{"type":"request"}' >"$BATS_TEST_TMPDIR/odd.jsonl"
	expect 4 "$VFSCOPE" plot stages "$BATS_TEST_TMPDIR/odd.jsonl" -o "$BATS_TEST_TMPDIR/f.svg"
	says "odd.jsonl:1:"
	[ ! -e "$BATS_TEST_TMPDIR/f.svg" ]
}
