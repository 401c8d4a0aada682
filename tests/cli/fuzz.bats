# SPDX-License-Identifier: GPL-2.0-or-later
#
# Replays the corpus of each fuzz target: inputs that once were hard must stay harmless.

load common

@test "every fuzz target survives its corpus" {
	for source in "$REPO"/tests/fuzz/fuzz_*.c; do
		name=$(basename "$source" .c)
		corpus=("$REPO"/tests/fuzz/corpus/"${name#fuzz_}"/*)
		[ -e "${corpus[0]}" ]
		expect 0 "$(dirname "$VFSCOPE")/tests/fuzz/$name" "${corpus[@]}"
		[[ $output == "${#corpus[@]} inputs" ]]
	done
}
