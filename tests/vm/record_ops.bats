# SPDX-License-Identifier: GPL-2.0-or-later
#
# vfscope record --guest: ops on names and mapped files, what the page cache did for them, and which
# op a request of the kernel's own is for. All in one VM whose guest caches writes.

bats_require_minimum_version 1.5.0
load vm

setup_file() {
	start_vm --cache always --writeback
}

teardown_file() {
	stop_vm
}

# Records what a shell command in the guest does on the share, which is its directory.
record() { # SHELL_COMMAND OPTION...
	TRACE=$VM_DIR/trace.vft
	run --separate-stderr guest "$TOP/build/vfscope" record --guest --mount /mnt/vfs --strict \
		-o /run/lab/trace.vft "${@:2}" -- sh -c "cd /mnt/vfs && $1"
	echo "$stderr"
	[ "$status" -eq 0 ]
	"$TOP/build/vfscope" export "$TRACE" >"$BATS_TEST_TMPDIR/spans"
}

spans() { # JQ_FILTER
	jq -s -r "$1" "$BATS_TEST_TMPDIR/spans"
}

ops() { # OP FIELD
	spans "map(select(.op == \"$1\") | $2) | join(\" \")"
}

@test "ops on names are recorded, with their directory and with what they send" {
	mkdir -p "$VM_SHARE/d/e" "$VM_SHARE/gone"
	echo data >"$VM_SHARE/d/old"
	record "perl -e 'mkdir \"d/new\" or die; rename \"d/old\", \"d/e/moved\" or die; truncate \"d/e/moved\", 2 or die;
		chmod 0600, \"d/e/moved\" or die; opendir D, \"d\"; @n = readdir D; closedir D; -e \"d/missing\" and die;
		unlink \"d/e/moved\" or die; rmdir \"gone\" or die'"
	[ "$(ops mkdir .result)" = 0 ]
	[ "$(ops rename .result)" = 0 ]
	[ "$(ops truncate '"\(.offset) \(.result)"')" = "2 0" ]
	[ "$(ops chmod .result)" = 0 ]
	[ "$(ops unlink .result)" = 0 ]
	[ "$(ops rmdir .result)" = 0 ]
	[ "$(spans 'map(select(.op == "readdir")) | .[0].offset == 0 and length >= 2')" = true ]
	# The same file, first in d, then in d/e.
	[ "$(spans '[.[] | select(.op == "rename" or .op == "truncate" or .op == "unlink") | .nodeid] | unique | length')" -eq 1 ]
	[ "$(spans '(.[] | select(.op == "rename") | .dir_nodeid) == (.[] | select(.op == "unlink") | .dir_nodeid)')" = true ]
	[ "$(spans '[.[] | select(.op == "lookup" and .result == -2)] | length')" -ge 1 ]
	# What each sent carries its op_id.
	local pair
	for pair in mkdir:MKDIR rename:RENAME2 truncate:SETATTR chmod:SETATTR unlink:UNLINK rmdir:RMDIR; do
		echo "$pair"
		[ "$(spans "(.[] | select(.op == \"${pair%:*}\") | .op_id) as \$id | map(select(.op_id == \$id and .opcode) | .opcode) |
			any(startswith(\"${pair#*:}\"[0:6]))")" = true ]
	done
	run --separate-stderr "$TOP/build/vfscope" simulate "$TRACE" --model ideal
	echo "$stderr"
	[[ $stderr = *"left out"*mkdir* ]]
}

@test "links and advice are recorded; an open tells the size before, and whether it cut the file off" {
	mkdir -p "$VM_SHARE/l"
	printf 12345 >"$VM_SHARE/l/file"
	record "perl -e 'symlink \"file\", \"l/soft\" or die; link \"l/file\", \"l/hard\" or die; readlink \"l/soft\" eq \"file\" or die;
		open F, \">\", \"l/soft\" or die; close F'; cat l/hard; dd if=/dev/zero of=l/hard bs=1k count=3 conv=notrunc; cat l/hard >/dev/null"
	[ "$(ops symlink .result)" = 0 ]
	[ "$(ops link .result)" = 0 ]
	# Read by readlink(2), then followed by open(2).
	[ "$(ops readlink '"\(.result) \(.nr_requests)"')" = "0 1 0 1" ]
	[ "$(spans '[.[] | select(.op == "link" or .op == "open") | .nodeid] | unique | length')" -eq 1 ]
	[ "$(spans '[.[] | select(.op == "symlink" or .op == "link") | .dir_nodeid] | unique | length')" -eq 1 ]
	# cat(1) says that it reads from the beginning to the end.
	[ "$(ops fadvise '(.flags | join(","))')" = "hint_sequential hint_sequential" ]
	[ "$(ops open '"\(.offset):\(.flags | join(","))"')" = "5:truncates,size_known 0:size_known 0:size_known 3072:size_known" ]
	run --separate-stderr "$TOP/build/vfscope" simulate "$TRACE" --model ideal
	[[ $stderr = *"left out"*link* && $stderr != *fadvise* ]]
}

@test "faults of mapped files: one op for each page that is faulted in, however often the kernel tries" {
	printf '%s\n' 'open mapped create' 'write mapped 0 1000000' 'close mapped' 'dropcaches' 'open mapped' 'mmap mapped' 'mread mapped 0 4096' 'mread mapped 8192 4096' 'mwrite mapped 0 4096' 'mwrite mapped 913408 4096' 'munmap mapped' 'close mapped' >"$VM_DIR/script.ops"
	record "$TOP/build/tests/tools/run_ops . /run/lab/script.ops 0s 0s"
	spans '.[] | select(.op == "mmap_fault")'
	[ "$(ops mmap_fault '"\(.offset):\(.flags | join(","))"')" = "0: 0:fault_write 913408:fault_write" ]
	[ "$(spans 'map(select(.op == "mmap_fault")) | map(.result) | unique == [4096]')" = true ]
	# The READs of a fault are its own.
	[ "$(spans '(map(select(.op == "mmap_fault"))[0].op_id) as $id | map(select(.opcode == "READ" and .op_id == $id)) | length > 0')" = true ]
}

@test "the page cache: what was cached, write-back, and which op a WRITE of the kernel's own is for" {
	# The same pages twice, not in a row, so that nothing is read ahead; then the cache is dropped.
	record 'exec 5<>cached; dd if=/dev/zero of=/proc/self/fd/5 bs=64k count=48 conv=notrunc status=none; sync; sleep 1
		echo 1 >/proc/sys/vm/drop_caches
		for twice in 1 2; do for page in 700 100 400; do
			dd if=cached of=/dev/null bs=4k count=1 skip=$page status=none; done; done'
	"$TOP/build/vfscope" report "$TRACE" | tail -n 20
	[ "$(spans 'map(select(.op == "read" and .size == 4096 and .offset >= 409600) | .pages_missed) | join(" ")')" = '1 1 1 0 0 0' ]
	run "$TOP/build/vfscope" report --format json "$TRACE"
	[ "$(jq '.summary.page_cache | .writeback_pages == 768 and .later_writes_linked > 0 and .later_writes_unlinked == 0' \
		<<<"$output")" = true ]
	# Each such WRITE is linked to a write that began before it, in the MiB where it begins.
	[ "$(spans 'INDEX(.[] | select(.op == "write"); .op_id) as $ops | map(select(.opcode == "WRITE" and (.flags | index("later"))) |
		. as $w | $ops[.op_id | tostring] | .t_start_ns <= $w.t_issue_ns and .nodeid == $w.nodeid and
		(.offset / 1048576 | floor) == ($w.offset / 1048576 | floor)) | length > 0 and all')" = true ]
}

@test "names of files are recorded if they are asked for, and never else" {
	mkdir -p "$VM_SHARE/se\"cret"
	echo data >"$VM_SHARE/se\"cret/plan"
	# In a file, since a trace tells the command that it was recorded with.
	echo 'cd se*; cat plan; mv plan deed; cat deed; mv deed plan' >"$VM_DIR/work"
	record '. /run/lab/work'
	run "$TOP/build/vfscope" export --format raw "$TRACE"
	[ "$status" -eq 0 ]
	[[ $output = *'"op":"read"'* && $output != *cret* && $output != *plan* && $output != *deed* ]]
	record '. /run/lab/work' --paths
	[ "$(ops open .path)" = 'se"cret/plan se"cret/deed' ]
	"$TOP/build/vfscope" export --format raw "$TRACE" |
		jq -s -e 'map(select(.type == "path") | .path) | index("se\"cret/plan") != null'
}
