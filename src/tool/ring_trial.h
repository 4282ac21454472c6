/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "capture/geometry.h"

#include <stdio.h>

/*
 * `fancap ring --try`: what the kernel itself says of a ring, in all versions, to receive and to
 * transmit.
 */
enum { RING_TRIALS = 6 };

struct ring_trial {
	struct geometry_request request;
	bool is_accepted;
	int error;       /* negative errno, where it is not */
	char limit[512]; /* which limit was hit */
};

/*
 * Ask for each, one after the other, on a socket bound to an interface, or without one in a network
 * namespace of its own, into which this process moves.  Logs.  Returns 0, or an exit status where
 * nothing could be asked.
 */
int ring_trial_run(
    struct ring_trial trials[RING_TRIALS], const struct ring_config *ring, const char *interface);

void ring_trial_text(FILE *to, const struct ring_trial trials[RING_TRIALS]);

/* A field "tried" of an object that has others before it. */
void ring_trial_json(FILE *to, const struct ring_trial trials[RING_TRIALS]);

/* 0 where all were accepted, 78 where a rule was broken, else 71. */
int ring_trial_status(const struct ring_trial trials[RING_TRIALS]);
