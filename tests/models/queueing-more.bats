#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The other families of closed forms, by the command line alone; docs/queueing.md says how each is
# made of a virtio-fs stack, and which cannot be.

load queueing
SEED=2

setup() {
	cd "$REPO"
}

@test "M/G/1: Erlang, uniform and bimodal service" {
	local half eight=workloads/poisson-read.fio
	local bimodal='quantiles 0=50us 0.95=50us 0.9500001=1050us 1=1050us'
	half=$(variant poisson-read rate_iops=5000)
	agrees me21-0.5 W 100000 "$half" 'service.READ.host_io=erlang 2 100us'
	agrees me41-0.8 W 100000 $eight 'service.READ.host_io=erlang 4 100us'
	agrees mu1-0.8 W 100000 $eight 'service.READ.host_io=uniform 0us 200us'
	agrees mb1-0.5 W 100000 "$half" "service.READ.host_io=$bimodal"
}

@test "more of M/D/1 and M/M/c" {
	agrees md1-0.9 W 100000 "$(variant poisson-read rate_iops=9000)" \
		'service.READ.host_io=const 100us'
	agrees mm2-0.9 W 100000 "$(variant poisson-read rate_iops=18000)" \
		daemon.thread_pool_size=2
	agrees mm16-0.9 W 100000 "$(variant poisson-read rate_iops=144000)" \
		daemon.thread_pool_size=16
}

@test "M/M/inf: a pool that is never used up" {
	agrees mminf-5 W 100000 "$(variant poisson-read rate_iops=50000)" \
		daemon.thread_pool_size=64
}

@test "more of M/M/c/K, also above full load" {
	agrees mm1k1-0.5 X 10000 "$(variant loss-read iodepth=1)" 'costs.syscall=exp 200us'
	agrees mm1k5-1.2 X 10000 workloads/loss-read.fio 'costs.syscall=exp 83333ns'
	agrees mm4k8-3.6 X 10000 "$(variant loss-read iodepth=8)" daemon.thread_pool_size=4 \
		'costs.syscall=exp 27778ns'
	agrees mm8k64-9 X 10000 "$(variant loss-read iodepth=64)" daemon.thread_pool_size=8 \
		'costs.syscall=exp 11111ns'
}

@test "priority: one thread that asks the first queue before each request" {
	local settings=(daemon.kind=rust daemon.queue_order=priority guest.kernel=6.12
		guest.vcpus=2 transport.request_queues=2)
	simulated workloads/priority-read.fio "${settings[@]}"
	holds prio-0.3-0.3 W_1 100000 0
	holds prio-0.3-0.3 W_2 100000 1
	sed -e '/^\[first/,/^$/s/3000/2000/' -e '/^\[second/,$s/3000/6000/' \
		workloads/priority-read.fio >"$BATS_TEST_TMPDIR/prio.fio"
	simulated "$BATS_TEST_TMPDIR/prio.fio" "${settings[@]}"
	holds prio-0.2-0.6 W_1 100000 0
	holds prio-0.2-0.6 W_2 100000 1
	# Served as they are kicked, neither has an advantage.
	simulated "$BATS_TEST_TMPDIR/prio.fio" "${settings[@]/priority/kicked}"
	run holds prio-0.2-0.6 W_1 100000 0
	[ "$status" -ne 0 ]
}

@test "batch arrivals: an op of several requests at once" {
	local job batch
	for batch in 2:4000 8:1000; do
		job=$(variant poisson-read bs=$((4 * ${batch%:*}))k "rate_iops=${batch#*:}" io_size=4g)
		agrees "mx${batch%:*}-exp" W_last 100000 "$job" daemon.max_pages=1
		agrees "mx${batch%:*}-det" W_last 100000 "$job" daemon.max_pages=1 \
			'service.READ.host_io=const 100us'
	done
}

@test "a server with a set-up time: the kick of an idle daemon" {
	agrees setup-0.5-2 W 100000 "$(variant poisson-read rate_iops=5000)" \
		'costs.kick=exp 200us'
	agrees setup-0.8-5 W 100000 workloads/poisson-read.fio 'costs.kick=exp 500us'
}

@test "D/M/1: arrivals at a steady rate" {
	local steady
	steady=$(variant poisson-read rate_iops=8000)
	sed -i /rate_process/d "$steady"
	agrees dm1-0.8 W 100000 "$steady"
	sed -i s/rate_iops=8000/rate_iops=5000/ "$steady"
	agrees dm1-0.5 W 100000 "$steady"
}

@test "E2/M/1: arrivals after two exponential times" {
	simulated "$(variant loss-read iodepth=4096 runtime=20)" 'costs.syscall=erlang 2 125us'
	near e2m1-0.8 W "$(per_service .summary.opcodes.READ.latency_ns.mean)" 0.04
	simulated "$(variant loss-read iodepth=4096 runtime=20)" 'costs.syscall=erlang 2 200us'
	near e2m1-0.5 W "$(per_service .summary.opcodes.READ.latency_ns.mean)" 0.04
}

@test "more of machine repair and the closed cycle" {
	agrees mrp-16-1-20 R 100000 "$(variant closed-read numjobs=16)" 'costs.syscall=exp 2ms'
	agrees mrp-32-4-10 R 100000 "$(variant closed-read numjobs=32)" 'costs.syscall=exp 1ms' \
		daemon.thread_pool_size=4
	agrees cyc-1-4-0.2 R 100000 "$(variant closed-read numjobs=1)" 'costs.complete=exp 20us' \
		daemon.thread_pool_size=4
	agrees cyc-16-4-0.2 R 100000 "$(variant closed-read numjobs=16)" 'costs.complete=exp 20us' \
		daemon.thread_pool_size=4
}

@test "closed product form: thinking, daemon and completion work" {
	# The completion work's CPU is none of those on which 32 tasks think.
	local settings=('costs.complete=exp 50us' 'costs.syscall=exp 1ms' guest.irq_cpu=63)
	agrees mva-8-10 R 100000 "$(variant closed-read numjobs=8)" "${settings[@]}"
	agrees mva-32-10 R 100000 "$(variant closed-read numjobs=32)" "${settings[@]}"
}

@test "a closed cycle in which nothing varies is exact" {
	local case jobs think
	for case in 1:0 8:0 8:10 32:10; do
		jobs=${case%:*} think=${case#*:}
		expect 0 "$VFSCOPE" simulate "$(variant closed-read numjobs="$jobs")" -f json \
			--set 'service.READ.host_io=const 100us' --set 'costs.complete=const 50us' \
			--set "costs.syscall=const ${think}00us" --set guest.irq_cpu=63
		echo "$output" >"$BATS_TEST_TMPDIR/out.json"
		near "det-$jobs-$think" X "$(jq '.estimates.rows[0].iops.value / 10000' \
			"$BATS_TEST_TMPDIR/out.json")" 0.001
	done
}
