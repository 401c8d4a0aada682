#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Queueing truth by the command line alone: models/ideal.model and the shipped jobs are textbook
# queues, and what they say agrees with closed forms. docs/queueing.md explains each.

load ../cli/common

FORMS=$BATS_TEST_DIRNAME/closed-forms.csv

setup() {
	cd "$REPO"
}

# form KEY MEASURE: the closed form, in mean service times.
form() {
	awk -F, -v key="$1" -v measure="$2" '$1 == key && $2 == measure { print $3; found = 1 }
		END { exit !found }' "$FORMS"
}

# variant JOB NAME=VALUE...: a copy of a shipped job with these options changed; prints its path.
variant() {
	local out edit=(-e '')
	out=$(mktemp "$BATS_TEST_TMPDIR/XXXXXX.fio")
	local job=$1
	shift
	for change; do
		edit+=(-e "s/^${change%%=*}=.*/$change/")
	done
	sed "${edit[@]}" "workloads/$job.fio" >"$out"
	echo "$out"
}

# field FILE NAME: "value half_width" of the only row of estimates.
field() {
	awk -v name="\"$2\":" '/"estimates":/ { on = 1 } !on { next }
		$1 == name { inside = 1 }
		inside && $1 == "\"value\":" { value = $2 }
		inside && $1 == "\"half_width\":" { print value + 0, $2 + 0; exit }' "$1"
}

# agrees KEY MEASURE UNIT JOB SETTING...: the simulated mean (W, R: in ns, UNIT is the service time),
# quantile (W_p50) or rate (X: UNIT is the service rate) is known to 2 % with 99 % confidence, and
# the closed form lies in its interval.
agrees() {
	local key=$1 measure=$2 unit=$3 job=$4 name=mean_ns most=2 settings=() want
	shift 4
	for setting; do
		settings+=(--set "$setting")
	done
	case $measure in
	X) name=iops ;;
	W_p*) name=${measure#W_}_ns most=5 ;;
	esac
	want=$(form "$key" "$measure")
	expect 0 "$VFSCOPE" simulate "$job" --precision 2% --seed 1 -f json "${settings[@]}"
	echo "$output" >"$BATS_TEST_TMPDIR/out.json"
	field "$BATS_TEST_TMPDIR/out.json" "$name" >"$BATS_TEST_TMPDIR/field"
	awk -v want="$want" -v unit="$unit" -v most="$most" -v what="$key $measure" '{
		printf "%s: %g +- %g, closed form %g\n", what, $1 / unit, $2 / unit, want
		off = $1 / unit - want
		if (off < 0) off = -off
		exit !(off <= $2 / unit && $2 > 0 && $2 <= most / 100 * $1)
	}' "$BATS_TEST_TMPDIR/field"
}

@test "M/M/1: mean and quantiles of the time in the system" {
	agrees mm1-0.5 W 100000 "$(variant poisson-read rate_iops=5000)"
	agrees mm1-0.8 W 100000 workloads/poisson-read.fio
	agrees mm1-0.8 W_p50 100000 workloads/poisson-read.fio
	agrees mm1-0.8 W_p99 100000 workloads/poisson-read.fio
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
	local mean
	agrees mm1-0.8 W 100000 workloads/poisson-read.fio guest.kernel=6.12 transport.queue_size=8
	mean=$(awk '/"READ":/ { on = 1 } on && /"ring_wait":/ { inside = 1 }
		inside && $1 == "\"mean\":" { print $2 + 0; exit }' "$BATS_TEST_TMPDIR/out.json")
	awk -v got="$mean" -v want="$(form mm1-0.8-ring8 W_ring)" 'BEGIN {
		got /= 100000
		printf "ring_wait: %g, closed form %g\n", got, want
		exit !(got > 0.92 * want && got < 1.08 * want) }'
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
