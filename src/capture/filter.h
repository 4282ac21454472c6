/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "capture/place.h"
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
 * Compile a capture's filter for an interface that is up, with a live handle, so that its code
 * looks for VLAN tags where the kernel keeps them; put the direction in front, and the snaplen into
 * what it returns.  On loopback `both` leaves the outgoing copy away.  Needs CAP_NET_RAW; takes
 * some 30 ms where there is a text.
 *
 * Returns 0, or a negative errno with a reason to free, or NULL, in *ret_reason.
 */
int filter_compile_live(struct filter *ret_filter, const struct place *place,
    const struct capture_config *capture, bool is_loopback, char **ret_reason);

/*
 * Whether a text is a filter at all, and one that is compiled soon: within 2 s of CPU, as a child
 * process tries first.  Returns 0, or -EINVAL with a reason to free.
 */
int filter_check(const char *text, char **ret_reason);

/* Put it on a socket, in one step, in place of what was there.  Returns 0 or a negative errno. */
int filter_attach(int fd, const struct filter *filter);

/* Free the instructions and leave an empty filter. */
void filter_release(struct filter *filter);
