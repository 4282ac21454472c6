/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

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
