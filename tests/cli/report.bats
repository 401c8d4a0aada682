# SPDX-License-Identifier: GPL-2.0-or-later
#
# vfscope report on made-up traces: what it says, and what it does with files that are none.

load common

setup() {
	GEN=$(dirname "$VFSCOPE")/tests/tools/gen_trace
	cd "$BATS_TEST_TMPDIR"
	"$GEN" . requests=500
}

@test "guest, host and joined traces: counts, context, losses, text under 100 columns" {
	"$VFSCOPE" -q join guest.vft host.vft -o joined.vft >join.txt
	for file in guest host joined; do
		expect 0 "$VFSCOPE" report $file.vft --strict
		[ -z "$stderr" ]
		[[ $output == *'500 requests'* ]]
		[[ $output == *READ* ]]
		[[ $output == *"Linux $(uname -r)"* ]]
		[[ $output == *'losses    none'* ]]
		[ "$(wc -L <<<"$output")" -lt 100 ]
	done
	[ "$(wc -L <join.txt)" -lt 100 ]
}

@test "one-sided traces say what they cannot know" {
	expect 0 "$VFSCOPE" report guest.vft
	[[ $output == *"guest alone cannot tell the daemon's stages"* ]]
	expect 0 "$VFSCOPE" report host.vft
	[[ $output == *'host alone sees neither'* ]]
}

@test "--format json: JSON alone on stdout, sums exact" {
	"$VFSCOPE" -q join guest.vft host.vft -o joined.vft >/dev/null
	for file in guest host joined; do
		expect 0 "$VFSCOPE" report $file.vft --format json
		jq -e ".kind == \"$file\" and .interrupted == false and (.losses | length) > 8" \
			<<<"$output"
	done
}

@test "a guest and a host trace together: as the joined file" {
	"$VFSCOPE" -q join guest.vft host.vft -o joined.vft >/dev/null
	"$VFSCOPE" report joined.vft -f json | jq -S .summary >one
	"$VFSCOPE" report guest.vft host.vft -f json | jq -S .summary >two
	cmp one two
	expect 0 "$VFSCOPE" report guest.vft host.vft
	[[ $output == *'joined    500 requests'* ]]
}

@test "an interrupted recording is read up to its last whole chunk, and said so" {
	"$GEN" . requests=20000 cut=1
	size=$(stat -c %s guest.vft)
	truncate -s $((size - 100)) guest.vft
	expect 0 "$VFSCOPE" report guest.vft
	says 'interrupted' 'last whole chunk'
	[[ $output == *interrupted* ]]
	count=$(grep -o '^[0-9]* requests' <<<"$output" | cut -d' ' -f1)
	[ "$count" -gt 0 ] && [ "$count" -lt 20000 ]
	expect 5 "$VFSCOPE" report guest.vft --strict
	expect 0 "$VFSCOPE" report guest.vft -f json
	jq -e .interrupted <<<"$output"
}

@test "an interrupted recording fails every command that is told --strict" {
	"$GEN" . requests=500 cut=1
	expect 5 "$VFSCOPE" report guest.vft --strict
	expect 5 "$VFSCOPE" export guest.vft --strict
	says '--strict'
	expect 5 "$VFSCOPE" join guest.vft host.vft -o joined.vft --strict
	expect 5 "$VFSCOPE" report joined.vft --strict
	expect 5 "$VFSCOPE" export joined.vft --strict
	expect 5 "$VFSCOPE" calibrate joined.vft --strict
	says '--strict'
	expect 0 "$VFSCOPE" calibrate joined.vft
}

@test "lost events are printed, and status 5 under --strict" {
	"$GEN" . ringbuf=12
	expect 0 "$VFSCOPE" report guest.vft
	[[ $output == *'12 events that did not fit into the ring buffer (ringbuf)'* ]]
	expect 5 "$VFSCOPE" report guest.vft --strict
	says '--strict'
}

@test "files that are no traces: status 4, the file named, nothing on stdout" {
	printf '' >empty.vft
	head -c 5000 /dev/urandom >garbage.vft
	printf '[global]\nrw=read\n' >job.vft
	head -c 20 guest.vft >short.vft
	head -c 70 guest.vft >nochunk.vft
	mkdir dir.vft
	for file in empty garbage job short nochunk dir missing; do
		expect 4 "$VFSCOPE" report $file.vft
		says "vfscope: error:" "$file.vft"
		[ -z "$output" ]
	done
}

@test "a file of a newer format version is refused with its version" {
	cp guest.vft newer.vft
	# Version 3, with the checksum that a writer of it would put there.
	printf '\003' | dd of=newer.vft bs=1 seek=8 conv=notrunc status=none
	head -c 28 newer.vft | gzip -1 | tail -c 8 | head -c 4 |
		dd of=newer.vft bs=1 seek=28 conv=notrunc status=none
	expect 4 "$VFSCOPE" report newer.vft
	says 'format version 3' 'versions 1 to 2'
}

@test "a file of format version 1 is read" {
	# Behind the byte that tells the fuzz target what it is.
	tail -c +2 "$REPO/tests/fuzz/corpus/vft/guest" >old.vft
	[ "$(od -An -tu4 -j 8 -N 4 old.vft)" -eq 1 ]
	expect 0 "$VFSCOPE" report --strict --format json old.vft
	jq -e '.summary.requests > 0' <<<"$output"
}

@test "damage anywhere is noticed: flipped bytes all over the file" {
	size=$(stat -c %s guest.vft)
	for at in $(seq 0 $((size / 60)) $((size - 1))); do
		cp guest.vft bad.vft
		byte=$(od -An -tu1 -j "$at" -N 1 bad.vft)
		printf "\\x$(printf %x $((byte ^ 64)))" |
			dd of=bad.vft bs=1 seek="$at" conv=notrunc status=none
		run --separate-stderr "$VFSCOPE" report bad.vft --strict
		[ "$status" -eq 4 ] || [ "$status" -eq 5 ]
		[ -n "$stderr" ]
	done
}

@test "wrong use: status 2" {
	expect 2 "$VFSCOPE" report
	expect 2 "$VFSCOPE" report guest.vft --format yaml
	expect 2 "$VFSCOPE" report --nonsense guest.vft
	expect 4 "$VFSCOPE" report host.vft guest.vft
}

@test "a full disk on standard output is not success" {
	run bash -c '"$VFSCOPE" report guest.vft >/dev/full'
	[ "$status" -eq 3 ]
}

@test "exits and interrupts of VMs: of each in a host's trace, of the joined daemon's in a joined one" {
	"$GEN" . requests=100 daemons=2 kvm=2
	expect 0 "$VFSCOPE" report host.vft
	[[ $output == *'KVM, VM of process 1000, 2 virtual CPUs seen'*'KVM, VM of process 1001, '* ]]
	# Of 1 ms outside of the guest, 40 doorbells of 5 us are a fifth.
	[[ $output =~ \ \ HLT\ +kvm\ +10\ +800\ us\ +80\.0%\ +80\.[0-9]\ us ]]
	[[ $output =~ \ \ EPT_MISCONFIG\ +doorbell\ +40\ +200\ us\ +20\.0%\ +[45]\.[0-9]+\ us ]]
	[[ $output =~ doorbell,\ until\ the\ daemon\ is\ woken\ +20\ +[23]\.[0-9]+\ us ]]
	[[ $output =~ memory\ +0xfebf3000\ +40\ +20 ]]
	[[ $output == *'40 messages of daemons, 5 others, 0 by number; 45 injected'*'returns to the VMM: EINTR 3'* ]]
	[ "$(wc -L <<<"$output")" -lt 100 ]
	[ "$("$VFSCOPE" report -f json host.vft | jq -c '.kvm | map([.vmm, .exits[1].outside_ns.sum])')" = \
		'[[1000,200000],[1001,200000]]' ]
	expect 0 "$VFSCOPE" -q join guest.vft host.vft -o joined.vft
	for files in joined.vft 'guest.vft host.vft'; do
		# shellcheck disable=SC2086
		expect 0 "$VFSCOPE" report $files
		[[ $output == *'KVM, VM of process 1001, '* && $output != *'process 1000'* ]]
		# shellcheck disable=SC2086
		[ "$("$VFSCOPE" report -f json $files | jq -c '.kvm | map(.vmm)')" = '[1001]' ]
	done
	"$GEN" . requests=100
	[ "$("$VFSCOPE" report -f json host.vft | jq 'has("kvm")')" = false ]
}
