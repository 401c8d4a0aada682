# SPDX-License-Identifier: GPL-2.0-or-later
#
# Request fidelity: random op scripts, performed in a guest under vfscope record and simulated with
# the same settings, must send the same requests in the same steps. One VM for each daemon mode, with
# writeback for each seed. Not part of `make check`: the moment at which attributes expire and dirty
# pages are written depends on the machine's load, and a difference is for a person to judge.
# FIDELITY_SEEDS="7 8" tries other seeds, FIDELITY_KERNEL another kernel.

bats_require_minimum_version 1.5.0
load ../vm/vm
load fidelity

KERNEL=${FIDELITY_KERNEL:-6.1}
OPS=${FIDELITY_OPS:-80}

setup() {
	make -s -C "$TOP" build/tests/tools/run_ops build/tests/tools/gen_ops
}

teardown() {
	stop_vm
}

# How the lab's VM is set, and costs small enough not to disturb the scripts' times.
settings=(--set guest.kernel="$KERNEL" --set guest.vcpus=2 --set guest.memory=1G
	--set transport.queue_size=128 --set daemon.kind=rust
	--set costs.syscall='const 1us' --set costs.kick='const 10us' --set costs.wakeup='const 5us')

# Each seed's script must agree; all are tried before the test fails.
try_seeds() { # MAX_DIRTY SIMULATE_OPTIONS...
	local seed dir failed=0
	for seed in ${FIDELITY_SEEDS:-1 2 3}; do
		dir=${FIDELITY_DIR:-$BATS_TEST_TMPDIR}/$BATS_TEST_NUMBER-$seed
		mkdir -p "$dir"
		"$TOP/build/tests/tools/gen_ops" "$seed" "$OPS" "s$seed-" "$1" >"$dir/script.ops"
		compare_script "$dir/script.ops" "$dir" "${settings[@]}" "${@:2}" && continue
		echo "seed $seed differs"
		failed=1
	done
	return $failed
}

@test "cache mode auto: simulated and real requests are the same" {
	start_vm --kernel "$KERNEL" --cache auto
	# Memory that was written is written back in its own time here too.
	FIDELITY_TOTALS=1 try_seeds 0 --mode writethrough
}

@test "cache mode never: simulated and real requests are the same" {
	start_vm --kernel "$KERNEL" --cache never
	try_seeds 0 --mode direct
}

@test "cache mode auto with writeback: simulated and real requests are the same, writeback in total" {
	local seed failed=0
	# A VM each: pages that an ended task has made dirty count for the next one.
	for seed in ${FIDELITY_SEEDS:-1 2 3}; do
		start_vm --kernel "$KERNEL" --cache auto --writeback
		FIDELITY_TOTALS=1 FIDELITY_SEEDS=$seed try_seeds 65536 --mode writeback || failed=1
		stop_vm
	done
	[ $failed -eq 0 ]
}
