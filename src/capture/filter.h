/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "capture/place.h"
#include "capture/socket.h"
#include "config/config.h"

#include <linux/filter.h>

/*
 * From the text of a pcap-filter(7) to a program for a packet socket.  The one owner of libpcap.
 */
struct filter {
	struct sock_filter *instructions;
	size_t count;
};

/* Refuses every packet: before a capture begins, and once it ends. */
extern const struct filter filter_refuse_all;

/*
 * Compile a capture's filter for an interface that is up and whose link type is chosen, with a live
 * handle, so that its code looks for VLAN tags where the kernel keeps them, and means on a cooked
 * socket what it means to tcpdump; put the direction in front, and the snaplen into what it
 * returns.  Of what comes back to this machine, on loopback and CAN, `both` leaves the outgoing
 * copy away.  Needs CAP_NET_RAW; takes some 30 ms where there is a text.
 *
 * Returns 0, or a negative errno with a reason to free, or NULL, in *ret_reason: -EINVAL also for a
 * text that a cooked socket cannot be asked for.
 */
int filter_compile_live(struct filter *ret_filter, const struct place *place,
    const struct capture_config *capture, const struct link_state *link, char **ret_reason);

/*
 * Whether a text is a filter at all, for LINKTYPE_ETHERNET or LINKTYPE_LINUX_SLL2, and one that is
 * compiled soon: within 2 s of CPU, as a child process tries first.  Returns 0, or -EINVAL with a
 * reason to free.
 */
int filter_check(const char *text, uint32_t link_type, char **ret_reason);

/* Put it on a socket, in one step, in place of what was there.  Returns 0 or a negative errno. */
int filter_attach(int fd, const struct filter *filter);

/* Free the instructions and leave an empty filter. */
void filter_release(struct filter *filter);
