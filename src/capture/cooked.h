/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "capture/block.h"

/*
 * Walks the packets of a block of a cooked socket (SOCK_DGRAM), whose bytes begin behind the link
 * header.  In front of each, in the block itself, goes the header of its LINKTYPE_: from what the
 * kernel says of the packet (struct sockaddr_ll behind the tpacket3_hdr), so that a block may be
 * walked as often as is wanted.  A tag that the kernel took out goes behind that header, as libpcap
 * does it: the header has the tag's type for protocol, the tag the packet's.
 *
 * Pure but for the block: no system call, no allocation, no logging.  As in capture/block.h, each
 * offset is checked, and what a walk yields has room in the block.  Source of the headers:
 * LINKTYPE_LINUX_SLL2 and LINKTYPE_NETLINK of the registry of link-layer header types.
 *
 * Of a packet with several tags that leaves, the kernel tells only the first (it takes all of them
 * for link header); of one that comes, the second's type is taken for 802.1Q.
 */
enum {
	COOKED_HEADER_MOST = 20 + 4, /* with the tag */
};

/* As block_walk_next(), for LINKTYPE_LINUX_SLL2. */
int cooked_next(struct block_walk *walk, struct packet *ret_packet);

/* As block_walk_next(), for LINKTYPE_NETLINK. */
int cooked_netlink_next(struct block_walk *walk, struct packet *ret_packet);

/* The step for a link type: one of these, or block_walk_next(). */
block_step *cooked_step(uint32_t link_type);
