/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/receive.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "capture/receive_way.h"
#include "capture/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <sys/socket.h>

struct receive {
	const struct receive_way *way;
	void *state;
};

DEFINE_CLEANUP(struct receive *, receive_close)

/* By the version; without a ring first. */
static const struct receive_way *const ways[] = {
	&receive_plain,
	&receive_v1,
	&receive_v2,
	&receive_v3,
};

int receive_open(struct receive **ret_receive, int fd, const struct receive_plan *plan,
    struct ring_fault *ret_fault)
{
	CLEANUP(receive_close_at) struct receive *receive = calloc(1, sizeof(*receive));
	int r;

	*ret_fault = (struct ring_fault) { "allocate a ring", NULL };
	if (!receive)
		return -ENOMEM;
	if (plan->version >= COUNT_OF(ways))
		return -EINVAL;
	receive->way = ways[plan->version];
	r = receive->way->open(&receive->state, fd, plan, ret_fault);
	if (r < 0)
		return r;
	*ret_receive = TAKE(receive);
	return 0;
}

int receive_next(struct receive *receive, int patience_ms, struct packet *ret_packet)
{
	return receive->way->next(receive->state, patience_ms, ret_packet);
}

void receive_close(struct receive *receive)
{
	if (!receive)
		return;
	if (receive->state)
		receive->way->close(receive->state);
	free(receive);
}

int receive_bind(int fd, int ifindex)
{
	const struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = ifindex,
	};

	return bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
}

int receive_wait(int fd, int patience_ms)
{
	struct pollfd readable = { .fd = fd, .events = POLLIN };
	int r = poll(&readable, 1, patience_ms);

	if (r < 0)
		return errno == EINTR ? 0 : -errno;
	if (readable.revents & POLLERR)
		r = socket_take_error(fd);
	return LEAST(r, 1);
}
