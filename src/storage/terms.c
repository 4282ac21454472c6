/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/terms.h"

enum { FILTER_SHIFT = 20, FILTER_BITS = 11, PCAPNG_SHIFT = 31 };
_Static_assert(SNAPLEN_MOST << 1 < 1 << FILTER_SHIFT, "terms do not overlap");

/* Of a text as well as these few bits can tell. */
static uint32_t filter_terms(const char *filter)
{
	uint32_t hash = 2166136261U;

	for (; filter && *filter; filter++)
		hash = (hash ^ (uint8_t)*filter) * 16777619U;
	return (hash ^ hash >> FILTER_BITS ^ hash >> 2 * FILTER_BITS) & ((1U << FILTER_BITS) - 1);
}

uint32_t terms_of(const struct writer_seat *seat)
{
	uint32_t terms = seat->snaplen << 1 | (seat->output->resolution == RESOLUTION_US);

	if (seat->output->format == FORMAT_PCAPNG)
		terms |= 1U << PCAPNG_SHIFT | filter_terms(seat->filter) << FILTER_SHIFT;
	return terms;
}

enum file_format terms_format(uint32_t terms)
{
	return terms >> PCAPNG_SHIFT ? FORMAT_PCAPNG : FORMAT_PCAP;
}

enum file_resolution terms_resolution(uint32_t terms)
{
	return terms & 1 ? RESOLUTION_US : RESOLUTION_NS;
}
