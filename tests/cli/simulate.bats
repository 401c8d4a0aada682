#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# vfscope simulate: jobs and models good and bad, determinism, and fio's own order of ops.

load common

setup() {
	cd "$REPO"
	job=$BATS_TEST_TMPDIR/job.fio
	printf '[a]\nrw=randread\nsize=1m\ndirect=1\n' >"$job"
}

# bad_job LINE TEXT...: a job with this line appended is refused, and stderr says each text.
bad_job() {
	printf '[a]\nrw=read\nsize=1m\n%b\n' "$1" >"$job"
	shift
	expect 4 "$VFSCOPE" simulate "$job"
	says "job.fio" "$@"
	[ -z "$output" ]
}

@test "every shipped job runs, and fio takes it" {
	for shipped in workloads/*.fio; do
		expect 0 "$VFSCOPE" simulate "$shipped" --mode direct
		[[ $output == *"IOPS"* ]]
		if command -v fio >/dev/null; then
			fio --parse-only "$shipped"
		fi
	done
}

@test "same seed, same bytes; another seed, other bytes" {
	for i in 1 2 3; do
		"$VFSCOPE" simulate "$job" --seed $((i / 3 + 1)) --requests "$BATS_TEST_TMPDIR/$i" \
			>"$BATS_TEST_TMPDIR/$i.txt"
	done
	cmp "$BATS_TEST_TMPDIR/1" "$BATS_TEST_TMPDIR/2"
	cmp "$BATS_TEST_TMPDIR/1.txt" "$BATS_TEST_TMPDIR/2.txt"
	! cmp -s "$BATS_TEST_TMPDIR/1" "$BATS_TEST_TMPDIR/3"
}

@test "256 direct reads of 4 KiB are 256 READ requests" {
	expect 0 "$VFSCOPE" simulate "$job" --requests "$BATS_TEST_TMPDIR/requests"
	[ "$(grep -c '"opcode":"READ"' "$BATS_TEST_TMPDIR/requests")" -eq 256 ]
	[ "$(grep -c '"op":"read"' "$BATS_TEST_TMPDIR/requests")" -eq 256 ]
}

@test "stages of each simulated request sum to its latency" {
	expect 0 "$VFSCOPE" simulate "$job" --requests "$BATS_TEST_TMPDIR/requests" \
		--set 'costs.kick=exp 40us' --set 'costs.wakeup=exp 10us'
	sed -n 's/.*"latency_ns":\([0-9]*\),"stages":{\([^}]*\)},"unsplit_ns":\([0-9]*\).*/\1 \3 \2/p' \
		"$BATS_TEST_TMPDIR/requests" | sed 's/"[a-z_]*":/ /g; s/,/ /g' |
		awk '{ sum = $2; for (i = 3; i <= NF; i++) sum += $i; n++; bad += sum != $1 }
		     END { exit !(n >= 256 && bad == 0) }'
}

@test "json output is one JSON document" {
	for format in json fio; do
		expect 0 "$VFSCOPE" simulate "$job" --format "$format"
		[ "${output:0:1}" = "{" ]
		[[ $output == *'"jobs"'* ]]
	done
}

@test "text output stays within 100 columns" {
	expect 0 "$VFSCOPE" simulate workloads/demo.fio --mode direct --model models/ideal.model
	! grep -E '^.{101,}' <<<"$output"
}

# mean_near NS COMMAND...: the mean latency of reads is within 5 % (three standard errors at load 0.8).
mean_near() {
	local want=$1 mean
	shift
	mean=$("$@" --format json | sed -n '/"jobs"/,$s/.*"mean_ns": \([0-9.]*\),*$/\1/p' | head -n 1)
	awk -v got="$mean" -v want="$want" 'BEGIN { exit !(got > 0.95 * want && got < 1.05 * want) }' ||
		{ echo "mean $mean ns, closed form $want"; return 1; }
}

@test "the ideal model is M/M/1, M/D/1 and M/M/2" {
	mean_near 500000 "$VFSCOPE" simulate workloads/poisson-read.fio
	mean_near 300000 "$VFSCOPE" simulate workloads/poisson-read.fio \
		--set 'service.READ.host_io=const 100us'
	mean_near 555556 "$VFSCOPE" simulate workloads/poisson-read.fio \
		--set daemon.thread_pool_size=2 --set 'service.READ.host_io=exp 200us'
}

@test "a missing job file" {
	expect 4 "$VFSCOPE" simulate "$BATS_TEST_TMPDIR/none.fio"
	says "none.fio" "No such file"
}

@test "bad job lines name file, line and option" {
	bad_job 'zonesize=4k' ':4: ' "'zonesize'"
	bad_job 'bssplit=4k/50:8k/70' ':4: bssplit=4k/50:8k/70'
	bad_job 'nrfiles=0' ':4: nrfiles=0'
	bad_job 'runtime=0\ntime_based' 'time_based needs runtime'
	bad_job 'bs=4q' ':4: bs=4q'
	bad_job 'iodepth=0' ':4: iodepth=0'
	bad_job '# fine\n\nioengine=splice' ':6: ioengine=splice'
	bad_job 'runtime=-3' ':4: runtime=-3'
	bad_job 'include none.fio' ':4: cannot include'
}

@test "ioengine=mmap: memory in the cached modes, refused in mode direct" {
	printf '[a]\nioengine=mmap\nrw=write\nsize=64k\nfsync=8\n' >"$job"
	expect 0 "$VFSCOPE" simulate "$job" --mode writethrough --set service.default.cpu='const 20us' \
		--requests "$BATS_TEST_TMPDIR/requests"
	[ "$(jq -rs 'map(select(.opcode == "READ" or .opcode == "WRITE" or .opcode == "FSYNC") |
		"\(.opcode) \(.offset) \(.size)") | join(", ")' "$BATS_TEST_TMPDIR/requests")" = \
		"READ 0 65536, WRITE 0 32768, FSYNC 0 0, WRITE 32768 32768" ]
	expect 3 "$VFSCOPE" simulate "$job" --mode direct
	says ENODEV
	expect 0 "$VFSCOPE" compare "$job" --modes direct,writeback
	[[ $output == *"cannot run in this mode (ENODEV)"* && $output == *"sync"* ]]
	expect 0 "$VFSCOPE" compare "$job" --modes direct,writeback --format json
	[ "$(jq -c '.modes | map([has("refused"), (.rows | length)])' <<<"$output")" = '[[true,0],[false,2]]' ]
}

@test "include reads the file; a cycle is refused" {
	printf '[global]\nsize=64k\n' >"$BATS_TEST_TMPDIR/common.fio"
	printf 'include common.fio\n[a]\nrw=read\ndirect=1\n' >"$job"
	expect 0 "$VFSCOPE" simulate "$job"
	echo "include job.fio" >>"$BATS_TEST_TMPDIR/common.fio"
	expect 4 "$VFSCOPE" simulate "$job"
	says "includes itself"
	# Through others, and under other names.
	printf 'include one.fio\n' >"$BATS_TEST_TMPDIR/two.fio"
	ln -s two.fio "$BATS_TEST_TMPDIR/three.fio"
	printf '[a]\nrw=read\nsize=4k\ninclude three.fio\n' >"$BATS_TEST_TMPDIR/one.fio"
	expect 4 "$VFSCOPE" simulate "$BATS_TEST_TMPDIR/one.fio"
	says "includes itself"
	[ "$(wc -l <<<"$stderr")" -eq 1 ]
}

@test "garbage, binary, empty and huge job files" {
	: >"$job"
	expect 4 "$VFSCOPE" simulate "$job"
	says "no job in it"
	head -c 5000 /dev/zero >"$job"
	expect 4 "$VFSCOPE" simulate "$job"
	says "job.fio:1: no fio job file: it holds NUL bytes"
	yes '# a comment' | head -c 2M >"$job"
	expect 4 "$VFSCOPE" simulate "$job"
	says "larger than"
}

# refused_at_once TEXT COMMAND...: garbage without end is refused with one message, in little memory.
refused_at_once() {
	local text=$1 limit=200000
	shift
	# A sanitizer build needs more address space just to start.
	(ulimit -v $limit; "$VFSCOPE" --version >/dev/null 2>&1) || limit=unlimited
	# shellcheck disable=SC2016 # expanded by the inner shell
	expect 4 bash -c 'ulimit -v "$1"; shift; exec timeout 60 "$@"' - $limit "$@"
	says "$text"
	[ "$(wc -l <<<"$stderr")" -eq 1 ]
	[ -z "$output" ]
}

@test "10 GB of garbage as job, log, op script, trace or model, and a pipe without end" {
	local at=$BATS_TEST_TMPDIR
	printf '[a]\nrw=read\n' >"$at/g.fio"
	printf 'fio version 3 iolog\n1 f add\n' >"$at/g.log"
	printf 'file f 1M\nopen f\n' >"$at/g.ops"
	printf 'no magic\n' >"$at/g.vft"
	printf '[guest]\nvcpus = 2\n' >"$at/g.model"
	truncate -s 10G "$at"/g.*
	printf '[a]\nread_iolog=%s\n' "$at/g.log" >"$at/log.fio"
	refused_at_once "g.fio:3: no fio job file: it holds NUL bytes" \
		"$VFSCOPE" simulate "$at/g.fio"
	refused_at_once "g.log:3: not an I/O log of fio" "$VFSCOPE" simulate "$at/g.log"
	refused_at_once "g.log:3: not an I/O log of fio" "$VFSCOPE" simulate "$at/log.fio"
	refused_at_once "g.ops:3: no op script: it holds NUL bytes" \
		"$VFSCOPE" simulate "$at/g.ops"
	refused_at_once "g.vft" "$VFSCOPE" simulate "$at/g.vft"
	refused_at_once "g.model:3: no model file: it holds NUL bytes" \
		"$VFSCOPE" simulate "$REPO/workloads/mixed.fio" --model "$at/g.model"
	refused_at_once "/dev/zero:1: no fio job file" "$VFSCOPE" simulate /dev/zero
	refused_at_once "/dev/zero:1: no model file" \
		"$VFSCOPE" simulate "$REPO/workloads/mixed.fio" --model /dev/zero
	mkfifo "$at/endless.fio"
	{ yes '[a]' >"$at/endless.fio" 2>/dev/null || :; } 3>&- &
	refused_at_once "endless.fio: no fio job file: larger than 1024 KiB" "$VFSCOPE" simulate "$at/endless.fio"
}

@test "bad models" {
	expect 4 "$VFSCOPE" simulate "$job" --model nothing
	says "no model 'nothing'"
	expect 4 "$VFSCOPE" simulate "$job" --model ./nothing.model
	says "cannot open model" "No such file"
	local model=$BATS_TEST_TMPDIR/bad.model
	sed 's/^vcpus = .*/vcpu = 64/' models/ideal.model >"$model"
	expect 4 "$VFSCOPE" simulate "$job" --model "$model"
	says "bad.model:$(grep -n '^vcpu = ' "$model" | cut -d: -f1): [guest] vcpu: unknown key"
	sed 's/^kick = .*/kick = often/' models/ideal.model >"$model"
	expect 4 "$VFSCOPE" simulate "$job" --model "$model"
	says "[costs] kick = often"
	grep -v '^wakeup' models/ideal.model >"$model"
	expect 4 "$VFSCOPE" simulate "$job" --model "$model"
	says "[costs] wakeup is missing"
}

@test "bad --set and --mode are wrong use" {
	expect 2 "$VFSCOPE" simulate "$job" --set daemon.pool=4
	says "there is no key pool in [daemon]"
	expect 2 "$VFSCOPE" simulate "$job" --set guest.vcpus=none
	says "--set guest.vcpus=none"
	for change in 'costs.kick=const -1us' 'costs.kick=exp' 'costs.kick=const 1' \
		'daemon.attr_timeout=-1s' 'guest.vcpus=0' 'guest.vcpus=-2' 'guest.hz=0' \
		'transport.queue_size=4' 'guest.kernel=six' 'service.READ.cpu=exp -3us' \
		'service.READ.host_io_ns_per_byte=-1' 'transport.request_queues=0'; do
		expect 2 "$VFSCOPE" simulate "$job" --set "$change"
		says "--set $change"
		[ "$(wc -l <<<"$stderr")" -eq 1 ]
	done
	expect 2 "$VFSCOPE" simulate "$job" --sets guest.vcpus=1
	says "--sets"
	expect 2 "$VFSCOPE" simulate "$job" --mode sideways
}

@test "settings that cannot go together" {
	expect 4 "$VFSCOPE" simulate "$job" --set guest.irq_cpu=64
	says "guest.irq_cpu=64" "below"
	expect 4 "$VFSCOPE" simulate "$job" --set daemon.queue_order=priority
	says "daemon.queue_order=priority" "daemon.kind=rust"
}

@test "--requests into a place that cannot be written" {
	expect 3 "$VFSCOPE" simulate "$job" --requests "$BATS_TEST_TMPDIR/no/such/dir"
	says "cannot create"
}

@test "several runs: as many threads as one likes, the same bytes" {
	for threads in 1 2 3; do
		for how in '--replications 7' '--precision 5%' '--precision 40%'; do
			"$VFSCOPE" simulate workloads/poisson-read.fio $how --threads $threads \
				--set guest.vcpus=2 -f json >"$BATS_TEST_TMPDIR/${how// /}$threads"
		done
	done
	for how in --replications7 --precision5% --precision40%; do
		cmp "$BATS_TEST_TMPDIR/${how}1" "$BATS_TEST_TMPDIR/${how}2"
		cmp "$BATS_TEST_TMPDIR/${how}1" "$BATS_TEST_TMPDIR/${how}3"
	done
	grep -q '"runs": 7,' "$BATS_TEST_TMPDIR/--replications71"
	! cmp -s "$BATS_TEST_TMPDIR/--precision5%1" "$BATS_TEST_TMPDIR/--precision40%1"
}

@test "--precision runs until it is reached, or says that it was not" {
	expect 0 "$VFSCOPE" simulate "$job" --precision 2%
	[ -z "$stderr" ]
	[[ $output == *"precision 2 % reached"* ]]
	awk '/^in the long run/ { on = 1 }
	     on && $1 == "a" { if (match($0, /us [+]-[0-9.]+%/)) half = substr($0, RSTART + 5) + 0 }
	     END { exit !(half > 0 && half <= 2) }' <<<"$output"
	expect 0 "$VFSCOPE" simulate "$job" --precision 0.01% --replications 3
	says "precision 0.01% was not reached in 3 runs"
	[[ $output == *"precision 0.01 % NOT reached"* ]]
	# Three ops have a mean and a rate, but nothing to tell how sure they are.
	sed -i 's/^number_ios.*//; s/^io_size.*//' "$job"
	echo number_ios=3 >>"$job"
	expect 0 "$VFSCOPE" simulate "$job" --precision 1% --replications 1
	says "not reached in 1 run of"
	[[ $output == *"too few ops for intervals"* ]]
	[[ $output =~ a\ +read\ +[1-9][0-9.]*k\ \+-\? ]]
}

@test "a run that is precise enough ends before its job" {
	printf '[a]\nrw=randread\nsize=64m\nio_size=64g\ndirect=1\n' >"$job"
	expect 0 "$VFSCOPE" simulate "$job" --precision 5%
	[[ $output == *"reached before the job's end"* ]]
}

@test "wrong shares, and requests of several runs" {
	for share in 0 1 100% -1% x '' 1%% nan; do
		expect 2 "$VFSCOPE" simulate "$job" --precision "$share"
		says "--precision" "1%"
		expect 2 "$VFSCOPE" simulate "$job" --confidence "$share"
	done
	expect 2 "$VFSCOPE" simulate "$job" --replications 2 --requests "$BATS_TEST_TMPDIR/r"
	says "--requests" "one run"
	[ ! -e "$BATS_TEST_TMPDIR/r" ]
}

@test "an error of several runs is told once" {
	expect 4 "$VFSCOPE" simulate "$job" --replications 8 --threads 4 --mode dax
	[ "$(wc -l <<<"$stderr")" -eq 1 ]
	expect 4 "$VFSCOPE" simulate "$BATS_TEST_TMPDIR/none.fio" --replications 8 --threads 4
	[ "$(wc -l <<<"$stderr")" -eq 1 ]
}

@test "several VMs: a line for each, rows that add up, requests by VM" {
	expect 0 "$VFSCOPE" simulate "$job" --set host.vms=3 --requests "$BATS_TEST_TMPDIR/requests"
	[[ $output == *"3 VMs, seed 1"* ]]
	[ "$(grep -c '"opcode":"READ"' "$BATS_TEST_TMPDIR/requests")" -eq 768 ]
	for vm in 0 1 2; do
		[ "$(grep '"opcode":"READ"' "$BATS_TEST_TMPDIR/requests" | grep -c "\"conn\":$vm,")" -eq 256 ]
	done
	"$VFSCOPE" simulate "$job" --set host.vms=3 -f json |
		jq -e '(.vms | length == 3) and ([.vms[].ops] | add) == .jobs[0].ios
			and ([.vms[].requests] | add) == .stats.requests
			and ([.vms[].iops] | add) > 0.99 * .jobs[0].iops'
	"$VFSCOPE" simulate "$job" -f json | jq -e 'has("vms") | not'
}

@test "several VMs: replications on one thread or two give the same bytes" {
	for threads in 1 2; do
		"$VFSCOPE" simulate "$job" --set host.vms=2 --set host.cpus=1 --replications 5 \
			--threads $threads -f json >"$BATS_TEST_TMPDIR/$threads"
	done
	cmp "$BATS_TEST_TMPDIR/1" "$BATS_TEST_TMPDIR/2"
	jq -e '.vms[1].ops == 5 * 256' "$BATS_TEST_TMPDIR/1"
}

@test "the host's page cache and device: told when there is one, wrong settings are refused" {
	disk=(--set storage.channels=2 --set 'storage.read=exp 80us' --set storage.cache=512k
		--set storage.read_ahead=0)
	expect 0 "$VFSCOPE" simulate "$job" "${disk[@]}"
	[[ $output == *"host page cache: "*" of 256 pages read were in it"* ]]
	[[ $output == *"device: channels "*" reads "* ]]
	"$VFSCOPE" simulate "$job" "${disk[@]}" -f json | jq -e '.stats.storage |
		.pages_hit + .pages_missed == 256 and .reads == .pages_missed and .busy_ns > 0'
	"$VFSCOPE" simulate "$job" -f json | jq -e '.stats | has("storage") | not'
	expect 4 "$VFSCOPE" simulate "$job" --set storage.bandwidth=100m
	says "storage.channels=0"
	expect 2 "$VFSCOPE" simulate "$job" --set storage.dirty_limit=101
	says "storage.dirty_limit"
}
