/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/link.h"

#include "base/array.h"
#include "config/config.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <net/if_arp.h>

/* TYPE_ is ARPHRD_, of what is newer than some C libraries' header. */
enum {
	TAG_SIZE = 4,
	TYPE_RAWIP = 519,
	TYPE_CAN = 280,
	TYPE_IP6GRE = 823,
	TYPE_NETLINK = 824,
	TYPE_VSOCKMON = 826
};

/*
 * As libpcap 1.10 has it for Linux, but for CAN and the tunnels that it captures cooked (raw IP,
 * IPv6 in IPv6, both kinds of GRE).  What SOCK_RAW delivers of those that are cooked is no link
 * type: PPP's packets have no header and are not always IP, InfiniBand's have their addresses in
 * front, netlink's do not say their family, and a CAN frame's number is in the host's byte order,
 * which only a cooked file's reader expects.  The void one is all interfaces.
 */
static const struct {
	uint16_t arphrd;
	uint32_t link_type;
} known[] = {
	{ ARPHRD_ETHER, LINKTYPE_ETHERNET },
	{ ARPHRD_LOOPBACK, LINKTYPE_ETHERNET },
	{ ARPHRD_NONE, LINKTYPE_RAW }, /* tun, wireguard */
	{ TYPE_RAWIP, LINKTYPE_RAW },
	{ ARPHRD_TUNNEL, LINKTYPE_RAW },
	{ ARPHRD_TUNNEL6, LINKTYPE_RAW },
	{ ARPHRD_SIT, LINKTYPE_RAW },
	{ ARPHRD_IPGRE, LINKTYPE_RAW },
	{ TYPE_IP6GRE, LINKTYPE_RAW },
	{ ARPHRD_IEEE80211, LINKTYPE_IEEE802_11 },
	{ ARPHRD_IEEE80211_PRISM, LINKTYPE_IEEE802_11_PRISM },
	{ ARPHRD_IEEE80211_RADIOTAP, LINKTYPE_IEEE802_11_RADIOTAP },
	{ ARPHRD_IEEE802154, LINKTYPE_IEEE802_15_4_NOFCS },
	{ TYPE_VSOCKMON, LINKTYPE_VSOCK },
	{ TYPE_NETLINK, LINKTYPE_NETLINK },
	{ TYPE_CAN, LINKTYPE_LINUX_SLL2 },
	{ ARPHRD_PPP, LINKTYPE_LINUX_SLL2 },
	{ ARPHRD_INFINIBAND, LINKTYPE_LINUX_SLL2 },
	{ ARPHRD_VOID, LINKTYPE_LINUX_SLL2 },
};

static int find(uint16_t arphrd, uint32_t *ret_link_type)
{
	for (size_t i = 0; i < COUNT_OF(known); i++) {
		if (known[i].arphrd != arphrd)
			continue;
		*ret_link_type = known[i].link_type;
		return 0;
	}
	return -EOPNOTSUPP;
}

int link_type_of(uint16_t arphrd, uint32_t *ret_link_type)
{
	uint32_t link_type;
	int r = find(arphrd, &link_type);

	if (r == 0 && link_is_cooked(link_type))
		r = -EOPNOTSUPP;
	if (r == 0)
		*ret_link_type = link_type;
	return r;
}

int link_choose(uint16_t arphrd, unsigned int kind, uint32_t *ret_link_type)
{
	bool is_known = find(arphrd, ret_link_type) == 0;

	if (!is_known || (kind == LINK_COOKED && !link_is_cooked(*ret_link_type)))
		*ret_link_type = LINKTYPE_LINUX_SLL2;
	return is_known || kind == LINK_COOKED;
}

bool link_is_cooked(uint32_t link_type)
{
	return link_type == LINKTYPE_LINUX_SLL2 || link_type == LINKTYPE_NETLINK;
}

/* Of radio's the kernel knows no more than of raw IP's: all of it is packet. */
size_t link_header_received(uint32_t link_type)
{
	return link_type == LINKTYPE_ETHERNET ? ETH_HLEN : 0;
}

size_t link_header_length(uint16_t arphrd)
{
	if (arphrd == ARPHRD_VOID)
		return LINK_HEADER_MIXED;
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
