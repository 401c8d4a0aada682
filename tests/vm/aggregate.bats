# SPDX-License-Identifier: GPL-2.0-or-later
#
# Aggregated recordings of guest and host count what recordings of every request have, and end by
# themselves when the probes cost too much.

bats_require_minimum_version 1.5.0
load vm

setup_file() {
	cd "$BATS_FILE_TMPDIR" || return 1
	start_vm --vcpus 1 --cache never --expose "$BATS_FILE_TMPDIR" || return 1
	export VFSCOPE=$TOP/build/vfscope
	guest dd if=/dev/urandom of=/mnt/vfs/file bs=1M count=4 status=none
}

teardown_file() {
	stop_vm
}

# Records both sides at once with the options given, 1,000 direct reads under it.
record_both() { # NAME OPTION...
	local name=$1
	shift
	rm -f "ready-$name"
	"$VFSCOPE" record --host --daemon "$VM_DAEMON_PID" -o "host-$name.vft" "$@" \
		--ready-file "ready-$name" 2>host.log 3>&- &
	local host=$!
	wait_for_file "ready-$name" || return 1
	guest "$VFSCOPE" record --guest --mount /mnt/vfs -o "/run/lab/guest-$name.vft" "$@" -- \
		dd if=/mnt/vfs/file of=/dev/null bs=4k count=1000 iflag=direct status=none || return 1
	cp "$VM_DIR/guest-$name.vft" .
	kill -INT "$host"
	wait "$host"
}

wait_for_file() {
	until [[ -e $1 ]]; do
		pause_for_vm || return 1
	done
}

# A number of a report.
of() { # FILE JQ
	"$VFSCOPE" report --format json "$1" | jq -r "$2"
}

@test "aggregated, both sides count every request, with bytes, classes and stages" {
	cd "$BATS_FILE_TMPDIR"
	record_both agg --aggregate
	for side in guest host; do
		"$VFSCOPE" report "$side-agg.vft"
		[[ $(of $side-agg.vft '.summary.opcodes.READ.count') = 1000 ]]
		[[ $(of $side-agg.vft '.summary.opcodes.READ.bytes') = 4096000 ]]
		[[ $(of $side-agg.vft '.header.level') = aggregate ]]
		[[ $(of $side-agg.vft '[.losses[]] | add') = 0 ]]
		"$VFSCOPE" export "$side-agg.vft" | jq -e -s 'map(.type) | index("request") == null'
	done
	[[ $(of guest-agg.vft '.summary.opcodes.READ.classes.direct') = 1000 ]]
	# The stages and what is not split sum to the latency, exactly.
	of guest-agg.vft '.summary.opcodes.READ | ([.stages_ns[].sum] | add) + .unsplit_ns.sum
		== .latency_ns.sum' | grep -qx true
	[[ $(of host-agg.vft '.summary.opcodes.READ.host_io_ns.count') = 1000 ]]
}

# Only the guest's side; without --ops it was recorded by the test before.
@test "with --ops also file operations are counted, by two more programs each" {
	cd "$BATS_FILE_TMPDIR"
	local runs
	guest "$VFSCOPE" record --guest --mount /mnt/vfs --aggregate --ops -o /run/lab/ops.vft -- \
		dd if=/mnt/vfs/file of=/dev/null bs=4k count=500 iflag=direct status=none
	# Beside the reads themselves the look-up, open and close, and what the shell does.
	of "$VM_DIR/ops.vft" '.summary.ops | .read.count == 500 and .read.bytes == 2048000 and .read.without_request == 0
		and .open.count == 1 and .close.count >= 1' | grep -qx true
	[[ $(of "$VM_DIR/ops.vft" '.summary.opcodes.READ.count') = 500 ]]
	[[ $(of "$VM_DIR/ops.vft" '.header.level') = aggregate ]]
	[[ $(of guest-agg.vft '.summary.ops | length') = 0 ]]
	[[ $(of "$VM_DIR/ops.vft" '.losses | del(.end_no_start, .start_no_end) | add') = 0 ]]
	runs() { "$VFSCOPE" export --format raw "$1" | jq -s ".[-1].footer.probe_cost | $2"; }
	"$VFSCOPE" export --format raw "$VM_DIR/ops.vft" | jq -s -c '.[-1].footer.probe_cost'
	# Reads of the other shares run them, too.
	runs "$VM_DIR/ops.vft" '.read_begin.runs + .read_end.runs | . >= 1000 and . < 1200' | grep -qx true
	[[ $(runs guest-agg.vft .read_begin) = null ]]
}

@test "what they count has the shape of a recording of every request" {
	cd "$BATS_FILE_TMPDIR"
	record_both all --no-ops
	# Medians of two runs under emulation: the same order of magnitude.
	for side in guest host; do
		a=$(of $side-agg.vft '.summary.opcodes.READ.latency_ns.percentiles["50"]')
		b=$(of $side-all.vft '.summary.opcodes.READ.latency_ns.percentiles["50"]')
		echo "$side: median aggregated $a, of all requests $b ns"
		((a > 0 && b > 0 && a < 10 * b && b < 10 * a))
	done
	# For each of 1000 reads, those of the add, the kick, the completion work and two dequeues do not run; nor
	# that of the doorbell, if it is rung.
	runs='.probe_cost | map(.runs) | add'
	footer() { "$VFSCOPE" export --format raw "$1" | jq -s ".[-1].footer | $runs"; }
	agg=$(footer guest-agg.vft) all=$(footer guest-all.vft)
	echo "program runs: aggregated $agg, all requests $all"
	((agg > 5000 && all - agg >= 5000))
}

@test "report of both aggregates: the way between guest and daemon is what is left of the latency" {
	cd "$BATS_FILE_TMPDIR"
	"$VFSCOPE" report --strict guest-agg.vft host-agg.vft >both.txt
	grep -qE '^READ +1000 +1000 ' both.txt
	grep -qE '^FORGET .* - ' both.txt || ! grep -q ^FORGET both.txt
	"$VFSCOPE" report --strict --format json guest-agg.vft host-agg.vft >both.json
	jq -e '.kind == "aggregated" and .guest.summary.opcodes.READ.count == 1000 and
		.host.summary.opcodes.READ.count == 1000' both.json
	jq -e '.means.READ | .guest_ns > 0 and .between_ns > 0 and .daemon_ns > 0 and
		(.latency_ns - .guest_ns - .between_ns - .daemon_ns | fabs) < 1' both.json
	run ! "$VFSCOPE" report host-agg.vft guest-agg.vft
	[[ $output = *"host-agg.vft is a host trace"* ]]
}

@test "join says why it cannot use an aggregated recording" {
	cd "$BATS_FILE_TMPDIR"
	run ! "$VFSCOPE" join guest-agg.vft host-all.vft -o x.vft
	[[ $output = *"aggregate"* ]]
	[[ ! -e x.vft ]]
}

# 20000 runs are 2700 requests; the recorder looks once a second.
@test "what the programs cost is counted of the first requests only, unless it is watched" {
	cd "$BATS_FILE_TMPDIR"
	# shellcheck disable=SC2016
	guest "$VFSCOPE" record --guest --aggregate --mount /mnt/vfs -o /run/lab/part.vft -- \
		sh -c 'read() { dd if=/mnt/vfs/file of=/dev/null bs=4k count=$1 iflag=direct status=none; }
			for i in 1 2 3 4; do read 1000; done; sleep 1.1; read 100'
	"$VFSCOPE" export --format raw "$VM_DIR/part.vft" | jq -e -s '.[-1].footer |
		.probe_cost_requests >= 2000 and .probe_cost_requests < .requests and
		(.probe_cost | map(.runs) | add) >= 20000'
	[[ $(of "$VM_DIR/part.vft" '.summary.opcodes.READ.count') = 4100 ]]
	"$VFSCOPE" export --format raw guest-agg.vft | jq -e -s '.[-1].footer | has("probe_cost_requests") | not'
}

# The workload outlasts the recording, whose detaching may take seconds, and saying so a moment more.
@test "--max-overhead ends the recording, and the workload goes on" {
	# shellcheck disable=SC2016
	run guest "$VFSCOPE" record --guest --no-ops --mount /mnt/vfs --max-overhead 0.01 -o /run/lab/over.vft -- \
		sh -c 'i=0; while [ $((i += 1)) -lt 300 ] && bpftool -j link list | grep -q trace_fentry; do
			dd if=/mnt/vfs/file of=/dev/null bs=4k count=100 iflag=direct status=none; done
			sleep 2; echo finished'
	printf "%s\n" "$output"
	[[ $status = 0 ]]
	[[ $output = *"more than --max-overhead 0.01"* && $output = *"goes on without"* ]]
	[[ $output = *finished* ]]
	"$VFSCOPE" export --format raw "$VM_DIR/over.vft" | jq -e -s '.[-1].footer.overhead_exceeded'
	run guest "$VFSCOPE" record --guest --no-ops --mount /mnt/vfs --max-overhead 10000 -o /run/lab/under.vft -- true
	[[ $status = 0 && $output != *overhead* ]]
}
