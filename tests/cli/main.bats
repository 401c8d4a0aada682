# SPDX-License-Identifier: GPL-2.0-or-later
#
# What every subcommand shares: help, usage errors, statuses, and that stdout is for results alone.

load common

@test "without arguments: usage on stderr, status 2" {
	expect 2 "$VFSCOPE"
	[ -z "$output" ]
	says 'usage: vfscope' 'commands:'
}

@test "--help and -h: usage on stdout, status 0" {
	for option in --help -h; do
		expect 0 "$VFSCOPE" "$option"
		[ -z "$stderr" ]
		[[ $output == 'usage: vfscope'* ]]
		[[ $output == *'exit status:'* ]]
	done
}

@test "--version: one line on stdout" {
	expect 0 "$VFSCOPE" --version
	[[ $output =~ ^vfscope\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
	[ -z "$stderr" ]
}

@test "unknown command and unknown global option: named, status 2, nothing on stdout" {
	expect 2 "$VFSCOPE" recrod
	[ -z "$output" ]
	says "vfscope: error: " "'recrod'" "vfscope --help"
	expect 2 "$VFSCOPE" --frobnicate record
	[ -z "$output" ]
	says "'--frobnicate'" "vfscope --help"
	expect 2 "$VFSCOPE" -q
	[ -z "$output" ]
}

@test "every listed command: --help on stdout, under 100 columns, with its name and status 0" {
	[ "$(commands | wc -l)" -gt 0 ]
	for command in $(commands); do
		for option in --help -h; do
			expect 0 "$VFSCOPE" "$command" "$option"
			[ -z "$stderr" ]
			[[ $output == "usage: vfscope $command "* ]]
			[[ $output == *'-h, --help'* ]]
			awk -v c="$command" 'length >= 100 { print c ": " $0; bad = 1 } END { exit bad }' <<<"$output"
		done
	done
}

@test "every listed command: an unknown option is named with the way to help, status 2" {
	for command in $(commands); do
		expect 2 "$VFSCOPE" "$command" --no-such-option-at-all
		[ -z "$output" ]
		says "vfscope: error: $command: " "'--no-such-option-at-all'" "vfscope $command --help"
	done
}

@test "options of one letter and of many appear once in each help" {
	for command in $(commands); do
		twice=$("$VFSCOPE" "$command" --help | grep -oE '^  (-.,|   ) --[^ ]+' |
			tr -d ' ' | tr ',' '\n' | sort | uniq -d | grep -v '^$' || true)
		[ -z "$twice" ] || {
			echo "$command: $twice"
			return 1
		}
	done
}

@test "a full disk on stdout is an error, not success: status 3" {
	[ -c /dev/full ] || skip 'no /dev/full here'
	for arguments in --help --version $(commands | sed 's/$/=--help/'); do
		run --separate-stderr bash -c '"$VFSCOPE" "$@" >/dev/full' bash ${arguments/=/ }
		[ "$status" -eq 3 ]
		says 'vfscope: error: ' 'standard output'
	done
}

@test "a closed stdout is an error too" {
	run --separate-stderr bash -c '"$VFSCOPE" --help >&-'
	[ "$status" -eq 3 ]
}
