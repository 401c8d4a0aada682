# SPDX-License-Identifier: GPL-2.0-or-later
#
# lab/vm --daemon dax: the guest reads and writes files through a DAX window, which is smaller than
# the files are, and the host has what it wrote.

bats_require_minimum_version 1.5.0
load vm

setup_file() {
	start_vm --daemon dax --dax-window 8M && return
	# Only this needs the network: QEMU 11.1 is newer than the suite that the tests run on.
	! grep -qE 'cannot fetch|found no package|has no Debian mirror' "$VM_LOG" || skip "$(<"$VM_LOG")"
	return 1
}

teardown_file() {
	stop_vm
}

setup() {
	cd "$BATS_TEST_TMPDIR" || return
}

same_file() { # GUEST_NAME: as the guest and as the host see it
	[ "$(guest sha256sum "/mnt/vfs/$1" | cut -d ' ' -f 1)" = \
		"$(sha256sum "$VM_SHARE/$1" | cut -d ' ' -f 1)" ]
}

@test "the share is mounted with dax=always, and the window is there" {
	guest grep -q '^vfs /mnt/vfs virtiofs .*dax=always' /proc/mounts
	[[ $(guest dmesg) == *"Cache len: 0x800000 "* ]]
}

@test "reads go through the window: SETUPMAPPING, no READ" {
	head -c 8M /dev/urandom >"$VM_SHARE/read"
	guest "$TOP/build/vfscope" record --guest --mount /mnt/vfs --strict -o /run/lab/trace.vft -- \
		sha256sum /mnt/vfs/read >sum
	[ "$(cut -d ' ' -f 1 <sum)" = "$(sha256sum <"$VM_SHARE/read" | cut -d ' ' -f 1)" ]
	"$TOP/build/vfscope" export "$VM_DIR/trace.vft" >trace.jsonl
	[ "$(jq -r 'select(.type == "request") | .opcode' trace.jsonl | grep -c '^SETUPMAPPING$')" -ge 4 ]
	run ! grep -q '"opcode": *"READ"' trace.jsonl
}

@test "8 MiB written through the window are what the host has" {
	truncate -s 8M "$VM_SHARE/written"
	guest sh -c 'head -c 8M /dev/urandom >/tmp/data
		dd if=/tmp/data of=/mnt/vfs/written bs=256k conv=notrunc,fsync status=none'
	[ "$(guest sha256sum /tmp/data | cut -d ' ' -f 1)" = \
		"$(sha256sum "$VM_SHARE/written" | cut -d ' ' -f 1)" ]
	same_file written
}

@test "mapped files larger than the window: what was stored is found again" {
	guest fio --name=j --filename=/mnt/vfs/mapped --ioengine=mmap --rw=randwrite --bs=128k --size=12m \
		--verify=crc32c --output=/dev/null
	same_file mapped
}

@test "files of any size keep it, on both sides" {
	local size
	for size in 1 5000 2097151 2097153 3000001; do
		head -c "$size" /dev/urandom >"$VM_SHARE/odd"
		[ "$(guest stat -c %s /mnt/vfs/odd)" -eq "$size" ]
		guest sh -c 'cp /mnt/vfs/odd /mnt/vfs/copy && cmp /mnt/vfs/odd /mnt/vfs/copy'
		cmp "$VM_SHARE/odd" "$VM_SHARE/copy"
		guest rm /mnt/vfs/odd /mnt/vfs/copy
	done
	[ ! -e "$VM_SHARE/odd" ]
}

@test "appending, truncating, renaming, linking, listing" {
	guest sh -ec 'cd /mnt/vfs; mkdir d; for i in 1 2 3; do echo $i >>d/a; done; truncate -s 4 d/a
		mv d/a d/b; ln d/b d/c; ln -s b d/l; chmod 640 d/b; mkdir d/e; rmdir d/e; ls d >names'
	[ "$(<"$VM_SHARE/d/c")" = $'1\n2' ]
	[ "$(readlink "$VM_SHARE/d/l")" = b ]
	[ "$(stat -c '%a %h' "$VM_SHARE/d/b")" = "640 2" ]
	[ "$(tr '\n' ' ' <"$VM_SHARE/names")" = "b c l " ]
	[ "$(guest sh -c 'mkdir /mnt/vfs/many; cd /mnt/vfs/many; touch $(seq 1 1500); ls | wc -l')" -eq 1500 ]
}

@test "guest and host recorded at once are joined, none missing" {
	head -c 8M /dev/urandom >"$VM_SHARE/joined"
	LAB_DIR=$VM_DIR "$TOP/build/vfscope" record --strict --host --daemon "$VM_DAEMON_PID" -o host.vft -- \
		"$TOP/lab/guest" "$TOP/build/vfscope" record --strict --guest --mount /mnt/vfs \
		-o /run/lab/guest.vft -- cat /mnt/vfs/joined 3>&- >/dev/null
	"$TOP/build/vfscope" join --strict "$VM_DIR/guest.vft" host.vft -o joined.vft --format json >join.json
	[ "$(jq '.join | .guest_without_host.inside + .host_without_guest.inside + .skewed' join.json)" = 0 ]
	[ "$("$TOP/build/vfscope" export joined.vft | jq -s 'map(select(.opcode == "SETUPMAPPING")) |
		length >= 4 and all((.flags | contains(["guest", "host"])) and .unsplit_ns == 0)')" = true ]
	[[ $("$TOP/build/vfscope" report joined.vft) == *'mode      dax'* ]]
}

@test "neither the daemon nor the guest's kernel has complained" {
	[ ! -s "$VM_DIR/share.log" ]
	run ! guest sh -c "dmesg | grep -E 'WARNING:|BUG:|Oops|hung_task|I/O error'"
}
