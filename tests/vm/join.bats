# SPDX-License-Identifier: GPL-2.0-or-later
#
# Guest and host recorded at once, joined: of a known number of requests exactly that many come out,
# with stages that sum to what the application waited for.

bats_require_minimum_version 1.5.0
load vm

setup_file() {
	start_vm --cache never
	head -c $((10007 * 4096)) /dev/urandom >"$VM_SHARE/file"
}

teardown_file() {
	stop_vm
}

setup() {
	cd "$BATS_TEST_TMPDIR" || return
}

# Records both sides while the guest reads so many blocks directly; leaves joined.vft and join.json.
record_reads() { # COUNT
	LAB_DIR=$VM_DIR "$TOP/build/vfscope" record --strict --host --daemon "$VM_DAEMON_PID" -o host.vft -- \
		"$TOP/lab/guest" "$TOP/build/vfscope" record --strict --guest --mount /mnt/vfs \
		-o /run/lab/guest.vft -- \
		dd if=/mnt/vfs/file of=/dev/null bs=4k count="$1" iflag=direct status=none 3>&-
	cp "$VM_DIR/guest.vft" guest.vft
	"$TOP/build/vfscope" join --strict guest.vft host.vft -o joined.vft --format json >join.json
}

# What jq says of all records, in one array.
records() { # JQ_FILTER
	"$TOP/build/vfscope" export joined.vft | jq -s -c "$1"
}

joined_exactly() { # COUNT
	local reads='map(select(.type == "request" and .opcode == "READ"))'

	jq . join.json
	[ "$(jq '.join | .guest_without_host.inside + .host_without_guest.inside + .skewed' join.json)" = 0 ]
	[ "$(records "$reads | length")" = "$1" ]
	[ "$(records "$reads | map(.unique) | unique | length")" = "$1" ]
	[ "$(records "$reads | map(.offset) | sort == [range(0; $1) * 4096]")" = true ]
	[ "$(records "$reads | all(.size == 4096 and .reply_bytes == 4096 and .class == \"direct\")")" = true ]
	[ "$(records "$reads | all((.flags | contains([\"guest\", \"host\"])) and .unsplit_ns == 0)")" = true ]
	# To the nanosecond, and within the read() that waited for it.
	[ "$(records "$reads | all(.latency_ns == ([.stages[]] | add))")" = true ]
	[ "$(records '(map(select(.type == "op") | {key: "\(.op_id)", value: .}) | from_entries) as $ops |
		map(select(.type == "request" and .opcode == "READ")) |
		all($ops["\(.op_id)"] as $op | .t_issue_ns >= $op.t_start_ns and
			.t_issue_ns + .latency_ns <= $op.t_end_ns)')" = true ]
}

@test "23 direct reads: 23 joined, whole stages, within their ops" {
	record_reads 23
	joined_exactly 23
}

@test "10007 direct reads: 10007 joined, none missing, none doubled" {
	record_reads 10007
	joined_exactly 10007
}

@test "the report names guest, host, daemon, mode and error bar" {
	record_reads 5
	run --separate-stderr "$TOP/build/vfscope" report --strict joined.vft
	[ "$status" -eq 0 ]
	[ -z "$stderr" ]
	[[ $output == *'mode      direct'* ]]
	[[ $output == *'daemon'*'cache=none'* ]]
	[[ $output == *'aligned to +-'* ]]
	[ "$(wc -L <<<"$output")" -lt 100 ]
}
