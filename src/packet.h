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

/*
 * What the kernel says of a packet: its own TP_STATUS_ bits, so that none is turned into another
 * for each packet.
 */
#define PACKET_LOSING (UINT32_C(1) << 2)           /* others were dropped shortly before */
#define PACKET_CHECKSUM_PENDING (UINT32_C(1) << 3) /* a device was still to fill it in */
#define PACKET_HAS_TAG (UINT32_C(1) << 4)          /* one stood behind the addresses */
#define PACKET_CHECKSUM_VALID (UINT32_C(1) << 7)   /* was checked on the way here */
#define PACKET_GSO (UINT32_C(1) << 8)              /* several segments, where the kernel tells */
/* Not the kernel's: how it passed this machine, as epb_flags of a pcapng has it; 0: not known. */
#define PACKET_WAY_SHIFT 20
#define PACKET_WAY (UINT32_C(0x1f) << PACKET_WAY_SHIFT)
#define PACKET_STAMPED_SOFTWARE (UINT32_C(1) << 29) /* on arrival, by the stack */
#define PACKET_STAMPED_HARDWARE (UINT32_C(1) << 31) /* by the device's own clock */
