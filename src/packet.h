/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdint.h>

/*
 * The thing that flows from capture to storage: one packet, its bytes lent by the ring until the
 * block is given back.
 */
struct packet {
	uint64_t time_ns; /* since the epoch */
	const uint8_t
	    *bytes; /* from the link header on, without the tag that the kernel took out */
	uint32_t captured_length; /* of these bytes */
	uint32_t wire_length;     /* as the kernel counts it, without that tag */
	uint16_t vlan_tci;        /* the whole TCI; only with PACKET_HAS_TAG */
	uint16_t vlan_tpid;       /* 0x8100, 0x88a8, …, in host order */
	uint32_t flags;
};

enum {
	PACKET_HAS_TAG =
	    1 << 0, /* the kernel took a VLAN tag out, which stood after the addresses */
};
