// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names of KVM's numbers. Those of exits belong to the processor's vendor: lists of the kernel's
 * user space headers. A recording may be read on any machine, so its footer has the names.
 */
#include "trace/kvm_names.h"
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#if defined(__x86_64__) || defined(__i386__)
#include <asm/svm.h>
#include <asm/vmx.h>
#endif
#include "lib/compiler.h"

#define ISA_VMX 1 /* arch/x86/kvm/trace.h */
#define ISA_SVM 2

struct named {
	uint32_t value;
	const char *name;
};

#if defined(__x86_64__) || defined(__i386__)
static const struct named vmx[] = {VMX_EXIT_REASONS};
static const struct named svm[] = {SVM_EXIT_REASONS};
#else
static const struct named vmx[] = {{0, "0"}};
static const struct named svm[] = {{0, "0"}};
#endif

static const struct named user_exits[] = {
	{KVM_EXIT_UNKNOWN, "UNKNOWN"},
	{KVM_EXIT_EXCEPTION, "EXCEPTION"},
	{KVM_EXIT_IO, "IO"},
	{KVM_EXIT_HYPERCALL, "HYPERCALL"},
	{KVM_EXIT_DEBUG, "DEBUG"},
	{KVM_EXIT_HLT, "HLT"},
	{KVM_EXIT_MMIO, "MMIO"},
	{KVM_EXIT_IRQ_WINDOW_OPEN, "IRQ_WINDOW_OPEN"},
	{KVM_EXIT_SHUTDOWN, "SHUTDOWN"},
	{KVM_EXIT_FAIL_ENTRY, "FAIL_ENTRY"},
	{KVM_EXIT_INTR, "INTR"},
	{KVM_EXIT_SET_TPR, "SET_TPR"},
	{KVM_EXIT_TPR_ACCESS, "TPR_ACCESS"},
	{KVM_EXIT_NMI, "NMI"},
	{KVM_EXIT_INTERNAL_ERROR, "INTERNAL_ERROR"},
	{KVM_EXIT_SYSTEM_EVENT, "SYSTEM_EVENT"},
	{KVM_EXIT_IOAPIC_EOI, "IOAPIC_EOI"},
	{KVM_EXIT_HYPERV, "HYPERV"},
	{KVM_EXIT_ARM_NISV, "ARM_NISV"},
	{KVM_EXIT_X86_RDMSR, "X86_RDMSR"},
	{KVM_EXIT_X86_WRMSR, "X86_WRMSR"},
	{KVM_EXIT_DIRTY_RING_FULL, "DIRTY_RING_FULL"},
	{KVM_EXIT_AP_RESET_HOLD, "AP_RESET_HOLD"},
	{KVM_EXIT_X86_BUS_LOCK, "X86_BUS_LOCK"},
	{KVM_EXIT_XEN, "XEN"},
	{KVM_EXIT_NOTIFY, "NOTIFY"},
};

static const char *find(const struct named *list, size_t n, uint32_t value, char *buf, size_t len)
{
	for (size_t i = 0; i < n; i++) {
		if (list[i].value == value) {
			snprintf(buf, len, "%s", list[i].name);
			return buf;
		}
	}
	snprintf(buf, len, "%#x", value);
	return buf;
}

const char *kvm_isa_name(uint32_t isa)
{
	return isa == ISA_VMX ? "vmx" : isa == ISA_SVM ? "svm" : "?";
}

const char *kvm_exit_name(uint32_t isa, uint32_t reason, char *buf, size_t len)
{
	if (isa == ISA_VMX)
		return find(vmx, ARRAY_SIZE(vmx), reason, buf, len);
	if (isa == ISA_SVM)
		return find(svm, ARRAY_SIZE(svm), reason, buf, len);
	snprintf(buf, len, reason ? "%#x" : "any", reason);
	return buf;
}

const char *kvm_user_exit_name(uint32_t reason, char *buf, size_t len)
{
	return find(user_exits, ARRAY_SIZE(user_exits), reason, buf, len);
}

const char *kvm_errno_name(uint32_t err, char *buf, size_t len)
{
	const char *name = strerrorname_np((int)err);

	snprintf(buf, len, "%s", name ? name : "?");
	return buf;
}
