/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What the files of an interface hold.  Source of the numbers: the registry of link-layer header
 * types of the pcap format.  Pure.
 *
 * A cooked socket (SOCK_DGRAM) delivers packets without their link header, whatever that is; in its
 * place a header of ours says where each was seen: that of LINUX_SLL2, or of NETLINK.
 */
enum {
	LINKTYPE_ETHERNET = 1,
	LINKTYPE_RAW = 101, /* IPv4 or IPv6 without anything in front */
	LINKTYPE_IEEE802_11 = 105,
	LINKTYPE_IEEE802_11_PRISM = 119,
	LINKTYPE_IEEE802_11_RADIOTAP = 127,
	LINKTYPE_IEEE802_15_4_NOFCS = 230,
	LINKTYPE_NETLINK = 253,
	LINKTYPE_VSOCK = 271,
	LINKTYPE_LINUX_SLL2 = 276,

	LINK_HEADER_MIXED = 1 << 16,
};

/*
 * The LINKTYPE_ for an interface's ARPHRD_ type, where SOCK_RAW delivers and takes what that link
 * type describes.  Returns 0 or -EOPNOTSUPP.
 */
int link_type_of(uint16_t arphrd, uint32_t *ret_link_type);

/*
 * The LINKTYPE_ by which an interface is captured, as capture.link (enum link_kind) asks for.
 * Returns 1, or 0 where its type is not known and it is captured cooked for that.
 */
int link_choose(uint16_t arphrd, unsigned int kind, uint32_t *ret_link_type);

/* Whether that takes a cooked socket. */
bool link_is_cooked(uint32_t link_type);

/* How many bytes of link header lie in front of its packets in a ring that receives them. */
size_t link_header_received(uint32_t link_type);

/*
 * How many bytes of link header its outgoing packets have: Ethernet's, 0 where it is unknown, or
 * LINK_HEADER_MIXED where each packet's type says it: of all interfaces.
 */
size_t link_header_length(uint16_t arphrd);

/* What a frame that is sent must fit into. */
struct link_room {
	uint32_t header; /* bytes of the link's header */
	uint32_t mtu;    /* bytes behind it */
};

/*
 * Whether a frame of at least the header's bytes is too long.  The kernel leaves room for a tag,
 * but only for 802.1Q and only where the frame has one.
 */
bool link_is_too_long(const struct link_room *room, const uint8_t *bytes, uint32_t length);

/* The longest frame that is not. */
uint32_t link_longest(const struct link_room *room);
