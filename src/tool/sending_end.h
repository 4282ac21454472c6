/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "tool/cost.h"

#include <stdint.h>

/*
 * One end of a passage: sends numbered probes, through a transmit ring or without one.
 */
struct sending_plan {
	int ifindex;
	unsigned int version; /* of the ring; 0: none */
	uint32_t packet_size;
	uint64_t rate;        /* packets a second, each with the time at which it was sent; 0: as
				 fast as it goes, without */
	uint64_t duration_ns; /* up to twice that, where the rate is too high */
};

struct sending_report {
	uint64_t sent;    /* offered to the kernel */
	uint64_t took_ns; /* from the first to the last */
	struct cost cost;
};

/* Blocks for the duration.  Logs.  0 or a negative errno. */
int sending_end_run(const struct sending_plan *plan, struct sending_report *ret_report);
