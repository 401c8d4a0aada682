# SPDX-License-Identifier: GPL-2.0-or-later
#
# Bash completion: the function is called as readline would call it, and offers what --help says.

load common

setup() {
	# shellcheck source=/dev/null
	source "$REPO/trace-cli/completion.bash"
	cd "$BATS_TEST_TMPDIR"
	touch trace.vft other.txt
}

# complete_words WORD...: sets COMPREPLY for the cursor at the end of the last word.
complete_words() {
	COMP_WORDS=("$VFSCOPE" "$@")
	COMP_CWORD=$#
	_vfscope
}

# offered WORD...: exactly these, in any order.
offered() {
	diff <(printf '%s\n' "$@" | sort) <(printf '%s\n' "${COMPREPLY[@]}" | sort)
}

@test "commands: those of --help, also after global options" {
	complete_words ''
	offered $(commands)
	complete_words -q re
	offered record report
}

@test "every option of every command is offered, switches both ways" {
	for command in $(commands); do
		complete_words "$command" --
		offered $("$VFSCOPE" "$command" --help | grep -oE '^  (-., |    )--[^ ]+' |
			sed -E 's/^.*--(\[no-\])?/--/') \
			$("$VFSCOPE" "$command" --help | sed -nE 's/^.*--\[no-\]([a-z-]+).*/--no-\1/p')
	done
	complete_words --
	offered --help --quiet --verbose --version
}

@test "values: words of a choice, also after '='; files where a file is wanted; nothing for numbers" {
	complete_words report --format ''
	offered text json
	complete_words report --format = j
	offered json
	complete_words report -f =
	complete_words export -f r
	offered raw
	complete_words join -o tr
	offered trace.vft
	complete_words simulate --seed ''
	[ ${#COMPREPLY[@]} -eq 0 ]
}

@test "arguments: words of a choice, else files" {
	complete_words plot ''
	offered stages cdf modes
	complete_words plot stages ''
	offered trace.vft other.txt
	complete_words plot -o x.svg mo
	offered modes
	complete_words report --strict tr
	offered trace.vft
}

@test "record: what follows is completed as a command" {
	complete_words record --guest -- print
	printf '%s\n' "${COMPREPLY[@]}" | grep -qx printf
	complete_words record --guest cat oth
	offered other.txt
	complete_words record --guest -- cat tr
	offered trace.vft
}

@test "an unknown command offers nothing and prints nothing" {
	run complete_words recrod --
	[ -z "$output" ]
	complete_words recrod --
	[ ${#COMPREPLY[@]} -eq 0 ]
}
