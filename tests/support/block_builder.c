/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/block_builder.h"

#include <string.h>

enum {
	ALIGNMENT = 8,
	LINK_HEADER = 14,
	LEAST_LINK_HEADER = 16, /* what tpacket_rcv leaves room for */
};

static size_t align(size_t value, size_t to)
{
	return (value + to - 1) / to * to;
}

/* Where the bytes begin behind a packet's header: 82 for Ethernet, 96 for a cooked socket's. */
static size_t mac_offset(const struct block_frame *frame)
{
	if (frame->about)
		return align(TPACKET3_HDRLEN, TPACKET_ALIGNMENT) + LEAST_LINK_HEADER;
	return align(TPACKET3_HDRLEN + LEAST_LINK_HEADER, TPACKET_ALIGNMENT) - LINK_HEADER;
}

static struct tpacket_block_desc *head_of(const struct block_builder *builder)
{
	void *bytes = builder->bytes;

	return bytes;
}

void block_builder_begin(struct block_builder *builder, void *bytes, size_t size, uint64_t number)
{
	size_t first = align(sizeof(struct tpacket_block_desc), ALIGNMENT);

	*builder = (struct block_builder) { .bytes = bytes, .size = size, .end = first };
	memset(bytes, 0, size);
	head_of(builder)->version = TPACKET_V3;
	head_of(builder)->hdr.bh1.offset_to_first_pkt = (uint32_t)first;
	head_of(builder)->hdr.bh1.seq_num = number;
}

bool block_builder_add(struct block_builder *builder, const struct block_frame *frame)
{
	const size_t mac = mac_offset(frame);
	size_t length = align(mac + frame->captured_length, ALIGNMENT);
	void *at = builder->bytes + builder->end;
	struct tpacket3_hdr *head = at;

	if (length > builder->size - builder->end)
		return false;
	*head = (struct tpacket3_hdr) {
		.tp_sec = frame->seconds,
		.tp_nsec = frame->nanoseconds,
		.tp_snaplen = frame->captured_length,
		.tp_len = frame->wire_length,
		.tp_status = TP_STATUS_USER | frame->status,
		.tp_mac = (uint16_t)mac,
		.tp_net = (uint16_t)(mac + (frame->about ? 0 : LINK_HEADER)),
		.hv1.tp_vlan_tci = frame->vlan_tci,
		.hv1.tp_vlan_tpid = frame->vlan_tpid,
		/* The kernel writes the distance, and takes the last one back when it closes. */
		.tp_next_offset = (uint32_t)length,
	};
	if (frame->about)
		memcpy((uint8_t *)at + TPACKET_ALIGN(sizeof(*head)), frame->about,
		    sizeof(*frame->about));
	memcpy((uint8_t *)at + mac, frame->bytes, frame->captured_length);
	builder->end += length;
	builder->last = head;
	head_of(builder)->hdr.bh1.num_pkts++;
	return true;
}

size_t block_builder_end(struct block_builder *builder)
{
	if (builder->last)
		builder->last->tp_next_offset = 0;
	head_of(builder)->hdr.bh1.blk_len = (uint32_t)builder->end;
	head_of(builder)->hdr.bh1.block_status = TP_STATUS_USER;
	return builder->end;
}
