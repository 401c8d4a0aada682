# SPDX-License-Identifier: GPL-2.0-or-later
#
# vfscope record --host while the guest's driver is unbound and bound again, and while the guest reboots:
# the rings begin anew under the same daemon, and the recording goes on with them.

bats_require_minimum_version 1.5.0
load vm

setup_file() {
	start_vm --cache never
	truncate -s 4M "$VM_SHARE/file"
}

teardown_file() {
	stop_vm
}

setup() {
	cd "$BATS_TEST_TMPDIR" || return
}

read_blocks() { # COUNT
	guest dd if=/mnt/vfs/file of=/dev/null bs=4k count="$1" iflag=direct status=none
}

begin() {
	"$TOP/build/vfscope" record --host --daemon "$VM_DAEMON_PID" -o host.vft --ready-file ready 2>err 3>&- &
	recorder=$!
	until [[ -e ready ]]; do pause_for_vm; done
}

end() {
	kill -INT $recorder
	wait $recorder
	cat err
	"$TOP/build/vfscope" export --format raw host.vft >raw
}

# What is there of READ and INIT, by daemon; header: of a request whose header was read late.
reads_and_inits() {
	jq -s -c 'map(select((.type == "chain" or .type == "header") and
		(.opcode == "INIT" or .opcode == "READ")) | [.daemon, .opcode]) | group_by(.) |
		map([.[0][0], .[0][1], length])' raw
}

# QEMU is started to end when its guest reboots: it is told not to, as libvirt does, and to reset it.
reboot() {
	perl -MIO::Socket::UNIX -e '$| = 1; my $qmp = IO::Socket::UNIX->new($ARGV[0]) or die $!;
		$qmp->autoflush; <$qmp>;
		for my $command (qw({"execute":"qmp_capabilities"}
			{"execute":"set-action","arguments":{"reboot":"reset"}} {"execute":"system_reset"})) {
			print $qmp "$command\n";
			do { $_ = <$qmp> // die "QEMU has ended"; die $_ if /"error"/; } until /"return"/;
		}' "$VM_DIR/qmp.sock"
	until LAB_DIR=$VM_DIR timeout 10 "$TOP/lab/guest" test -e /mnt/vfs/file 2>/dev/null 3>&-; do
		pause_for_vm || return 1
	done
}

@test "a driver that is unbound and bound again" {
	local i
	begin
	read_blocks 17
	for i in 1 2; do
		# The share under test is the last of the three devices.
		guest sh -ec 'umount /mnt/vfs
			cd /sys/bus/virtio/drivers/virtiofs
			device=$(ls -d virtio* | sort -V | tail -n 1)
			echo "$device" >unbind
			echo "$device" >bind'
		until [[ $(grep -c anew err) -eq $i ]]; do
			kill -0 $recorder && pause_for_vm || { cat err; return 1; }
		done
		guest mount -t virtiofs vfs /mnt/vfs
		read_blocks $((17 + i))
	done
	end
	jq -s -c '.[-1].losses, (.[-1].footer.daemons | map([.slot, .pid, .requests, .follows, .reset]))' raw
	[ "$(jq -s -c '.[-1].footer.daemons | map([.slot, .pid, .follows, .reset])' raw)" = \
		"[[0,$VM_DAEMON_PID,null,true],[1,$VM_DAEMON_PID,0,true],[2,$VM_DAEMON_PID,1,null]]" ]
	[ "$(jq -s '.[-1].losses.ring_moved' raw)" -eq 0 ]
	# Each round has its INIT (but the first one) and as many blocks as were read.
	[ "$(reads_and_inits)" = '[[0,"READ",17],[1,"INIT",1],[1,"READ",18],[2,"INIT",1],[2,"READ",19]]' ]
}

@test "--kvm of a VM that does not use KVM: said, and nothing counted" {
	tr '\0' ' ' <"/proc/$VM_QEMU_PID/cmdline" | grep -q -- '-accel tcg' || skip 'the VM of the lab uses KVM here'
	[ -e /sys/kernel/tracing/events/kvm/kvm_exit/format ] || skip 'no tracepoints of KVM in this kernel'
	run --separate-stderr "$TOP/build/vfscope" record --host --kvm --daemon "$VM_DAEMON_PID" -o host.vft --duration 1s
	[ "$status" -eq 0 ]
	[[ $stderr == *"process $VM_QEMU_PID runs its VM without KVM"* ]]
	[ "$("$TOP/build/vfscope" report -f json host.vft | jq -c '.kvm | map([.vmm, .vcpu_threads, .exits])')" = \
		"[[$VM_QEMU_PID,0,[]]]" ]
}

@test "a guest that reboots" {
	begin
	read_blocks 50
	reboot
	read_blocks 60
	end
	[ "$(reads_and_inits)" = '[[0,"READ",50],[1,"INIT",1],[1,"READ",60]]' ]
	[ "$(jq -s '.[-1].losses | add' raw)" -eq 0 ]
	run -0 "$TOP/build/vfscope" report host.vft
	[[ $output == *'; then the guest reset the device'*'; after the guest had set up the device anew'* ]]
	[ "$(grep -c '^daemon' <<<"$output")" -eq 1 ]
}
