/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the bytes of a .vft file come from: a file or a pipe, front to back.
 */
#ifndef VFSCOPE_TRACE_VFT_INPUT_H
#define VFSCOPE_TRACE_VFT_INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct vft_input {
	char *path; /* owned */
	int fd;
	uint64_t file_bytes; /* UINT64_MAX if not a regular file */
	uint64_t offset; /* of the next byte */
	uint8_t *ahead; /* bytes read from the file and not yet taken */
	uint32_t at, len;
};

/* 0, -ENOMEM, or -errno after a message. */
int vft_input_open(struct vft_input *in, const char *path);
void vft_input_close(
	struct vft_input *in); /* also after a failed open, or with fd -1 and else zero */

/* Bytes read (less than len only at the end of the file), or -errno after a message. */
ssize_t vft_input_read(struct vft_input *in, void *into, size_t len);

#endif
