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

/* For ring_adopt(): nobody knows where the last reader stood. */
#define RING_PLACE_UNKNOWN UINT64_MAX

/*
 * Map the ring that is on a socket already, and go on behind block number `done`, the last that its
 * reader had done with, 0 for none: where that was killed before it gave it back, it is given back
 * here.  Blocks are numbered from 1 and lie in ring order (prb_open_block() in af_packet.c), so
 * that the number is the place; where it is not known, or what the ring holds contradicts it,
 * reading begins at the oldest block that the kernel has handed over.  The geometry must be the
 * ring's.
 *
 * Returns 0, 1 where it began at the oldest, or a negative errno with the fault.
 */
int ring_adopt(struct ring **ret_ring, int fd, const struct geometry *geometry, uint64_t done,
    struct ring_fault *ret_fault);

/* How many blocks wait, and in *ret_next the number of the next, 0 where that is not known. */
uint32_t ring_waiting(const struct ring *ring, uint64_t *ret_next);

enum { RING_NEW_GROUP = -1 };

/* Where a ring has its place. */
struct ring_seat {
	int ifindex;
	unsigned int mode; /* enum fanout_mode */
	bool rollover;
	int32_t group; /* an id, of which 0 is one; RING_NEW_GROUP: the kernel chooses */
	unsigned int member_count; /* of the group, as planned */
	bool promiscuous;          /* by membership, which ends with the socket */
	unsigned int timestamp;    /* enum timestamp_source */
};

/*
 * Bind and join, with a filter that refuses everything: packets count once that is replaced.
 * Returns 0 with the group's id, or a negative errno with the fault.
 */
int ring_join(struct ring *ring, const struct ring_seat *seat, uint16_t *ret_group,
    struct ring_fault *ret_fault);

/*
 * Borrow the next block, if the kernel has handed it over; NULL if not.  Its bytes are the
 * borrower's to change.  Never blocks.
 */
void *ring_lease(struct ring *ring, size_t *ret_size, uint64_t *ret_number);

/* Give the leased block back to the kernel. */
void ring_release(struct ring *ring);

/* Unmap; the kernel keeps the ring for as long as anyone holds the socket.  NULL is allowed. */
void ring_close(struct ring *ring);
