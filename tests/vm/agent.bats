# SPDX-License-Identifier: GPL-2.0-or-later
#
# Guest and host recorded by one command on the host, with the agent in the guest at the other end of
# a virtio-serial port, a vsock or a TCP connection. One boot; each test starts its own agent. One
# vCPU and --no-ops where ops do not matter: under emulation attaching takes most of the time.

bats_require_minimum_version 1.5.0
load vm

setup_file() {
	export TCP_PORT LAB_OPTIONS
	TCP_PORT=$(perl -MIO::Socket::INET -e \
		'print IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 1)->sockport')
	LAB_OPTIONS="--vcpus 1 --cache never --port vfscope --tcp $TCP_PORT:8347"
	# shellcheck disable=SC2086
	if ! start_vm $LAB_OPTIONS --vsock; then
		# Only the device's program needs the network: it is newer than the suite of the tests.
		grep -qE 'cannot fetch|found no package|has no Debian mirror' "$VM_LOG" || return 1
		NO_VSOCK=$(<"$VM_LOG")
		export NO_VSOCK
		start_vm $LAB_OPTIONS || return 1
	fi
	head -c $((1000 * 4096)) /dev/urandom >"$VM_SHARE/file"
}

teardown_file() {
	stop_vm
}

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	VFSCOPE=$TOP/build/vfscope
	SERIAL=serial:$VM_DIR/vfscope.sock
	VSOCK=hybrid:$VM_DIR/vsock.sock
	TCP=tcp:127.0.0.1:$TCP_PORT
	export LAB_DIR=$VM_DIR # for commands on the host that run something in the guest
}

teardown() {
	stop_agent
}

# In the guest, until stop_agent; what it says goes to agent.log.
start_agent() { # [VARIABLE=VALUE]... ADDRESS OPTION...
	start_guest agent.log env sh -c 'echo $$ >/tmp/agent.pid; exec "$@" 2>&1' agent \
		env "${@:2}" "$VFSCOPE" agent $AGENT_OPTIONS "$1"
	AGENT_PID=$GUEST_PID
	until grep -qs 'waiting for a host' agent.log; do
		pause_for_vm || return 1
	done
}

stop_agent() {
	[[ -n ${AGENT_PID-} ]] || return 0
	kill -TERM "$AGENT_PID" 2>/dev/null || true
	wait "$AGENT_PID" || true
	unset AGENT_PID
}

# Direct reads of all blocks of the file.
read_all="dd if=/mnt/vfs/file of=/dev/null bs=4k count=1000 iflag=direct status=none"

record_vm() { # TARGET OPTION...
	run --separate-stderr "$VFSCOPE" record --vm "$1" --daemon "$VM_DAEMON_PID" --mount /mnt/vfs "${@:2}" 3>&-
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

# Its file goes a moment after its programs.
wait_until_nothing_is_left() {
	wait_until_nothing_is_attached || return 1
	until no_file_in_guest; do
		pause_for_vm || return 1
	done
}

# In the background; sets RECORD_PID once both sides are recording. Says into record.log.
start_record() { # TARGET OPTION...
	rm -f ready
	"$VFSCOPE" record --vm "$1" --daemon "$VM_DAEMON_PID" --mount /mnt/vfs --no-ops --ready-file ready \
		--duration 300s -o joined.vft "${@:2}" >record.log 2>&1 3>&- &
	RECORD_PID=$!
	until [[ -e ready ]]; do
		kill -0 "$RECORD_PID" || { cat record.log; return 1; }
		pause_for_vm || return 1
	done
	[ "$(attached)" -gt 0 ]
}

# The guest is lost to the host in the middle: it says why, and keeps its own half.
kept_the_half() { # WHY
	local status=0
	wait "$RECORD_PID" || status=$?
	cat record.log
	[ "$status" -eq 3 ]
	[ "$(grep -c 'error:' record.log)" = 1 ]
	grep "error:.*$1" record.log
	grep -q "the host's half is in joined.host.vft" record.log
	[ ! -e joined.vft ] && [ ! -e joined.guest.vft ]
	[ "$("$VFSCOPE" report --format json joined.host.vft | jq .summary.opcodes.READ.count)" = 1000 ]
}

@test "virtio-serial: 1000 direct reads of a command on the host's side: one file, joined whole, and the halves" {
	start_agent serial:vfscope
	record_vm "$SERIAL" --strict --keep --paths -o joined.vft -- "$TOP/lab/guest" $read_all
	[ "$status" -eq 0 ]
	[[ $output == *'joined '*'requests of connection'*'clocks '* ]]
	joined_whole joined.vft
	[ "$(stat -c %a joined.vft joined.guest.vft joined.host.vft)" = $'600\n600\n600' ]
	[ "$(attached)" = 0 ]
	no_file_in_guest
	[ "$("$VFSCOPE" export joined.vft | jq -s -c 'map(select(.op == "read") | .path) | unique')" = '["file"]' ]
	"$VFSCOPE" join --strict joined.guest.vft joined.host.vft -o again.vft
	joined_whole again.vft
}

@test "virtio-serial: kill -9 of the host, garbage in the port, then Ctrl-C: each time nothing is left, and the next joins" {
	start_agent serial:vfscope
	start_record "$SERIAL"
	kill -9 "$RECORD_PID"
	wait_until_nothing_is_attached
	perl -MIO::Socket::UNIX -e 'my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "$!";
		print $s join("", map { chr(rand(256)) } 1 .. 100000)' "$VM_DIR/vfscope.sock"
	start_record "$SERIAL" --strict
	# Who talks to the guest may reach files, and nothing else.
	until (((0x$(sed -n 's/^CapEff:\t//p' "/proc/$RECORD_PID/status") & ~6) == 0)); do
		pause_for_vm
	done
	guest $read_all
	kill -INT "$RECORD_PID"
	wait "$RECORD_PID"
	joined_whole joined.vft
	[ "$(ls ./*.vft)" = ./joined.vft ]
	[ "$(attached)" = 0 ]
	grep -q 'the host has gone' agent.log
	no_file_in_guest
}

@test "virtio-serial: a VM that is paused for longer than --guest-timeout is given up, and detaches when it goes on" {
	start_agent serial:vfscope
	start_record "$SERIAL" --guest-timeout 5s
	guest $read_all
	kill -STOP "$VM_QEMU_PID"
	kept_the_half 'agent says nothing any more' || { kill -CONT "$VM_QEMU_PID"; return 1; }
	kill -CONT "$VM_QEMU_PID"
	wait_until_nothing_is_left
	until grep -qE 'the host (has gone|was silent)' agent.log; do
		pause_for_vm || return 1
	done
}

@test "virtio-serial without an agent: says that nobody answers, and leaves no file" {
	record_vm "$SERIAL" --guest-timeout 5s -o joined.vft
	[ "$status" -eq 3 ]
	[[ $stderr == *'nobody answers'*'vfscope agent'* ]]
	[ -z "$(ls ./*.vft 2>/dev/null)" ]
}

@test "TCP: a command in the guest, only if the agent allows it" {
	start_agent tcp:10.0.2.15
	grep -q 'neither authentication nor encryption' agent.log
	record_vm "$TCP" --guest-command "$read_all" -o joined.vft
	[ "$status" -eq 3 ]
	[[ $stderr == *refuses*--allow-commands* ]]
	[ -z "$(ls ./*.vft 2>/dev/null)" ]
	stop_agent
	AGENT_OPTIONS=--allow-commands start_agent tcp:10.0.2.15
	record_vm "$TCP" --no-ops --strict --guest-command "$read_all; echo done reading" -o joined.vft
	[ "$status" -eq 0 ]
	[[ $stderr == *"guest's command: done reading"* ]]
	joined_whole joined.vft
}

# A host that has the guest record, and then says this.
hostile_host() { # PORT BYTES
	perl -MIO::Socket::INET -MCompress::Raw::Zlib -e '
		my ($port, $bytes) = @ARGV;
		my $s = IO::Socket::INET->new("127.0.0.1:$port") or die "$!";
		sub frame {
			my ($type, $payload) = @_;
			my $rest = pack("Q<VV", 7, $type, length $payload) . $payload;
			return pack("a4V", "VFSA", crc32($rest)) . $rest;
		}
		sub take {
			read($s, my $head, 24) == 24 or exit 1;
			my ($type, $len) = unpack("x16VV", $head);
			read($s, my $payload, $len) == $len or exit 1;
			return $type;
		}
		syswrite $s, frame(1, q({"protocol":2,"vft":2,"version":"9"}));
		take() == 2 or exit 2;
		syswrite $s, frame(3, q({"mounts":[],"level":"aggregate","paths":false,"mechanism":"none",
			"buffer_bytes":65536,"wait_ns":0,"max_inflight":64,"max_shares":16,"max_overhead_percent":0,
			"dry_run":false,"silence_ms":3600000})); # it sends no pings
		while (take() != 4) {}
		print "started\n";
		syswrite $s, $bytes eq "garbage" ? "x" x 70000 : frame(4, "");
		while (sysread $s, my $rest, 4096) {}' "$@"
}

@test "TCP: a host that says what is not the protocol while it records: detached, and the agent goes on" {
	local bytes
	start_agent tcp:10.0.2.15
	for bytes in garbage wrong-frame; do
		[ "$(hostile_host "$TCP_PORT" "$bytes")" = started ]
		wait_until_nothing_is_left
	done
	until [ "$(grep -c "the host has sent what is not vfscope's protocol" agent.log)" = 2 ]; do
		pause_for_vm || return 1
	done
	kill -0 "$AGENT_PID"
}

@test "TCP: the guest's disk is full: says so, and keeps what there is of both halves" {
	guest sh -c 'mkdir -p /tmp/small && mount -t tmpfs -o size=16k small /tmp/small'
	start_agent tcp:10.0.2.15 TMPDIR=/tmp/small
	start_record "$TCP"
	guest sh -c "$read_all; $read_all"
	status=0
	wait "$RECORD_PID" || status=$?
	cat record.log
	[ "$status" -eq 3 ]
	[ "$(grep -c 'No space left on device' record.log)" = 1 ]
	grep -q "the host's half is in joined.host.vft" record.log
	grep -q "the guest's half, as far as it came, is in joined.guest.vft" record.log
	"$VFSCOPE" report joined.guest.vft
	[ "$(attached)" = 0 ]
	[ -z "$(guest ls /tmp/small)" ]
	guest umount /tmp/small
}

@test "vsock: both plans of a dry run, which attaches nothing; aggregates of both sides" {
	[[ -z ${NO_VSOCK-} ]] || skip "$NO_VSOCK"
	start_agent vsock
	record_vm "$VSOCK" --dry-run -o joined.vft
	[ "$status" -eq 0 ]
	[[ $output == *'guest     lab, Linux'*'vfs on /mnt/vfs'*'request issued'*'host  '*'system call entered'*'nothing was attached'* ]]
	record_vm "$VSOCK" --dry-run --mount /no/mount
	[ "$status" -eq 3 ]
	[[ $stderr == *'in the guest: error:'*'/no/mount'* ]]
	[ -z "$(ls ./*.vft 2>/dev/null)" ]
	[ "$(attached)" = 0 ]
	record_vm "$VSOCK" --aggregate --strict -o joined.vft -- "$TOP/lab/guest" $read_all
	[ "$status" -eq 0 ]
	[[ $output =~ READ\ +1000\ +1000\  ]]
	[ "$("$VFSCOPE" report --format json joined.guest.vft joined.host.vft |
		jq -c '[.guest, .host | .summary.opcodes.READ.count, .header.level]')" = '[1000,"aggregate",1000,"aggregate"]' ]
	[ ! -e joined.vft ]
	no_file_in_guest
}

# Which of both sides gets there first depends on the machine: here the guest's ends as it would then.
@test "vsock: a side that ends by itself, as --max-overhead has it do, ends both; the workload goes on" {
	[[ -z ${NO_VSOCK-} ]] || skip "$NO_VSOCK"
	start_agent vsock
	start_record "$VSOCK" --max-overhead 10000 -- sh -c 'until [ -e go ]; do sleep 0.1; done; echo finished'
	guest $read_all
	# shellcheck disable=SC2016
	guest sh -c 'a=$(cat /tmp/agent.pid); kill -TERM $(cat /proc/$a/task/$a/children)'
	until grep -q 'goes on without being recorded' record.log; do
		kill -0 "$RECORD_PID" || { cat record.log; return 1; }
		pause_for_vm || return 1
	done
	[ "$(attached)" = 0 ]
	touch go
	wait "$RECORD_PID" || { cat record.log agent.log; return 1; }
	grep -qx finished record.log
	joined_whole joined.vft
}

@test "vsock: --max-overhead on the host while the guest's side has yet to begin: called off, and the workload runs" {
	local status=0
	[[ -z ${NO_VSOCK-} ]] || skip "$NO_VSOCK"
	start_agent vsock
	# It waits for a mount that does not come.
	"$VFSCOPE" record --vm "$VSOCK" --daemon "$VM_DAEMON_PID" --mount /mnt/vfs --mount /tmp --wait 300s --no-ops \
		--max-overhead 0.0001 --ready-file ready -o joined.vft -- sh -c 'echo finished' >record.log 2>&1 3>&- &
	RECORD_PID=$!
	until grep -q 'more than --max-overhead' record.log; do
		kill -0 "$RECORD_PID" || { cat record.log; return 1; }
		guest $read_all
	done
	wait "$RECORD_PID" || status=$?
	cat record.log agent.log
	[ "$status" -eq 3 ]
	grep -qx finished record.log
	[ "$(grep -c 'error:' record.log)" = 1 ]
	grep -q "error: the host's recording has ended before the guest's began" record.log
	grep -q "the host's half is in joined.host.vft" record.log
	[ ! -e ready ] && [ "$(ls ./*.vft)" = ./joined.host.vft ]
	"$VFSCOPE" export --format raw joined.host.vft | jq -e -s '.[-1].footer | .overhead_exceeded and .requests > 0'
	[ "$(attached)" = 0 ]
	wait_until_nothing_is_left
}

@test "vsock: who is not the host is not let in, and no second host; an agent that is killed is missed at once" {
	[[ -z ${NO_VSOCK-} ]] || skip "$NO_VSOCK"
	start_agent vsock
	run guest "$VFSCOPE" record --vm vsock:1 -o /tmp/x.vft
	echo "$output"
	[ "$status" -eq 3 ]
	[[ $output == *'connection was closed'* ]]
	grep -q 'refused a connection from vsock CID 1: it is not the host' agent.log
	record_vm "$VSOCK:99"
	[ "$status" -eq 3 ]
	[[ $stderr == *'port 99 through '*'nobody listens'* ]]
	start_record "$VSOCK"
	record_vm "$VSOCK" -o second.vft
	[ "$status" -eq 3 ]
	[[ $stderr == *'refuses: it records for another host now'* ]]
	[ ! -e second.vft ] && [ ! -e second.host.vft ]
	guest sh -c "$read_all; kill -9 \$(cat /tmp/agent.pid)"
	kept_the_half 'agent has gone'
	wait_until_nothing_is_left
}

# The last: there is no VM after it.
@test "the VM is killed in the middle: the host says so, and keeps its half" {
	start_agent serial:vfscope
	start_record "$SERIAL"
	guest $read_all
	kill -9 "$VM_QEMU_PID"
	kept_the_half 'agent has gone'
}
