# SPDX-License-Identifier: GPL-2.0-or-later
#
# vfscope record --host --kvm beside a real virtiofsd and a VM of a few instructions under the real
# KVM (tests/tools/kvm_guest), whose doorbells are ioeventfds and whose interrupts are irqfds: of a
# known number of requests, exactly as many doorbells and interrupts are counted, and as many as perf counts
# beside it. The same VM resets its device: the rings begin anew, elsewhere, and recording goes on.

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
	[[ ! -v PERF ]] || kill "$PERF" 2>/dev/null || true
	[[ ! -v GUEST ]] || kill "$GUEST" 2>/dev/null || true
	[[ ! -v DAEMON ]] || kill "$DAEMON" 2>/dev/null || true
}

# start_guest REQUESTS port|memory [ROUNDS]: it waits for lines from descriptor 9.
start_guest() {
	mkfifo go
	"$TOP/build/tests/tools/kvm_guest" socket "$@" <go >guest 2>guest.err 3>&- &
	GUEST=$!
	exec 9>go
	until grep -q ready guest; do
		kill -0 "$GUEST" || { cat guest.err; return 1; }
		sleep 0.05
	done
}

# What perf counts of the same two processes at the same time, without BPF: the guest does nothing
# between the begin of the one and of the other.
COUNTED=(pio mmio msi_set_irq vcpu_wakeup userspace_exit)

count_beside() {
	local answer events
	events=$(printf 'kvm:kvm_%s,' "${COUNTED[@]}")
	perf stat -e "${events%,}" true >/dev/null 2>&1 || return 0
	mkfifo control answers
	exec 6<>control 5<>answers
	perf stat -x , -o perf.txt -e "${events%,}" -p "$GUEST,$DAEMON" -D -1 --control fifo:control,answers \
		>/dev/null 2>perf.err 3>&- &
	PERF=$!
	echo enable >&6
	read -r -t 30 answer <&5 || { cat perf.err; return 1; }
	[[ $answer == ack* ]]
}

stop_counting() {
	[[ -v PERF ]] || return 0
	kill -INT "$PERF"
	wait "$PERF" || true
	unset PERF
	exec 6>&- 5>&-
	cat perf.txt
}

# as_perf EVENT COUNT: as perf counted, where there is one to ask.
as_perf() {
	[ -e perf.txt ] || return 0
	[ "$(awk -F , -v event="kvm:kvm_$1" '$3 == event { print $1 }' perf.txt)" = "$2" ]
}

# record REQUESTS port|memory OPTION...: the guest's requests, recorded from the first to the last.
record() {
	start_guest "$1" "$2"
	count_beside
	run --separate-stderr "$VFSCOPE" record --host --strict --daemon "$DAEMON" -o host.vft "${@:3}" -- \
		sh -c 'echo >&9; until grep -q requests guest; do sleep 0.05; done
			cut -d " " -f 19 /proc/$PPID/stat /proc/$$/stat >priorities' 3>&-
	stop_counting
	exec 9>&-
	echo "$stderr"
	cat guest guest.err
	[ "$status" -eq 0 ]
	[ "$(tail -n 1 guest | jq .doorbells)" -eq "$1" ]
	# The recorder goes before what it records.
	[ "$(paste -sd ' ' priorities)" = "-10 $(nice)" ]
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
	as_perf pio 2001 # the last one tells the VMM that the guest is through
	as_perf msi_set_irq 2000
	as_perf vcpu_wakeup "$(kvm '.halt_wait_ns.count + (.halt_poll_ns.count // 0)')"
	as_perf userspace_exit "$(kvm '.to_vmm | map(.count) | add')"
	run -0 "$VFSCOPE" report host.vft
	[[ $output == *"KVM, VM of process $GUEST, 1 virtual CPUs seen"* ]]
	[[ $output == *'port     0xc050'*2000* ]]
}

@test "memory-mapped doorbells" {
	record 1000 memory --kvm
	[ "$(kvm '.doorbells | map([.space, .address, .writes]) | tostring')" = '[["memory",852048,1000]]' ]
	[ "$(kvm .interrupts.messages_of_daemons)" -eq 1000 ]
	# Each interrupt's handler writes to the local APIC, which is no doorbell.
	as_perf mmio $((1000 + $(tail -n 1 guest | jq .interrupts)))
	as_perf msi_set_irq 1000
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

# await FILE TEXT COUNT: until the file has so many lines with the text.
await() {
	until [ "$(grep -c -- "$2" "$1")" -ge "$3" ]; do
		kill -0 "$GUEST" && kill -0 "$RECORDER" || { cat guest.err err; return 1; }
		sleep 0.05
	done
}

# record_rounds REQUESTS ROUNDS before|after: whether the rings of a round are found before or after
# its requests; the process that looks for them stands still until then, since nothing else says who
# comes first.
record_rounds() {
	local i watcher
	start_guest "$1" port "$2"
	"$VFSCOPE" record --host --daemon "$DAEMON" -o host.vft --ready-file ready 2>err 3>&- 9>&- &
	RECORDER=$!
	until [ -e ready ]; do
		kill -0 "$RECORDER" || { cat err; return 1; }
		sleep 0.05
	done
	read -r watcher < <(cat "/proc/$RECORDER/task/$RECORDER/children"; echo)
	[ "$3" = before ] || kill -STOP "$watcher"
	for ((i = 1; i <= $2; i++)); do
		[ "$3" = after ] || await err anew $((i - 1))
		echo >&9
		await guest requests "$i"
	done
	kill -CONT "$watcher"
	await err anew $(($2 - 1))
	kill -INT "$RECORDER"
	wait "$RECORDER"
	exec 9>&-
	cat err
	"$VFSCOPE" export -f raw host.vft >raw
}

@test "a device that the guest sets up anew: its rings are found again, and nothing is missing" {
	record_rounds 400 4 before
	[ "$(jq -s -c '.[-1].footer.daemons | map([.slot, .requests, .follows, .reset])' raw)" = \
		'[[0,400,null,true],[1,400,0,true],[2,400,1,true],[3,400,2,null]]' ]
	[ "$(jq -s -c '.[-1].footer.daemons | map(.pid) | unique | length' raw)" -eq 1 ]
	[ "$(jq -s '.[-1].losses | add' raw)" -eq 0 ]
	# What was in the place of the old rings was not taken for requests.
	[ "$(jq -s -c 'map(select(.type == "chain") | [.daemon, .opcode]) | group_by(.) |
		map([.[0][0], .[0][1], length])' raw)" = \
		'[[0,"GETATTR",400],[1,"GETATTR",400],[2,"GETATTR",400],[3,"GETATTR",400]]' ]
	run -0 "$VFSCOPE" report host.vft
	[[ $output == *'400 requests of '*'; after the guest had set up the device anew; then the guest reset the device'* ]]
	[[ $output == *'1600 requests in '* ]]
}

@test "requests before the rings are found again are counted as lost" {
	record_rounds 2000 2 after
	[ "$(jq -s -c '[.[-1].losses.ring_moved, (.[-1].footer.daemons | map(.requests))]' raw)" = '[2000,[2000,0]]' ]
	[[ $(cat err) == *'lost: '*' requests after the guest set its rings up anew'* ]]
}

# stalled_pipe: a FIFO that stays open and that nobody reads.
stalled_pipe() {
	mkfifo fifo
	exec 8<>fifo
}

# A recorder whose reader took nothing: what it says of it.
gave_up() { # FILE
	[[ $(cat err) == *"cannot write to $1: its reader takes nothing"* ]]
	[[ $(cat err) == *'warning: kept '*' of '*' events in '*' were not written'* ]]
}

@test "a reader that stalls costs events, not the guest's requests; it does not keep a command from ending" {
	local rc=0
	start_guest 12000 port
	stalled_pipe
	"$VFSCOPE" record --host --daemon "$DAEMON" --buffer 64k -o fifo -- \
		sh -c 'echo >&9; until grep -q requests guest; do sleep 0.05; done' 2>err 3>&- 8>&- || rc=$?
	cat err
	[ "$rc" -eq 3 ]
	[ "$(tail -n 1 guest | jq .requests)" -eq 12000 ]
	gave_up fifo
	[[ $(cat err) == *'(ringbuf)'* ]]
	# Who reads at last has what came until then.
	exec 7<fifo 8>&-
	cat <&7 >part.vft
	"$VFSCOPE" report part.vft | grep 'was interrupted'
}

@test "a reader that stalls: a second signal ends the recorder at once, and its command" {
	local rc=0
	start_guest 12000 port
	stalled_pipe
	"$VFSCOPE" record --host --daemon "$DAEMON" -o fifo -- \
		sh -c 'echo >&9; exec sleep 600' 2>err 3>&- 8>&- &
	RECORDER=$!
	await guest requests 1
	kill -TERM "$RECORDER"
	await err 'waiting for the reader' 1
	kill -INT "$RECORDER"
	wait "$RECORDER" || rc=$?
	cat err
	[ "$rc" -eq 3 ]
	gave_up fifo
	[[ $(cat err) != *'goes on without being recorded'* ]]
}

@test "a reader that reads only after the recording's end gets all of it" {
	start_guest 8000 port
	stalled_pipe
	"$VFSCOPE" record --host --strict --daemon "$DAEMON" -o - --ready-file ready >fifo 2>err 3>&- 8>&- 9>&- &
	RECORDER=$!
	until [ -e ready ]; do
		kill -0 "$RECORDER"
		sleep 0.05
	done
	echo >&9
	await guest requests 1
	kill -INT "$RECORDER"
	await err 'waiting for the reader' 1
	exec 7<fifo 8>&-
	cat <&7 >host.vft
	wait "$RECORDER"
	cat err
	[[ $(cat err) == *'kept 8000 requests'* ]]
	[ "$("$VFSCOPE" report -f json host.vft | jq .summary.opcodes.GETATTR.count)" -eq 8000 ]
}
