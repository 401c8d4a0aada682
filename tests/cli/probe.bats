# SPDX-License-Identifier: GPL-2.0-or-later
#
# vfscope probe: what it finds on this machine agrees with what this machine says; what is missing
# is named with what to do.

load common

@test "the machine: kernel, CPUs and BTF as this system tells" {
	run --separate-stderr "$VFSCOPE" probe --format json
	[ "$status" -eq 0 ] || [ "$status" -eq 3 ]
	[ -z "$stderr" ]
	[ "$(jq -r '.machine.kernel' <<<"$output")" = "$(uname -r)" ]
	[ "$(jq -r '.machine.cpus' <<<"$output")" -eq "$(nproc)" ]
	[ "$(jq -r '.machine.btf' <<<"$output")" = "$([ -r /sys/kernel/btf/vmlinux ] && echo true || echo false)" ]
	[ "$(jq -r '.possible' <<<"$output")" = "$([ "$status" -eq 0 ] && echo true || echo false)" ]
}

@test "each side that is asked for is there, with its points, and problems have remedies" {
	run --separate-stderr "$VFSCOPE" probe --guest --host -f json
	[ "$status" -eq 0 ] || [ "$status" -eq 3 ]
	[ "$(jq '[.guest, .host | .possible == (.problems | length == 0)] | all' <<<"$output")" = true ]
	[ "$(jq '[.guest, .host | .problems[] | (.what | length > 0) and (.remedy | length > 0)] | all' \
		<<<"$output")" = true ]
	[ "$(jq -r '.host.points | map(.function) | .[:4] | join(" ")' <<<"$output")" = 'sys_enter sys_exit sched_wakeup sched_switch' ]
	[ "$(jq -r '.host.points | map(.function) | .[4:] | sort | join(" ")' <<<"$output")" = "$(echo \
		kvm_{entry,exit,fast_mmio,inj_virq,mmio,msi_set_irq,pio,set_irq,userspace_exit,vcpu_wakeup} sched_waking)" ]
	# Without KVM, nobody can watch it; that is no problem of a recording without --kvm.
	[ -d /sys/module/kvm ] || [ "$(jq '.host.points | map(select(.function | startswith("kvm_")) |
		.mechanism == "none" and (.reason | length > 0)) | all' <<<"$output")" = true ]
	[ "$(jq '[.host.problems[].what | contains("kvm")] | any' <<<"$output")" = false ]
	[ "$(jq '.possible == (.guest.possible and .host.possible)' <<<"$output")" = true ]
	expect "$status" "$VFSCOPE" probe --guest --host
	[[ $output == *"machine "*"$(uname -r)"* && $output == *'guest: '* && $output == *'host: '* ]]
}

@test "without capabilities: they are named, with the command that grants them, status 3" {
	command -v setpriv >/dev/null || skip 'no setpriv here'
	[ "$(id -u)" -eq 0 ] || skip 'only root can give up capabilities'
	expect 3 setpriv --bounding-set=-all --inh-caps=-all "$VFSCOPE" probe --host
	[[ $output == *'CAP_BPF'*'missing'* ]]
	[[ $output == *"sudo setcap cap_bpf,cap_perfmon"*"+ep $(realpath "$VFSCOPE")"* ]]
	# With those alone both tracepoints can be attached, where they can be at all.
	run setpriv --bounding-set=-all,+bpf,+perfmon "$VFSCOPE" probe --host -f json
	[ "$(jq -r '.machine.capabilities | [.CAP_BPF, .CAP_PERFMON, .CAP_SYS_ADMIN] | tostring' \
		<<<"$output")" = '[true,true,false]' ]
	[ "$(jq '.host.points | map(.mechanism)' <<<"$output")" = \
		"$("$VFSCOPE" probe --host -f json | jq '.host.points | map(.mechanism)')" ]
}
