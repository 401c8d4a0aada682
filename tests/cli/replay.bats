#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What was done once, done again: fio's I/O logs and recorded traces under simulate, traces as logs
# and jobs for fio, and results in the shape of fio's JSON.

load common

setup() {
	cd "$BATS_TEST_TMPDIR"
	gen=$(dirname "$VFSCOPE")/tests/tools/gen_trace
}

need_fio() {
	command -v fio >/dev/null || skip "fio is not installed"
}

# as_ops LOG: its ops as "FILE OP [OFFSET SIZE]", FILE counted from 0.
as_ops() {
	awk '$3 == "add" { if (!($2 in file)) file[$2] = n++ }
	     $3 == "open" || $3 == "close" || $3 == "sync" || $3 == "datasync" { print file[$2], $3 }
	     $3 == "read" || $3 == "write" { print file[$2], $3, $4, $5 }' "$1"
}

# simulated ARGUMENT...: the same of a simulation.
simulated() {
	"$VFSCOPE" -q simulate "$@" --model "$REPO/models/ideal.model" --requests requests >/dev/null
	jq -r 'select(.type == "op") | (.op | {fsync: "sync", fdatasync: "datasync"}[.] // .) as $op |
		if $op == "read" or $op == "write" then "\(.nodeid - 2) \($op) \(.offset) \(.size)"
		else "\(.nodeid - 2) \($op)" end' requests
}

@test "what fio logged is replayed op by op, from a job and by itself, in version 2 and 3" {
	need_fio
	local n=0 body
	for body in 'rw=randrw\nsize=256k\nfsync=5' 'rw=randread\nsize=1m\nbssplit=4k/50:64k/50\nnrfiles=3' \
		'rw=randwrite\nsize=512k\nbsrange=1k-16k\nfdatasync=3\nnrfiles=2\nfile_service_type=random' \
		'rw=randread\nsize=64k\nrandom_distribution=zipf:1.2\nloops=3'; do
		n=$((n + 1))
		printf '[a]\nioengine=psync\n%b\nwrite_iolog=log%d.iolog\n' "$body" $n >"write$n.fio"
		fio "write$n.fio" >fio.out 2>&1 || { cat fio.out; return 1; }
		as_ops "log$n.iolog" >want
		[ "$(wc -l <want)" -gt 20 ]
		simulated "log$n.iolog" | diff want -
		printf '[r]\nioengine=psync\nread_iolog=log%d.iolog\ndirect=1\n' $n >read.fio
		simulated read.fio | diff want -
		sed -e '1s/3/2/' -e '2,$s/^[0-9]* //' "log$n.iolog" >"old$n.iolog"
		simulated "old$n.iolog" | diff want -
	done
}

@test "pauses of a log: no sooner than it says; replay_no_stall and replay_time_scale" {
	printf 'fio version 3 iolog\n1 f add\n101 f open\n20101 f read 0 4096\n50101 f read 4096 4096\n50102 f close\n' >l.iolog
	starts() { jq -r 'select(.op == "read").t_start_ns' requests | paste -sd ' '; }
	simulated l.iolog >ops
	[ "$(starts)" = "20100000 50100000" ]
	printf '[r]\nread_iolog=l.iolog\nreplay_time_scale=200\n' >r.fio
	simulated r.fio >ops
	[ "$(starts)" = "10050000 25050000" ]
	printf '[r]\nread_iolog=l.iolog\nreplay_no_stall=1\n' >r.fio
	simulated r.fio >ops
	[ "$(jq -r 'select(.op == "close").t_end_ns' requests)" -lt 10000000 ]
	printf 'fio version 2 iolog\nf add\nf open\nf read 0 4096\nf wait 30 0\nf read 4096 4096\n' >l.iolog
	simulated l.iolog >ops
	[ "$(starts | cut -d ' ' -f 2)" = 30000000 ]
	tail -n 1 ops | grep -q '0 close'
}

# bad TEXT LINE WORDS: this log is refused naming the line, in one message.
bad() {
	printf "$1" >bad.iolog
	expect 4 "$VFSCOPE" simulate bad.iolog
	says "bad.iolog:$2: " "$3"
	[ "$(wc -l <<<"$stderr")" -eq 1 ]
	[ -z "$output" ]
	printf '[a]\nread_iolog=bad.iolog\n' >bad.fio
	expect 4 "$VFSCOPE" simulate bad.fio
	says "bad.iolog:$2: " "$3"
}

@test "bad logs name file and line" {
	local v2='fio version 2 iolog\nf add\n' v3='fio version 3 iolog\n1 f add\n'
	bad 'fio version 9 iolog\nf add\n' 1 "first line must be"
	bad "$v2"'g open\n' 3 "was not added"
	bad "$v2"'f read 0 4096\n' 3 "not open"
	bad "$v2"'f open\nf open\n' 4 "open already"
	bad "$v2"'f add\n' 3 "added before"
	bad "$v2"'f open\nf trim 0 4096\n' 4 "trims"
	bad "$v2"'f open\nf punch 0 4096\n' 4 "unknown action"
	bad "$v2"'f open\nf read 0\n' 4 "must follow"
	bad "$v2"'f open\nf read 0 0\n' 4 "1 byte to"
	bad "$v2"'f open\nf read -1 4096\n' 4 "whole numbers"
	bad "$v2"'f open\nf read 99999999999999999999 4096\n' 4 "whole numbers"
	bad "$v3"'2 f open\n1 f close\n' 4 "backwards"
	bad "$v3"'2 f open\nx f close\n' 4 "microseconds"
	bad "$v3"'2 f open\n3 f wait 5 0\n' 4 "version 2"
	bad "$v3"'2 f open\nfio version 3 iolog\n' 4 "second log"
	printf "$v2" >none.iolog
	expect 4 "$VFSCOPE" simulate none.iolog
	says "none.iolog: " "without any op"
	printf '[a]\nread_iolog=none.such\n' >missing.fio
	expect 4 "$VFSCOPE" simulate missing.fio
	says "none.such" "No such file"
	printf '[a]\nread_iolog=none.iolog\nloops=2\n' >both.fio
	expect 4 "$VFSCOPE" simulate both.fio
	says "both.fio:1: " "remove"
}

@test "garbage of 10 GB is refused at once, in little memory" {
	truncate -s 10G garbage
	expect 4 "$VFSCOPE" simulate garbage
	says "garbage:1: " "NUL"
	printf 'fio version 3 iolog\n' | dd of=garbage conv=notrunc status=none
	# A sanitizer build needs more address space just to start.
	limit=500000
	(ulimit -v $limit; "$VFSCOPE" --version >/dev/null 2>&1) || limit=unlimited
	(ulimit -v $limit; "$VFSCOPE" simulate garbage 2>err) && return 1
	grep -q 'garbage:2: .*NUL' err
	printf '[a]\nread_iolog=garbage\n' >g.fio
	expect 4 "$VFSCOPE" simulate g.fio
	says "garbage:2: "
	printf '\x89VFT\r\n\x1a\n' | dd of=garbage conv=notrunc status=none
	expect 4 "$VFSCOPE" simulate garbage
	says "garbage"
	head -c 3000000 /dev/urandom >garbage
	expect 4 "$VFSCOPE" simulate garbage
	[ "${#stderr}" -lt 500 ]
}

@test "a recorded trace is simulated: the ops of each task, with its pauses" {
	"$gen" . requests=200
	"$VFSCOPE" -q join guest.vft host.vft -o joined.vft >/dev/null
	for trace in guest joined; do
		"$VFSCOPE" export $trace.vft | jq -c 'select(.type == "op") | [.op, .offset, .size]' >want
		expect 0 "$VFSCOPE" simulate $trace.vft --requests requests
		[[ $output == *task-100* ]]
		jq -c 'select(.type == "op") | [.op, .offset, .size]' requests | diff want -
	done
	[ "$(wc -l <want)" -eq 200 ]
	# Pauses between ops are kept, whatever the ops themselves take.
	pauses() { jq -r 'select(.type == "op") | "\(.t_start_ns) \(.t_end_ns)"' | awk 'NR > 1 { print $1 - end } { end = $2 }'; }
	diff <("$VFSCOPE" export joined.vft | pauses) <(pauses <requests)
	expect 4 "$VFSCOPE" simulate host.vft
	says "host.vft" "has no ops"
}

@test "recorded page faults are taken again, in memory that is mapped before the first" {
	"$gen" . requests=40 faults=4
	"$VFSCOPE" export guest.vft | jq -r 'select(.type == "op") | "\(.op) \(.offset)"' >want
	[ "$(grep -c mmap_fault want)" -eq 10 ]
	expect 0 "$VFSCOPE" simulate guest.vft --mode writethrough --requests requests
	jq -r 'select(.type == "op") | "\(.op) \(.offset)"' requests >got
	[ "$(grep -c '^mmap 0$' got)" -eq 1 ]
	diff want <(grep -v '^mmap ' got)
	# Each was a write: its page goes back to the host when the task ends.
	[ "$(jq -s 'map(select(.opcode == "WRITE") | .size) | add' requests)" -eq 40960 ]
	expect 3 "$VFSCOPE" simulate guest.vft --mode direct
	says ENODEV
	expect 0 "$VFSCOPE" export guest.vft --format iolog
	[ "$(grep -c ' write ' <<<"$output")" -eq 10 ]
}

@test "export --format iolog and fio: what fio and simulate replay is what was recorded" {
	"$gen" . requests=200
	"$VFSCOPE" export guest.vft | jq -r 'select(.type == "op") | "0 \(.op) \(.offset) \(.size)"' >want
	expect 0 "$VFSCOPE" export guest.vft --format iolog
	printf '%s\n' "$output" >one.iolog
	as_ops one.iolog | grep -v open | diff want -
	simulated one.iolog | grep -v -e open -e close | diff want -
	expect 0 "$VFSCOPE" export guest.vft --format fio --output again
	cmp one.iolog again/task-100.iolog
	cd again
	simulated replay.fio | grep -v -e open -e close | diff ../want -
	need_fio
	command -v strace >/dev/null || skip "strace is not installed"
	strace -f -qq -e trace=pread64 -o calls fio replay.fio >fio.out
	grep -q 'err= 0' fio.out
	# fio itself reads small tables at odd sizes: only 4096 bytes are I/O.
	sed -n 's/.*, 4096, \([0-9]*\)) = 4096$/0 read \1 4096/p' calls | diff ../want -
}

@test "export: wrong use" {
	"$gen" . requests=5
	expect 2 "$VFSCOPE" export guest.vft --format fio
	says "--output"
	expect 2 "$VFSCOPE" export guest.vft --output x
	says "--output"
	expect 2 "$VFSCOPE" export guest.vft --format iolog --task 7
	says "no op of task 7"
	expect 4 "$VFSCOPE" export host.vft --format iolog
	says "has no ops"
	expect 3 "$VFSCOPE" export guest.vft --format fio --output /proc/none
	says "cannot make"
}

# paths FILE: the keys below jobs[], numbers of an array as 0; bins have keys of their own.
paths() {
	jq -r '.jobs[] | {jobname, groupid, error, eta, elapsed, read, write, trim, sync, job_runtime} |
		[paths | map(if type == "number" then 0 else . end | tostring) | join("/")] | .[]' "$1" |
		grep -v bins | sort -u
}

@test "simulate --format fio has every key that fio has, with its type" {
	need_fio
	printf '[global]\nioengine=psync\nsize=256k\n[a]\nrw=randrw\nfsync=4\n[b]\nioengine=libaio\niodepth=4\ndirect=1\nrw=randread\n' >job.fio
	fio --output-format=json+ --output=want.json job.fio
	"$VFSCOPE" simulate job.fio --format fio >got.json
	comm -23 <(paths want.json) <(paths got.json) >missing
	[ ! -s missing ] || { cat missing; return 1; }
	diff <(jq '[.jobs[].jobname]' want.json) <(jq '[.jobs[].jobname]' got.json)
	diff <(jq '.jobs[1].read | [.total_ios, .io_bytes, .clat_ns.N]' want.json) \
		<(jq '.jobs[1].read | [.total_ios, .io_bytes, .clat_ns.N]' got.json)
	for path in runtime bw bw_bytes io_bytes io_kbytes total_ios; do
		jq -e ".jobs[].read.$path | . == floor" got.json >/dev/null
	done
	jq -e '.jobs[1].read | .total_ios == 64 and .io_bytes == 262144 and .clat_ns.N == 64 and
		.clat_ns.min <= .clat_ns.mean and .clat_ns.mean <= .clat_ns.max and
		([.clat_ns.bins[]] | add) == 64 and .clat_ns.stddev >= 0' got.json
}
