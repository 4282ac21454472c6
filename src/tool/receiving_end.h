/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "capture/receive.h"
#include "tool/cost.h"
#include "tool/delays.h"
#include "tool/probe.h"

/*
 * The other end of a passage: counts the probes, and how long each was on its way.
 */
struct receiving_plan {
	struct receive_plan receive;
	/* How many probes there were in all, once it is known; UINT64_MAX before.  The sending
	   end's process writes it. */
	const uint64_t *sent;
	int ready_fd; /* a byte is written to it once packets are received */
};

struct receiving_report {
	struct probe_tally tally;
	uint64_t dropped; /* by the kernel, as the socket tells */
	struct cost cost;
};

/*
 * Receive until the last probe has come, or none has come for longer than any would wait in the
 * ring.  The delays of those that carry their time are added to *delays.  Logs.  0 or a negative
 * errno.
 */
int receiving_end_run(
    const struct receiving_plan *plan, struct delays *delays, struct receiving_report *ret_report);
