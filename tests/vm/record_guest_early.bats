# SPDX-License-Identifier: GPL-2.0-or-later
#
# vfscope record --guest --wait, started before the guest's kernel has its virtio-fs modules: it
# attaches once they are loaded, and records every mount from its INIT on. And how a recording gives
# its capabilities up.

bats_require_minimum_version 1.5.0
load vm

# An archive with vfscope, its libraries, and /early, which lab/init runs before and after it loads
# the modules: the boot goes on once the recording has begun.
make_early() { # FILE
	local tree=$BATS_TEST_TMPDIR/early file
	mkdir -p "$tree/bin"
	cp "$TOP/build/vfscope" "$tree/bin/"
	for file in $(ldd "$TOP/build/vfscope" | grep -o '/[^ ]*'); do
		mkdir -p "$tree${file%/*}"
		cp -L "$file" "$tree$file"
	done
	cat >"$tree/early" <<'END'
#!/bin/sh
case $1 in
start)
	! grep -q virtiofs /proc/modules || exit 1
	vfscope record --guest --wait 60s --strict -o /dev/early.vft --ready-file /dev/early.ready \
		2>/dev/early.err &
	echo $! >/dev/early.pid
	until grep -q waiting /dev/early.err; do sleep 0.1; done
	;;
loaded)
	grep -q virtiofs /proc/modules || exit 1
	until [ -e /dev/early.ready ] || [ ! -e /proc/$(cat /dev/early.pid) ]; do sleep 0.1; done
	;;
esac
END
	chmod +x "$tree/early"
	(cd "$tree" && find . | cpio --quiet -o -H newc -R 0:0) >"$1"
}

teardown() {
	stop_vm
}

@test "modules that load after the recorder starts: every request from the mounts' INIT on" {
	make_early "$BATS_TEST_TMPDIR/early.cpio"
	start_vm --kernel 6.1 --early "$BATS_TEST_TMPDIR/early.cpio"
	truncate -s 1M "$VM_SHARE/file"
	# shellcheck disable=SC2016
	run --separate-stderr guest sh -c 'cat /dev/early.err
		dd if=/mnt/vfs/file of=/dev/null bs=4k count=23 iflag=direct status=none
		grep -E "Cap(Eff|Prm|Inh|Amb)" /proc/$(cat /dev/early.pid)/status >/run/lab/caps
		kill -INT $(cat /dev/early.pid)
		while [ -e /proc/$(cat /dev/early.pid) ]; do sleep 0.1; done
		tail -n 1 /dev/early.err; cp /dev/early.vft /run/lab/'
	echo "$output$stderr"
	[ "$status" -eq 0 ]
	[[ $output == *"waiting up to 60"*"for the virtio-fs driver"*"recording"*"kept "*" requests"* ]]
	"$TOP/build/vfscope" export --format raw "$VM_DIR/early.vft" >"$BATS_TEST_TMPDIR/raw"
	raw() { jq -s -r "$1" "$BATS_TEST_TMPDIR/raw"; }
	# The lab's guest mounts three shares, the one under test last.
	[ "$(raw 'map(select(.opcode == "INIT")) | length')" -eq 3 ]
	[ "$(raw '(map(select(.opcode == "INIT") | .conn) | max) as $conn |
		map(select(.opcode == "READ" and .conn == $conn)) | length')" -eq 23 ]
	[ "$(raw '.[-1] | [.interrupted, (.losses | add)] | tostring')" = '[false,0]' ]
	[ "$(raw '[.[0].header.points[] | select(.mechanism == "none")] | length')" -eq 0 ]
	# Root's capabilities were given up, all of them.
	[ "$(grep -c '0000000000000000$' "$VM_DIR/caps")" -eq 4 ]
	as_nobody_with_few_capabilities
}

# In the same VM: one boot less.
as_nobody_with_few_capabilities() {
	local mechanism caps=+bpf,+perfmon,+sys_admin
	for mechanism in fentry kprobe; do
		# shellcheck disable=SC2016
		run --separate-stderr guest setpriv --reuid 65534 --regid 65534 --clear-groups \
			"--inh-caps=-all,$caps" "--ambient-caps=-all,$caps" "--bounding-set=-all,$caps" \
			bash -c '
			"$1" record --guest --no-ops --mount /mnt/vfs -o /tmp/few.vft --ready-file /tmp/few.ready \
				--mechanism "$2" & pid=$!
			until [ -e /tmp/few.ready ] || ! kill -0 $pid; do sleep 0.1; done
			grep CapEff /proc/$$/status
			while grep CapEff /proc/$pid/status | grep -vq "0000000000000000$"; do sleep 0.1; done
			grep -E "Cap(Eff|Prm|Inh|Amb)|NoNewPrivs" /proc/$pid/status
			dd if=/mnt/vfs/file of=/dev/null bs=4k count=23 iflag=direct status=none
			kill -INT $pid; wait $pid || exit $?
			stat -c %a /tmp/few.vft
			"$1" export /tmp/few.vft | grep -c "READ"; rm /tmp/few.*' \
			vfscope "$TOP/build/vfscope" $mechanism
		echo "$output$stderr"
		[ "$status" -eq 0 ]
		[ "$(grep -c '^Cap...:.0*$' <<<"$output")" -eq 4 ]
		[ "$(grep -c '^CapEff:.*[1-9a-f]' <<<"$output")" -eq 1 ]
		[[ $output == *"NoNewPrivs:"?"1"*600*23 ]]
	done
}
