/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "capture/geometry.h"

/*
 * What a ring holds, and how long that lasts; and the other way round, the ring that lasts so long.
 * Pure.
 *
 * A packet takes the next block bytes rounded up to 8 behind the last one's (tpacket_rcv(),
 * __packet_lookup_frame_in_block() and prb_fill_curr_block() of net/packet/af_packet.c): its header
 * and the address, 68 bytes, room for a link header of at least 16, all of that rounded up to 16,
 * which is 96 (82 for Ethernet, whose 14 are in that room); then its own bytes. A block begins with
 * a header of 48 bytes, and one byte of it is never used: so (block_size - 49) / slot packets, and
 * at least one, since the longest that is not cut is what a fresh block holds.
 */

/* What comes to one worker. */
struct capacity_load {
	uint64_t bits;        /* a second, of the packets' own bytes */
	uint32_t packet;      /* bytes of one on the wire, without the checksum */
	uint32_t captured;    /* at most: the snaplen; 0 is all of it */
	uint32_t link_header; /* bytes of it that are one, and lie in the ring */
};

/* How many of such packets a block of so many bytes holds. */
uint64_t capacity_of_block(uint64_t block_size, const struct capacity_load *load);

/* Seconds in which so much arrives that a ring of which all is free is full. */
double capacity_burst(const struct geometry *geometry, const struct capacity_load *load);

/*
 * Seconds that nobody may read, SPEC section 10: the smaller of capacity_burst() and (blocks - 1) x
 * retire timeout, since at low load each timeout uses a block.  A load of 0 bits is no load.
 */
double capacity_gap(const struct geometry *geometry, const struct capacity_load *load);

/*
 * And what of it is sure at whatever moment it begins: the block being read is not free, and the
 * one being filled may be full; since Linux 6.18 the timeout runs on without regard to when a block
 * was opened, so that it may cut short one block in each timeout whatever the load.  So (blocks -
 * 2) of the blocks that load and timeout use, together.
 */
double capacity_sure_gap(const struct geometry *geometry, const struct capacity_load *load);

struct capacity_wish {
	struct capacity_load load;
	uint64_t gap_ns;
	uint64_t block_size;     /* 0: to be chosen */
	uint64_t retire_timeout; /* ns */
};

/*
 * The ring whose capacity_sure_gap() is not less than the gap:
 *
 *   blocks = packets of the gap / packets of a block + 1
 *          + gap / retire timeout + 1
 *          + 2
 *
 * of the largest block size up to the default of 1 MiB that takes no more than twice the memory
 * that the best would; of a larger one only where that is needed for the packet or the memory.
 * Returns 0, or -ERANGE where no ring lasts so long.
 */
int capacity_suggest(struct ring_config *ret_ring, const struct capacity_wish *wish);
