/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "packet.h"

#include <stddef.h>

/*
 * Walks the packets of one TPACKET_V3 block.
 *
 * Pure: no system call, no allocation, no logging.  Every offset found in the block is checked
 * before use, so that a damaged block ends the walk and nothing else.  Packets never overlap, nor
 * do their headers: what a walk yields, with 48 bytes more for each packet, has room in the block.
 */
struct block_walk {
	uint8_t *start;
	size_t size;
	size_t offset;  /* of the next packet */
	size_t fetched; /* up to here the processor was asked to have it near */
	uint32_t packets_left;
	uint32_t flags; /* of each of them, where the kernel says it of the block alone */
};

/* How many packets a block says it holds; 0 is possible. */
uint32_t block_packet_count(const void *block);

/* Start at the first packet of a block of which the caller holds the lease. */
void block_walk_begin(struct block_walk *walk, void *block, size_t size);

/*
 * Step to the next packet.
 *
 * Returns 1 and fills *ret_packet, 0 after the last packet, or -EBADMSG if the block does not hold
 * together; *ret_packet is written only on 1.
 */
int block_walk_next(struct block_walk *walk, struct packet *ret_packet);

/* The same, and says in each packet's flags which way it went. */
int block_walk_next_way(struct block_walk *walk, struct packet *ret_packet);

/* The way that a kernel's PACKET_HOST, PACKET_OUTGOING and so on stand for, as packet flags. */
uint32_t block_way(uint8_t packet_type);

/* One of these, or one of capture/cooked.h. */
typedef int block_step(struct block_walk *walk, struct packet *ret_packet);
