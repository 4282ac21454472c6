/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/block.h"

#include "base/array.h"
#include "base/clock.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>

/*
 * Far enough for the copy of a small packet to hide a miss, near enough to be still there.  Of 512,
 * 1024 and 2048, measured with IMIX in one and in four rings, no other was better in both.
 */
enum { FETCH_AHEAD = 512, CACHE_LINE = 64 };

/*
 * Of packets that come to less with their headers, one by one, the processor fetches by itself what
 * is needed, and to ask for it costs more than it saves: some 2 of 34 ns with 60 bytes.
 */
enum { FETCH_FROM = 256 };

uint32_t block_packet_count(const void *block)
{
	const struct tpacket_block_desc *head = block;

	return head->hdr.bh1.num_pkts;
}

void block_walk_begin(struct block_walk *walk, void *block, size_t size)
{
	const struct tpacket_block_desc *head = block;

	/* At the end of the block no header has room, so that the first step says so. */
	*walk = (struct block_walk) { .start = block, .size = size, .offset = size };
	walk->packets_left = 1;
	if (size < sizeof(*head))
		return;
	walk->packets_left = head->hdr.bh1.num_pkts;
	walk->flags = head->hdr.bh1.block_status & TP_STATUS_LOSING;
	if (head->hdr.bh1.blk_len / FETCH_FROM < head->hdr.bh1.num_pkts)
		walk->fetched = size;
	if (head->hdr.bh1.offset_to_first_pkt >= sizeof(*head))
		walk->offset = LEAST(size, head->hdr.bh1.offset_to_first_pkt);
}

#ifndef TP_STATUS_GSO_TCP
#define TP_STATUS_GSO_TCP (1 << 8) /* Linux 6.4; not in Debian 12's header */
#endif
_Static_assert(PACKET_LOSING == TP_STATUS_LOSING && PACKET_HAS_TAG == TP_STATUS_VLAN_VALID &&
		   PACKET_CHECKSUM_PENDING == TP_STATUS_CSUMNOTREADY &&
		   PACKET_CHECKSUM_VALID == TP_STATUS_CSUM_VALID &&
		   PACKET_GSO == TP_STATUS_GSO_TCP &&
		   PACKET_STAMPED_SOFTWARE == TP_STATUS_TS_SOFTWARE &&
		   PACKET_STAMPED_HARDWARE == (uint32_t)TP_STATUS_TS_RAW_HARDWARE,
    "a packet's flags are the kernel's");

static void take_tag(struct packet *packet, const struct tpacket3_hdr *head)
{
	packet->vlan_tci = (uint16_t)head->hv1.tp_vlan_tci;
	packet->vlan_tpid =
	    head->tp_status & TP_STATUS_VLAN_TPID_VALID ? head->hv1.tp_vlan_tpid : ETH_P_8021Q;
}

/*
 * Ask for what comes behind this packet while it is copied.  A processor's own prefetching ends
 * with each page of 4 KiB, which is every tenth packet or so, and begins anew with two or three
 * misses.
 */
static inline void fetch_ahead(struct block_walk *walk)
{
	size_t until = LEAST(walk->offset + FETCH_AHEAD, walk->size);

	for (; walk->fetched < until; walk->fetched += CACHE_LINE)
		__builtin_prefetch(walk->start + walk->fetched);
}

int block_walk_next(struct block_walk *walk, struct packet *ret_packet)
{
	const uint8_t *at = walk->start + walk->offset;
	size_t room = walk->size - walk->offset, end;
	struct tpacket3_hdr head;

	if (walk->packets_left == 0)
		return 0;

	/* Copied out, as the offset is not to be trusted to be aligned. */
	if (room < sizeof(head))
		return -EBADMSG;
	memcpy(&head, at, sizeof(head));
	/* The last packet's offset to the next is 0. */
	end = walk->packets_left > 1 ? head.tp_next_offset : room;
	/* None reaches into the next, so that their records never need more room than the block. */
	if (end > room || head.tp_mac < sizeof(head) || end < head.tp_mac ||
	    end - head.tp_mac < head.tp_snaplen)
		return -EBADMSG;

	*ret_packet = (struct packet) {
		.time_ns = (uint64_t)head.tp_sec * NSEC_PER_SEC + head.tp_nsec,
		.bytes = at + head.tp_mac,
		.captured_length = head.tp_snaplen,
		.wire_length = head.tp_len,
		.flags = head.tp_status | walk->flags,
	};
	if (head.tp_status & TP_STATUS_VLAN_VALID)
		take_tag(ret_packet, &head);
	walk->offset += end;
	walk->packets_left--;
	fetch_ahead(walk);
	return 1;
}

/* The bits of epb_flags: 1 in, 2 out; above these 4 to this host, 8 multicast, 12 broadcast, 16
 * to others. */
uint32_t block_way(uint8_t packet_type)
{
	static const uint8_t ways[] = {
		[PACKET_HOST] = 1 | 4,
		[PACKET_BROADCAST] = 1 | 12,
		[PACKET_MULTICAST] = 1 | 8,
		[PACKET_OTHERHOST] = 1 | 16,
		[PACKET_OUTGOING] = 2,
	};

	return packet_type < COUNT_OF(ways) ? (uint32_t)ways[packet_type] << PACKET_WAY_SHIFT : 0;
}

int block_walk_next_way(struct block_walk *walk, struct packet *ret_packet)
{
	enum {
		TYPE_AT = TPACKET_ALIGN(sizeof(struct tpacket3_hdr)) +
			  offsetof(struct sockaddr_ll, sll_pkttype)
	};
	const uint8_t *at = walk->start + walk->offset;
	int r = block_walk_next(walk, ret_packet);

	if (r <= 0)
		return r;
	ret_packet->flags &= ~PACKET_WAY;
	/* Else it is no header of the kernel's making, which has an address behind it. */
	if (ret_packet->bytes - at > TYPE_AT)
		ret_packet->flags |= block_way(at[TYPE_AT]);
	return 1;
}
