# SPDX-License-Identifier: GPL-2.0-or-later
#
# Headers are contracts: each compiles alone, and none reaches up the stack (docs/architecture.md).

load common

@test "every header compiles alone" {
	local header failed=0 count=0
	for header in "$REPO"/{lib,trace,sim,models,workloads,plots,trace-cli}/*.h "$REPO"/bpf/events.h; do
		[ -e "$header" ] || continue
		count=$((count + 1))
		printf '#include "%s"\n' "${header#"$REPO"/}" |
			${CC:-gcc} -std=gnu11 -Wall -Wextra -Werror -Wno-unused-parameter -D_GNU_SOURCE \
				-I"$REPO" -I"$REPO/build" -fsyntax-only -x c - || failed=1
	done
	[ "$count" -gt 20 ]
	[ "$failed" -eq 0 ]
}

@test "no module includes a module above it" {
	# module: what it must not include
	local rule found=
	for rule in \
		'lib trace|sim|workloads|models|plots|trace-cli|lab' \
		'sim trace|bpf|workloads|models|plots|trace-cli|lab' \
		'trace sim|workloads|models|plots|trace-cli|lab' \
		'workloads sim|models|plots|trace-cli|lab' \
		'models plots|trace-cli|lab' \
		'plots trace-cli|lab'; do
		found+=$(grep -nE "^#include \"(${rule#* })/" "$REPO/${rule%% *}"/*.[ch] || true)
	done
	[ -z "$found" ] || {
		echo "$found"
		return 1
	}
}

@test "every file names its licence and opens with what it is for" {
	local file bad=0
	for file in "$REPO"/{lib,trace,sim,models,workloads,plots,trace-cli,bpf,lab,tests/unit}/*.[ch]; do
		[ -e "$file" ] || continue
		head -1 "$file" | grep -q 'SPDX-License-Identifier: GPL-2.0-or-later' &&
			[ "$(sed -n 2p "$file")" = '/*' ] || {
			echo "${file#"$REPO"/}"
			bad=1
		}
	done
	[ "$bad" -eq 0 ]
}
