# SPDX-License-Identifier: GPL-2.0-or-later
#
# The chain on a real VM: of a known number of requests, recorded on both sides at once, exactly that
# many are joined, without remainder; their stages sum to the latency; the latency lies within the op that
# waited for it, and is what fio saw, less the system call.

bats_require_minimum_version 1.5.0
load vm

setup_file() {
	VFSCOPE=$TOP/build/vfscope
	export VFSCOPE
	OUT=$BATS_FILE_TMPDIR
	export OUT
	start_vm --cache never --vcpus 2
	head -c 48M /dev/urandom >"$VM_SHARE/file"
}

teardown_file() {
	stop_vm
}

# Records both sides while the guest runs a command in the share; leaves $OUT/NAME.{guest,host,joined}.
record_both() { # NAME COMMAND
	"$VFSCOPE" record --host --daemon "$VM_DAEMON_PID" --strict -o "$OUT/$1.host" -- \
		env LAB_DIR="$VM_DIR" "$TOP/lab/guest" "$VFSCOPE" record --guest --mount /mnt/vfs --strict \
		-o "/run/lab/$1.guest" -- sh -c "cd /mnt/vfs && $2" 3>&-
	mv "$VM_DIR/$1.guest" "$OUT/$1.guest"
	"$VFSCOPE" join --strict --format json "$OUT/$1.guest" "$OUT/$1.host" -o "$OUT/$1.joined" \
		>"$OUT/$1.json" || { cat "$OUT/$1.json"; return 1; }
	"$VFSCOPE" export "$OUT/$1.joined" >"$OUT/$1.jsonl"
}

# Prints a number: the requests of the export that match a jq condition.
count() { # NAME CONDITION
	jq -n "[inputs | select(.type == \"request\") | select($2)] | length" "$OUT/$1.jsonl"
}

@test "of 10007 direct reads, exactly as many are joined, each with all its stages, within its op" {
	record_both reads "dd if=file of=/dev/null bs=4k count=10007 iflag=direct 2>/dev/null"
	[ "$(jq '.join | .guest_without_host.inside + .host_without_guest.inside + .skewed' "$OUT/reads.json")" = 0 ]
	[ "$(count reads '.opcode == "READ"')" -eq 10007 ]
	[ "$(count reads '.opcode == "READ" and .size == 4096 and .reply_bytes == 4096 and .class == "direct" and
		(.flags | contains(["guest", "host"])) and .unsplit_ns == 0 and
		([.stages[]] | all(. != null))')" -eq 10007 ]
	# None missing, none doubled: each offset and each unique once.
	[ "$(jq -n '[inputs | select(.type == "request" and .opcode == "READ") | .offset] | sort == [range(0; 10007) * 4096]' \
		"$OUT/reads.jsonl")" = true ]
	[ "$(jq -n '[inputs | select(.type == "request" and .opcode == "READ") | .unique] | unique | length' \
		"$OUT/reads.jsonl")" -eq 10007 ]
	# Within the read() that waited for it.
	[ "$(jq -s '(map(select(.type == "op") | {key: "\(.op_id)", value: .}) | from_entries) as $ops |
		map(select(.type == "request" and .opcode == "READ")) |
		all($ops["\(.op_id)"] as $op | .t_issue_ns >= $op.t_start_ns and
			.t_issue_ns + .latency_ns <= $op.t_end_ns)' "$OUT/reads.jsonl")" = true ]
}

@test "requests in flight at once join too, and the losses are none" {
	record_both deep "fio --name=d --filename=file --rw=randread --bs=4k --size=16m --direct=1 \
		--ioengine=libaio --iodepth=16 --output=/run/lab/deep-fio.json --output-format=json"
	[ "$(count deep '.opcode == "READ"')" -eq "$(jq '.jobs[0].read.total_ios' "$VM_DIR/deep-fio.json")" ]
	[ "$(count deep '.opcode == "READ" and (.flags | contains(["guest", "host"]))')" -eq 4096 ]
	# Only what was really deep tests this.
	[ "$(count deep '.inflight > 4')" -gt 100 ]
	[ "$(jq '[.losses[]] | add' "$OUT/deep.json")" -eq 0 ]
}

@test "stages sum to the latency to the nanosecond" {
	local name
	for name in reads deep; do
		[ "$(count "$name" '([.stages[] | values] | add) + .unsplit_ns != .latency_ns')" -eq 0 ]
	done
}

@test "each latency is what fio saw for that read, less the system call" {
	record_both fio "fio --name=x --filename=file --rw=randread --bs=4k --size=4m --direct=1 \
		--ioengine=psync --write_lat_log=/run/lab/fio --log_offset=1 --output=/dev/null"
	# fio's log is in order of completion, at depth 1 that of the requests: time, ns, direction, ...
	cut -d, -f2,5 "$VM_DIR/fio_clat.1.log" | tr -d ' ' >"$OUT/fio.log"
	jq -r 'select(.opcode == "READ") | "\(.latency_ns),\(.offset)"' "$OUT/fio.jsonl" >"$OUT/trace.log"
	[ "$(wc -l <"$OUT/fio.log")" -eq 1024 ]
	[ "$(cut -d, -f2 "$OUT/fio.log" | md5sum)" = "$(cut -d, -f2 "$OUT/trace.log" | md5sum)" ]
	# A request lies within its read(): never longer, and at the median not much shorter.
	paste -d, "$OUT/fio.log" "$OUT/trace.log" | awk -F, '
		$3 > $1 { print "request of " $3 " ns in a read of " $1 " ns"; wrong++ }
		{ print $1 - $3, $1 >"/dev/stderr" }
		END { exit wrong > 0 }' 2>"$OUT/differences"
	sort -n "$OUT/differences" | awk '{ d[NR] = $1 } END { print d[int((NR + 1) / 2)] }' >"$OUT/d50"
	sort -n -k2 "$OUT/differences" | awk '{ r[NR] = $2 } END { print r[int((NR + 1) / 2)] }' >"$OUT/r50"
	echo "median read() $(cat "$OUT/r50") ns, of it outside the request $(cat "$OUT/d50") ns"
	[ "$(cat "$OUT/d50")" -lt $(($(cat "$OUT/r50") / 2)) ]
}

@test "the join states its error bar; the report names daemon, mode, error bar and losses" {
	[ "$(jq '.clock.width_ns > 0' "$OUT/reads.json")" = true ]
	run --separate-stderr "$VFSCOPE" report --strict "$OUT/reads.joined"
	[ "$status" -eq 0 ]
	[ -z "$stderr" ]
	[[ $output == *'mode      direct'* ]]
	[[ $output == *'daemon'*'cache=none'* ]]
	[[ $output == *"aligned to +-"* && $output == *"losses    none"* ]]
	! grep -E "^.{100}" <<<"$output" || return 1
}

@test "a recorder that cannot write says so and lets go; the workload ends in peace" {
	# Ignored, the limit's signal leaves EFBIG, to the writer what a full disk is.
	run --separate-stderr bash -c 'trap "" XFSZ; ulimit -f 8; exec "$@"' sh \
		"$VFSCOPE" record --host --daemon "$VM_DAEMON_PID" -o "$OUT/full.host" -- \
		env LAB_DIR="$VM_DIR" "$TOP/lab/guest" sh -c \
		'dd if=/mnt/vfs/file of=/dev/null bs=4k count=8000 iflag=direct 2>/dev/null && echo all read' 3>&-
	[ "$status" -eq 3 ]
	[ "$output" = "all read" ]
	[[ $stderr == *"cannot write to $OUT/full.host"*"goes on without being recorded"* ]]
	run --separate-stderr "$VFSCOPE" report --strict "$OUT/full.host"
	[ "$status" -eq 5 ]
	[[ $stderr == *"could not write"* ]]
}

@test "the guest's kernel log is clean" {
	run guest dmesg
	[ "$status" -eq 0 ]
	run ! grep -E 'WARNING:|BUG:|Oops|lockdep|hung_task' <<<"$output"
}
