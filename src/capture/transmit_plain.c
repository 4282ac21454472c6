/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/transmit_plain.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

int transmit_plain_open(int fd, int ifindex)
{
	/* Protocol 0: nothing is received. */
	const struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_ifindex = ifindex };

	return bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
}

int transmit_plain(int fd, const uint8_t *bytes, uint32_t length)
{
	ssize_t r;

	do
		r = send(fd, bytes, length, 0);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}
