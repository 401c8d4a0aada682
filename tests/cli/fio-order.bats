#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What a job does under vfscope simulate and under real fio: the same ops in the same order where
# fio's order is determined, the same statistics where it is drawn.

load common

setup() {
	command -v fio >/dev/null || skip "fio is not installed"
	cd "$BATS_TEST_TMPDIR"
}

# real BODY...: runs the job under fio; its log as "FILE OP [OFFSET SIZE]" into want, FILE from 0.
real() {
	printf '[a]\nioengine=psync\n%b\nwrite_iolog=log\n' "$1" >real.fio
	rm -f log a.*
	fio real.fio >fio.out 2>&1 || { cat fio.out; return 1; }
	awk '$3 == "add" { if (!($2 in file)) file[$2] = n++ }
	     $3 == "open" || $3 == "close" { print file[$2], $3 }
	     $3 == "sync" || $3 == "datasync" { print file[$2], $3 }
	     $3 == "read" || $3 == "write" { print file[$2], $3, $4, $5 }' log >want
	[ -s want ]
}

# simulated BODY: the same of a simulation into got.
simulated() {
	printf '[a]\nioengine=psync\n%b\n' "$1" >sim.fio
	"$VFSCOPE" simulate sim.fio --model "$REPO/models/ideal.model" --requests requests >/dev/null
	jq -r 'select(.type == "op") | (.op | {fsync: "sync", fdatasync: "datasync"}[.] // .) as $op |
		if $op == "read" or $op == "write" then "\(.nodeid - 2) \($op) \(.offset) \(.size)"
		else "\(.nodeid - 2) \($op)" end' requests >got
}

# same BODY...: each job does the same op by op.
same() {
	local body
	for body; do
		real "$body"
		simulated "$body"
		diff want got || { printf 'job: %b\n' "$body"; return 1; }
	done
}

@test "one file: sizes, offsets, syncs, passes" {
	same 'rw=write\nsize=64k\nfsync=3' 'rw=write\nsize=30k\nfdatasync=2\nend_fsync=1' \
		'rw=read\nsize=48k\nio_size=96k\nbs=8k' 'rw=read\nfilesize=64k\noffset=8k\nsize=32k' \
		'rw=write\nsize=16k\nloops=2\nfsync=3' 'rw=read\nsize=64k\nnumber_ios=5' \
		'rw=randread\nsize=4k\nloops=2' 'rw=write\nsize=14k\nend_fsync=1' \
		'rw=write\nsize=24k\nend_fsync=1\nio_size=40k' 'rw=write\nsize=24k\nend_fsync=1\nnumber_ios=3' \
		'rw=write\nsize=8k\nloops=2\nfsync_on_close=1' 'rw=write\nsize=8k\nloops=2\nfsync=2\nend_fsync=1' \
		'rw=rw\nsize=24k\nrwmixread=100\nend_fsync=1' 'rw=read\nsize=64k\nio_size=50%'
}

@test "several files: whose turn it is, when each is opened and closed" {
	same 'rw=read\nsize=32k\nnrfiles=2' 'rw=read\nsize=32k\nnrfiles=2\nfile_service_type=sequential' \
		'rw=read\nsize=64k\nnrfiles=4\nfile_service_type=roundrobin:2' \
		'rw=read\nsize=64k\nnrfiles=4\nopenfiles=2' 'rw=read\nsize=36k\nnrfiles=3\nopenfiles=2' \
		'rw=read\nsize=64k\nnrfiles=4\nopenfiles=2\nfile_service_type=sequential' \
		'rw=write\nsize=64k\nnrfiles=4\nfsync=3\nend_fsync=1' 'rw=write\nfilesize=8k\nnrfiles=4' \
		'rw=read\nsize=100k\nnrfiles=3' 'rw=read\nsize=64k\nnrfiles=2\nloops=2' \
		'rw=write\nsize=32k\nnrfiles=2\nfsync_on_close=1' 'rw=write\nsize=28k\nend_fsync=1\nnrfiles=2' \
		'rw=read\nsize=32k\nnrfiles=2\nio_size=48k\nfile_service_type=sequential' \
		'rw=write\nsize=32k\nnrfiles=2\nloops=2\nend_fsync=1' 'rw=write\nsize=32k\nnrfiles=2\nnumber_ios=5' \
		'rw=read\nsize=48k\nnrfiles=2\noffset=8k' 'rw=read\nsize=48k\nnrfiles=2\nfilesize=64k\noffset=8k' \
		'rw=read\nsize=64k\nfilename=a.x:a.y:a.z\nnrfiles=2'
}

@test "percentages of an existing file" {
	local body
	for body in 'offset=50%' 'offset=25%\nsize=50%' 'offset=16k\nsize=25%' 'offset=13%\nsize=50%' 'size=100%\noffset=16k'; do
		body="rw=read\nfilename=a.x\nfilesize=61k\n$body"
		printf '[a]\nioengine=psync\n%b\nwrite_iolog=log\n' "$body" >real.fio
		rm -f log a.x
		truncate -s 61k a.x
		fio real.fio >fio.out
		awk '$3 == "read" { print 0, $3, $4, $5 }' log >want
		[ -s want ]
		simulated "$body"
		diff want <(grep read got) || { printf 'job: %b\n' "$body"; return 1; }
	done
}

@test "a time-based job begins anew in the open file; several files are closed between rounds" {
	local body
	for body in 'rw=read\nsize=8k' 'rw=read\nsize=24k\nnrfiles=2' 'rw=write\nsize=14k' \
		'rw=read\nsize=24k\nnrfiles=2\nfile_service_type=sequential'; do
		real "$body\ntime_based\nruntime=1\nthinktime=2000"
		simulated "$body\ntime_based\nruntime=1\nthinktime=2000"
		diff <(head -n 30 want) <(head -n 30 got) || { printf 'job: %b\n' "$body"; return 1; }
	done
}

@test "random offsets: each block once, in each file" {
	local body
	for body in 'rw=randread\nsize=400k' 'rw=randwrite\nsize=256k\nnrfiles=2\nbs=8k' \
		'rw=randrw\nsize=400k\nrwmixread=100' 'rw=randread\nsize=128k\nfile_service_type=random\nnrfiles=4'; do
		real "$body"
		simulated "$body"
		diff <(sort want) <(sort got) || { printf 'job: %b\n' "$body"; return 1; }
	done
}

# share FILE SIZE: how many per mille of the reads and writes have this size.
share() {
	awk -v size="$2" 'NF == 4 { n++; hits += $4 == size } END { printf "%d\n", 1000 * hits / n }' "$1"
}

@test "mixed block sizes: every byte once, and each size about as often" {
	local body size
	for body in 'rw=write\nsize=32m\nbssplit=4k/30:16k/30:64k/40' 'rw=read\nsize=32m\nbsrange=4k-16k' \
		'rw=randwrite\nsize=32m\nbssplit=4k/50:8k/50' 'rw=randread\nsize=32m\nbsrange=4k-16k'; do
		real "$body"
		simulated "$body"
		for log in want got; do
			awk 'NF == 4 { print $3, $4 }' "$log" | sort -n |
				awk '$1 != end { exit 1 } { end = $1 + $2 } END { exit end != 32 * 1048576 }'
		done
		for size in 4096 8192 16384 65536; do
			local w g
			w=$(share want $size) g=$(share got $size)
			[ $((w - g)) -lt 40 ] && [ $((g - w)) -lt 40 ] ||
				{ printf '%b: size %s: fio %s, simulated %s per mille\n' "$body" $size "$w" "$g"; return 1; }
		done
	done
}

# popularity FILE: share of the three most popular blocks in per mille.
popularity() {
	awk 'NF == 4 { count[$3]++; n++ } END { for (b in count) print 1000 * count[b] / n }' "$1" |
		sort -rn | head -n 3 | awk '{ sum += $1 } END { printf "%d\n", sum }'
}

@test "popular blocks are as popular as in fio" {
	local law w g
	for law in zipf:1.2 zipf:0.8 pareto:0.2 pareto:0.4 normal:20; do
		real "rw=randread\nsize=1m\nio_size=40m\nrandom_distribution=$law"
		simulated "rw=randread\nsize=1m\nio_size=40m\nrandom_distribution=$law"
		w=$(popularity want) g=$(popularity got)
		[ $((10 * g)) -gt $((8 * w)) ] && [ $((10 * g)) -lt $((12 * w)) ] ||
			{ echo "$law: fio $w, simulated $g per mille"; return 1; }
		# In one open file, around and around.
		diff <(grep -v read want) <(grep -v read got)
	done
}
