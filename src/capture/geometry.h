/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

/*
 * What setsockopt(2) is asked with PACKET_RX_RING or PACKET_TX_RING.  In 64 bits, so that a number
 * that the kernel's fields do not hold breaks a rule, and is not cut to one that meets it.
 */
struct geometry_request {
	unsigned int version; /* 1 to 3: TPACKET_V1 to V3 */
	bool transmits;
	uint64_t block_size, block_count, frame_size, frame_count;
	uint64_t retire_timeout_ms, private_size, features; /* only V3 has these */
	uint64_t reserve;                                   /* the socket's PACKET_RESERVE */
};

/* A rule: its name, the key of a configuration to blame, "what is wrong; what is allowed". */
struct geometry_rule {
	const char *name;
	const char *key, *text;
	bool is_kernels; /* packet_set_ring() refuses what breaks it; else fancap alone does */
	bool is_late;    /* and only after it has taken the memory */
};

enum { GEOMETRY_TEXT = 320 };

/* The request that settings come to: V3, to receive. */
struct geometry_request geometry_request_of(const struct ring_config *ring);

/*
 * The nth rule, from 0, in the order in which the kernel checks, and then fancap's own; NULL where
 * no more are.
 */
const struct geometry_rule *geometry_rule(size_t nth);

/* Whether a rule is about such a request, and whether it meets it. */
bool geometry_concerns(const struct geometry_rule *rule, const struct geometry_request *request);
bool geometry_meets(const struct geometry_rule *rule, const struct geometry_request *request);

/*
 * The numbers that a rule compares, and how they compare, as in "tp_block_size 5000 is not a
 * multiple of the page, 4096".
 */
void geometry_compare(const struct geometry_rule *rule, const struct geometry_request *request,
    char text[GEOMETRY_TEXT]);

/* The first rule that a request breaks, of all or of the kernel's; NULL where it breaks none. */
const struct geometry_rule *geometry_fault(const struct geometry_request *request);
const struct geometry_rule *geometry_kernel_fault(const struct geometry_request *request);

/* The nth rule, from 0, that settings break; NULL where no more are. */
const struct geometry_rule *geometry_broken(const struct ring_config *ring, size_t nth);

/* Returns 0, or -EINVAL with the first rule that is broken in *ret_rule. */
int geometry_plan(struct geometry *ret_geometry, const struct ring_config *ring,
    const struct geometry_rule **ret_rule);

/*
 * A ring in words, which the daemon and fancap ring share: "64 blocks of 1MiB (64MiB), …".  Its
 * packets have so many bytes of link header in front: Ethernet's, or none.
 */
void geometry_describe(
    const struct geometry *geometry, size_t link_header, char text[GEOMETRY_TEXT]);

/*
 * What the kernel takes for one ring: blocks are rounded up to a power of two of pages
 * (alloc_pg_vec(), get_order()).
 */
uint64_t geometry_memory(const struct geometry *geometry);

/*
 * The longest frame that a block takes whole, its link header counted.  What is behind that begins
 * at the same place, whatever length it has (up to 28 bytes), so that each byte of it is one more.
 */
uint32_t geometry_largest_frame(const struct geometry *geometry, size_t link_header);

/* How long a quiet ring waits: every retire timeout uses a block. */
uint64_t geometry_patience_ns(const struct geometry *geometry);
