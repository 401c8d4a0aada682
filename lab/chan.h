/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A non-blocking, buffered stream of frames over a file descriptor (socket or virtio-serial port).
 */
#ifndef VFSCOPE_LAB_CHAN_H
#define VFSCOPE_LAB_CHAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "frame.h"

struct chan_buffer {
	unsigned char *data;
	size_t start; /* first byte not yet taken */
	size_t end;
	size_t size;
};

struct chan {
	int fd;
	struct chan_buffer in;
	struct chan_buffer out;
};

struct frame {
	enum frame_type type;
	uint32_t job;
	uint32_t len;
	const unsigned char *data; /* valid until the next chan_receive() or chan_close() */
};

/* Takes over `fd` and makes it non-blocking and close-on-exec. */
int chan_open(struct chan *chan, int fd);
void chan_close(struct chan *chan);

/* Reads what is there. Returns 1 if something came, 0 at the end of the stream, -EAGAIN, -errno. */
int chan_receive(struct chan *chan);

/* Takes the next whole frame. Returns 1, 0 if there is none yet, -EBADMSG if it is not a frame. */
int chan_next(struct chan *chan, struct frame *frame);

/* Queues one frame and writes what the other end takes at once. 0 or -errno. */
int chan_send(struct chan *chan, enum frame_type type, uint32_t job, const void *data, size_t len);
int chan_send_u32(struct chan *chan, enum frame_type type, uint32_t job, uint32_t value);

/* Writes queued bytes until done or the other end is full. 0 or -errno. */
int chan_flush(struct chan *chan);
bool chan_has_output(const struct chan *chan);

/* The value of a frame that carries one u32; -EBADMSG if it does not. */
int frame_u32(const struct frame *frame, uint32_t *value);

#endif
