/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "capture/stamps.h"

/*
 * The device's own stamps on one interface, for capture.timestamp: hardware: ordered when capture
 * begins, given back when it ends.  What was there before is noted in the runtime directory, so
 * that a life after one that left, or was killed, gives it back.
 */
struct stamping {
	int runtime;           /* directory, not its own */
	const char *interface; /* as it is called; NULL: nothing is ordered */
	struct stamps_order order;
	int clock;     /* descriptor, or a negative errno */
	bool was_told; /* that the clock is out of step, or cannot be read */
};

/*
 * Have the device stamp what it receives, if that was not done before.  `interface` outlives it.
 * Logs.  Returns 0 or a negative errno: -EINVAL for a device that cannot.
 */
int stamping_begin(struct stamping *stamping, const struct place *place, const char *interface);

/* The link was down, over which some drivers forget what they were told.  Logs. */
void stamping_again(struct stamping *stamping);

/* Give back what was there before.  Logs. */
void stamping_end(struct stamping *stamping);

/* Leave it to the next life to go on, and to give back. */
void stamping_leave(struct stamping *stamping);

/* See whether the device's clock, which its stamps are of, is in step with the system's.  Logs. */
void stamping_look(struct stamping *stamping);
