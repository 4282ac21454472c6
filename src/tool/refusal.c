/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tool/refusal.h"

#include "base/array.h"

#include <stddef.h>

static const struct {
	const char *name, *text;
} refusals[REFUSAL_COUNT_] = {
	[REFUSAL_LINK_TYPE] = { "link_type", "of another link type" },
	[REFUSAL_CUT] = { "cut", "cut in the recording" },
	[REFUSAL_TOO_SHORT] = { "too_short", "shorter than a header" },
	[REFUSAL_TOO_LONG] = { "too_long", "longer than the MTU" },
	[REFUSAL_KERNEL] = { "kernel", "refused by the kernel" },
};

const char *refusal_name(enum refusal refusal)
{
	return refusals[refusal].name;
}

const char *refusal_text(enum refusal refusal)
{
	return refusals[refusal].text;
}

enum refusal refusal_of(const struct refusal_limits *limits, const struct reader_record *record)
{
	const struct packet *packet = &record->packet;

	if (record->link_type != limits->link_type)
		return REFUSAL_LINK_TYPE;
	if (packet->captured_length < packet->wire_length)
		return REFUSAL_CUT;
	if (packet->captured_length < MOST(limits->room.header, 1U))
		return REFUSAL_TOO_SHORT;
	if (link_is_too_long(&limits->room, packet->bytes, packet->captured_length))
		return REFUSAL_TOO_LONG;
	return REFUSAL_NONE;
}

const char *refusal_link_name(uint32_t link_type)
{
	static const struct {
		uint32_t link_type;
		const char *name;
	} known[] = {
		{ 0, "BSD loopback" },
		{ 1, "Ethernet" },
		{ 9, "PPP" },
		{ 101, "raw IP" },
		{ 105, "802.11" },
		{ 108, "OpenBSD loopback" },
		{ 113, "Linux cooked" },
		{ 127, "802.11 with radiotap" },
		{ 228, "raw IPv4" },
		{ 229, "raw IPv6" },
		{ 276, "Linux cooked, version 2" },
	};

	for (size_t i = 0; i < COUNT_OF(known); i++)
		if (known[i].link_type == link_type)
			return known[i].name;
	return NULL;
}
