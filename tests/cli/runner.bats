# SPDX-License-Identifier: GPL-2.0-or-later
#
# The test runner itself: what no program may get away with.

load common

setup() {
	TREE=$BATS_TEST_TMPDIR/tree
	mkdir -p "$TREE/tests/unit" "$TREE/build/tests/unit"
	cp "$REPO/tests/run" "$TREE/tests/run"
	unset TEST_TIMEOUT_FACTOR
}

# program NAME: the body of a test program on stdin.
program() {
	touch "$TREE/tests/unit/test_$1.c"
	{ echo '#!/bin/bash'; cat; } >"$TREE/build/tests/unit/test_$1"
	chmod +x "$TREE/build/tests/unit/test_$1"
}

# runs STATUS LAST-LINE
runs() {
	expect "$1" "$TREE/tests/run" unit
	[ "$(tail -1 <<<"$output")" = "$2" ] || {
		echo "$output"
		return 1
	}
}

@test "results are counted, skips with their reason, failures in full" {
	program a <<<'printf "1..3\nok 1 - x\nok 2 # SKIP no such device\nok 3 y\n"'
	runs 0 '2 passed, 0 failed, 1 skipped'
	[[ $output == *$'skipped:\n'*'no such device'* ]]
	program b <<<'printf "1..2\nok 1\nnot ok 2 - bad\n# what went wrong\n"; exit 1'
	runs 1 '3 passed, 1 failed, 1 skipped'
	[[ $output == *'# what went wrong'* ]]
	[[ $output == *$'failed:\n'*'test_b: 2 - bad'* ]]
}

@test "a crash, a missing plan, missing results, a bad status: each is a failure" {
	program a <<<'printf "1..1\nok 1\n"'
	program b <<<'printf "1..3\nok 1\n"; kill -SEGV $$'
	runs 1 '2 passed, 1 failed, 0 skipped'
	program b <<<'echo "all is well"'
	runs 1 '1 passed, 1 failed, 0 skipped'
	program b <<<':'
	runs 1 '1 passed, 1 failed, 0 skipped'
	program b <<<'printf "1..2\nok 1\n"'
	runs 1 '2 passed, 1 failed, 0 skipped'
	program b <<<'printf "1..1\nok 1\n"; exit 7'
	runs 1 '2 passed, 1 failed, 0 skipped'
	[[ $output == *'status 7'* ]]
}

@test "nothing passed is not success" {
	runs 1 '0 passed, 0 failed, 0 skipped'
	program a <<<'printf "1..1\nok 1 # skip not here\n"'
	runs 1 '0 passed, 0 failed, 1 skipped'
}

@test "a test that was not built is a failure" {
	touch "$TREE/tests/unit/test_new.c"
	program a <<<'printf "1..1\nok 1\n"'
	runs 1 '1 passed, 1 failed, 0 skipped'
	[[ $output == *'not built'* ]]
}

@test "wrong use: named, status 2, nothing run" {
	program a <<<'touch ran'
	expect 2 "$TREE/tests/run" unit vmm
	says "'vmm'"
	expect 2 "$TREE/tests/run" tests/cli/none.bats
	says "tests/cli/none.bats"
	TEST_TIMEOUT_FACTOR=x expect 2 "$TREE/tests/run" unit
	says TEST_TIMEOUT_FACTOR
	[ ! -e "$TREE/ran" ]
}

@test "without arguments: VM tests beside the others, the results of all counted" {
	mkdir "$TREE/tests/vm"
	# Each waits for the other.
	program a <<<'printf "1..2\nok 1\nnot ok 2 - bad\n"; touch a.tmp; until [ -e vm.tmp ]; do sleep 0.05; done; exit 1'
	printf '%s\n' '@test "x" {' '	touch vm.tmp; until [ -e a.tmp ]; do sleep 0.05; done' '}' \
		'@test "y" {' '	skip "no such device"' '}' >"$TREE/tests/vm/v.bats"
	expect 1 "$TREE/tests/run"
	[ "$(tail -1 <<<"$output")" = '2 passed, 2 failed, 1 skipped' ] || {
		echo "$output"
		return 1
	}
	[[ $output == *$'skipped:\n'*'no such device'* ]]
	[[ $output == *$'failed:\n'*'unit/test_a: 2 - bad'* ]]
}

@test "without arguments: when the other suites are done they help with vm; no file runs twice" {
	mkdir "$TREE/tests/vm"
	program a <<<'printf "1..1\nok 1\n"'
	# Both wait for each other.
	for i in 1 2; do
		printf '%s\n' '@test "x" {' "	echo >>ran.tmp; until [ \$(wc -l <ran.tmp) = 2 ]; do sleep 0.05; done" \
			'}' >"$TREE/tests/vm/v$i.bats"
	done
	for i in 3 4 5; do
		printf '%s\n' '@test "x" {' '	true' '}' >"$TREE/tests/vm/v$i.bats"
	done
	expect 1 "$TREE/tests/run"
	# test_a is not built for san.
	[ "$(tail -1 <<<"$output")" = '6 passed, 1 failed, 0 skipped' ]
}

@test "a signal ends the test that runs, and the runner" {
	program a <<<'echo $$ >pid.tmp; mv pid.tmp pid; exec sleep 1000'
	"$TREE/tests/run" unit >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
	runner=$!
	until [ -e "$TREE/pid" ]; do sleep 0.05; done
	kill -TERM "$runner"
	status=0
	wait "$runner" || status=$?
	[ "$status" -ne 0 ]
	! kill -0 "$(cat "$TREE/pid")" 2>/dev/null
	grep -q interrupted "$BATS_TEST_TMPDIR/out"
}
