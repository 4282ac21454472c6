/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/transmit.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "capture/socket.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

enum {
	/* More frames do not make a batch cheaper, and leave the caches. */
	FRAME_COUNT_MOST = 512,
	FRAME_COUNT_LEAST = 32,
	RING_SIZE = 1 << 20,
	BLOCK_SIZE_LEAST = 1 << 16,
	FRAME_SIZE_LEAST = 256,
	/* An MTU may be of any size; but no packet of more than 17 pages is sent (MAX_SKB_FRAGS).
	 */
	FRAME_SIZE_MOST = 1 << 17,
	/*
	 * Up to this the kernel is told to copy a frame into one piece.  Else it sends the ring's
	 * own pages, for which a veth pair copies them into pages of its own, and whoever reads the
	 * headers copies these: for 60 bytes 40 % more.  A longer piece asks for too many pages in
	 * a row.
	 */
	WHOLE_MOST = 15 << 10,
	NO_SUCH_SEGMENTATION = 0x7f,
};

/* How a version spells a frame; only the first has a status of the machine's word size. */
struct layout {
	int version;
	size_t status, length; /* where these lie in the frame's header */
	size_t offload;        /* where its struct virtio_net_hdr is, and behind that its bytes */
	bool has_long_status;
};

/* clang-format off */
#define LAYOUT(number, type, is_long)                                     \
	{ .version = (number), .status = offsetof(struct type, tp_status), \
	  .length = offsetof(struct type, tp_len),                         \
	  .offload = TPACKET_ALIGN(sizeof(struct type)), .has_long_status = (is_long) }
/* clang-format on */

static const struct layout layouts[] = {
	LAYOUT(TPACKET_V1, tpacket_hdr, true),
	LAYOUT(TPACKET_V2, tpacket2_hdr, false),
	LAYOUT(TPACKET_V3, tpacket3_hdr, false),
};

struct transmit {
	int fd;
	struct transmit_plan plan;
	const struct layout *layout;
	uint8_t *bytes;
	uint32_t frame_size, frame_count;
	uint32_t longest; /* bytes that a frame takes */
	uint32_t next;    /* index of the frame to fill */
	uint32_t taken;   /* index of the first that the kernel has not taken */
	uint32_t queued;  /* frames between them */
	struct transmit_counts counts;
};

DEFINE_CLEANUP(struct transmit *, transmit_close)

/* ---- one frame --------------------------------------------------------------------------- */

static uint8_t *frame_at(const struct transmit *transmit, uint32_t index)
{
	return transmit->bytes + (size_t)index * transmit->frame_size;
}

static unsigned long status_of(const struct transmit *transmit, uint32_t index)
{
	const void *at = frame_at(transmit, index) + transmit->layout->status;

	if (transmit->layout->has_long_status)
		return __atomic_load_n((const unsigned long *)at, __ATOMIC_ACQUIRE);
	return __atomic_load_n((const uint32_t *)at, __ATOMIC_ACQUIRE);
}

static void request(const struct transmit *transmit, uint8_t *frame)
{
	void *at = frame + transmit->layout->status;

	if (transmit->layout->has_long_status)
		__atomic_store_n(
		    (unsigned long *)at, (unsigned long)TP_STATUS_SEND_REQUEST, __ATOMIC_RELEASE);
	else
		__atomic_store_n(
		    (uint32_t *)at, (uint32_t)TP_STATUS_SEND_REQUEST, __ATOMIC_RELEASE);
}

static uint32_t length_of(const struct transmit *transmit, uint32_t index)
{
	uint32_t length;

	memcpy(&length, frame_at(transmit, index) + transmit->layout->length, sizeof(length));
	return length - (uint32_t)sizeof(struct virtio_net_hdr);
}

static uint8_t *bytes_of(const struct transmit *transmit, uint32_t index)
{
	return frame_at(transmit, index) + transmit->layout->offload +
	       sizeof(struct virtio_net_hdr);
}

/* The kernel refuses a frame whose kind of segmentation it does not know. */
static void spoil(const struct transmit *transmit, uint32_t index)
{
	const struct virtio_net_hdr offload = { .gso_type = NO_SUCH_SEGMENTATION };

	memcpy(frame_at(transmit, index) + transmit->layout->offload, &offload, sizeof(offload));
}

static bool is_spoiled(const struct transmit *transmit, uint32_t index)
{
	struct virtio_net_hdr offload;

	memcpy(&offload, frame_at(transmit, index) + transmit->layout->offload, sizeof(offload));
	return offload.gso_type == NO_SUCH_SEGMENTATION;
}

/* A stamp that the kernel left in the status is no reason to keep a frame. */
static bool is_free(const struct transmit *transmit, uint32_t index)
{
	return !(status_of(transmit, index) & (TP_STATUS_SEND_REQUEST | TP_STATUS_SENDING));
}

/* ---- opening ----------------------------------------------------------------------------- */

static int set_option(const struct transmit *transmit, int option, const void *value, size_t size)
{
	return setsockopt(transmit->fd, SOL_PACKET, option, value, (socklen_t)size) < 0 ? -errno
											: 0;
}

static int choose_version(struct transmit *transmit)
{
	const int version = transmit->layout->version;

	return set_option(transmit, PACKET_VERSION, &version, sizeof(version));
}

/* Without it, the first frame that the kernel refuses would stop all behind it. */
static int go_past_what_is_refused(struct transmit *transmit)
{
	const int on = 1;

	return set_option(transmit, PACKET_LOSS, &on, sizeof(on));
}

/* Each frame has a header more, of which nothing but the length of its first piece is used. */
static int choose_pieces(struct transmit *transmit)
{
	const int on = 1;

	return set_option(transmit, PACKET_VNET_HDR, &on, sizeof(on));
}

static int bypass_queueing(struct transmit *transmit)
{
	const int on = 1;

	if (!transmit->plan.bypass)
		return 0;
	return set_option(transmit, PACKET_QDISC_BYPASS, &on, sizeof(on));
}

/* Frames of a power of two divide a block of one, so that they lie one after the other. */
static int create_frames(struct transmit *transmit)
{
	struct tpacket_req3 request_v3 = { 0 };
	const uint32_t before =
	    (uint32_t)(transmit->layout->offload + sizeof(struct virtio_net_hdr));
	uint32_t frame = FRAME_SIZE_LEAST, block, count;

	transmit->longest = LEAST(link_longest(&transmit->plan.room), FRAME_SIZE_MOST - before);
	while (frame < before + transmit->longest)
		frame *= 2;
	block = MOST(frame, (uint32_t)BLOCK_SIZE_LEAST);
	count = LEAST(RING_SIZE / frame, (uint32_t)FRAME_COUNT_MOST);
	count = MOST(count, (uint32_t)FRAME_COUNT_LEAST);
	count = MOST(count, block / frame);
	request_v3.tp_block_size = block;
	request_v3.tp_frame_size = frame;
	request_v3.tp_frame_nr = count;
	request_v3.tp_block_nr = count / (block / frame);
	transmit->frame_size = frame;
	transmit->frame_count = count;
	/* The older request is the beginning of this one, and is known by its size. */
	return set_option(transmit, PACKET_TX_RING, &request_v3,
	    transmit->layout->version == TPACKET_V3 ? sizeof(request_v3)
						    : sizeof(struct tpacket_req));
}

static int map_frames(struct transmit *transmit)
{
	size_t size = (size_t)transmit->frame_size * transmit->frame_count;
	void *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, transmit->fd, 0);

	if (bytes == MAP_FAILED)
		return -errno;
	transmit->bytes = bytes;
	return 0;
}

/* Protocol 0: nothing is received, and each frame's protocol is read from its own header. */
static int bind_interface(struct transmit *transmit)
{
	const struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_ifindex = transmit->plan.ifindex,
	};

	return bind(transmit->fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno
											  : 0;
}

/* How much may be under way at once is bounded by the ring; a smaller bound is only slower. */
static int widen_buffer(struct transmit *transmit)
{
	const int size = 8 << 20;

	if (setsockopt(transmit->fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(transmit->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return 0;
}

static const struct {
	int (*run)(struct transmit *);
	const char *purpose;
	const char *remedy;
} opening_steps[] = {
	{ choose_version, "select the ring's version", "another --ring-version" },
	{ go_past_what_is_refused, "go on past refused frames", NULL },
	{ choose_pieces, "choose how frames are copied", NULL },
	{ bypass_queueing, "go around the queueing discipline", NULL },
	{ widen_buffer, "widen the send buffer", NULL },
	{ create_frames, "create the ring", "a smaller MTU where memory is in pieces" },
	{ map_frames, "map the ring", NULL },
	{ bind_interface, "bind to the interface", NULL },
};

int transmit_open(struct transmit **ret_transmit, int fd, const struct transmit_plan *plan,
    struct ring_fault *ret_fault)
{
	CLEANUP(transmit_close_at) struct transmit *transmit = calloc(1, sizeof(*transmit));

	*ret_fault = (struct ring_fault) { "allocate a ring", NULL };
	if (!transmit)
		return -ENOMEM;
	if (plan->version < 1 || plan->version > COUNT_OF(layouts))
		return -EINVAL;
	transmit->fd = fd;
	transmit->plan = *plan;
	transmit->layout = &layouts[plan->version - 1];
	for (size_t i = 0; i < COUNT_OF(opening_steps); i++) {
		int r = opening_steps[i].run(transmit);

		if (r < 0) {
			*ret_fault = (struct ring_fault) { opening_steps[i].purpose,
				opening_steps[i].remedy };
			return r;
		}
	}
	*ret_transmit = TAKE(transmit);
	return 0;
}

/* ---- sending ----------------------------------------------------------------------------- */

static uint32_t step(const struct transmit *transmit, uint32_t index)
{
	return index + 1 < transmit->frame_count ? index + 1 : 0;
}

bool transmit_put(struct transmit *transmit, const uint8_t *bytes, uint32_t length)
{
	const struct layout *layout = transmit->layout;
	const struct virtio_net_hdr offload = {
		.hdr_len = length <= WHOLE_MOST ? (uint16_t)length : 0,
	};
	const uint32_t in_all = (uint32_t)sizeof(offload) + length;
	uint8_t *frame = frame_at(transmit, transmit->next);

	if (transmit->queued == transmit->frame_count || !is_free(transmit, transmit->next))
		return false;
	memcpy(frame + layout->length, &in_all, sizeof(in_all));
	memcpy(frame + layout->offload, &offload, sizeof(offload));
	if (length <= transmit->longest)
		memcpy(bytes_of(transmit, transmit->next), bytes, length);
	else
		spoil(transmit, transmit->next);
	request(transmit, frame);
	transmit->next = step(transmit, transmit->next);
	transmit->queued++;
	return true;
}

/* The device lets go of frames in their order, but for a few. */
bool transmit_has_room(const struct transmit *transmit, uint32_t count)
{
	return count <= transmit->frame_count - transmit->queued &&
	       is_free(transmit, (transmit->next + count - 1) % transmit->frame_count);
}

uint32_t transmit_queued(const struct transmit *transmit)
{
	return transmit->queued;
}

uint32_t transmit_room(const struct transmit *transmit)
{
	return transmit->frame_count;
}

/*
 * The kernel says how many bytes it sent of those it took, and not of which frames.  Where some are
 * missing that were not spoiled, the longest are taken for the refused ones: a device whose MTU has
 * become less since is what they are refused for.
 */
static void count_refused(
    struct transmit *transmit, uint32_t first, uint32_t count, uint64_t missing)
{
	uint32_t limit = UINT32_MAX;

	while (missing > 0) {
		uint32_t longest = 0, alike = 0;

		for (uint32_t i = 0, at = first; i < count; i++, at = step(transmit, at)) {
			uint32_t length = length_of(transmit, at);

			if (length >= limit || length > missing || length < longest ||
			    is_spoiled(transmit, at))
				continue;
			alike = length == longest ? alike + 1 : 1;
			longest = length;
		}
		if (longest == 0)
			break;
		alike = (uint32_t)LEAST((uint64_t)alike, missing / longest);
		transmit->counts.refused += alike;
		transmit->counts.refused_bytes += (uint64_t)alike * longest;
		missing -= (uint64_t)alike * longest;
		limit = longest;
	}
}

/* Step over what the kernel took.  What it left is still a request. */
static void collect(struct transmit *transmit, ssize_t told)
{
	const uint32_t first = transmit->taken;
	struct transmit_counts *counts = &transmit->counts;
	uint32_t count = 0;
	uint64_t bytes = 0, refused, refused_bytes;

	while (transmit->queued > 0 &&
	       !(status_of(transmit, transmit->taken) & TP_STATUS_SEND_REQUEST)) {
		const uint32_t length = length_of(transmit, transmit->taken);

		count++;
		if (is_spoiled(transmit, transmit->taken)) {
			counts->refused++;
			counts->refused_bytes += length;
		} else {
			counts->sent++;
			bytes += length;
		}
		transmit->taken = step(transmit, transmit->taken);
		transmit->queued--;
	}
	counts->sent_bytes += bytes;
	refused = counts->refused;
	refused_bytes = counts->refused_bytes;
	/* A call that fails does not tell what it had sent before. */
	if (told >= 0 && (uint64_t)told < bytes)
		count_refused(transmit, first, count, bytes - (uint64_t)told);
	counts->sent -= counts->refused - refused;
	counts->sent_bytes -= counts->refused_bytes - refused_bytes;
}

/* With that header in front, the kernel leaves it to us to keep to the MTU, as it is now. */
static void heed_mtu(const struct transmit *transmit)
{
	struct link_room room = transmit->plan.room;

	if (socket_mtu(transmit->fd, transmit->plan.ifindex, &room.mtu) < 0 ||
	    room.mtu >= transmit->plan.room.mtu)
		return;
	for (uint32_t i = 0, at = transmit->taken; i < transmit->queued;
	     i++, at = step(transmit, at))
		if (link_is_too_long(&room, bytes_of(transmit, at), length_of(transmit, at)))
			spoil(transmit, at);
}

int transmit_flush(struct transmit *transmit)
{
	ssize_t told;
	int error;

	if (transmit->queued == 0)
		return 0;
	heed_mtu(transmit);
	told = send(transmit->fd, NULL, 0, MSG_DONTWAIT);
	error = told < 0 ? errno : 0;
	collect(transmit, told);
	if (error != 0 && error != EAGAIN && error != ENOBUFS && error != EINTR)
		return -error;
	return transmit->queued > 0;
}

bool transmit_is_under_way(const struct transmit *transmit)
{
	for (uint32_t i = 0; i < transmit->frame_count; i++)
		if (status_of(transmit, i) & TP_STATUS_SENDING)
			return true;
	return false;
}

void transmit_refuse(struct transmit *transmit)
{
	if (transmit->queued > 0)
		spoil(transmit, transmit->taken);
}

const struct transmit_counts *transmit_counts(const struct transmit *transmit)
{
	return &transmit->counts;
}

void transmit_close(struct transmit *transmit)
{
	if (!transmit)
		return;
	if (transmit->bytes)
		munmap(transmit->bytes, (size_t)transmit->frame_size * transmit->frame_count);
	free(transmit);
}
