/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "config/config.h"
#include "packet.h"

#include <stddef.h>
#include <string.h>

/*
 * Bytes of a classic capture file, as draft-ietf-opsawg-pcap describes them: native byte order,
 * stamps in nanoseconds or microseconds by the magic.  Pure.
 */
enum {
	PCAP_HEADER_SIZE = 24,
	PCAP_RECORD_SIZE = 16, /* in front of each packet's bytes */
	VLAN_TAG_SIZE = 4,
	VLAN_TAG_AT = 12, /* behind both addresses */
};

struct pcap_record {
	uint32_t seconds, fraction;
	uint32_t captured_length, wire_length;
};

/* Write the file's header; `to` has PCAP_HEADER_SIZE bytes of room. */
void pcap_header(
    uint8_t *to, uint32_t link_type, uint32_t snaplen, enum file_resolution resolution);

/* What a file's header says of its records. */
struct pcap_format {
	bool is_swapped;    /* against this machine's order */
	uint32_t fractions; /* in a second */
	uint32_t snaplen;
};

/* Read a file's header of PCAP_HEADER_SIZE bytes.  Returns 0, or -EBADMSG for none of a pcap 2.4.
 */
int pcap_read_header(const uint8_t *from, struct pcap_format *ret_format);

/*
 * Read the PCAP_RECORD_SIZE bytes in front of a packet.  False for what fancap never writes: a
 * frame of no length, a fraction of a whole second, more than the snaplen or than was on the wire,
 * or a longer frame than there are.
 */
bool pcap_read_record(
    const struct pcap_format *format, const uint8_t *from, struct pcap_record *ret_record);

/* The captured length of a packet in the file: a tag put back counts. */
static inline uint32_t pcap_captured(const struct packet *packet, uint32_t snaplen)
{
	uint32_t length = packet->captured_length;

	if (packet->flags & PACKET_HAS_TAG && length >= VLAN_TAG_AT)
		length += VLAN_TAG_SIZE;
	return length < snaplen ? length : snaplen;
}

/* The length on the wire: a tag put back counts. */
static inline uint32_t pcap_wire(const struct packet *packet)
{
	return packet->wire_length + (packet->flags & PACKET_HAS_TAG ? (uint32_t)VLAN_TAG_SIZE : 0);
}

/* A tag goes back between the addresses and the type, in the one copy that is made anyway. */
static inline void pcap_copy_tagged(uint8_t *to, const struct packet *packet, uint32_t captured)
{
	const uint8_t tag[VLAN_TAG_SIZE] = { (uint8_t)(packet->vlan_tpid >> 8),
		(uint8_t)packet->vlan_tpid, (uint8_t)(packet->vlan_tci >> 8),
		(uint8_t)packet->vlan_tci };
	uint32_t head = captured < VLAN_TAG_AT ? captured : VLAN_TAG_AT;
	uint32_t left = captured - head;
	uint32_t middle = left < VLAN_TAG_SIZE ? left : VLAN_TAG_SIZE;

	memcpy(to, packet->bytes, head);
	memcpy(to + head, tag, middle);
	memcpy(to + head + middle, packet->bytes + head, left - middle);
}

/*
 * Write a record; `to` has PCAP_RECORD_SIZE + pcap_captured() bytes of room.  Returns its size.
 * Inlined: it is the inside of the hot loop.
 */
static inline size_t pcap_put(
    uint8_t *to, const struct packet *packet, uint32_t snaplen, bool microseconds)
{
	uint32_t captured = pcap_captured(packet, snaplen);
	bool tagged = packet->flags & PACKET_HAS_TAG && packet->captured_length >= VLAN_TAG_AT;
	uint32_t fraction = (uint32_t)(packet->time_ns % 1000000000U);
	const struct pcap_record record = {
		.seconds = (uint32_t)(packet->time_ns / 1000000000U),
		.fraction = microseconds ? fraction / 1000 : fraction,
		.captured_length = captured,
		.wire_length = pcap_wire(packet),
	};

	memcpy(to, &record, sizeof(record));
	if (tagged)
		pcap_copy_tagged(to + PCAP_RECORD_SIZE, packet, captured);
	else
		memcpy(to + PCAP_RECORD_SIZE, packet->bytes, captured);
	return PCAP_RECORD_SIZE + captured;
}
