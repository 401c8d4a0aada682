# SPDX-License-Identifier: GPL-2.0-or-later
#
# vfscope record --host beside a real daemon: of a known number of requests exactly that many are
# recorded, with their headers; losses are counted; wrong targets are refused with advice; nothing
# is left behind.

bats_require_minimum_version 1.5.0
load vm

setup_file() {
	start_vm --cache auto
	truncate -s 41M "$VM_SHARE/file"
}

teardown_file() {
	stop_vm
}

# record OPTION... -- GUEST_CMD...: records the daemon while the command runs in the guest.
record() {
	local options=()
	while [[ $1 != -- ]]; do
		options+=("$1")
		shift
	done
	LAB_DIR=$VM_DIR run --separate-stderr "$TOP/build/vfscope" record --host --daemon "$VM_DAEMON_PID" \
		-o "$BATS_TEST_TMPDIR/host.vft" "${options[@]}" -- "$TOP/lab/guest" "${@:2}" 3>&-
	echo "$stderr"
	export_trace
}

# Leaves the raw events for raw.
export_trace() {
	"$TOP/build/vfscope" export --format raw "$BATS_TEST_TMPDIR/host.vft" \
		2>"$BATS_TEST_TMPDIR/export.err" >"$BATS_TEST_TMPDIR/raw" || true
}

# What jq says of all events, in one array. The first is the file's header, the last its footer.
raw() { # JQ_FILTER
	jq -s -r "$1" "$BATS_TEST_TMPDIR/raw"
}

# Requests of an opcode, whether their header was readable at once or later.
requests() { # OPCODE
	raw "map(select((.type == \"chain\" or .type == \"header\") and .opcode == \"$1\")) | length"
}

says() { # TEXT...
	local text
	for text; do
		[[ $stderr == *"$text"* ]] || {
			printf "stderr does not say '%s': %s\n" "$text" "$stderr"
			return 1
		}
	done
}

# Each request is taken once and answered once, at consecutive ring positions; none is without header.
complete() {
	[ "$(raw '
		def positions(kind; position): map(select(.type == kind)) | group_by(.queue) |
			map({queue: .[0].queue, at: (map(position) | sort)});
		positions("chain"; .avail_idx) == positions("used"; .used_idx) and
		(positions("chain"; .avail_idx) | map(.at | (unique == .) and
			((.[-1] - .[0] + 1 == length) or (.[0] == 0 and .[-1] == 65535))) | all)')" = true ]
	[ "$(raw '(map(select(.type == "chain" and (.flags | index("no_header")))) | length) ==
		(map(select(.type == "header")) | length)')" = true ]
	[ "$(raw '.[-1] | [.interrupted, (.losses | add)] | tostring')" = '[false,0]' ]
}

direct_reads() { # NUMBER
	record --strict -- dd if=/mnt/vfs/file of=/dev/null bs=4k count="$1" iflag=direct status=none
	[ "$status" -eq 0 ]
	[ "$(requests READ)" -eq "$1" ]
	# Each READ is one data call of the daemon, into the page that its descriptors name.
	[ "$(raw '(map(select(.opcode == "READ") | .data_addr) | sort) ==
		(map(select(.class == "data") | .iov_base) | sort)')" = true ]
	[ "$(raw 'map(select(.opcode == "READ") | .offset) | sort == [range('"$1"') * 4096]')" = true ]
	complete
}

@test "23 direct reads are 23 requests; the file tells of daemon, queues and memory" {
	direct_reads 23
	[ "$(raw '.[0].header.daemon | [.pid, .kind, .thread_pool, .cache] | tostring')" = \
		"[$VM_DAEMON_PID,\"c\",0,\"auto\"]" ]
	[ "$(raw '.[0].header.queues | map([.index, .role, .size]) | tostring')" = \
		'[[0,"hiprio",128],[1,"request",128]]' ]
	[ "$(raw '.[0].header.guest_memory | map(.bytes) | add')" -eq $((1 << 30)) ]
	[ "$(raw '.[0].header.daemon.vmm.pid')" -eq "$VM_QEMU_PID" ]
}

@test "probe finds the daemon, its version and build-id, and its VM by name; so does the header" {
	local program=/proc/$VM_DAEMON_PID/exe id version
	id=$(readelf -n "$program" | sed -n 's/.*Build ID: //p')
	version=$("$(readlink "$program")" --version | sed -n 's/^virtiofsd version //p')
	[ -n "$id" ] && [ -n "$version" ]
	run --separate-stderr "$TOP/build/vfscope" probe --host --format json
	[ "$status" -eq 0 ]
	[ "$(jq -r ".host.daemons[] | select(.pid == $VM_DAEMON_PID) |
		[.serves_vm, .kind, .build_id, .version, .vmm.pid, .vmm.name] | tostring" <<<"$output")" = \
		"[true,\"c\",\"$id\",\"$version\",$VM_QEMU_PID,\"lab\"]" ]
	[ "$(jq -r '.host.points | map(.mechanism) | unique | join(" ")' <<<"$output")" != none ]
	run --separate-stderr "$TOP/build/vfscope" probe
	[[ $output == *"daemon $VM_DAEMON_PID: "*"serves VM lab: process $VM_QEMU_PID"* ]]
	record -- true
	[ "$(raw '.[0].header.daemon | [.build_id, .version, .vmm.name] | tostring')" = \
		"[\"$id\",\"$version\",\"lab\"]" ]
	run "$TOP/build/vfscope" report "$BATS_TEST_TMPDIR/host.vft"
	[[ $output == *"version $version"*"build-id $id"*"VMM "*", VM lab"*"-smp 2"* ]]
	[ "$(raw '.[0].header.daemon.vmm.options | index("-smp") != null and index("-chardev") == null')" = true ]
	[ "$(raw '.[0].header.points | map(.mechanism) | index("none")')" = null ]
}

@test "--dry-run finds the daemon and its queues, and attaches, runs and writes nothing" {
	run --separate-stderr "$TOP/build/vfscope" record --host --daemon "$VM_DAEMON_PID" --dry-run \
		-o "$BATS_TEST_TMPDIR/dry.vft" -- touch "$BATS_TEST_TMPDIR/ran"
	echo "$output$stderr"
	[ "$status" -eq 0 ]
	[[ $output == *"process $VM_DAEMON_PID"* && $output == *"sys_enter"*"tp"* ]]
	[ ! -e "$BATS_TEST_TMPDIR/dry.vft" ] && [ ! -e "$BATS_TEST_TMPDIR/ran" ]
	run --separate-stderr "$TOP/build/vfscope" record --host --daemon $$ --dry-run
	[ "$status" -eq 3 ]
}

@test "10,007 direct reads are 10,007 requests" {
	direct_reads 10007
}

@test "with 16 requests in flight each is recorded once" {
	record --strict -- fio --name=j --filename=/mnt/vfs/file --size=41m --io_size=8m --rw=randrw --bs=4k \
		--direct=1 --ioengine=libaio --iodepth=16 --output=/dev/null
	[ "$status" -eq 0 ]
	[ $(($(requests READ) + $(requests WRITE))) -eq 2048 ]
	complete
}

@test "metadata, FORGETs on hiprio, and the INIT of a new mount" {
	record --strict -- sh -c 'umount /mnt/vfs && mount -t virtiofs vfs /mnt/vfs && cd /mnt/vfs &&
		mkdir d && touch d/1 d/2 d/3 && ls -l d >/dev/null && rm -r d'
	[ "$status" -eq 0 ]
	[ "$(requests INIT)" -eq 1 ]
	[ "$(requests MKDIR)" -eq 1 ]
	[ "$(requests CREATE)" -eq 3 ]
	[ "$(requests UNLINK)" -eq 3 ]
	[ "$(requests FORGET)" -ge 3 ]
	[ "$(raw 'map(select(.opcode == "FORGET") | .queue) | unique | tostring')" = '[0]' ]
	[ "$(raw 'map(select(.opcode == "INIT") | .queue) | tostring')" = '[1]' ]
	complete
}

# Records 2000 reads with a recorder that does not get to run meanwhile. Sets status.
record_stopped() { # OPTION...
	local recorder
	rm -f "$BATS_TEST_TMPDIR/ready"
	"$TOP/build/vfscope" record --host --daemon "$VM_DAEMON_PID" -o "$BATS_TEST_TMPDIR/host.vft" \
		--ready-file "$BATS_TEST_TMPDIR/ready" "$@" 2>"$BATS_TEST_TMPDIR/err" 3>&- &
	recorder=$!
	until [[ -e $BATS_TEST_TMPDIR/ready ]]; do sleep 0.1; done
	kill -STOP $recorder
	guest dd if=/mnt/vfs/file of=/dev/null bs=4k count=2000 iflag=direct status=none
	kill -CONT $recorder
	kill -INT $recorder
	status=0
	wait $recorder || status=$?
	stderr=$(<"$BATS_TEST_TMPDIR/err")
	echo "$stderr"
	export_trace
}

@test "a ring buffer made too small loses events, counts them, and fails under --strict" {
	record_stopped --strict --buffer 4k
	[ "$status" -eq 5 ]
	says 'ringbuf' '--strict'
	[ "$(raw '.[-1].losses.ringbuf > 0')" = true ]
	# what was seen of the queues is known all the same
	[ "$(raw '.[-1].footer.queues[1].chains >= 2000')" = true ]
	record_stopped --buffer 4k
	[ "$status" -eq 0 ]
	record_stopped --strict # the default takes it
	[ "$status" -eq 0 ]
	[ "$(requests READ)" -eq 2000 ]
}

@test "--daemon auto with several daemons lists them to choose from" {
	run --separate-stderr "$TOP/build/vfscope" record --host --daemon auto -d 1s -o "$BATS_TEST_TMPDIR/x.vft"
	[ "$status" -eq 3 ]
	says 'choose one' "--daemon $VM_DAEMON_PID" "$VM_SHARE"
	[ ! -e "$BATS_TEST_TMPDIR/x.vft" ]
}

@test "what is no daemon is refused, and told apart" {
	local pid=4194305 # above every pid_max
	run --separate-stderr "$TOP/build/vfscope" record --host --daemon $pid -d 1s -o /dev/null
	[ "$status" -eq 3 ]
	says "there is no process $pid"
	run --separate-stderr "$TOP/build/vfscope" record --host --daemon $$ -d 1s -o /dev/null
	[ "$status" -eq 3 ]
	says 'not a virtio-fs daemon' "--daemon $VM_DAEMON_PID"
	run --separate-stderr "$TOP/build/vfscope" record --host --daemon "$VM_QEMU_PID" -d 1s -o /dev/null
	[ "$status" -eq 3 ]
	says 'the VMM'
	run --separate-stderr "$TOP/build/vfscope" record --host --daemon 12x -d 1s -o /dev/null
	[ "$status" -eq 3 ]
	says "'12x'"
}

# BPF programs that a process holds.
programs_of() { # PID
	sed -n 's/^prog_id:[[:space:]]*//p' /proc/"$1"/fdinfo/* | sort -u
}

@test "kill -9 of the recorder leaves no program, a readable file, and a guest that goes on" {
	local recorder programs id
	start_guest /dev/null dd if=/mnt/vfs/file of=/dev/null bs=4k count=10000 iflag=direct status=none
	"$TOP/build/vfscope" record --host --daemon "$VM_DAEMON_PID" -o "$BATS_TEST_TMPDIR/host.vft" \
		--ready-file "$BATS_TEST_TMPDIR/ready" 3>&- &
	recorder=$!
	until [[ -e $BATS_TEST_TMPDIR/ready ]]; do sleep 0.1; done
	programs=$(programs_of $recorder)
	[ -n "$programs" ]
	# It has given its capabilities up, for good.
	while grep '^CapEff' /proc/$recorder/status | grep -vq '0000000000000000$'; do sleep 0.1; done
	[ "$(grep -cE '^(Cap(Prm|Eff|Inh|Amb):.0*|NoNewPrivs:.1)$' /proc/$recorder/status)" -eq 5 ]
	# a second, after which what came has been flushed
	until [[ $(stat -c %s "$BATS_TEST_TMPDIR/host.vft") -gt 10000 ]]; do sleep 0.1; done
	kill -9 $recorder
	wait $recorder || true
	for id in $programs; do
		while bpftool prog show id "$id" >/dev/null 2>&1; do sleep 0.1; done
	done
	wait "$GUEST_PID"
	run guest dd if=/mnt/vfs/file of=/dev/null bs=4k count=100 iflag=direct status=none
	[ "$status" -eq 0 ]
	export_trace
	[ "$(raw '.[-1].interrupted')" = true ]
	[ "$(requests READ)" -gt 0 ]
}
