/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/array.h"
#include "base/cleanup.h"
#include "capture/receive_way.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>

/* Without a ring: the kernel queues each packet, and one recvfrom(2) copies it. */

struct plain {
	int fd;
	int patience_ms; /* that the socket knows of */
	size_t size;
	uint8_t bytes[];
};

/* As much memory as a ring would have; the kernel doubles what it is told. */
static void widen_queue(int fd, const struct geometry *geometry)
{
	const uint64_t memory = (uint64_t)geometry->block_size * geometry->block_count;
	const int size = (int)LEAST(memory / 2, (uint64_t)INT32_MAX / 2);

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

static int open_queue(
    void **ret_state, int fd, const struct receive_plan *plan, struct ring_fault *ret_fault)
{
	struct plain *plain = calloc(1, sizeof(*plain) + plan->longest);

	if (!plain)
		return -ENOMEM;
	*ret_state = plain;
	plain->fd = fd;
	plain->size = plan->longest;
	widen_queue(fd, &plan->geometry);
	*ret_fault = (struct ring_fault) { "bind to the interface", NULL };
	return receive_bind(fd, plan->ifindex);
}

static int set_patience(struct plain *plain, int patience_ms)
{
	const struct timeval timeout = {
		.tv_sec = patience_ms / 1000,
		.tv_usec = patience_ms % 1000 * 1000,
	};

	/* 0 would be for ever. */
	if (patience_ms == 0 || plain->patience_ms == patience_ms)
		return 0;
	if (setsockopt(plain->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0)
		return -errno;
	plain->patience_ms = patience_ms;
	return 0;
}

/* It waits in the call itself, as whoever reads so does: a poll before it would be a second one. */
static int next(void *state, int patience_ms, struct packet *ret_packet)
{
	struct plain *plain = state;
	int r = set_patience(plain, patience_ms);
	ssize_t length;

	if (r < 0)
		return r;
	length = recvfrom(plain->fd, plain->bytes, plain->size,
	    MSG_TRUNC | (patience_ms == 0 ? MSG_DONTWAIT : 0), NULL, NULL);
	if (length < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	*ret_packet = (struct packet) {
		.bytes = plain->bytes,
		.captured_length = (uint32_t)LEAST((size_t)length, plain->size),
		.wire_length = (uint32_t)length,
	};
	return 1;
}

const struct receive_way receive_plain = {
	.open = open_queue,
	.next = next,
	.close = free,
};
