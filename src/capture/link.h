/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The LINKTYPE_ of a capture file for an interface's ARPHRD_ type, where SOCK_RAW delivers what
 * that link type describes.  Source: the registry of link-layer header types of the pcap format.
 * Pure.
 *
 * Returns 0 or -EOPNOTSUPP.
 */
int link_type_of(uint16_t arphrd, uint32_t *ret_link_type);

/* How many bytes of link header its outgoing packets have: Ethernet's, or 0 where it is unknown. */
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
