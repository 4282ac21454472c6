/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "config/config.h"
#include "packet.h"
#include "storage/pcap.h"

#include <stddef.h>
#include <string.h>

/*
 * Bytes of a pcapng file, as draft-ietf-opsawg-pcapng describes them: native byte order, one
 * section, one interface, and blocks of three kinds behind their descriptions: packets, statistics,
 * and nothing else.  Pure.
 */
enum {
	PCAPNG_INTERFACE = 1, /* types of blocks */
	PCAPNG_STATISTICS = 5,
	PCAPNG_PACKET = 6,
	PCAPNG_SECTION = 0x0a0d0d0a,

	PCAPNG_HEAD_MOST = 1024,      /* of a file: both descriptions */
	PCAPNG_FILTER_MOST = 511,     /* bytes of a filter that is named */
	PCAPNG_STATISTICS_MOST = 256, /* of one block, with its comment */
	PCAPNG_COMMENT_MOST = 128,    /* bytes, with the NUL */
	PCAPNG_BLOCK_LEAST = 12,      /* type, length, and the length again */
	PCAPNG_PACKET_HEAD = 28,      /* in front of a packet's bytes */
	PCAPNG_PACKET_TAIL = 16, /* behind these and their padding: its flags, and the length */
};

/* What a file is of. */
struct pcapng_head {
	const char *application, *interface;
	const char *filter; /* NULL or "": none is named */
	uint32_t link_type, snaplen;
	enum file_resolution resolution;
};

/* What is known of a file's losses at a time; counts are since the file was begun. */
struct pcapng_statistics {
	uint64_t begun_ns, now_ns;
	uint64_t delivered;  /* packets in the file */
	uint64_t dropped;    /* of no room in the ring */
	uint64_t discarded;  /* read from the ring, and not in the file for another reason */
	const char *comment; /* "": none */
};

/* Write the head; `to` has PCAPNG_HEAD_MOST bytes of room.  Returns its size. */
size_t pcapng_head(uint8_t *to, const struct pcapng_head *head);

/* Write a block of statistics; `to` has PCAPNG_STATISTICS_MOST bytes of room.  Returns its size. */
size_t pcapng_statistics(
    uint8_t *to, const struct pcapng_statistics *statistics, enum file_resolution resolution);

static inline uint32_t pcapng_padded(uint32_t size)
{
	return (size + 3U) & ~3U;
}

/* The size of the block of a packet that is captured so long. */
static inline uint32_t pcapng_packet_size(uint32_t captured)
{
	return PCAPNG_PACKET_HEAD + pcapng_padded(captured) + PCAPNG_PACKET_TAIL;
}

/* The head of an option as the word that its two halves are. */
static inline uint32_t pcapng_option(uint16_t code, uint16_t size)
{
	const uint16_t halves[2] = { code, size };
	uint32_t word;

	memcpy(&word, halves, sizeof(word));
	return word;
}

/*
 * One word of a block, by itself: an array of them that is copied is first written to the stack,
 * and read from there in greater pieces than it was written in, for which a processor waits.
 */
static inline void pcapng_put_word(uint8_t *to, ptrdiff_t index, uint32_t word)
{
	memcpy(to + 4 * index, &word, sizeof(word));
}

/*
 * Write the block of a packet; `to` has room for it.  Returns its size.  Inlined, as pcap_put().
 */
static inline __attribute__((always_inline)) size_t pcapng_put(
    uint8_t *to, const struct packet *packet, uint32_t snaplen, bool microseconds)
{
	enum { OPTION_FLAGS = 2, FLAGS_SIZE = 4 };
	const uint32_t captured = pcap_captured(packet, snaplen);
	const uint32_t size = pcapng_packet_size(captured);
	const uint64_t ticks = microseconds ? packet->time_ns / 1000 : packet->time_ns;
	uint8_t *bytes = to + PCAPNG_PACKET_HEAD, *end = bytes + pcapng_padded(captured);

	pcapng_put_word(to, 0, PCAPNG_PACKET);
	pcapng_put_word(to, 1, size);
	pcapng_put_word(to, 2, 0); /* the interface */
	pcapng_put_word(to, 3, (uint32_t)(ticks >> 32));
	pcapng_put_word(to, 4, (uint32_t)ticks);
	pcapng_put_word(to, 5, captured);
	pcapng_put_word(to, 6, pcap_wire(packet));
	if (packet->flags & PACKET_HAS_TAG && packet->captured_length >= VLAN_TAG_AT)
		pcap_copy_tagged(bytes, packet, captured);
	else
		memcpy(bytes, packet->bytes, captured);
	/* The padding, and what is put behind it next. */
	pcapng_put_word(bytes + captured, 0, 0);
	pcapng_put_word(end, 0, pcapng_option(OPTION_FLAGS, FLAGS_SIZE));
	pcapng_put_word(end, 1, (packet->flags & PACKET_WAY) >> PACKET_WAY_SHIFT);
	pcapng_put_word(end, 2, 0); /* the end of the options */
	pcapng_put_word(end, 3, size);
	return size;
}
