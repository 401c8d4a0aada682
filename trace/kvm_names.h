/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of KVM's numbers, as the kernel's own headers give them.
 */
#ifndef VFSCOPE_TRACE_KVM_NAMES_H
#define VFSCOPE_TRACE_KVM_NAMES_H

#include <stddef.h>
#include <stdint.h>

/* "vmx", "svm"; "?" for what kvm_exit's isa does not say. */
const char *kvm_isa_name(uint32_t isa);

/* Each fills buf and returns it. What has no name is its number. */
const char *kvm_exit_name(uint32_t isa, uint32_t reason, char *buf, size_t len);
const char *kvm_user_exit_name(uint32_t reason, char *buf, size_t len); /* KVM_EXIT_... */
const char *kvm_errno_name(uint32_t err, char *buf, size_t len);

#endif
