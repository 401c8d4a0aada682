# SPDX-License-Identifier: GPL-2.0-or-later
# Shared by all CLI tests: 'load common' and call "$VFSCOPE".

bats_require_minimum_version 1.5.0
REPO=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
: "${VFSCOPE:=$REPO/build/vfscope}"
export VFSCOPE

# commands: the subcommands that --help lists, one a line.
commands() {
	"$VFSCOPE" --help | sed -n '/^commands:$/,/^$/s/^  \([a-z][a-z-]*\) .*/\1/p'
}

# expect STATUS COMMAND...: runs it with stderr apart; fails and shows everything if the status differs.
expect() {
	local want=$1
	shift
	run --separate-stderr "$@"
	[ "$status" -eq "$want" ] || {
		printf '%s\nstatus %s, wanted %s\nstdout: %s\nstderr: %s\n' \
			"$*" "$status" "$want" "$output" "$stderr"
		return 1
	}
}

# says TEXT...: stderr has each of them.
says() {
	local text
	for text; do
		[[ $stderr == *"$text"* ]] || {
			printf "stderr does not say '%s': %s\n" "$text" "$stderr"
			return 1
		}
	done
}
