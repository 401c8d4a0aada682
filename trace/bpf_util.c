// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the guest's and the host's capture share in their use of libbpf.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lib/compiler.h"
#include "lib/msg.h"
#include "lib/units.h"
#include "trace/bpf_util.h"

#define MAX_RINGBUF_BYTES (1ULL << 30)

/* From include/linux/errno.h: what the kernel returns for "this arch or config cannot". */
#define KERNEL_ENOTSUPP 524

static int print_debug(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	if (msg_level() < MSG_DEBUG || level == LIBBPF_DEBUG)
		return 0;
	return vfprintf(stderr, fmt, ap);
}

void bpf_util_begin(void)
{
	libbpf_set_print(print_debug);
	libbpf_num_possible_cpus(); /* which keeps the answer */
}

int bpf_util_ringbuf_bytes(uint64_t wanted, uint64_t *bytes)
{
	uint64_t rounded = (uint64_t)sysconf(_SC_PAGESIZE);
	char was[32], is[32];

	if (!wanted || wanted > MAX_RINGBUF_BYTES) {
		msg_error("ring buffer of %llu bytes is not possible; give --buffer 4k to 1g",
			  (unsigned long long)wanted);
		return -EINVAL;
	}
	while (rounded < wanted)
		rounded <<= 1;
	if (rounded != wanted)
		msg_info("ring buffer of %s made %s: it must be a power of two of pages",
			 format_bytes((double)wanted, was, sizeof(was)),
			 format_bytes((double)rounded, is, sizeof(is)));
	*bytes = rounded;
	return 0;
}

void bpf_util_explain(const char *what, int err)
{
	const char *hint;

	switch (-err) {
	case EPERM:
	case EACCES:
		hint = "run as root, or with CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN";
		break;
	case KERNEL_ENOTSUPP:
	case EOPNOTSUPP:
		hint = "this kernel refuses fentry programs (it needs ftrace with direct calls)";
		break;
	case ESRCH:
	case ENOENT:
		hint = "the kernel lacks a function or its BTF; is CONFIG_DEBUG_INFO_BTF on?";
		break;
	case ENOMEM:
		hint = "too little memory for the BPF maps; try a smaller --buffer";
		break;
	default:
		hint = "run again with 'vfscope -v' to see what the kernel said";
	}
	if (-err == KERNEL_ENOTSUPP)
		msg_error("cannot load the %s: not supported; %s", what, hint);
	else
		msg_error("cannot load the %s: %s; %s", what, strerror(-err), hint);
}

int bpf_util_count_costs(void)
{
	int fd = bpf_enable_stats(BPF_STATS_RUN_TIME);

	if (fd < 0)
		msg_debug("cannot have the kernel count what probes cost: %s", strerror(errno));
	return fd < 0 ? -1 : fd;
}

void bpf_util_end_costs(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

bool bpf_util_program_info(const struct bpf_program *prog, struct bpf_prog_info *info)
{
	uint32_t len = sizeof(*info);
	int fd = prog ? bpf_program__fd(prog) : -1;

	*info = (struct bpf_prog_info){};
	return fd >= 0 && !bpf_obj_get_info_by_fd(fd, info, &len);
}

void bpf_util_sum_costs(struct bpf_cost *sum, const struct bpf_object *object)
{
	struct bpf_prog_info info;
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, object)
	{
		if (!bpf_util_program_info(prog, &info))
			continue;
		sum->ns += info.run_time_ns;
		sum->runs += info.run_cnt;
	}
}

/* To those of another instance of the program, if there is one. */
static void add_cost(json_t *cost, const char *name, const struct bpf_prog_info *info)
{
	json_int_t runs = (json_int_t)info->run_cnt, ns = (json_int_t)info->run_time_ns;
	const json_t *had = json_object_get(cost, name);

	runs += json_integer_value(json_object_get(had, "runs"));
	ns += json_integer_value(json_object_get(had, "ns"));
	json_object_set_new(cost, name, json_pack("{s:I s:I}", "runs", runs, "ns", ns));
}

void bpf_util_add_costs(json_t *cost, const struct bpf_object *object)
{
	struct bpf_prog_info info;
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, object)
	{
		if (bpf_util_program_info(prog, &info) && info.run_cnt)
			add_cost(cost, bpf_program__name(prog), &info);
	}
}

int bpf_util_sum_percpu(int map_fd, uint32_t entries, uint64_t *sums)
{
	int cpus = libbpf_num_possible_cpus();
	uint64_t *values;
	int err = 0;

	if (cpus < 0)
		return cpus;
	values = calloc((size_t)cpus, sizeof(*values));
	if (!values)
		return -ENOMEM;
	for (uint32_t i = 0; i < entries; i++) {
		err = bpf_map_lookup_elem(map_fd, &i, values);
		if (err)
			break;
		for (int cpu = 0; cpu < cpus; cpu++)
			sums[i] += values[cpu];
	}
	free(values);
	return err;
}
