/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "capture/geometry.h"

/*
 * A TPACKET_V3 ring on an inherited socket: opened, put into its group, and its blocks lent out and
 * given back in order.  Needs no capability.
 */
struct ring;

/* Which step failed, and what would be right; remedy may be NULL. */
struct ring_fault {
	const char *purpose;
	const char *remedy;
};

/* Make and map the ring; the socket stays the caller's.  Blocks for as long as memory takes. */
int ring_open(
    struct ring **ret_ring, int fd, const struct geometry *geometry, struct ring_fault *ret_fault);

enum { RING_NEW_GROUP = -1 };

/* Where a ring has its place. */
struct ring_seat {
	int ifindex;
	unsigned int mode; /* enum fanout_mode */
	bool rollover;
	int32_t group; /* an id, of which 0 is one; RING_NEW_GROUP: the kernel chooses */
	unsigned int member_count; /* of the group, as planned */
	bool promiscuous;          /* by membership, which ends with the socket */
};

/*
 * Bind and join, with a filter that refuses everything: packets count once that is replaced.
 * Returns 0 with the group's id, or a negative errno with the fault.
 */
int ring_join(struct ring *ring, const struct ring_seat *seat, uint16_t *ret_group,
    struct ring_fault *ret_fault);

/* Borrow the next block, if the kernel has handed it over; NULL if not.  Never blocks. */
const void *ring_lease(struct ring *ring, size_t *ret_size, uint64_t *ret_number);

/* Give the leased block back to the kernel. */
void ring_release(struct ring *ring);

/* Unmap; the kernel keeps the ring for as long as anyone holds the socket.  NULL is allowed. */
void ring_close(struct ring *ring);
