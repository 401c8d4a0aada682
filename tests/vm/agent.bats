# SPDX-License-Identifier: GPL-2.0-or-later
#
# Guest and host recorded by one command on the host, with the agent in the guest at the other end of
# a virtio-serial port. One boot; each test starts its own agent.

bats_require_minimum_version 1.5.0
load vm

setup_file() {
	start_vm --cache never --port vfscope
	head -c $((1000 * 4096)) /dev/urandom >"$VM_SHARE/file"
}

teardown_file() {
	stop_vm
}

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	VFSCOPE=$TOP/build/vfscope
	TARGET=serial:$VM_DIR/vfscope.sock
	export LAB_DIR=$VM_DIR # for commands on the host that run something in the guest
}

teardown() {
	stop_agent
}

# In the guest, until stop_agent; what it says goes to agent.log.
start_agent() { # OPTION...
	start_guest agent.log sh -c 'echo $$ >/tmp/agent.pid; exec "$@" 2>&1' agent \
		"$VFSCOPE" agent "$@" serial:vfscope
	AGENT_PID=$GUEST_PID
	wait_for agent.log
}

stop_agent() {
	[[ -n ${AGENT_PID-} ]] || return 0
	kill -TERM "$AGENT_PID" 2>/dev/null || true
	wait "$AGENT_PID" || true
	unset AGENT_PID
}

# Direct reads of all blocks of the file.
read_all="dd if=/mnt/vfs/file of=/dev/null bs=4k count=1000 iflag=direct status=none"

record_vm() { # OPTION...
	run --separate-stderr "$VFSCOPE" record --vm "$TARGET" --daemon "$VM_DAEMON_PID" --mount /mnt/vfs "$@" 3>&-
	printf 'status %s\nstdout: %s\nstderr: %s\n' "$status" "$output" "$stderr"
	cat agent.log 2>/dev/null || true
}

# What jq says of all READs, in one array.
reads() { # FILE JQ_FILTER
	"$VFSCOPE" export "$1" | jq -s -c "map(select(.type == \"request\" and .opcode == \"READ\")) | $2"
}

joined_whole() { # FILE
	[ "$(reads "$1" length)" = 1000 ]
	[ "$(reads "$1" 'map(.offset) | sort == [range(0; 1000) * 4096]')" = true ]
	[ "$(reads "$1" 'all((.flags | contains(["guest", "host"])) and .unsplit_ns == 0)')" = true ]
}

# Programs that are attached in the guest.
attached() {
	guest bpftool link list | grep -c '^[0-9]'
}

# A recorder that loses its host or its agent takes a moment to end.
wait_until_nothing_is_attached() {
	until [ "$(attached)" = 0 ]; do
		pause_for_vm || return 1
	done
}

no_file_in_guest() {
	[ -z "$(guest sh -c 'ls -d /tmp/vfscope-agent.* 2>/dev/null')" ]
}

# In the background, for a minute; sets RECORD_PID once both sides are recording. Says into record.log.
start_record() { # OPTION...
	rm -f ready
	"$VFSCOPE" record --vm "$TARGET" --daemon "$VM_DAEMON_PID" --mount /mnt/vfs --ready-file ready \
		--duration 300s "$@" >record.log 2>&1 3>&- &
	RECORD_PID=$!
	until [[ -e ready ]]; do
		kill -0 "$RECORD_PID" || { cat record.log; return 1; }
		pause_for_vm || return 1
	done
	[ "$(attached)" -gt 0 ]
}

@test "1000 direct reads of a command on the host's side: one file, joined whole; then again, with the halves" {
	start_agent
	record_vm --strict -o joined.vft -- "$TOP/lab/guest" $read_all
	[ "$status" -eq 0 ]
	[[ $output == *'joined '*'requests of connection'*'clocks '* ]]
	joined_whole joined.vft
	[ "$(ls ./*.vft)" = ./joined.vft ]
	[ "$(stat -c %a joined.vft)" = 600 ]
	[ "$(attached)" = 0 ]
	no_file_in_guest
	record_vm --strict --keep -o again.vft -- "$TOP/lab/guest" $read_all
	[ "$status" -eq 0 ]
	joined_whole again.vft
	[ "$(stat -c %a again.guest.vft again.host.vft)" = $'600\n600' ]
	"$VFSCOPE" join --strict again.guest.vft again.host.vft -o third.vft
	joined_whole third.vft
}

@test "a command in the guest, only if the agent allows it" {
	start_agent
	record_vm --guest-command "$read_all" -o joined.vft
	[ "$status" -eq 3 ]
	[[ $stderr == *refuses*--allow-commands* ]]
	[ -z "$(ls ./*.vft 2>/dev/null)" ]
	stop_agent
	start_agent --allow-commands
	record_vm --strict --guest-command "$read_all; echo done reading" -o joined.vft
	[ "$status" -eq 0 ]
	[[ $stderr == *"guest's command: done reading"* ]]
	joined_whole joined.vft
}

@test "the agent is killed in the middle: says so, keeps the host's half; nothing stays attached" {
	start_agent
	start_record -o joined.vft
	guest sh -c "$read_all; kill -9 \$(cat /tmp/agent.pid)"
	status=0
	wait "$RECORD_PID" || status=$?
	cat record.log
	[ "$status" -eq 3 ]
	grep -q 'agent says nothing any more' record.log # a port's host is not told that it was closed
	grep -q "the host's half is in joined.host.vft" record.log
	[ ! -e joined.vft ] && [ ! -e joined.guest.vft ]
	[ "$("$VFSCOPE" report --format json joined.host.vft | jq .summary.opcodes.READ.count)" = 1000 ]
	wait_until_nothing_is_attached
	guest sh -c 'rm -rf /tmp/vfscope-agent.*' # what kill -9 left
}

@test "the host is killed in the middle: the agent detaches, keeps nothing, and serves the next" {
	start_agent
	start_record -o joined.vft
	kill -9 "$RECORD_PID"
	wait_until_nothing_is_attached
	record_vm --strict -o joined.vft -- "$TOP/lab/guest" $read_all
	[ "$status" -eq 0 ]
	joined_whole joined.vft
	grep -q 'the host has gone' agent.log
	no_file_in_guest
}

@test "Ctrl-C ends both and joins; garbage in the port before does no harm" {
	start_agent
	perl -MIO::Socket::UNIX -e 'my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "$!";
		print $s join("", map { chr(rand(256)) } 1 .. 100000)' "$VM_DIR/vfscope.sock"
	start_record --strict -o joined.vft
	# Who talks to the guest may reach files, and nothing else.
	until (((0x$(sed -n 's/^CapEff:\t//p' "/proc/$RECORD_PID/status") & ~6) == 0)); do
		pause_for_vm
	done
	guest $read_all
	kill -INT "$RECORD_PID"
	wait "$RECORD_PID"
	joined_whole joined.vft
	[ "$(attached)" = 0 ]
}

@test "no agent: says that nobody answers, and leaves no file" {
	record_vm -o joined.vft
	[ "$status" -eq 3 ]
	[[ $stderr == *'nobody answers'*'vfscope agent'* ]]
	[ -z "$(ls ./*.vft 2>/dev/null)" ]
}
