/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "tool/cable.h"
#include "tool/receiving_end.h"
#include "tool/sending_end.h"

/*
 * One comparison's unit: a process sends over a cable, another receives, and each tells what it
 * cost.
 */
struct passage_plan {
	struct cable cable;
	unsigned int transmit, receive; /* versions of the rings; 0: none */
	struct geometry geometry;
	uint32_t packet_size, longest;
	uint64_t rate; /* packets a second; 0: as fast as it goes */
	uint64_t duration_ns;
	int transmit_cpu, receive_cpu; /* -1: not pinned */
};

struct passage_result {
	struct sending_report sending;
	struct receiving_report receiving;
	uint64_t lost_on_the_way; /* before the receiving socket */
	uint32_t delay_median_ns, delay_p99_ns;
};

/*
 * Run it; blocks for its duration and what the ring waits.  The processes end with this one,
 * however that ends.  Logs.  0 or a negative errno.
 */
int passage_run(const struct passage_plan *plan, struct passage_result *ret_result);
