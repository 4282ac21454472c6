/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/array.h"
#include "capture/block.h"
#include "capture/filter.h"
#include "capture/receive_way.h"

#include <errno.h>
#include <stdlib.h>

/* TPACKET_V3, through the daemon's own ring: alone in a group, and with a filter, as there. */

struct blocks {
	int fd;
	struct ring *ring;
	struct block_walk walk;
	bool is_leased;
};

static int accept_everything(int fd)
{
	struct sock_filter instructions[] = { BPF_STMT(BPF_RET | BPF_K, 262144) };
	const struct filter filter = { instructions, COUNT_OF(instructions) };

	return filter_attach(fd, &filter);
}

static int open_ring(
    void **ret_state, int fd, const struct receive_plan *plan, struct ring_fault *ret_fault)
{
	const struct ring_seat seat = {
		.ifindex = plan->ifindex,
		.mode = FANOUT_HASH,
		.group = RING_NEW_GROUP,
		.member_count = 1,
	};
	struct blocks *blocks = calloc(1, sizeof(*blocks));
	uint16_t group;
	int r;

	if (!blocks)
		return -ENOMEM;
	*ret_state = blocks;
	blocks->fd = fd;
	r = ring_open(&blocks->ring, fd, &plan->geometry, ret_fault);
	if (r == 0)
		r = ring_join(blocks->ring, &seat, &group, ret_fault);
	if (r < 0)
		return r;
	*ret_fault = (struct ring_fault) { "attach a filter", NULL };
	return accept_everything(fd);
}

/* Lend a block, waiting for it: 1, 0, or a negative errno. */
static int lease(struct blocks *blocks, int patience_ms)
{
	void *block;
	uint64_t number;
	size_t size;

	while (!(block = ring_lease(blocks->ring, &size, &number))) {
		int r = receive_wait(blocks->fd, patience_ms);

		if (r <= 0)
			return r;
	}
	blocks->is_leased = true;
	block_walk_begin(&blocks->walk, block, size);
	return 1;
}

static int next(void *state, int patience_ms, struct packet *ret_packet)
{
	struct blocks *blocks = state;

	for (;;) {
		int r = blocks->is_leased ? block_walk_next(&blocks->walk, ret_packet) : 0;

		if (r != 0)
			return r;
		if (blocks->is_leased)
			ring_release(blocks->ring);
		blocks->is_leased = false;
		r = lease(blocks, patience_ms);
		if (r <= 0)
			return r;
	}
}

static void close_ring(void *state)
{
	struct blocks *blocks = state;

	ring_close(blocks->ring);
	free(blocks);
}

const struct receive_way receive_v3 = {
	.open = open_ring,
	.next = next,
	.close = close_ring,
};
