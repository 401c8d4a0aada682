# SPDX-License-Identifier: GPL-2.0-or-later
# Bash completion for vfscope.
#
# Knows no command and no option: it asks 'vfscope --help' and 'vfscope COMMAND --help', which are
# made from the tables that parse, so that it cannot be out of step with the program it completes.

# Options of a help text, one a line; a switch --[no-]X is two.
_vfscope_options() {
	sed -nE -e 's/^  (-., |    )--\[no-\]([a-z-]+).*/--\2\n--no-\2/p' \
		-e 's/^  (-., |    )--([a-z-]+).*/--\2/p' -e 's/^  (--[a-z-]+) .*/\1/p' <<<"$1"
}

# What follows option $2 in help text $1, like FILE or text|json; nothing if it takes no value.
_vfscope_value_of() {
	local name=${2#--}
	if [[ $2 == -? ]]; then
		sed -nE "s/^  $2, --[a-z-]+ ([^ ]+).*/\1/p" <<<"$1"
	else
		sed -nE "s/^  (-., |    )--$name ([^ ]+).*/\2/p" <<<"$1"
	fi
}

# What argument number $2 is in help text $1: the words to choose from, or nothing.
_vfscope_argument() {
	sed -n '/^arguments:$/,/^$/p' <<<"$1" | sed -nE 's/^  [A-Z]/&/p' |
		sed -nE "$(($2 + 1))s/^  [^ ]+ ([a-z]+(\|[a-z]+)+) .*/\1/p"
}

_vfscope_reply() {
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2")
}

_vfscope_files() {
	compopt -o filenames 2>/dev/null || : # not by readline
	mapfile -t COMPREPLY < <(compgen -f -- "$1")
}

# A value: one of its words, or a file.
_vfscope_value() {
	if [[ $1 == *'|'* && $1 != *[A-Z]* ]]; then
		_vfscope_reply "${1//|/ }" "$2"
	elif [[ $1 != N && $1 != SIZE && $1 != TIME ]]; then
		_vfscope_files "$2"
	fi
}

# The words after a command that it runs (record): complete as if they stood alone.
_vfscope_command() {
	if declare -F _command_offset >/dev/null; then
		_command_offset "$1"
	elif ((COMP_CWORD == $1)); then
		mapfile -t COMPREPLY < <(compgen -c -- "${COMP_WORDS[COMP_CWORD]}")
	else
		_vfscope_files "${COMP_WORDS[COMP_CWORD]}"
	fi
}

_vfscope() {
	local program=${COMP_WORDS[0]/#\~/$HOME} cur=${COMP_WORDS[COMP_CWORD]} help i word value
	local command='' position=0 pending='' runs_command='' arguments=0
	COMPREPLY=()
	help=$("$program" --help 2>/dev/null) || return 0
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [[ -z $command ]]; then
			[[ $word != -* ]] || continue
			command=$word position=$i
			help=$("$program" "$command" --help 2>/dev/null) || return 0
			[[ $help != *'[COMMAND '* ]] || runs_command=1
		elif [[ $word == = ]]; then # readline takes --option=value apart
			continue
		elif [[ -n $pending ]]; then
			pending=
		elif [[ $word == -- ]]; then
			[[ -z $runs_command ]] || { _vfscope_command $((i + 1)); return; }
		elif [[ $word == -* ]]; then
			pending=$(_vfscope_value_of "$help" "$word")
		elif [[ -n $runs_command ]]; then
			_vfscope_command "$i"
			return
		else
			arguments=$((arguments + 1))
		fi
	done
	[[ $cur != = ]] || cur=
	if [[ -n $pending ]]; then
		_vfscope_value "$pending" "$cur"
	elif [[ $cur == -* ]]; then
		_vfscope_reply "$(_vfscope_options "$help")" "$cur"
	elif [[ -z $command ]]; then
		_vfscope_reply "$(sed -n '/^commands:$/,/^$/s/^  \([a-z][a-z-]*\) .*/\1/p' <<<"$help")" "$cur"
	elif [[ -n $runs_command ]]; then
		_vfscope_command "$COMP_CWORD"
	else
		value=$(_vfscope_argument "$help" "$arguments")
		_vfscope_value "${value:-FILE}" "$cur"
	fi
}

complete -F _vfscope vfscope
