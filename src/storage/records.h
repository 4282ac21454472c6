/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "config/config.h"
#include "storage/pcap.h"

/*
 * What stands where in a capture file: records one behind the other, of packets and of what else a
 * pcapng has.  For who must know how far a file of ours is whole: what fancap never writes is no
 * record, though another reader may take it.  Pure.
 */
struct records {
	enum file_format format;
	struct pcap_format pcap;
	uint32_t unit;    /* pcapng: nanoseconds of a tick */
	uint32_t snaplen; /* pcapng; 0 until the interface is described */
	bool has_section; /* pcapng */
};

enum {
	RECORDS_HEAD_MOST = 16,            /* bytes that tell what a record is */
	RECORDS_PACKET_HEAD_MOST = 28,     /* bytes in front of a packet */
	RECORD_MOST = SNAPLEN_MOST + 4096, /* bytes of a whole one */
};

struct record {
	uint64_t size;
	bool is_packet;
	uint64_t time_ns; /* of a packet, once it is taken */
};

/*
 * Begin by the first PCAP_HEADER_SIZE bytes of a file; *ret_first: where its first record is.
 * Returns 0, or -EBADMSG for neither a pcap nor a pcapng of this machine's byte order.
 */
int records_begin(struct records *records, const uint8_t *bytes, uint64_t *ret_first);

/* How many bytes the head of a record has. */
size_t records_head(const struct records *records);

/* Which record begins with such a head.  False for none. */
bool records_look(const struct records *records, const uint8_t *head, struct record *ret_record);

/*
 * Whether a packet of ours begins so, and lacks only what is behind these bytes; where there are
 * fewer than RECORDS_PACKET_HEAD_MOST, as far as they say.
 */
bool records_look_cut(const struct records *records, const uint8_t *bytes, size_t size);

/*
 * Take a record that is whole, of which `record` is what its head said.  False where it does not
 * hold together.
 */
bool records_take(struct records *records, const uint8_t *bytes, struct record *record);

/* Whether all that describes packets was taken, so that others may be left out. */
bool records_are_described(const struct records *records);

/* Take packets for whole ones, as long as any may be, though what describes them cannot be read. */
void records_assume(struct records *records);
