# SPDX-License-Identifier: GPL-2.0-or-later
#
# Random op scripts, performed on a local directory: what gen_ops generates and the parser accepts must be
# possible, or a comparison with a guest (tests/live/fidelity) has nothing to compare.

bats_require_minimum_version 1.5.0
load common

setup() {
	TOOLS=$(dirname "$VFSCOPE")/tests/tools
}

# Without what only takes time here, needs root, or depends on the file system.
script() { # SEED TASKS [names]
	"$TOOLS/gen_ops" "$1" 100 s auto "${@:2}" | sed -E '/^(t[0-9]: )?(sleep|dropcaches|fsync|fdatasync|msync)/d; s/ direct$//; s/ buffer=512//'
}

perform() { # SEED TASKS [names]
	local dir=$BATS_TEST_TMPDIR/$1-$2$3 what name size
	mkdir "$dir"
	script "$@" >"$dir.ops"
	while read -r what name size; do
		[ "$what" = file ] || mkdir "$dir/$name"
		[ "$what" = dir ] || [ -z "$size" ] || [ "$size" = 0 ] || truncate -s "$size" "$dir/$name"
	done < <(grep -E '^(file|dir) ' "$dir.ops")
	"$TOOLS/run_ops" "$dir" "$dir.ops" 0s 0s >/dev/null 2>"$dir.err" || echo "seed $*: $(cat "$dir.err")"
	rm -r "$dir"
	"$VFSCOPE" simulate "$dir.ops" 2>&1 >/dev/null || true
}

@test "random scripts of many seeds can be performed, and simulated" {
	for seed in {1..8}; do
		perform "$seed" 1
		perform "$seed" 2
		perform "$seed" 2 names
	done >"$BATS_TEST_TMPDIR/failed"
	cat "$BATS_TEST_TMPDIR/failed"
	[ ! -s "$BATS_TEST_TMPDIR/failed" ]
}

@test "a name that is renamed to another one of the same file stays" {
	cat >"$BATS_TEST_TMPDIR/one.ops" <<-END
		dir d
		open d/a create
		close d/a
		link d/a b
		rename d/a b
		rmdir d
	END
	run "$VFSCOPE" simulate "$BATS_TEST_TMPDIR/one.ops"
	[ "$status" -eq 4 ]
	[[ $output = *"one.ops:6: the directory is not empty"* ]]
}
