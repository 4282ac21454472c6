/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/receive_frames.h"

#include "base/array.h"
#include "capture/receive_way.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	FRAME_SIZE_LEAST = 256,
	/* Small blocks are had where memory is in pieces, and make no difference to the reader. */
	BLOCK_SIZE = 1 << 16,
	/* The kernel gives a link's header at least so much room, and aligns what follows it. */
	LINK_HEADER_ROOM = 16,
};

static int set_option(const struct frames *frames, int option, const void *value, size_t size)
{
	return setsockopt(frames->fd, SOL_PACKET, option, value, (socklen_t)size) < 0 ? -errno : 0;
}

/* Where the kernel puts a frame: tpacket_rcv() in net/packet/af_packet.c. */
static size_t room_for(size_t header, uint32_t longest)
{
	size_t before = TPACKET_ALIGN(header) + sizeof(struct sockaddr_ll) + LINK_HEADER_ROOM;

	return TPACKET_ALIGN(before) + longest;
}

/* Frames of a power of two divide a block of one, so that they lie one after the other. */
static int create_frames(struct frames *frames, size_t header, const struct receive_plan *plan)
{
	const uint64_t memory = (uint64_t)plan->geometry.block_size * plan->geometry.block_count;
	const size_t needed = room_for(header, plan->longest);
	struct tpacket_req request = { 0 };
	uint32_t frame = FRAME_SIZE_LEAST, block;

	while (frame < needed)
		frame *= 2;
	block = memory >= 2 * BLOCK_SIZE ? BLOCK_SIZE : (uint32_t)sysconf(_SC_PAGESIZE);
	block = MOST(block, frame);
	request.tp_block_size = block;
	request.tp_block_nr = (unsigned int)MOST(memory / block, UINT64_C(1));
	request.tp_frame_size = frame;
	request.tp_frame_nr = request.tp_block_nr * (block / frame);
	frames->frame_size = frame;
	frames->frame_count = request.tp_frame_nr;
	frames->size = (size_t)block * request.tp_block_nr;
	return set_option(frames, PACKET_RX_RING, &request, sizeof(request));
}

static int map_frames(struct frames *frames)
{
	void *bytes = mmap(NULL, frames->size, PROT_READ | PROT_WRITE, MAP_SHARED, frames->fd, 0);

	if (bytes == MAP_FAILED)
		return -errno;
	frames->bytes = bytes;
	return 0;
}

int frames_open(void **ret_frames, int fd, int version, size_t header,
    const struct receive_plan *plan, struct ring_fault *ret_fault)
{
	struct frames *frames = calloc(1, sizeof(*frames));
	int r;

	if (!frames)
		return -ENOMEM;
	*ret_frames = frames;
	frames->fd = fd;
	*ret_fault = (struct ring_fault) { "select the ring's version", NULL };
	r = set_option(frames, PACKET_VERSION, &version, sizeof(version));
	if (r < 0)
		return r;
	*ret_fault = (struct ring_fault) { "create the ring", "less memory" };
	r = create_frames(frames, header, plan);
	if (r < 0)
		return r;
	*ret_fault = (struct ring_fault) { "map the ring", NULL };
	r = map_frames(frames);
	if (r < 0)
		return r;
	*ret_fault = (struct ring_fault) { "bind to the interface", NULL };
	return receive_bind(fd, plan->ifindex);
}

void *frames_current(const struct frames *frames)
{
	return frames->bytes + (size_t)frames->next * frames->frame_size;
}

void frames_step(struct frames *frames)
{
	frames->next = frames->next + 1 < frames->frame_count ? frames->next + 1 : 0;
	frames->is_lent = false;
}

void frames_close(void *state)
{
	struct frames *frames = state;

	if (!frames)
		return;
	if (frames->bytes)
		munmap(frames->bytes, frames->size);
	free(frames);
}
