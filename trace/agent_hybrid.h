/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Vsock of VMMs that do without the host's vhost-vsock: Firecracker, Cloud Hypervisor and
 * vhost-device-vsock map a guest's vsock ports to a Unix socket on the host. Who connects to it
 * says "CONNECT PORT\n"; once a program in the guest has accepted, "OK N\n" comes back, and the
 * stream begins (Firecracker documents it so). To the guest it is a connection from the host.
 */
#ifndef VFSCOPE_TRACE_AGENT_HYBRID_H
#define VFSCOPE_TRACE_AGENT_HYBRID_H

#include <stdint.h>

/*
 * On a connected socket, which does not block. 0; -ENOTCONN: nothing listens at that port in
 * the guest, -EPROTO: who answers does not speak this protocol, -ETIMEDOUT.
 */
int agent_hybrid_connect(int fd, uint32_t port, int timeout_ms);

#endif
