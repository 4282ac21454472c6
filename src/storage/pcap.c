/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/pcap.h"

#include <errno.h>

#define MAGIC_MICROSECONDS 0xa1b2c3d4U
#define MAGIC_NANOSECONDS 0xa1b23c4dU

/* What one frame may be on the wire, however many segments it has. */
enum { WIRE_MOST = 16 << 20 };

struct header {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t reserved[2];
	uint32_t snaplen, link_type;
};
_Static_assert(sizeof(struct header) == PCAP_HEADER_SIZE, "as the format has it");
_Static_assert(sizeof(struct pcap_record) == PCAP_RECORD_SIZE, "as the format has it");

void pcap_header(uint8_t *to, uint32_t link_type, uint32_t snaplen, enum file_resolution resolution)
{
	const struct header header = {
		.magic = resolution == RESOLUTION_NS ? MAGIC_NANOSECONDS : MAGIC_MICROSECONDS,
		.major = 2,
		.minor = 4,
		.snaplen = snaplen,
		.link_type = link_type,
	};

	memcpy(to, &header, sizeof(header));
}

int pcap_read_header(const uint8_t *from, struct pcap_format *ret_format)
{
	struct header header;
	bool is_swapped;

	memcpy(&header, from, sizeof(header));
	is_swapped = header.magic == __builtin_bswap32(MAGIC_NANOSECONDS) ||
		     header.magic == __builtin_bswap32(MAGIC_MICROSECONDS);
	if (is_swapped) {
		header.magic = __builtin_bswap32(header.magic);
		header.major = __builtin_bswap16(header.major);
		header.minor = __builtin_bswap16(header.minor);
		header.snaplen = __builtin_bswap32(header.snaplen);
	}
	if ((header.magic != MAGIC_NANOSECONDS && header.magic != MAGIC_MICROSECONDS) ||
	    header.major != 2 || header.minor != 4)
		return -EBADMSG;
	*ret_format = (struct pcap_format) {
		.is_swapped = is_swapped,
		.fractions = header.magic == MAGIC_NANOSECONDS ? 1000000000 : 1000000,
		.snaplen = header.snaplen > 0 && header.snaplen < SNAPLEN_MOST ? header.snaplen
									       : SNAPLEN_MOST,
	};
	return 0;
}

bool pcap_read_record(
    const struct pcap_format *format, const uint8_t *from, struct pcap_record *ret_record)
{
	struct pcap_record record;

	memcpy(&record, from, sizeof(record));
	if (format->is_swapped)
		record = (struct pcap_record) {
			.seconds = __builtin_bswap32(record.seconds),
			.fraction = __builtin_bswap32(record.fraction),
			.captured_length = __builtin_bswap32(record.captured_length),
			.wire_length = __builtin_bswap32(record.wire_length),
		};
	*ret_record = record;
	return record.wire_length > 0 && record.wire_length <= WIRE_MOST &&
	       record.captured_length <= record.wire_length &&
	       record.captured_length <= format->snaplen && record.fraction < format->fractions;
}
