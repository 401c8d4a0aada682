# SPDX-License-Identifier: GPL-2.0-or-later
#
# 'make install': what is installed works by itself, from wherever it is run and moved to.

load common

setup_file() {
	# The prefix of the build: another one would link build/vfscope anew under other tests.
	make -s -C "$REPO" install DESTDIR="$BATS_FILE_TMPDIR/stage" prefix=/usr/local \
		>"$BATS_FILE_TMPDIR/log" 2>&1 || { cat "$BATS_FILE_TMPDIR/log"; return 1; }
	mv "$BATS_FILE_TMPDIR/stage/usr/local" "$BATS_FILE_TMPDIR/moved"
}

setup() {
	PREFIX=$BATS_FILE_TMPDIR/moved
	cd "$BATS_TEST_TMPDIR"
}

@test "program, models, plots, jobs, manual, documents and completion are there" {
	"$PREFIX/bin/vfscope" --version
	for file in share/vfscope/models/ideal.model share/vfscope/plots/stages.gp \
		share/vfscope/workloads/demo.fio share/man/man1/vfscope.1 share/man/man5/vfscope-model.5 \
		share/doc/vfscope/vft-format.md share/bash-completion/completions/vfscope; do
		[ -s "$PREFIX/$file" ] || { echo "no $file"; return 1; }
	done
	[ "$(find "$PREFIX" -type f -perm /022 | wc -l)" -eq 0 ]
	[ "$(ls "$PREFIX/share/man/man1" | wc -l)" -eq "$(ls "$REPO"/docs/man/*.1 | wc -l)" ]
}

@test "it finds its models and plot scripts by itself" {
	expect 0 "$PREFIX/bin/vfscope" compare "$PREFIX/share/vfscope/workloads/demo.fio" --model ideal -o out
	command -v gnuplot >/dev/null || skip "gnuplot is not installed"
	expect 0 "$PREFIX/bin/vfscope" plot modes out/compare.json -o out/modes.svg
	[ -s out/modes.svg ]
}

@test "a model in ./models comes before a shipped one; one that is nowhere is said with its places" {
	mkdir models
	sed 's/^name = .*/name = own/' "$REPO/models/ideal.model" >models/ideal.model
	expect 0 "$PREFIX/bin/vfscope" simulate "$PREFIX/share/vfscope/workloads/demo.fio"
	[[ $output == *"on model 'own'"* ]]
	expect 4 "$PREFIX/bin/vfscope" simulate "$PREFIX/share/vfscope/workloads/demo.fio" --model gone
	says "models/gone.model" share/vfscope
}

@test "without its files it says what is missing" {
	cp "$PREFIX/bin/vfscope" .
	"$PREFIX/bin/vfscope" compare "$PREFIX/share/vfscope/workloads/demo.fio" -o out
	[ ! -e /usr/local/share/vfscope ] || skip 'vfscope is installed on this machine'
	expect 3 ./vfscope plot modes out/compare.json -o out/modes.svg
	says 'modes.gp' 'make install'
}
