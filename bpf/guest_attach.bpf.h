/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * How the guest's programs are attached: the same source is built twice, for fentry and fexit
 * (guest.bpf.c) and for kprobe and kretprobe (guest_kprobe.bpf.c, which defines GUEST_KPROBE). The
 * loader takes each attach point from one of the two; both share their maps.
 *
 *	ON_ENTRY(function, name, arguments...) { ... return 0; }
 *	ON_RETURN(function, number of arguments, name, arguments..., result) { ... return 0; }
 *
 * The arguments are those of the kernel's function, as many as are used; a result can only be named
 * after all arguments. KREAD(p, a, b) is p->a->b, where p is such an argument or came from KREAD.
 *
 * Designs considered: the same programs twice in one object would have to carry a flag through every
 * helper function down to each KREAD; reading all memory through the helper, so that one body serves
 * both, costs a call per field where fentry needs a load.
 */
#ifndef VFSCOPE_BPF_GUEST_ATTACH_BPF_H
#define VFSCOPE_BPF_GUEST_ATTACH_BPF_H

#include <linux/types.h>
#include <linux/bpf.h>
#include <asm/ptrace.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#ifndef GUEST_KPROBE

/* A pointer from fentry arguments is typed: the verifier lets us dereference it. */
#define KREAD(p, fields...) ___arrow(p, fields)

#define ON_ENTRY(function, name, args...) SEC("fentry/" #function) int BPF_PROG(name, ##args)

#define ON_RETURN(function, nr_args, name, args...)                                                \
	SEC("fexit/" #function) int BPF_PROG(name, ##args)

#else

#define KREAD(p, fields...) BPF_CORE_READ(p, fields)

#define ON_ENTRY(function, name, args...) SEC("kprobe/" #function) int BPF_KPROBE(name, ##args)

#define KPROBE_MAX_ARGS 6 /* the sixth is not kept: libbpf 1.1 has no PT_REGS_PARM6 */

/*
 * A kretprobe does not see the arguments, so a kprobe of the same function keeps them until the
 * return. A call is named by the address on the stack that it returns from: calls nest and tasks
 * sleep, but no two calls under way have the same one.
 */
struct kept_call {
	unsigned long long stack;
	unsigned long long program;
};

struct kept_args {
	unsigned long long arg[KPROBE_MAX_ARGS];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__type(key, struct kept_call);
	__type(value, struct kept_args);
} kept_calls SEC(".maps");

/* x86 has popped the return address when the kretprobe runs; others keep it in a register. */
#if defined(__TARGET_ARCH_x86)
#define POPPED_BY_RETURN 8
#else
#define POPPED_BY_RETURN 0
#endif

/* No room for another call: its return will not be seen. The includer counts the loss. */
static __always_inline void kept_call_lost(void);

static __always_inline int keep_args(struct pt_regs *regs, int nr_args, unsigned int program)
{
	struct kept_call call = {.stack = PT_REGS_SP(regs) + POPPED_BY_RETURN, .program = program};
	struct kept_args kept = {};

	kept.arg[0] = PT_REGS_PARM1(regs);
	if (nr_args > 1)
		kept.arg[1] = PT_REGS_PARM2(regs);
	if (nr_args > 2)
		kept.arg[2] = PT_REGS_PARM3(regs);
	if (nr_args > 3)
		kept.arg[3] = PT_REGS_PARM4(regs);
	if (nr_args > 4)
		kept.arg[4] = PT_REGS_PARM5(regs);
	/* What is there is of a call whose return was missed. */
	if (bpf_map_update_elem(&kept_calls, &call, &kept, BPF_ANY))
		kept_call_lost();
	return 0;
}

/* Fills ctx as fexit would have it: arguments, then the result. False if they were not kept. */
static __always_inline bool take_args(struct pt_regs *regs, int nr_args, unsigned int program,
				      unsigned long long *ctx)
{
	struct kept_call call = {.stack = PT_REGS_SP(regs), .program = program};
	struct kept_args *kept = bpf_map_lookup_elem(&kept_calls, &call);

	if (!kept)
		return false;
	for (int i = 0; i < nr_args; i++)
		ctx[i] = kept->arg[i];
	ctx[nr_args] = PT_REGS_RC(regs);
	bpf_map_delete_elem(&kept_calls, &call);
	return true;
}

/* The loader loads name_args with name (trace/guest_probes.c). */
#define ON_RETURN(function, nr_args, name, args...)                                                \
	enum { name##_number = __COUNTER__ };                                                      \
	SEC("kprobe/" #function) int name##_args(struct pt_regs *regs)                             \
	{                                                                                          \
		return keep_args(regs, nr_args, name##_number);                                    \
	}                                                                                          \
	static __always_inline int ____##name(unsigned long long *ctx, ##args);                    \
	SEC("kretprobe/" #function) int name(struct pt_regs *regs)                                 \
	{                                                                                          \
		unsigned long long ctx[KPROBE_MAX_ARGS + 1] = {};                                  \
                                                                                                   \
		if (!take_args(regs, nr_args, name##_number, ctx))                                 \
			return 0;                                                                  \
		_Pragma("GCC diagnostic push")                                                     \
		_Pragma("GCC diagnostic ignored \"-Wint-conversion\"")                             \
		return ____##name(___bpf_ctx_cast(args));                                          \
		_Pragma("GCC diagnostic pop")                                                      \
	}                                                                                          \
	static __always_inline int ____##name(unsigned long long *ctx, ##args)

#endif
#endif
