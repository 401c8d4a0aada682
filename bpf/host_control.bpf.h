/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * What the VMM tells a daemon about its rings: messages of vhost-user
 * (lib/vhost_user.h), which both daemons read by recvmsg, header first. Included by
 * host.bpf.c alone.
 *
 * A guest that reboots, or whose driver is unbound, resets the device. The VMM then stops the rings
 * (GET_VRING_BASE), and the guest may use their memory for anything as soon as that is answered: so
 * it is before the daemon has even read the message that the rings are looked at for the last time.
 * When they are started again (SET_VRING_KICK comes last for each), they may be elsewhere, and
 * begin at position 0.
 */
#ifndef VFSCOPE_BPF_HOST_CONTROL_BPF_H
#define VFSCOPE_BPF_HOST_CONTROL_BPF_H

#include "bpf/host_maps.bpf.h"
#include "lib/vhost_user.h"

/* struct user_msghdr of include/linux/socket.h, on 64 bits */
#define MSGHDR_IOV 16

/* Where a message that is being received will begin; 0: that cannot be read. */
static __always_inline u64 control_buffer(u64 msghdr)
{
	u64 iov = 0, base = 0;

	if (bpf_probe_read_user(&iov, sizeof(iov), (void *)(msghdr + MSGHDR_IOV)) ||
	    bpf_probe_read_user(&base, sizeof(base), (void *)iov))
		return 0;
	return base;
}

/* buffer: of control_buffer(); result: of the system call. */
static __always_inline void control_received(struct host_daemon *daemon, u64 buffer, long result)
{
	struct host_control *control = bpf_map_lookup_elem(&controls, &daemon->control);
	struct {
		u32 request, flags;
	} header;

	if (!control || result < VHOST_USER_HEADER_BYTES ||
	    bpf_probe_read_user(&header, sizeof(header), (void *)buffer))
		return;
	/* Of the other channel, on which the daemon asks; there 9 is to map a DAX range. */
	if (header.flags & VHOST_USER_REPLY)
		return;
	switch (header.request) {
	case VHOST_USER_GET_VRING_BASE:
	case VHOST_USER_RESET_OWNER:
	case VHOST_USER_RESET_DEVICE:
	case VHOST_USER_SET_MEM_TABLE:
	case VHOST_USER_SET_VRING_ADDR:
		/* Nobody has looked at them, so nobody knows how many it was: not nothing. */
		if (header.request == VHOST_USER_GET_VRING_BASE &&
		    control->rings == HOST_RINGS_STARTED && control->messages != daemon->messages)
			count_loss(LOSS_RING_MOVED, 1);
		control->rings = HOST_RINGS_STOPPED;
		break;
	case VHOST_USER_SET_VRING_KICK:
		if (control->rings == HOST_RINGS_STOPPED)
			control->rings = HOST_RINGS_STARTED;
		break;
	default:
		return;
	}
	__sync_fetch_and_add(&control->messages, 1);
}

#endif
