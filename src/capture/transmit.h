/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "capture/link.h"
#include "capture/ring.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * A ring for sending, PACKET_TX_RING: frames are filled one after the other, and one call hands all
 * of them to the kernel.  The same from outside in all three versions.  Making the socket needs
 * CAP_NET_RAW, nothing here does.
 *
 * The kernel goes on past a frame that it refuses (PACKET_LOSS), and does not mark it: what cannot
 * be right is to be kept away before.
 */
struct transmit;

struct transmit_plan {
	int ifindex;
	unsigned int version;  /* 1 to 3: TPACKET_V1 to V3 */
	struct link_room room; /* of the link as it is now */
	bool bypass;           /* around the queueing discipline, and unseen by local sockets */
};

/* What became of the frames, as far as the kernel tells. */
struct transmit_counts {
	uint64_t sent, sent_bytes;
	uint64_t refused, refused_bytes;
};

/* Bind, make and map the ring on a socket of socket_open(), which stays the caller's. */
int transmit_open(struct transmit **ret_transmit, int fd, const struct transmit_plan *plan,
    struct ring_fault *ret_fault);

/*
 * Copy a frame into the ring, to be sent by the next flush; or to be refused by it, where it is
 * longer than any that can be sent.  False where the ring is full.
 */
bool transmit_put(struct transmit *transmit, const uint8_t *bytes, uint32_t length);

/* Whether so many frames may be put now; at most transmit_room(). */
bool transmit_has_room(const struct transmit *transmit, uint32_t count);

/* Frames put that the kernel has not taken yet, and how many may be put together. */
uint32_t transmit_queued(const struct transmit *transmit);
uint32_t transmit_room(const struct transmit *transmit);

/*
 * Hand over what is queued, but for what has become too long meanwhile, which the kernel is made to
 * refuse; never blocks.  Returns 0, 1 where the kernel left some of it for later
 * (poll for POLLOUT, or wait a moment), or a negative errno: -ENETDOWN, -ENXIO for a device that is
 * gone.
 */
int transmit_flush(struct transmit *transmit);

/* Whether the device, or a queue before it, still holds a frame that the kernel took. */
bool transmit_is_under_way(const struct transmit *transmit);

/* Have the next flush refuse the first of what is queued, and go on behind it. */
void transmit_refuse(struct transmit *transmit);

const struct transmit_counts *transmit_counts(const struct transmit *transmit);

/* Unmap; the kernel drops what the device has not taken once the socket is closed.  NULL is
 * allowed. */
void transmit_close(struct transmit *transmit);
