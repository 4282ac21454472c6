/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * How long to wait before a worker is started again: not at all after one that had worked, and
 * twice as long each time after one that never got so far.  Pure.
 */
struct restart {
	uint64_t delay_ns; /* of the last attempt; 0: none */
	uint64_t most_ns;  /* half of what the ring can wait */
};

/* The delay before the next start, after a life that did or did not come to work. */
uint64_t restart_next(struct restart *restart, bool had_worked);
