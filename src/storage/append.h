/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "ledger/ledger.h"
#include "storage/pcapng.h"

/*
 * One block on its way into the stage: where the next record goes, and what was put so far.  Filled
 * by writer_begin_block(), sealed by writer_seal_block(), committed by writer_commit_block().
 */
struct append {
	uint8_t *at; /* NULL: the storage refuses, packets are only counted */
	uint32_t snaplen;
	uint32_t cut_at;  /* what the kernel may have cut to; the snaplen, but after another */
	uint32_t longest; /* that one frame may be on the wire; a longer one is several */
	bool microseconds;
	bool is_pcapng; /* the packets are put by append_to_pcapng(); else by append_packet() */
	uint64_t size;  /* of what was put, with the statistics in front of the packets; once it is
			 * sealed, of what it is in the file */
	uint64_t front; /* of these statistics alone */
	uint64_t named_ns, begun_utc_ns; /* that a file would be begun with */
	uint64_t packets, bytes;
	uint64_t missing; /* counted by the kernel, but not found in the block */
	uint64_t truncated_snaplen, truncated_block;
	uint64_t said[COUNTER_SAID_COUNT]; /* by the kernel, of so many packets */
	uint64_t first_ns, last_ns;        /* least and greatest stamp */
};

/* Without a branch: which of them are set differs from device to device, not from packet to packet.
 */
static inline void append_said(struct append *append, const struct packet *packet)
{
	uint64_t *said = append->said;
	uint32_t flags = packet->flags;

	said[COUNTER_LOSING - COUNTER_SAID] += (flags & PACKET_LOSING) != 0;
	said[COUNTER_CHECKSUM_PENDING - COUNTER_SAID] += (flags & PACKET_CHECKSUM_PENDING) != 0;
	said[COUNTER_CHECKSUM_VALID - COUNTER_SAID] += (flags & PACKET_CHECKSUM_VALID) != 0;
	said[COUNTER_GSO - COUNTER_SAID] +=
	    (flags & PACKET_GSO) != 0 || packet->wire_length > append->longest;
	said[COUNTER_STAMPED_SOFTWARE - COUNTER_SAID] += (flags & PACKET_STAMPED_SOFTWARE) != 0;
	said[COUNTER_STAMPED_HARDWARE - COUNTER_SAID] += (flags & PACKET_STAMPED_HARDWARE) != 0;
}

static inline __attribute__((always_inline)) void append_counted(
    struct append *append, const struct packet *packet)
{
	uint32_t captured = pcap_captured(packet, append->snaplen);

	append->packets++;
	append->bytes += captured;
	append_said(append, packet);
	append->first_ns = packet->time_ns < append->first_ns ? packet->time_ns : append->first_ns;
	append->last_ns = packet->time_ns > append->last_ns ? packet->time_ns : append->last_ns;
	if (__builtin_expect(captured < pcap_wire(packet), 0)) {
		/* The kernel does not say why it cut: our snaplen, or the end of the block. */
		if (captured >= append->cut_at)
			append->truncated_snaplen++;
		else
			append->truncated_block++;
	}
}

/*
 * Put one packet.  The inside of the hot loop: no call, no system call, no allocation.  There is a
 * loop for each format and kind of block, and a compiler that sees several would not inline it by
 * itself.
 */
static inline __attribute__((always_inline)) void append_packet(
    struct append *append, const struct packet *packet)
{
	append_counted(append, packet);
	if (append->at)
		append->size += pcap_put(
		    append->at + append->size, packet, append->snaplen, append->microseconds);
}

/* The same for a file of format pcapng. */
static inline __attribute__((always_inline)) void append_to_pcapng(
    struct append *append, const struct packet *packet)
{
	append_counted(append, packet);
	if (append->at)
		append->size += pcapng_put(
		    append->at + append->size, packet, append->snaplen, append->microseconds);
}
