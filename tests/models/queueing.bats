#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Queueing truth by the command line alone: models/ideal.model and the shipped jobs are textbook
# queues, and what they say agrees with closed forms. docs/queueing.md explains each.

load queueing

setup() {
	cd "$REPO"
}

@test "M/M/1: mean and quantiles of the time in the system" {
	agrees mm1-0.5 W 100000 "$(variant poisson-read rate_iops=5000)"
	agrees mm1-0.8 W 100000 workloads/poisson-read.fio
	holds mm1-0.8 W_p50 100000
	holds mm1-0.8 W_p99 100000
	holds mm1-0.8 W_p99.9 100000
	agrees mm1-0.9 W 100000 "$(variant poisson-read rate_iops=9000)"
}

@test "M/M/1 with the Rust daemon, which takes requests in batches" {
	agrees mm1-0.8 W 100000 workloads/poisson-read.fio daemon.kind=rust
}

@test "M/D/1" {
	agrees md1-0.5 W 100000 "$(variant poisson-read rate_iops=5000)" \
		'service.READ.host_io=const 100us'
	agrees md1-0.8 W 100000 workloads/poisson-read.fio 'service.READ.host_io=const 100us'
}

@test "M/M/c: a thread pool" {
	agrees mm2-0.7 W 100000 "$(variant poisson-read rate_iops=14000)" daemon.thread_pool_size=2
	agrees mm4-0.9 W 100000 "$(variant poisson-read rate_iops=36000)" daemon.thread_pool_size=4
	agrees mm8-0.9 W 100000 "$(variant poisson-read rate_iops=72000)" daemon.thread_pool_size=8 \
		daemon.kind=rust
}

@test "M/M/c/K: whoever finds it full goes away" {
	agrees mm1k5-0.8 X 10000 workloads/loss-read.fio 'costs.syscall=exp 125us'
	agrees mm2k10-1.8 X 10000 "$(variant loss-read iodepth=10)" daemon.thread_pool_size=2 \
		'costs.syscall=exp 55555ns'
	agrees mm10k10-8 X 10000 "$(variant loss-read iodepth=10)" daemon.thread_pool_size=10 \
		'costs.syscall=exp 12500ns'
}

@test "a full ring: the rest waits outside, as long as what exceeds it" {
	agrees mm1-0.8 W 100000 workloads/poisson-read.fio guest.kernel=6.12 transport.queue_size=8
	near mm1-0.8-ring8 W_ring \
		"$(per_service .summary.opcodes.READ.stages_ns.ring_wait.mean)" 0.08
}

@test "machine repair: closed queues" {
	agrees mrp-8-1-4 R 100000 workloads/closed-read.fio 'costs.syscall=exp 400us'
	agrees mrp-8-1-4 X 10000 workloads/closed-read.fio 'costs.syscall=exp 400us'
	agrees mrp-8-2-2 R 100000 workloads/closed-read.fio 'costs.syscall=exp 200us' \
		daemon.thread_pool_size=2
	agrees mrp-64-8-5 R 100000 "$(variant closed-read numjobs=64)" 'costs.syscall=exp 500us' \
		daemon.thread_pool_size=8 guest.vcpus=1024
}

@test "machine repair does not ask how think times are distributed" {
	local job
	job=$(variant closed-read)
	echo thinktime=400us >>"$job"
	agrees mrp-8-1-4 R 100000 "$job"
}

@test "a closed cycle of completion work and pool workers" {
	agrees cyc-32-8-0.1 R 100000 "$(variant closed-read numjobs=32)" 'costs.complete=exp 10us' \
		daemon.thread_pool_size=8
}

@test "a tandem: daemon, then completion work" {
	agrees jack-0.7-1-0.5 W 100000 "$(variant poisson-read rate_iops=7000)" \
		'costs.complete=exp 50us'
}
