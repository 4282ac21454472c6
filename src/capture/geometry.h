/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "config/config.h"

/*
 * From settings to the numbers of tpacket_req3, with the rules of packet_set_ring() in the kernel's
 * net/packet/af_packet.c, each checked and named.  Pure.
 */
struct geometry {
	uint32_t block_size;
	uint32_t block_count;
	uint32_t frame_size; /* has to satisfy the kernel, though V3 frames are variable */
	uint32_t frame_count;
	uint32_t retire_timeout_ms;
};

/* A rule that settings break: the key to blame, and "what is wrong; what is allowed". */
struct geometry_rule {
	const char *key, *text;
};

/* The nth rule, from 0, that is broken; NULL where no more are. */
const struct geometry_rule *geometry_broken(const struct ring_config *ring, size_t nth);

/* Returns 0, or -EINVAL with the first rule that is broken in *ret_rule. */
int geometry_plan(struct geometry *ret_geometry, const struct ring_config *ring,
    const struct geometry_rule **ret_rule);

/* What the kernel takes for one ring: blocks are rounded up to a power of two of pages. */
uint64_t geometry_memory(const struct geometry *geometry);

/* The longest Ethernet frame that a block takes whole (KERNEL.md: block_size - 130). */
uint32_t geometry_largest_frame(const struct geometry *geometry);

/* How long a quiet ring waits: every retire timeout uses a block. */
uint64_t geometry_patience_ns(const struct geometry *geometry);
