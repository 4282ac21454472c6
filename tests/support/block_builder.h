/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <linux/if_packet.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Builds a TPACKET_V3 block as the kernel lays it out (prb_open_block, prb_fill_curr_block and
 * tpacket_rcv in net/packet/af_packet.c), in memory of the caller's that is aligned to 8.
 */
struct block_builder {
	uint8_t *bytes;
	size_t size;
	size_t end;                /* where the next packet goes */
	struct tpacket3_hdr *last; /* NULL: none yet */
};

struct block_frame {
	const void *bytes;
	uint32_t captured_length;
	uint32_t wire_length;
	uint32_t seconds, nanoseconds;
	uint32_t status; /* TP_STATUS_VLAN_VALID and the like */
	uint16_t vlan_tci, vlan_tpid;
	const struct sockaddr_ll *about; /* of a cooked socket's packet; else NULL */
};

void block_builder_begin(struct block_builder *builder, void *bytes, size_t size, uint64_t number);

/* Add a frame; false, and nothing changed, where it has no room. */
bool block_builder_add(struct block_builder *builder, const struct block_frame *frame);

/* Hand the block over, as the kernel does; returns the length that it has used. */
size_t block_builder_end(struct block_builder *builder);
