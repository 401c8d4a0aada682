// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Ways to have a BPF program run at a place in the kernel, found by trying.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "lib/compiler.h"
#include "trace/attach.h"
#include "trace/tracefs.h"

#define EVENT_SOURCES "/sys/bus/event_source/devices/"

/* From include/linux/errno.h: what the kernel returns for "this arch or config cannot". */
#define KERNEL_ENOTSUPP 524

const char *attach_mechanism_name(enum attach_mechanism mechanism)
{
	static const char *const names[] = {
		[ATTACH_NONE] = "none",	    [ATTACH_FENTRY] = "fentry", [ATTACH_KPROBE] = "kprobe",
		[ATTACH_TP_BTF] = "tp_btf", [ATTACH_RAW_TP] = "raw_tp", [ATTACH_TP] = "tp",
	};

	return mechanism < NR_ATTACH_MECHANISMS ? names[mechanism] : "?";
}

const char *attach_error_text(int err)
{
	switch (-err) {
	case 0:
		return "possible";
	case EPERM:
	case EACCES:
		return "not permitted";
	case KERNEL_ENOTSUPP:
	case EOPNOTSUPP:
		return "not supported by this kernel";
	case ENOENT:
	case ESRCH:
		return "not in this kernel";
	case EBUSY:
		return "in use by another tracer";
	case E2BIG: /* BPF_MAX_TRAMP_LINKS */
		return "no more programs can be attached to it";
	case EADDRNOTAVAIL:
		return "its name is not unique";
	default:
		return strerror(-err);
	}
}

/* A program that returns 0. */
static int load_nothing(enum bpf_prog_type type, const struct bpf_prog_load_opts *opts)
{
	static const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int fd = bpf_prog_load(type, "vfscope_try", "GPL", insns, ARRAY_SIZE(insns), opts);

	return fd < 0 ? -errno : fd;
}

/* prog: what load_nothing() returned. tracepoint: NULL if the program knows its place itself. */
static int attach_and_close(int prog, const char *tracepoint, bool attach)
{
	int link, err = 0;

	if (prog < 0)
		return prog;
	if (attach) {
		link = bpf_raw_tracepoint_open(tracepoint, prog);
		err = link < 0 ? -errno : 0;
		if (link >= 0)
			close(link);
	}
	close(prog);
	return err;
}

int attach_try_fentry(struct kernel_functions *k, const char *function, bool attach)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_FENTRY);
	struct kernel_function f;
	int btf_fd;

	if (!kernel_functions_find(k, function, &f))
		return -ENOENT;
	btf_fd = kernel_functions_btf_fd(k, &f);
	if (btf_fd < 0)
		return btf_fd;
	opts.attach_btf_obj_fd = (uint32_t)btf_fd;
	opts.attach_btf_id = (uint32_t)f.btf_id;
	return attach_and_close(load_nothing(BPF_PROG_TYPE_TRACING, &opts), NULL, attach);
}

int attach_try_tp_btf(const char *tracepoint, bool attach)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_RAW_TP);
	int id = libbpf_find_vmlinux_btf_id(tracepoint, BPF_TRACE_RAW_TP);

	if (id < 0)
		return id;
	opts.attach_btf_id = (uint32_t)id;
	return attach_and_close(load_nothing(BPF_PROG_TYPE_TRACING, &opts), NULL, attach);
}

int attach_try_raw_tp(const char *tracepoint, bool attach)
{
	return attach_and_close(load_nothing(BPF_PROG_TYPE_RAW_TRACEPOINT, NULL), tracepoint,
				attach);
}

int attach_try_tp(const char *event)
{
	struct perf_event_attr attr = {.size = sizeof(attr), .type = PERF_TYPE_TRACEPOINT};
	int id = tracefs_event_id(event), fd;

	if (id < 0)
		return id;
	attr.config = (uint32_t)id;
	fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/* A number in a file of /sys that may have a word before it ("config:0"); -1 without the file. */
static int read_number(const char *path)
{
	FILE *file = fopen(path, "re");
	int n = -1;

	if (!file)
		return -1;
	if (fscanf(file, "%*[^0-9]%d", &n) != 1) {
		rewind(file);
		if (fscanf(file, "%d", &n) != 1)
			n = -1;
	}
	fclose(file);
	return n;
}

int attach_try_kprobe(const char *function, bool at_return)
{
	int type = read_number(EVENT_SOURCES "kprobe/type");
	int bit = read_number(EVENT_SOURCES "kprobe/format/retprobe");
	struct perf_event_attr attr = {.size = sizeof(attr), .disabled = 1};
	int fd;

	if (type < 0 || bit < 0)
		return -EOPNOTSUPP;
	attr.type = (uint32_t)type;
	attr.config = at_return ? 1ULL << bit : 0;
	attr.kprobe_func = (uintptr_t)function;
	fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

bool attach_has_uprobes(void)
{
	return read_number(EVENT_SOURCES "uprobe/type") >= 0;
}
