/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/channel.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/types.h>

enum { SLOW_READER_MS = 1000 };

int channel_open(int ret_ends[2])
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ret_ends) < 0)
		return -errno;
	return 0;
}

int channel_send(int end, const struct message *message)
{
	struct pollfd slow = { .fd = end, .events = POLLOUT };
	ssize_t n = send(end, message, sizeof(*message), MSG_NOSIGNAL);

	if (n < 0 && errno == EAGAIN && poll(&slow, 1, SLOW_READER_MS) > 0)
		n = send(end, message, sizeof(*message), MSG_NOSIGNAL);
	if (n >= 0)
		return 0;
	return errno == ECONNRESET ? -EPIPE : -errno;
}

int channel_receive(int end, struct message *ret_message)
{
	struct message message;
	ssize_t n = recv(end, &message, sizeof(message), MSG_TRUNC);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return -EPIPE;
	if (n < 0)
		return -errno;
	if ((size_t)n != sizeof(message) || message.kind >= MESSAGE_COUNT_)
		return -EPROTO;
	message.text[sizeof(message.text) - 1] = 0;
	message.file.name[sizeof(message.file.name) - 1] = 0;
	message.file.cause[sizeof(message.file.cause) - 1] = 0;
	*ret_message = message;
	return 1;
}
