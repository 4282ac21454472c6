/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "capture/program.h"

/*
 * The program of fanout.mode flow: hashes both ends of a packet's innermost flow, alike in both
 * directions, so that a flow and its reverse go to one member.
 *
 * An end is an IP address, with a port where there is one; of a fragment the address alone; of what
 * is no IP the MAC address.  It looks through 802.1Q and 802.1ad tags (three), MPLS labels (six),
 * PPPoE, IPv4 with options, IPv6 with extension headers (six), GRE, IP in IP, VXLAN, GENEVE and
 * GTP-U, and through packets in packets up to FLOW_DEPTH of them.  What is deeper, cut or unknown
 * goes by the last addresses that it could read.  Pure.
 */
enum {
	FLOW_DEPTH = 4,
	FLOW_ETHERNET = 14, /* the only link header other than none that it knows */
};

/*
 * For an interface whose packets have so many bytes of link header, as link_header_length() tells,
 * which a program sees in front of outgoing packets and not of received ones.  Returns 0 or a
 * negative errno.
 */
int flow_program(struct program *ret_program, size_t header);
