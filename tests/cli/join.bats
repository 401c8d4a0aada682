# SPDX-License-Identifier: GPL-2.0-or-later
#
# vfscope join on made-up traces (tests/tools/gen_trace.c), of which all counts are known.

load common

setup() {
	GEN=$(dirname "$VFSCOPE")/tests/tools/gen_trace
	cd "$BATS_TEST_TMPDIR"
}

# join_json ARGS...: joins the two files, leaves the result in $output
join_json() {
	expect 0 "$VFSCOPE" join guest.vft host.vft -o joined.vft --format json "$@"
}

# field PATH WANT: of the JSON in $output
field() {
	local got
	got=$(jq -c "$1" <<<"$output")
	[ "$got" = "$2" ] || {
		printf '%s is %s, wanted %s\n' "$1" "$got" "$2"
		return 1
	}
}

@test "every request is joined, none doubled" {
	for n in 23 10007; do
		"$GEN" . requests=$n drift=30
		join_json --strict
		field .join.joined $n
		field .join.ops $n
		field .join.guest_without_host.inside 0
		field .join.host_without_guest.inside 0
		field .join.skewed 0
		field '[.losses[]] | add' 0
		expect 0 "$VFSCOPE" export joined.vft
		[ "$(grep -c '"unique"' <<<"$output")" -eq $n ]
		[ "$(grep -o '"unique":[0-9]*' <<<"$output" | sort -u | wc -l)" -eq $n ]
	done
}

@test "the clock band holds the true offset and drift, and says its error bar" {
	"$GEN" . requests=20000 offset=123456789 drift=40
	join_json
	# The generator's bounds leave 38 us.
	field '.clock.width_ns | . > 37900 and . < 38200' true
	field '.clock.drift | . > 38e-6 and . < 42e-6' true
	field '.clock.drift_min < 40e-6 and .clock.drift_max > 40e-6' true
	field '.clock | .offset_ns - 123456789 | . > -19100 and . < 19100' true
	expect 0 "$VFSCOPE" join guest.vft host.vft -o joined.vft
	[[ $output == *'aligned to +-19.0 us'* ]]
}

@test "passes of write-back, pauses and names are taken over, of the mount that is joined" {
	local from
	"$GEN" . requests=3000 passes=10 names=1
	join_json --strict
	field .join.writeback_passes 300
	field .join.names 1
	expect 0 "$VFSCOPE" report --format json guest.vft
	jq -S .summary.page_cache <<<"$output" >of_guest
	jq -e '.writeback_pages == 900 and .pauses == 300' of_guest
	for from in joined.vft 'guest.vft host.vft'; do
		# shellcheck disable=SC2086
		expect 0 "$VFSCOPE" report --format json $from
		diff of_guest <(jq -S .summary.page_cache <<<"$output")
	done
	# The names come before what they are of.
	expect 0 "$VFSCOPE" export joined.vft
	[ "$(jq -r .path <<<"$output" | sort | uniq -c | tr -s ' ')" = ' 6000 dir/50' ]
	"$GEN" . requests=3000 passes=10 names=1 mounts=3
	join_json --strict
	field .join.writeback_passes 300
	expect 0 "$VFSCOPE" export --format raw joined.vft
	[ "$(jq -r 'select(.type == "writeback" or .type == "path") | .conn' <<<"$output" | sort | uniq -c |
		tr -s ' ')" = ' 301 52' ]
}

@test "spans are in order of issue, and their stages sum to the latency" {
	"$GEN" . requests=3000 host_skips=7 guest_skips=11
	join_json
	expect 0 "$VFSCOPE" export joined.vft
	grep '"unique"' <<<"$output" >requests
	[ "$(wc -l <requests)" -eq $((3000 - 38)) ]
	jq -s 'map(.t_issue_ns) | . == sort' requests | grep -qx true
	jq -s 'all(.latency_ns == ([.stages[], .unsplit_ns] | add))' requests | grep -qx true
}

@test "clocks of which one is slewed meanwhile are followed; the output says by how much" {
	"$GEN" . requests=100000 drift=40 slewed_at=50000
	join_json --strict
	field .join.joined 100000
	field .join.skewed 0
	field '.clock | .wander == 100e-6 and .deviation_ns > 0' true
	field '.clock | .typical_width_ns > 38000 and .typical_width_ns <= .width_ns and .width_ns < 40000' true
	expect 0 "$VFSCOPE" join guest.vft host.vft -o joined.vft
	[[ $output == *'not constant: it is followed if within 100 ppm of that; at worst +-19.'*' us'* ]]
	expect 0 "$VFSCOPE" report joined.vft
	[[ $output == *'drift '*' ppm, not constant (followed within 100 ppm)'* ]]
}

@test "a step of a clock is an error that says so and leaves no file" {
	"$GEN" . requests=1000 step_at=500
	expect 4 "$VFSCOPE" join guest.vft host.vft -o joined.vft
	says 'contradict each other by 50.0 ms' 'after the first guest request'
	[ -z "$output" ]
	[ ! -e joined.vft ]
}

@test "halves that the other side lost count as lost, those at the edges do not" {
	"$GEN" . requests=1000 host_from=100 host_to=900
	join_json --strict
	field .join.joined 800
	field .join.guest_without_host.edge 200
	field .join.guest_without_host.inside 0

	"$GEN" . requests=1000 host_skips=100 guest_skips=150
	join_json
	# The host lacks 10, the guest 6, 3 of them the same; one is the last of the host's file.
	field .join.joined 987
	field .join.guest_without_host.edge 1
	field .join.guest_without_host.inside_by_opcode '{"READ":6}'
	field .losses.unmatched_guest 6
	field .losses.unmatched_host 3
	expect 5 "$VFSCOPE" join guest.vft host.vft -o joined.vft --strict
	[[ $output == *'READ 6'* ]]
	[[ $output == *unmatched_guest* ]]
	says '--strict'
}

@test "requests without a readable header are joined by their ring entry" {
	"$GEN" . requests=70000 headless=40
	join_json --strict
	field .join.joined 70000
	field .join.joined_by_ring 1750
}

@test "same unique, other opcode: not joined, counted" {
	"$GEN" . requests=1000 wrong_opcode=100
	join_json
	field .join.joined 990
	field .join.contradicting 10
}

@test "requests that contradict the clock band are joined and count as lost" {
	"$GEN" . requests=1000 skewed=100
	join_json
	field .join.joined 1000
	field .losses.skewed 10
	expect 5 "$VFSCOPE" report joined.vft --strict
	[[ $output == *skewed* ]]
}

@test "the connection that the daemon serves is found among several mounts" {
	"$GEN" . requests=2000 mounts=3
	join_json --strict
	field .join.connection 52
	field .join.joined 2000
	field .join.ops 2000
}

@test "the daemon that serves the guest is found among several; the others' requests are left out" {
	"$GEN" . requests=2000 daemons=3
	join_json --strict
	field .join.daemon 2
	field .join.joined 2000
	field .join.host_assembly.chains 6000
	field '.join.host_without_guest | .inside + .edge' 0
	join_json --strict --connection 50
	field .join.daemon 2
	"$GEN" . requests=2000 daemons=3 mounts=3
	join_json --strict
	field '.join | [.connection, .daemon]' '[52,2]'
	expect 0 "$VFSCOPE" report guest.vft host.vft
	[[ $output == *'2000 requests of connection 52'* ]]
}

@test "files of different runs have nothing in common" {
	"$GEN" . requests=100 host_from=50 mounts=1
	mv host.vft late.vft
	"$GEN" . requests=20
	expect 4 "$VFSCOPE" join guest.vft late.vft -o joined.vft
	says 'no request in common'
	[ ! -e joined.vft ]
}

@test "losses and interruptions of the inputs travel into the joined file" {
	"$GEN" . ringbuf=9
	join_json
	field .losses.ringbuf 9
	expect 0 "$VFSCOPE" report joined.vft
	[[ $output == *'9 events that did not fit'* ]]
	expect 5 "$VFSCOPE" report joined.vft --strict

	"$GEN" . cut=1
	join_json
	field .join.guest_interrupted true
	field .join.joined 100
	says 'no footer'
	expect 5 "$VFSCOPE" report joined.vft --strict
	[[ $output == *interrupted* ]]
}

@test "wrong use and bad files: a message, the right status, no output file" {
	"$GEN" .
	expect 2 "$VFSCOPE" join guest.vft host.vft
	says '-o FILE'
	expect 2 "$VFSCOPE" join guest.vft
	expect 2 "$VFSCOPE" join guest.vft host.vft -o x --connection abc
	expect 4 "$VFSCOPE" join host.vft guest.vft -o joined.vft
	says 'host.vft is a host trace' "guest's file first"
	expect 4 "$VFSCOPE" join guest.vft missing.vft -o joined.vft
	says missing.vft 'No such file'
	expect 4 "$VFSCOPE" join guest.vft host.vft -o joined.vft --connection 7
	says 'connection 7'
	[ ! -e joined.vft ]
	cp guest.vft before.vft
	expect 4 "$VFSCOPE" join guest.vft host.vft -o ./guest.vft
	says 'one of the traces'
	cmp guest.vft before.vft
	expect 3 "$VFSCOPE" join guest.vft host.vft -o /dev/full
	says /dev/full 'No space left'
	expect 3 "$VFSCOPE" join guest.vft host.vft -o /nonexistent/j.vft
	says /nonexistent/j.vft
}

@test "a daemon's file alone cannot be joined with itself" {
	"$GEN" .
	expect 4 "$VFSCOPE" join host.vft host.vft -o joined.vft
}
