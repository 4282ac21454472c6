/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "capture/place.h"

#include <stdint.h>

/*
 * Stamps by a device's own clock: what it can do, having it stamp all that it receives, and how far
 * its clock is from the system's.  Source: Documentation/networking/timestamping.rst of Linux.
 */

/* What a device does about stamps: hwtstamp_config's tx_type and rx_filter. */
struct stamps_mode {
	int transmit, receive;
};

struct stamps_order {
	int fd; /* asks for this device, whatever namespace it is in; -1: nothing was ordered */
	int ifindex;
	int clock;                 /* N of /dev/ptpN; -1: it does not say */
	bool knows_before;         /* the driver could tell what follows */
	struct stamps_mode before; /* to be given back */
	struct stamps_mode now;
};

/* What was found wrong, as the end of a sentence; NULL where the errno says it. */
struct stamps_fault {
	const char *reason;
};

/*
 * Ask a device what it can do, then have it stamp all that it receives; what it does about what it
 * sends stays.  Needs CAP_NET_ADMIN where that changes anything.
 *
 * Returns 0, or -EINVAL for a device that cannot, with the reason; -EPERM; or another errno.
 */
int stamps_begin(
    struct stamps_order *ret_order, const struct place *place, struct stamps_fault *ret_fault);

/* Order the same again, for a driver that forgets it while its link is down. */
int stamps_again(const struct stamps_order *order);

/*
 * Give back what was there before, unless another program has ordered something else meanwhile:
 * then it is that one's.  Returns 0 where nothing is left to do, or a negative errno.
 */
int stamps_end(struct stamps_order *order);

/* Let go without giving anything back. */
void stamps_leave(struct stamps_order *order);

/* Open the clock N for stamps_offset().  Returns a descriptor or a negative errno. */
int stamps_open_clock(int clock);

/*
 * How far a clock is ahead of the system's, in nanoseconds, read in the most exact way that its
 * driver has.  Returns 0 or a negative errno.
 */
int stamps_offset(int fd, int64_t *ret_ns);
