// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hold_fentry FUNCTION: attaches programs that do nothing to a kernel function until the kernel
 * takes no more (BPF_MAX_TRAMP_LINKS, 38), says so, and holds them until its standard input ends.
 * Whoever comes later then finds that fentry loads but cannot be attached.
 */
#include <bpf/bpf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "lib/compiler.h"
#include "trace/guest_points.h"

#define MANY 200

static int hold_one(int btf_fd, int btf_id)
{
	static const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_FENTRY,
		    .attach_btf_obj_fd = (uint32_t)btf_fd, .attach_btf_id = (uint32_t)btf_id);
	int prog = bpf_prog_load(BPF_PROG_TYPE_TRACING, "hold", "GPL", insns, ARRAY_SIZE(insns),
				 &opts);

	return prog < 0 ? -1 : bpf_raw_tracepoint_open(NULL, prog);
}

int main(int argc, char **argv)
{
	struct kernel_functions *k;
	struct kernel_function f;
	int btf_fd, n = 0;
	char c;

	if (argc != 2 || kernel_functions_open(&k, guest_modules) ||
	    !kernel_functions_find(k, argv[1], &f))
		return 1;
	btf_fd = kernel_functions_btf_fd(k, &f);
	while (n < MANY && hold_one(btf_fd, f.btf_id) >= 0)
		n++;
	printf("%d\n", n);
	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) == 1)
		;
	return 0;
}
