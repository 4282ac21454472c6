/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "capture/geometry.h"

/*
 * `fancap ring --measure`: compares the versions of the ring, and none, on this machine.
 */
enum {
	MEASURE_PACKET_SIZE = 60,
	MEASURE_RATE = 10000, /* packets a second, where delays are measured */
	MEASURE_RATE_MOST = 1000000,
	MEASURE_SECONDS = 10,
	MEASURE_SECONDS_MOST = 3600,
	/* Each passage waits this long for its last block. */
	MEASURE_RETIRE_MS_MOST = 1000,
};

struct measure_plan {
	/* Of V3, retired within MEASURE_RETIRE_MS_MOST; the others take as much memory. */
	struct geometry geometry;
	uint32_t packet_size; /* PROBE_SIZE_LEAST to PROBE_SIZE_MOST */
	uint64_t rate;        /* 1 to MEASURE_RATE_MOST */
	uint64_t seconds;     /* about, for all; with few it takes some 3 s */
	bool json;
};

/*
 * Measure, in a network namespace of this process's own, which it does not leave again, and print.
 * Nothing is left when the process ends, however it does.  Logs.  Returns an exit status.
 */
int measure_run(const struct measure_plan *plan);
