/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/cooked.h"

#include "base/array.h"
#include "capture/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>

enum {
	ADDRESS_SIZE = 8, /* of which more are not told, and fewer may be meant */
	ABOUT_AT = TPACKET_ALIGN(sizeof(struct tpacket3_hdr)),
	LEAST_OFFSET = ABOUT_AT + sizeof(struct sockaddr_ll) + COOKED_HEADER_MOST,
	TAG_SIZE = 4,
	TAGS_MOST = 8,     /* that the kernel looks through (VLAN_MAX_DEPTH) */
	IP_LENGTH_END = 6, /* where a packet has said how long it is, IPv4 or IPv6 */
};

/* All of them in network order. */
struct sll2_header {
	uint16_t protocol, reserved;
	uint32_t ifindex;
	uint16_t arphrd;
	uint8_t direction, address_length;
	uint8_t address[ADDRESS_SIZE];
};

struct netlink_header {
	uint16_t direction, arphrd, address_length;
	uint8_t address[ADDRESS_SIZE];
	uint16_t family;
} __attribute__((packed));

_Static_assert(sizeof(struct sll2_header) + TAG_SIZE == COOKED_HEADER_MOST, "as the format has it");
_Static_assert(sizeof(struct netlink_header) == 16, "as the format has it");

static uint16_t load16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

/* What the kernel did not write there is an earlier packet's. */
static void copy_address(uint8_t to[ADDRESS_SIZE], const struct sockaddr_ll *about)
{
	memcpy(to, about->sll_addr, ADDRESS_SIZE);
	for (size_t i = about->sll_halen; i < ADDRESS_SIZE; i++)
		to[i] = 0;
}

/* Whether a packet of the protocol may begin there, and end within what is left on the wire. */
static bool fits(const uint8_t *at, uint32_t left, uint16_t protocol)
{
	if (protocol == ETH_P_IP)
		return at[0] >> 4 == 4 && load16(at + 2) >= 20 && load16(at + 2) <= left;
	if (protocol == ETH_P_IPV6)
		return at[0] >> 4 == 6 && load16(at + 4) + 40U <= left;
	return true;
}

/*
 * From Linux 6.10 on a received packet's protocol is what is behind all of its tags, though those
 * behind the first are still in the bytes (vlan_get_protocol_dgram of net/packet/af_packet.c);
 * older ones tell the second tag's type.  So the bytes must say it: TCI, type, and so on, up to
 * that protocol and a packet of it.
 */
static bool has_second_tag(const struct packet *packet, uint16_t protocol)
{
	if (protocol == ETH_P_8021Q || protocol == ETH_P_8021AD)
		return false;
	for (uint32_t end = TAG_SIZE; end <= TAGS_MOST * TAG_SIZE; end += TAG_SIZE) {
		uint16_t type;

		if (packet->captured_length < end + IP_LENGTH_END)
			return false;
		type = load16(packet->bytes + end - 2);
		if (type != ETH_P_8021Q && type != ETH_P_8021AD)
			return type == protocol &&
			       fits(packet->bytes + end, packet->wire_length - end, type);
	}
	return false;
}

/* Put so many bytes in front of a packet's. */
static void put(struct packet *packet, uint8_t *bytes, const void *header, uint32_t size)
{
	memcpy(bytes - size, header, size);
	packet->bytes = bytes - size;
	packet->captured_length += size;
	packet->wire_length += size;
}

/* The tag goes in front of the bytes.  Returns its type, for the header. */
static uint16_t put_tag(struct packet *packet, uint8_t *bytes, const struct sockaddr_ll *about)
{
	bool is_second_left = about->sll_pkttype != PACKET_OUTGOING &&
			      has_second_tag(packet, ntohs(about->sll_protocol));
	const uint16_t tag[] = { htons(packet->vlan_tci),
		is_second_left ? htons(ETH_P_8021Q) : about->sll_protocol };

	put(packet, bytes, tag, sizeof(tag));
	packet->flags &= ~PACKET_HAS_TAG;
	return htons(packet->vlan_tpid);
}

static void put_sll2(struct packet *packet, uint8_t *bytes, const struct sockaddr_ll *about)
{
	struct sll2_header header = {
		.protocol = about->sll_protocol,
		.ifindex = htonl((uint32_t)about->sll_ifindex),
		.arphrd = htons(about->sll_hatype),
		.direction = about->sll_pkttype,
		.address_length = about->sll_halen,
	};

	copy_address(header.address, about);
	if (packet->flags & PACKET_HAS_TAG) {
		header.protocol = put_tag(packet, bytes, about);
		bytes -= TAG_SIZE;
	}
	put(packet, bytes, &header, sizeof(header));
}

static void put_netlink(struct packet *packet, uint8_t *bytes, const struct sockaddr_ll *about)
{
	struct netlink_header header = {
		.direction = htons(about->sll_pkttype),
		.arphrd = htons(about->sll_hatype),
		.address_length = htons(about->sll_halen),
		.family = about->sll_protocol,
	};

	copy_address(header.address, about);
	put(packet, bytes, &header, sizeof(header));
}

/* The next packet's bytes, behind room for a header, and what the kernel says of it. */
static inline int next(struct block_walk *walk, struct packet *ret_packet, uint8_t **ret_bytes,
    struct sockaddr_ll *ret_about)
{
	uint8_t *at = walk->start + walk->offset;
	int r = block_walk_next(walk, ret_packet);

	if (r <= 0)
		return r;
	*ret_bytes = at + (ret_packet->bytes - at);
	if (*ret_bytes - at < LEAST_OFFSET)
		return -EBADMSG;
	memcpy(ret_about, at + ABOUT_AT, sizeof(*ret_about));
	return 1;
}

int cooked_next(struct block_walk *walk, struct packet *ret_packet)
{
	struct sockaddr_ll about;
	struct packet packet;
	uint8_t *bytes;
	int r = next(walk, &packet, &bytes, &about);

	if (r <= 0)
		return r;
	put_sll2(&packet, bytes, &about);
	packet.flags = (packet.flags & ~PACKET_WAY) | block_way(about.sll_pkttype);
	*ret_packet = packet;
	return 1;
}

int cooked_netlink_next(struct block_walk *walk, struct packet *ret_packet)
{
	struct sockaddr_ll about;
	struct packet packet;
	uint8_t *bytes;
	int r = next(walk, &packet, &bytes, &about);

	if (r <= 0)
		return r;
	put_netlink(&packet, bytes, &about);
	packet.flags = (packet.flags & ~PACKET_WAY) | block_way(about.sll_pkttype);
	*ret_packet = packet;
	return 1;
}

block_step *cooked_step(uint32_t link_type)
{
	if (link_type == LINKTYPE_LINUX_SLL2)
		return cooked_next;
	return link_type == LINKTYPE_NETLINK ? cooked_netlink_next : block_walk_next;
}
