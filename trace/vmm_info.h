/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the command line of a VM's process tells of the VM.
 */
#ifndef VFSCOPE_TRACE_VMM_INFO_H
#define VFSCOPE_TRACE_VMM_INFO_H

#include <stddef.h>
#include <jansson.h>

/*
 * Sets "name" (of the VM, QEMU's -name) and "options": the arguments that change how fast virtio-fs
 * is (machine, accelerator, CPUs, memory, the file system's device), and no others, such as disks
 * or passwords. args: NUL-separated, as in /proc/PID/cmdline.
 */
void vmm_describe_args(json_t *object, const char *args, size_t len);

#endif
