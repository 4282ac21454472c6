/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/restart.h"

#include "base/array.h"
#include "base/clock.h"

/* DESIGN section 5: the first delay, where starting at once does not help. */
static const uint64_t first_delay_ns = 100 * NSEC_PER_MSEC;

uint64_t restart_next(struct restart *restart, bool had_worked)
{
	uint64_t next = restart->delay_ns ? restart->delay_ns * 2 : first_delay_ns;

	restart->delay_ns = had_worked ? 0 : LEAST(next, restart->most_ns);
	return restart->delay_ns;
}
