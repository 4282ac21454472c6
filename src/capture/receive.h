/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "capture/geometry.h"
#include "capture/ring.h"
#include "packet.h"

/*
 * Receiving, the same from outside in all three versions of the ring and without one: to compare
 * them.  The daemon uses ring.[ch] itself.
 */
struct receive;

struct receive_plan {
	int ifindex;
	unsigned int version;     /* 1 to 3: TPACKET_V1 to V3; 0: recvfrom(2), without a ring */
	struct geometry geometry; /* of V3; the others take as much memory */
	uint32_t longest;         /* Ethernet frame that is taken whole */
};

/*
 * Make the ring on a socket of socket_open(), which stays the caller's, and bind it: from here
 * packets are received.  Needs no right.  Returns 0, or a negative errno with the fault.
 */
int receive_open(struct receive **ret_receive, int fd, const struct receive_plan *plan,
    struct ring_fault *ret_fault);

/*
 * The next packet: 1, 0 where none came for `patience_ms`, or a negative errno.  Its bytes are lent
 * until the next call; without a ring it has no time.
 */
int receive_next(struct receive *receive, int patience_ms, struct packet *ret_packet);

/* Unmap; the socket stays bound.  NULL is allowed. */
void receive_close(struct receive *receive);
