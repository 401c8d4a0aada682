# SPDX-License-Identifier: GPL-2.0-or-later
#
# The manual: a page for each command and format, clean, and with the same options, keys and classes
# as the program.

load common

MAN=$REPO/docs/man

# Long options of a command's --help, one a line; a switch is two.
help_options() {
	"$VFSCOPE" "$1" --help | sed -nE -e 's/^  (-., |    )--\[no-\]([a-z-]+).*/\2\nno-\2/p' \
		-e 's/^  (-., |    )--([a-z-]+).*/\2/p' | sort
}

# Long options that a page lists.
page_options() {
	grep '^\.It Fl' "$1" | grep -oE 'Fl -[a-z-]+' | sed 's/^Fl -//' | sort
}

@test "every command has a page, in the overview too, and every page is of a command or a format" {
	for command in $(commands); do
		[ -f "$MAN/vfscope-$command.1" ]
		grep -q "^\.Nm vfscope-$command\$" "$MAN/vfscope-$command.1"
		grep -q "^\.Xr vfscope-$command 1" "$MAN/vfscope.1"
	done
	[ "$(ls "$MAN"/vfscope-*.1 | wc -l)" -eq "$(commands | wc -l)" ]
	for page in "$MAN"/vfscope-*.5; do
		grep -q "^\.Xr $(basename "$page" .5) 5" "$MAN/vfscope.1"
	done
}

@test "every page is clean mdoc, and what it refers to of vfscope exists" {
	command -v mandoc >/dev/null || skip 'mandoc is not installed'
	mandoc -Tlint -Wwarning "$MAN"/*.[15]
	sed -nE 's/^\.Xr (vfscope[a-z-]*) ([15]).*/\1.\2/p' "$MAN"/*.[15] | sort -u | while read -r page; do
		[ -f "$MAN/$page" ] || { echo "there is no $page"; exit 1; }
	done
}

@test "options: what --help lists is in the page, and nothing else" {
	for command in $(commands); do
		diff <(help_options "$command") <(page_options "$MAN/vfscope-$command.1") || {
			echo "$command: < --help, > page"
			return 1
		}
	done
}

@test "every command page has synopsis, exit status and examples" {
	for page in "$MAN"/*.1; do
		for section in SYNOPSIS DESCRIPTION 'EXIT STATUS' EXAMPLES 'SEE ALSO'; do
			grep -q "^\.Sh $section\$" "$page" || { echo "$page: no $section"; return 1; }
		done
	done
}

@test "vfscope-model(5) has every section and key that a model has" {
	"$(dirname "$VFSCOPE")"/tests/tools/gen_trace "$BATS_TEST_TMPDIR" requests=50
	cd "$BATS_TEST_TMPDIR"
	"$VFSCOPE" -q join guest.vft host.vft -o joined.vft >join.txt
	"$VFSCOPE" calibrate joined.vft -o m.model >calibrate.txt
	# A cost that is not known is there as a comment.
	sed -nE 's/^#?([a-z_]+) = .*/\1/p' m.model | sort -u >keys
	[ "$(wc -l <keys)" -gt 30 ]
	sed -n '/^\.Ss \[model\]/,/^\.Sh FILES/s/^\.It Va \([a-z_]*\).*/\1/p' "$MAN/vfscope-model.5" | sort -u |
		diff keys -
	sed -nE 's/^\[([a-z]+)\]$/\1/p' m.model | while read -r section; do
		grep -q "^\.Ss \[$section\]" "$MAN/vfscope-model.5"
	done
}

@test "the model in vfscope-model(5) can be simulated" {
	sed -n '/^\.Bd -literal/,/^\.Ed/p' "$MAN/vfscope-model.5" | grep -v '^\.' >"$BATS_TEST_TMPDIR/m.model"
	expect 0 "$VFSCOPE" simulate "$REPO/workloads/randread-4k-direct.fio" \
		--model "$BATS_TEST_TMPDIR/m.model"
}

@test "vfscope-job(5) has every option that the parser knows, and its example can be simulated" {
	sed -n '/^static const struct fio_option options/,/^};/p' "$REPO/workloads/fio_options.c" |
		grep -oE '(\.name = |\.alias = |FIXED\(|HARMLESS\()"[a-z_]+"' | sed 's/.*"\(.*\)"/\1/' |
		sort >"$BATS_TEST_TMPDIR/known"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/known")" -gt 100 ]
	sed -n '/^\.Ss What is done/,/^\.Sh EXAMPLES/s/^\(\.It \|\)\.*Va //p' "$MAN/vfscope-job.5" |
		tr -d ' .' | tr ',' '\n' | grep . | sort -u >"$BATS_TEST_TMPDIR/documented"
	comm -23 "$BATS_TEST_TMPDIR/known" "$BATS_TEST_TMPDIR/documented" >"$BATS_TEST_TMPDIR/missing"
	[ ! -s "$BATS_TEST_TMPDIR/missing" ] || { cat "$BATS_TEST_TMPDIR/missing"; return 1; }
	sed -n '/^\.Bd -literal/,/^\.Ed/p' "$MAN/vfscope-job.5" | grep -v '^\.' >"$BATS_TEST_TMPDIR/job.fio"
	expect 0 "$VFSCOPE" simulate "$BATS_TEST_TMPDIR/job.fio"
}

@test "vfscope-vft(5) has every loss class" {
	"$(dirname "$VFSCOPE")"/tests/tools/gen_trace "$BATS_TEST_TMPDIR" requests=5
	"$VFSCOPE" export -f raw "$BATS_TEST_TMPDIR/guest.vft" | tail -n 1 | jq -r '.losses | keys[]' | sort \
		>"$BATS_TEST_TMPDIR/classes"
	sed -n '/^\.Ss Losses/,/^\.El/s/^\.It //p' "$MAN/vfscope-vft.5" | sort | diff "$BATS_TEST_TMPDIR/classes" -
}

@test "documents in docs/ are all in its index, and what is named there exists" {
	for file in "$REPO"/docs/*.md; do
		[ "$(basename "$file")" = README.md ] || grep -q "($(basename "$file"))" "$REPO/docs/README.md"
	done
	grep -rhoE 'docs/[a-z-]+\.md' "$REPO"/{lib,bpf,trace,sim,models,workloads,plots,trace-cli,lab,docs} |
		sort -u | while read -r file; do
		[ -f "$REPO/$file" ] || { echo "there is no $file"; exit 1; }
	done
}
