// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The capabilities of this process. By system call: libcap would be a library for four of them.
 */
#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "trace/privilege.h"

static const struct {
	const char *name;
	const char *purpose;
	unsigned int bit;
} privileges[NR_PRIVILEGES] = {
	[PRIVILEGE_BPF] = {"CAP_BPF", "loads programs and makes maps", CAP_BPF},
	[PRIVILEGE_PERFMON] = {"CAP_PERFMON", "lets programs trace the kernel", CAP_PERFMON},
	[PRIVILEGE_SYS_ADMIN] = {"CAP_SYS_ADMIN", "reads the types (BTF) of kernel modules",
				 CAP_SYS_ADMIN},
	[PRIVILEGE_SYS_PTRACE] = {"CAP_SYS_PTRACE", "looks at the memory of another user's daemon",
				  CAP_SYS_PTRACE},
};

const char *privilege_name(enum privilege privilege)
{
	return privileges[privilege].name;
}

const char *privilege_purpose(enum privilege privilege)
{
	return privileges[privilege].purpose;
}

bool privilege_have(enum privilege privilege)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
	unsigned int bit = privileges[privilege].bit;

	if (syscall(SYS_capget, &header, data))
		return false;
	return data[CAP_TO_INDEX(bit)].effective & CAP_TO_MASK(bit);
}

int privilege_drop(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	/* Ambient capabilities go with the permitted ones. */
	return syscall(SYS_capset, &header, none) ? -errno : 0;
}
