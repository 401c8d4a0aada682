// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The capabilities of this process. By system call: libcap would be a library for four of them.
 */
#include <bpf/bpf.h>
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

static int set_capabilities(uint64_t effective, uint64_t permitted)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};

	for (unsigned int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		data[i].effective = (uint32_t)(effective >> (32 * i));
		data[i].permitted = (uint32_t)(permitted >> (32 * i));
	}
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

/* Whether a map that is open can be read without any capability. */
static bool maps_need_bpf(int map)
{
	uint32_t key = 0, value;

	return bpf_map_lookup_elem(map, &key, &value) && errno == EPERM;
}

int privilege_drop(void)
{
	uint64_t keep = 0, bpf = 1ULL << CAP_BPF;
	bool have_bpf = privilege_have(PRIVILEGE_BPF);
	int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "vfscope_try", 4, 4, 1, NULL), err;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) {
		err = -errno;
		goto out;
	}
	err = set_capabilities(0, have_bpf ? bpf : 0);
	if (!err && have_bpf && map >= 0 && maps_need_bpf(map))
		keep = bpf;
	/* Ambient capabilities go with the permitted ones. */
	if (!err)
		err = set_capabilities(keep, keep);
out:
	if (map >= 0)
		close(map);
	return err;
}

/* Of what this process has. */
static int keep_only(uint64_t wanted)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
	uint64_t keep;

	if (syscall(SYS_capget, &header, data) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	keep = wanted & (data[0].effective | (uint64_t)data[1].effective << 32);
	return set_capabilities(keep, keep);
}

int privilege_keep_looking(void)
{
	/* Of another user's process, /proc lets only these read the list of descriptors. */
	return keep_only(1ULL << CAP_SYS_PTRACE | 1ULL << CAP_DAC_READ_SEARCH |
			 1ULL << CAP_DAC_OVERRIDE | 1ULL << CAP_BPF);
}

int privilege_keep_files(void)
{
	return keep_only(1ULL << CAP_DAC_READ_SEARCH | 1ULL << CAP_DAC_OVERRIDE);
}
