/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Delays in nanoseconds, up to some 4 s, as many as there is room for.  Pure; the memory is the
 * caller's.
 */
struct delays {
	uint32_t *values;
	size_t count, capacity;
};

/* Longer ones are kept as the longest; those beyond the capacity are not kept. */
void delays_add(struct delays *delays, uint64_t delay_ns);

/* Needed before delays_percentile(), once. */
void delays_sort(struct delays *delays);

/*
 * The least delay that `percent` of all do not exceed (nearest rank); 0 where there is none.  From
 * above 0 to 100.
 */
uint32_t delays_percentile(const struct delays *delays, unsigned int percent);
