/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/records.h"

#include "base/array.h"
#include "base/clock.h"
#include "storage/pcapng.h"

#include <errno.h>

#define BYTE_ORDER_MAGIC 0x1a2b3c4dU

/* What one frame may be on the wire, however many segments it has. */
enum { WIRE_MOST = 16 << 20 };

static uint32_t word_at(const uint8_t *bytes, size_t index)
{
	uint32_t word;

	memcpy(&word, bytes + 4 * index, sizeof(word));
	return word;
}

static bool look_at_pcap(
    const struct records *records, const uint8_t *head, struct record *ret_record)
{
	struct pcap_record record;

	if (!pcap_read_record(&records->pcap, head, &record))
		return false;
	*ret_record = (struct record) {
		.size = (uint64_t)PCAP_RECORD_SIZE + record.captured_length,
		.is_packet = true,
		.time_ns = record.seconds * NSEC_PER_SEC +
			   (uint64_t)record.fraction * (NSEC_PER_SEC / records->pcap.fractions),
	};
	return true;
}

/* ---- pcapng ------------------------------------------------------------------------------ */

static bool take_section(struct records *records, const uint8_t *bytes, struct record *record)
{
	bool is_first = !records->has_section;

	records->has_section = true;
	return is_first && record->size >= 28 && word_at(bytes, 2) == BYTE_ORDER_MAGIC &&
	       word_at(bytes, 3) == 1;
}

static bool take_interface(struct records *records, const uint8_t *bytes, struct record *record)
{
	enum { OPTIONS_AT = 16, RESOLUTION = 9 };
	uint16_t option[2];
	size_t at = OPTIONS_AT;

	if (!records->has_section || records->snaplen > 0 || record->size < OPTIONS_AT + 4)
		return false;
	records->unit = 1000;
	while (record->size - at >= sizeof(option) + 4) {
		memcpy(option, bytes + at, sizeof(option));
		at += sizeof(option);
		if (option[0] == 0 || option[1] > record->size - at)
			break;
		if (option[0] == RESOLUTION)
			records->unit = bytes[at] == 9 ? 1 : 1000;
		at += pcapng_padded(option[1]);
	}
	records->snaplen = word_at(bytes, 3);
	return records->snaplen > 0 && records->snaplen <= SNAPLEN_MOST;
}

static bool take_statistics(struct records *records, const uint8_t *bytes, struct record *record)
{
	return records->snaplen > 0 && record->size >= 24 && word_at(bytes, 2) == 0;
}

static bool take_packet(struct records *records, const uint8_t *bytes, struct record *record)
{
	uint32_t captured, wire;

	if (record->size < PCAPNG_PACKET_HEAD + 4)
		return false;
	captured = word_at(bytes, 5);
	wire = word_at(bytes, 6);
	record->time_ns = ((uint64_t)word_at(bytes, 3) << 32 | word_at(bytes, 4)) * records->unit;
	return records->snaplen > 0 && word_at(bytes, 2) == 0 && captured <= wire && wire > 0 &&
	       wire <= WIRE_MOST && captured <= records->snaplen &&
	       PCAPNG_PACKET_HEAD + pcapng_padded(captured) + 4 <= record->size;
}

static const struct {
	uint32_t type;
	bool (*take)(struct records *, const uint8_t *, struct record *);
} kinds[] = {
	{ PCAPNG_PACKET, take_packet },
	{ PCAPNG_STATISTICS, take_statistics },
	{ PCAPNG_INTERFACE, take_interface },
	{ PCAPNG_SECTION, take_section },
};

static bool look_at_pcapng(const uint8_t *head, struct record *ret_record)
{
	const uint32_t type = word_at(head, 0), size = word_at(head, 1);

	if (size < PCAPNG_BLOCK_LEAST || size % 4 != 0 || size > RECORD_MOST)
		return false;
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		if (kinds[i].type != type)
			continue;
		*ret_record = (struct record) { .size = size, .is_packet = type == PCAPNG_PACKET };
		return true;
	}
	return false;
}

static bool take_block(struct records *records, const uint8_t *bytes, struct record *record)
{
	const uint32_t type = word_at(bytes, 0);

	if (word_at(bytes, record->size / 4 - 1) != record->size)
		return false;
	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		if (kinds[i].type == type)
			return kinds[i].take(records, bytes, record);
	return false;
}

/* ---- both -------------------------------------------------------------------------------- */

int records_begin(struct records *records, const uint8_t *bytes, uint64_t *ret_first)
{
	*records = (struct records) { .format = FORMAT_PCAPNG };
	*ret_first = 0;
	if (word_at(bytes, 0) == PCAPNG_SECTION)
		return word_at(bytes, 2) == BYTE_ORDER_MAGIC ? 0 : -EBADMSG;
	records->format = FORMAT_PCAP;
	*ret_first = PCAP_HEADER_SIZE;
	return pcap_read_header(bytes, &records->pcap);
}

size_t records_head(const struct records *records)
{
	return records->format == FORMAT_PCAP ? (size_t)PCAP_RECORD_SIZE : PCAPNG_BLOCK_LEAST;
}

bool records_look(const struct records *records, const uint8_t *head, struct record *ret_record)
{
	return records->format == FORMAT_PCAP ? look_at_pcap(records, head, ret_record)
					      : look_at_pcapng(head, ret_record);
}

/* A packet's length is in its block twice: by that of the block, and by its own. */
bool records_look_cut(const struct records *records, const uint8_t *bytes, size_t size)
{
	struct record record;

	if (size < records_head(records) || !records_look(records, bytes, &record))
		return false;
	return record.is_packet && (records->format == FORMAT_PCAP || size < PCAPNG_PACKET_HEAD ||
				       record.size == pcapng_packet_size(word_at(bytes, 5)));
}

bool records_take(struct records *records, const uint8_t *bytes, struct record *record)
{
	return records->format == FORMAT_PCAP || take_block(records, bytes, record);
}

bool records_are_described(const struct records *records)
{
	return records->format == FORMAT_PCAP || records->snaplen > 0;
}

void records_assume(struct records *records)
{
	if (records_are_described(records))
		return;
	records->has_section = true;
	records->unit = 1;
	records->snaplen = SNAPLEN_MOST;
}
