# SPDX-License-Identifier: GPL-2.0-or-later
#
# vfscope record --host beside a daemon with a thread pool: requests are answered out of order by
# several threads, and still each is recorded once. The daemon is sandboxed in namespaces, so that a
# child of the process that was started serves. Last, it dies while it is recorded.

bats_require_minimum_version 1.5.0
load vm

setup_file() {
	start_vm --cache auto --thread-pool 4 --daemon-opt -o --daemon-opt sandbox=namespace
	truncate -s 41M "$VM_SHARE/file"
}

teardown_file() {
	stop_vm
}

raw() { # JQ_FILTER
	"$TOP/build/vfscope" export --format raw "$BATS_TEST_TMPDIR/host.vft" 2>/dev/null | jq -s -r "$1"
}

@test "with a thread pool and 16 in flight each request is recorded once" {
	LAB_DIR=$VM_DIR run --separate-stderr "$TOP/build/vfscope" record --host --daemon "$VM_DAEMON_PID" --strict \
		-o "$BATS_TEST_TMPDIR/host.vft" -- "$TOP/lab/guest" fio --name=j --filename=/mnt/vfs/file --size=41m \
		--io_size=8m --rw=randrw --bs=4k --direct=1 --ioengine=libaio --iodepth=16 --output=/dev/null 3>&-
	echo "$stderr"
	[ "$status" -eq 0 ]
	[ "$(raw '.[0].header.daemon.thread_pool')" -eq 4 ]
	[ "$(raw 'map(select((.type == "chain" or .type == "header") and
		(.opcode == "READ" or .opcode == "WRITE"))) | length')" -eq 2048 ]
	# Each of them is one data call, by several threads, none of which reads kicks.
	[ "$(raw '(map(select(.opcode == "READ" or .opcode == "WRITE") | .data_addr) | sort) ==
		(map(select(.class == "data") | .iov_base) | sort)')" = true ]
	[ "$(raw 'def threads(class): map(select(.class == class) | .tid) | unique;
		(threads("data") | length > 1) and (threads("data") - threads("kick") == threads("data"))')" = true ]
	[ "$(raw '(map(select(.type == "chain") | .avail_idx) | sort) ==
		(map(select(.type == "used") | .used_idx) | sort)')" = true ]
	[ "$(raw '.[-1].losses | add')" -eq 0 ]
}

@test "the parent of a sandboxed daemon leads to the child that serves" {
	local parent
	parent=$(ps -o ppid= -p "$VM_DAEMON_PID" | tr -d ' ')
	[ "$(ps -o comm= -p "$parent")" = virtiofsd ]
	run --separate-stderr "$TOP/build/vfscope" record --host --daemon "$parent" -d 100ms \
		-o "$BATS_TEST_TMPDIR/host.vft"
	echo "$stderr"
	[ "$status" -eq 0 ]
	[[ $stderr == *"its child $VM_DAEMON_PID"* ]]
	[ "$(raw '.[0].header.daemon | [.pid, .sandbox] | tostring')" = "[$VM_DAEMON_PID,\"namespace\"]" ]
}

@test "a daemon that dies ends the recording cleanly, and says so" {
	local recorder status=0
	"$TOP/build/vfscope" record --host --daemon "$VM_DAEMON_PID" -o "$BATS_TEST_TMPDIR/host.vft" \
		--ready-file "$BATS_TEST_TMPDIR/ready" 2>"$BATS_TEST_TMPDIR/err" 3>&- &
	recorder=$!
	until [[ -e $BATS_TEST_TMPDIR/ready ]]; do sleep 0.1; done
	kill -9 "$VM_DAEMON_PID"
	wait $recorder || status=$?
	cat "$BATS_TEST_TMPDIR/err"
	[ "$status" -eq 0 ]
	grep -q "daemon $VM_DAEMON_PID has ended" "$BATS_TEST_TMPDIR/err"
	[ "$(raw '.[-1].footer.daemon_ended')" = true ]
}
