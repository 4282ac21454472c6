/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/block.h"

#include "base/clock.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdbool.h>
#include <string.h>

static bool lies_within(size_t offset, size_t length, size_t size)
{
	return offset <= size && length <= size - offset;
}

uint32_t block_packet_count(const void *block)
{
	const struct tpacket_block_desc *head = block;

	return head->hdr.bh1.num_pkts;
}

void block_walk_begin(struct block_walk *walk, const void *block, size_t size)
{
	const struct tpacket_block_desc *head = block;

	*walk = (struct block_walk) { .start = block, .size = size };
	if (size < sizeof(*head))
		return;
	walk->offset = head->hdr.bh1.offset_to_first_pkt;
	walk->packets_left = head->hdr.bh1.num_pkts;
}

static void take_tag(struct packet *packet, const struct tpacket3_hdr *head)
{
	packet->flags |= PACKET_HAS_TAG;
	packet->vlan_tci = (uint16_t)head->hv1.tp_vlan_tci;
	packet->vlan_tpid =
	    head->tp_status & TP_STATUS_VLAN_TPID_VALID ? head->hv1.tp_vlan_tpid : ETH_P_8021Q;
}

int block_walk_next(struct block_walk *walk, struct packet *ret_packet)
{
	struct tpacket3_hdr head;

	if (walk->packets_left == 0)
		return 0;

	/* Copied out, as the offset is not to be trusted to be aligned. */
	if (!lies_within(walk->offset, sizeof(head), walk->size))
		return -EBADMSG;
	memcpy(&head, walk->start + walk->offset, sizeof(head));
	/* The next header is the one miss that the copy of this packet can hide. */
	__builtin_prefetch(walk->start + walk->offset + head.tp_next_offset);
	if (!lies_within(walk->offset, (size_t)head.tp_mac + head.tp_snaplen, walk->size))
		return -EBADMSG;
	if (walk->packets_left > 1 && head.tp_next_offset < sizeof(head))
		return -EBADMSG;

	*ret_packet = (struct packet) {
		.time_ns = (uint64_t)head.tp_sec * NSEC_PER_SEC + head.tp_nsec,
		.bytes = walk->start + walk->offset + head.tp_mac,
		.captured_length = head.tp_snaplen,
		.wire_length = head.tp_len,
	};
	if (head.tp_status & TP_STATUS_VLAN_VALID)
		take_tag(ret_packet, &head);
	walk->offset += head.tp_next_offset;
	walk->packets_left--;
	return 1;
}
