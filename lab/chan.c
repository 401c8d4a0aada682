// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Frame streams: the same code runs in the guest's agent, in lab/vm and in lab/guest.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "chan.h"

#define CHAN_READ_BYTES (64u << 10)

static int buffer_reserve(struct chan_buffer *buffer, size_t len)
{
	unsigned char *data;
	size_t size;

	if (buffer->start) {
		memmove(buffer->data, buffer->data + buffer->start, buffer->end - buffer->start);
		buffer->end -= buffer->start;
		buffer->start = 0;
	}
	if (buffer->size - buffer->end >= len)
		return 0;
	size = buffer->size ? buffer->size : 4096;
	while (size - buffer->end < len)
		size *= 2;
	data = realloc(buffer->data, size);
	if (!data)
		return -ENOMEM;
	buffer->data = data;
	buffer->size = size;
	return 0;
}

int chan_open(struct chan *chan, int fd)
{
	int flags = fcntl(fd, F_GETFL);

	memset(chan, 0, sizeof(*chan));
	chan->fd = fd;
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) || fcntl(fd, F_SETFD, FD_CLOEXEC))
		return -errno;
	return 0;
}

void chan_close(struct chan *chan)
{
	if (chan->fd >= 0)
		close(chan->fd);
	free(chan->in.data);
	free(chan->out.data);
	memset(chan, 0, sizeof(*chan));
	chan->fd = -1;
}

int chan_receive(struct chan *chan)
{
	ssize_t got;
	int err;

	err = buffer_reserve(&chan->in, CHAN_READ_BYTES);
	if (err)
		return err;
	do {
		got = read(chan->fd, chan->in.data + chan->in.end, chan->in.size - chan->in.end);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	chan->in.end += (size_t)got;
	return got > 0;
}

int chan_next(struct chan *chan, struct frame *frame)
{
	size_t have = chan->in.end - chan->in.start;
	struct frame_head head;

	if (have < sizeof(head))
		return 0;
	memcpy(&head, chan->in.data + chan->in.start, sizeof(head));
	if (head.magic != FRAME_MAGIC || head.len > FRAME_MAX_LEN || head.type < FRAME_HELLO ||
	    head.type > FRAME_ERROR)
		return -EBADMSG;
	if (have < sizeof(head) + head.len)
		return 0;
	frame->type = (enum frame_type)head.type;
	frame->job = head.job;
	frame->len = head.len;
	frame->data = chan->in.data + chan->in.start + sizeof(head);
	chan->in.start += sizeof(head) + head.len;
	return 1;
}

int chan_send(struct chan *chan, enum frame_type type, uint32_t job, const void *data, size_t len)
{
	struct frame_head head = {FRAME_MAGIC, type, job, (uint32_t)len};
	int err;

	if (len > FRAME_MAX_LEN)
		return -EMSGSIZE;
	err = buffer_reserve(&chan->out, sizeof(head) + len);
	if (err)
		return err;
	memcpy(chan->out.data + chan->out.end, &head, sizeof(head));
	if (len)
		memcpy(chan->out.data + chan->out.end + sizeof(head), data, len);
	chan->out.end += sizeof(head) + len;
	return chan_flush(chan);
}

int chan_send_u32(struct chan *chan, enum frame_type type, uint32_t job, uint32_t value)
{
	return chan_send(chan, type, job, &value, sizeof(value));
}

int chan_flush(struct chan *chan)
{
	while (chan_has_output(chan)) {
		ssize_t put = write(chan->fd, chan->out.data + chan->out.start,
				    chan->out.end - chan->out.start);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return errno == EAGAIN ? 0 : -errno;
		chan->out.start += (size_t)put;
	}
	return 0;
}

bool chan_has_output(const struct chan *chan)
{
	return chan->out.end > chan->out.start;
}

int frame_u32(const struct frame *frame, uint32_t *value)
{
	if (frame->len != sizeof(*value))
		return -EBADMSG;
	memcpy(value, frame->data, sizeof(*value));
	return 0;
}
