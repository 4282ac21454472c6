/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/link.h"

#include "base/array.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <net/if_arp.h>

enum {
	TAG_SIZE = 4,
	LINKTYPE_ETHERNET = 1,
	LINKTYPE_RAW = 101,
	LINKTYPE_IEEE802_11 = 105,
	LINKTYPE_IEEE802_11_RADIOTAP = 127,
};

static const struct {
	uint16_t arphrd;
	uint32_t link_type;
} known[] = {
	{ ARPHRD_ETHER, LINKTYPE_ETHERNET },
	{ ARPHRD_LOOPBACK, LINKTYPE_ETHERNET },
	{ ARPHRD_NONE, LINKTYPE_RAW }, /* tun, wireguard */
	{ ARPHRD_TUNNEL, LINKTYPE_RAW },
	{ ARPHRD_TUNNEL6, LINKTYPE_RAW },
	{ ARPHRD_SIT, LINKTYPE_RAW },
	{ ARPHRD_IPGRE, LINKTYPE_RAW },
	{ ARPHRD_IEEE80211, LINKTYPE_IEEE802_11 },
	{ ARPHRD_IEEE80211_RADIOTAP, LINKTYPE_IEEE802_11_RADIOTAP },
};

int link_type_of(uint16_t arphrd, uint32_t *ret_link_type)
{
	for (size_t i = 0; i < COUNT_OF(known); i++) {
		if (known[i].arphrd != arphrd)
			continue;
		*ret_link_type = known[i].link_type;
		return 0;
	}
	return -EOPNOTSUPP;
}

size_t link_header_length(uint16_t arphrd)
{
	return arphrd == ARPHRD_ETHER || arphrd == ARPHRD_LOOPBACK ? ETH_HLEN : 0;
}

static bool has_tag(const struct link_room *room, const uint8_t *bytes)
{
	return room->header == ETH_HLEN && bytes[ETH_HLEN - 2] == ETH_P_8021Q >> 8 &&
	       bytes[ETH_HLEN - 1] == (ETH_P_8021Q & 0xff);
}

bool link_is_too_long(const struct link_room *room, const uint8_t *bytes, uint32_t length)
{
	const uint32_t longest = room->mtu + room->header;

	return length > longest && (length > longest + TAG_SIZE || !has_tag(room, bytes));
}

uint32_t link_longest(const struct link_room *room)
{
	return room->mtu + room->header + TAG_SIZE;
}
