# SPDX-License-Identifier: GPL-2.0-or-later
#
# lab/suite takes packages of other Debian suites only with the suite's signature, through an apt that
# neither reads nor changes the host's.

bats_require_minimum_version 1.5.0
load common

setup() {
	command -v apt-get >/dev/null || skip "no apt-get on this system"
	export LAB_CACHE=$BATS_TEST_TMPDIR/cache
	archive=$BATS_TEST_TMPDIR/mirror
	mkdir -p "$archive/dists/trixie/main/binary-amd64" "$LAB_CACHE"
	note() { :; }
	die() { echo "$2; ${3-}" >&2 && exit "$1"; }
	need_tools() { :; }
	# shellcheck disable=SC1091
	source "$BATS_TEST_DIRNAME/../../lab/suite"
	suite_mirror() { echo "file:$archive"; }
}

# A suite with one package, complete but for the signature.
make_unsigned_suite() {
	local packages=$archive/dists/trixie/main/binary-amd64/Packages sum
	printf '%s\n' 'Package: virtiofsd' 'Version: 1.13.9-1' 'Architecture: amd64' \
		'Maintainer: nobody <nobody@example.org>' 'Filename: pool/virtiofsd.deb' 'Size: 1' \
		'Description: none' '' >"$packages"
	sum=$(sha256sum "$packages")
	printf '%s\n' 'Origin: Debian' 'Suite: trixie' 'Codename: trixie' 'Architectures: amd64' \
		'Components: main' "Date: $(date -Ru)" 'SHA256:' \
		" ${sum%% *} $(stat -c %s "$packages") main/binary-amd64/Packages" >"$archive/dists/trixie/Release"
}

@test "a suite without a signature is refused, with apt's reason" {
	[[ -r $LAB_KEYRING ]] || skip "no $LAB_KEYRING on this system"
	make_unsigned_suite
	run suite_open trixie
	[ "$status" -ne 0 ]
	run --separate-stderr suite_find virtiofsd '^1\.13[.]' trixie
	[ "$status" -eq 3 ]
	[[ $stderr == *"not signed"* ]]
}

@test "a signature by a key that the keyring does not have is refused" {
	command -v gpg >/dev/null || skip "no gpg on this system"
	[[ -r $LAB_KEYRING ]] || skip "no $LAB_KEYRING on this system"
	make_unsigned_suite
	export GNUPGHOME=$BATS_TEST_TMPDIR/gnupg
	mkdir -m 700 "$GNUPGHOME"
	gpg --batch --quiet --passphrase '' --quick-generate-key tester@example.org default default never
	(cd "$archive/dists/trixie" && gpg --batch --quiet --clearsign -o InRelease Release)
	gpgconf --kill gpg-agent
	run --separate-stderr suite_find virtiofsd '^1\.13[.]' trixie
	[ "$status" -eq 3 ]
	[[ $stderr == *"not signed"* ]]
}

@test "signed by a key of the keyring, its packages are found, by version" {
	command -v gpg >/dev/null || skip "no gpg on this system"
	make_unsigned_suite
	export GNUPGHOME=$BATS_TEST_TMPDIR/gnupg
	mkdir -m 700 "$GNUPGHOME"
	gpg --batch --quiet --passphrase '' --quick-generate-key tester@example.org default default never
	(cd "$archive/dists/trixie" && gpg --batch --quiet --clearsign -o InRelease Release)
	gpg --batch --quiet --export >"$BATS_TEST_TMPDIR/keyring.gpg"
	gpgconf --kill gpg-agent
	LAB_KEYRING=$BATS_TEST_TMPDIR/keyring.gpg
	suite_find virtiofsd '^1\.13[.]' trixie
	[ "$package $version $suite" = "virtiofsd 1.13.9-1 trixie" ]
	suite_close
	run --separate-stderr suite_find virtiofsd '^1\.14[.]' trixie
	[ "$status" -eq 3 ]
	[[ $stderr == *"trixie has none"* ]]
}

@test "without the keyring, or without a Debian mirror, it says so" {
	LAB_KEYRING=$BATS_TEST_TMPDIR/nosuch run --separate-stderr suite_open trixie
	[ "$status" -eq 3 ]
	[[ $stderr == *debian-archive-keyring* ]]
	[[ -r $LAB_KEYRING ]] || skip "no $LAB_KEYRING on this system"
	suite_mirror() { :; }
	run --separate-stderr suite_open trixie
	[ "$status" -eq 3 ]
	[[ $stderr == *mirror* ]]
}
