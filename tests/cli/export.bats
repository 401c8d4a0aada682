# SPDX-License-Identifier: GPL-2.0-or-later
#
# vfscope export on made-up traces.

load common

setup() {
	GEN=$(dirname "$VFSCOPE")/tests/tools/gen_trace
	cd "$BATS_TEST_TMPDIR"
	"$GEN" . requests=200
}

@test "jsonl: one request a line, of a guest's and of a joined trace" {
	expect 0 "$VFSCOPE" export guest.vft --strict
	[ -z "$stderr" ]
	[ "$(jq -s 'map(select(.type == "request")) | length' <<<"$output")" -eq 200 ]
	[ "$(jq -s 'map(select(.type == "request" and .stages.service != null)) | length' <<<"$output")" -eq 0 ]
	"$VFSCOPE" -q join guest.vft host.vft -o joined.vft >/dev/null
	expect 0 "$VFSCOPE" export joined.vft
	# The stages and what could not be split sum to the latency, to the nanosecond.
	[ "$(jq -s 'map(select(.type == "request")
		| .latency_ns == .unsplit_ns + ([.stages[] | . // 0] | add)) | all' <<<"$output")" = true ]
}

@test "raw: the events as recorded, between header and footer" {
	for file in guest host; do
		expect 0 "$VFSCOPE" export --format raw $file.vft
		[ "$(jq -r -s '.[0].type + .[0].kind + .[-1].type' <<<"$output")" = "file${file}end" ]
		[ "$(jq -s '.[-1].losses | add' <<<"$output")" -eq 0 ]
	done
	[ "$(jq -s 'map(select(.type == "chain")) | length' <<<"$output")" -eq 200 ]
	[ "$(jq -s 'map(select(.type == "used")) | length' <<<"$output")" -gt 0 ]
}

@test "a host's trace has no requests of its own" {
	expect 4 "$VFSCOPE" export host.vft
	says host.vft join "--format raw"
	[ -z "$output" ]
}

@test "files that are none, or cut" {
	expect 4 "$VFSCOPE" export nofile.vft
	says nofile.vft "No such file"
	: >empty.vft
	expect 4 "$VFSCOPE" export empty.vft
	says empty.vft
	head -c 2000 guest.vft >cut.vft
	run --separate-stderr "$VFSCOPE" export cut.vft
	[ "$status" -eq 0 ] || [ "$status" -eq 4 ]
	says cut.vft
	expect 2 "$VFSCOPE" export
	expect 2 "$VFSCOPE" export guest.vft --format xml
	says xml
}

@test "a closed or full standard output is an error" {
	run --separate-stderr bash -c '"$0" export guest.vft >/dev/full' "$VFSCOPE"
	[ "$status" -eq 3 ]
	says "standard output"
}
