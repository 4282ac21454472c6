/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tool/delays.h"

#include "base/array.h"

#include <stdlib.h>

void delays_add(struct delays *delays, uint64_t delay_ns)
{
	if (delays->count < delays->capacity)
		delays->values[delays->count++] = (uint32_t)LEAST(delay_ns, (uint64_t)UINT32_MAX);
}

static int compare(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return (left > right) - (left < right);
}

void delays_sort(struct delays *delays)
{
	if (delays->count > 0)
		qsort(delays->values, delays->count, sizeof(*delays->values), compare);
}

uint32_t delays_percentile(const struct delays *delays, unsigned int percent)
{
	if (delays->count == 0)
		return 0;
	return delays->values[(delays->count * percent + 99) / 100 - 1];
}
