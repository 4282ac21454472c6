/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * A device with a clock of its own, where no real one is: it answers what is asked of stamps and of
 * clocks in place of the kernel, for every device and descriptor.  Link with -Wl,--wrap=ioctl; what
 * it does not know goes to the kernel.
 */
struct fake_device {
	uint32_t abilities; /* SOF_TIMESTAMPING_ */
	uint32_t receive_filters, transmit_types;
	int clock;
	int transmit, receive; /* the mode that it is in */
	bool keeps_mode_secret;
	bool needs_rights;   /* the kernel is asked first whether it lets this process order */
	int refusal;         /* errno of an order; 0: it obeys */
	int makes_of_it;     /* what it receives by when it is told to stamp all; 0: that */
	unsigned int orders; /* how many it got */
	const char *diary;   /* a file that gets its mode after each order, or NULL */
	int64_t ahead_ns;    /* its clock, of the system's */
	bool reads_precisely, reads_extended; /* else plain, or not at all: */
	bool has_no_clock;
};

extern struct fake_device fake_device;
