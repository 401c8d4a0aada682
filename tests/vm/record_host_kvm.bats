# SPDX-License-Identifier: GPL-2.0-or-later
#
# vfscope record --host --kvm beside a real virtiofsd and a VM of a few instructions under the real
# KVM (tests/tools/kvm_guest), whose doorbells are ioeventfds and whose interrupts are irqfds: of a
# known number of requests, exactly as many doorbells and interrupts are counted.

bats_require_minimum_version 1.5.0

TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
VFSCOPE=$TOP/build/vfscope

setup() {
	[ -r /dev/kvm ] && [ -w /dev/kvm ] || skip 'no /dev/kvm here, or not for this user'
	[ -e /sys/kernel/tracing/events/kvm/kvm_pio/format ] || skip "no tracepoints of KVM in this kernel"
	[ "$(uname -m)" = x86_64 ] || skip 'the guest is made of x86 instructions'
	[ -x /usr/lib/qemu/virtiofsd ] || skip 'no C virtiofsd here'
	cd "$BATS_TEST_TMPDIR"
	mkdir share
	/usr/lib/qemu/virtiofsd --socket-path=socket -o source="$PWD/share" -o sandbox=chroot \
		>daemon.log 2>&1 3>&- &
	DAEMON=$!
	until [ -S socket ]; do
		kill -0 "$DAEMON"
		sleep 0.05
	done
}

teardown() {
	[[ ! -v GUEST ]] || kill "$GUEST" 2>/dev/null || true
	[[ ! -v DAEMON ]] || kill "$DAEMON" 2>/dev/null || true
}

# record REQUESTS port|memory OPTION...: the guest's requests, recorded from the first to the last.
record() {
	mkfifo go
	"$TOP/build/tests/tools/kvm_guest" socket "$1" "$2" <go >guest 2>guest.err 3>&- &
	GUEST=$!
	exec 9>go
	until grep -q ready guest; do
		kill -0 "$GUEST" || { cat guest.err; return 1; }
		sleep 0.05
	done
	run --separate-stderr "$VFSCOPE" record --host --strict --daemon "$DAEMON" -o host.vft "${@:3}" -- \
		sh -c 'echo >&9; until grep -q requests guest; do sleep 0.05; done' 3>&-
	exec 9>&-
	echo "$stderr"
	cat guest guest.err
	[ "$status" -eq 0 ]
	[ "$(tail -n 1 guest | jq .doorbells)" -eq "$1" ]
}

kvm() { # JQ_FILTER
	"$VFSCOPE" report -f json host.vft | jq -r ".kvm[0] | $1"
}

@test "doorbells by port and interrupts of a known number of requests" {
	record 2000 port --kvm
	[ "$(kvm '.doorbells | map([.space, .address, .writes]) | tostring')" = '[["port",49232,2000]]' ]
	# Each wakes the daemon but those that find it awake still.
	[ "$(kvm '.doorbells[0] | .wakes > 0 and .wakes <= .writes')" = true ]
	[ "$(kvm '[.doorbells[0].wakes == .doorbell_to_wake_ns.count,
		.wake_to_run_ns.count == .doorbell_to_wake_ns.count] | all')" = true ]
	# The daemon calls once for each, and KVM has a message of each call.
	[ "$(kvm .interrupts.messages_of_daemons)" -eq 2000 ]
	[ "$(kvm .call_to_message_ns.count)" -eq 2000 ]
	"$VFSCOPE" export -f raw host.vft >raw
	[ "$(jq -s 'map(select(.type == "syscall" and .class == "call")) | length' raw)" -ge 2000 ]
	# A halt ends by an interrupt, so there are no more than interrupts.
	[ "$(kvm '.halt_wait_ns.count > 0 and .halt_wait_ns.count <= 2000')" = true ]
	[ "$(kvm '.call_to_awake_ns.count > 0 and .call_to_awake_ns.count <= .halt_wait_ns.count')" = true ]
	[ "$(kvm '[.vcpu_threads, (.to_vmm[] | .name, .count)] | tostring')" = '[1,"IO",1]' ]
	[ "$(kvm .vmm)" -eq "$GUEST" ]
	run -0 "$VFSCOPE" report host.vft
	[[ $output == *"KVM, VM of process $GUEST, 1 virtual CPUs seen"* ]]
	[[ $output == *'port     0xc050'*2000* ]]
}

@test "memory-mapped doorbells" {
	record 1000 memory --kvm
	[ "$(kvm '.doorbells | map([.space, .address, .writes]) | tostring')" = '[["memory",852048,1000]]' ]
	[ "$(kvm .interrupts.messages_of_daemons)" -eq 1000 ]
}

@test "aggregated, with waits for a CPU too" {
	record 500 port --kvm --aggregate --sched
	[ "$(kvm '.doorbells[0].writes')" -eq 500 ]
	[ "$(kvm .interrupts.messages_of_daemons)" -eq 500 ]
	"$VFSCOPE" export -f raw host.vft >raw || true
	[ "$(jq -s '.[-1].footer.daemons[0].requests' raw)" -eq 500 ]
}

@test "not asked for: nothing of it is recorded, and no tracepoint of KVM is attached" {
	record 100 port
	[ "$("$VFSCOPE" report -f json host.vft | jq 'has("kvm")')" = false ]
	"$VFSCOPE" export -f raw host.vft >raw
	[ "$(jq -s -c '.[0].header.points | map(.function)' raw)" = '["sys_enter","sys_exit"]' ]
}
