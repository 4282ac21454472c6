/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/reader.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "storage/pcap.h"
#include "storage/section.h"

#include <errno.h>
#include <string.h>

enum {
	MAGIC_SIZE = 4,
	/* What a packet may be at least, whatever the file says; what others write at most. */
	PACKET_MOST = 262144,
	/* Beyond this a length is damage, and no reason to take that much memory. */
	BLOCK_MOST = 16 << 20,
};

#define MAGIC_MICROSECONDS 0xa1b2c3d4U
#define MAGIC_NANOSECONDS 0xa1b23c4dU

typedef int next_function(struct reader *, struct reader_record *);

struct reader {
	struct source source;
	next_function *next;
	int result; /* 1 until there is nothing more */
	const char *fault;
	/* pcap */
	uint32_t unit; /* nanoseconds */
	uint32_t link_type;
	uint32_t longest;
	/* pcapng; the byte order of both */
	struct section section;
};

/* Bytes that are missing are mostly so for what is wrong with the frames that hold them. */
static int wrong(struct reader *reader, const char *fault)
{
	const char *of_frames = source_fault(&reader->source);

	reader->fault = of_frames ? of_frames : fault;
	return -EBADMSG;
}

/* Nothing more: 0 where that is the end. */
static int end(struct reader *reader)
{
	return source_fault(&reader->source) ? wrong(reader, "") : 0;
}

/* `size` bytes of something must be there, at a place where none may be missing. */
static int need(struct reader *reader, size_t size, const char *fault)
{
	int r = source_need(&reader->source, size);

	return r == 0 ? wrong(reader, fault) : r;
}

/* ---- pcap -------------------------------------------------------------------------------- */

static int next_pcap(struct reader *reader, struct reader_record *record)
{
	static const uint8_t zeroes[PCAP_RECORD_SIZE];
	struct source *source = &reader->source;
	const uint8_t *at;
	uint32_t captured, wire;
	uint64_t time_ns;
	int r = source_need(source, PCAP_RECORD_SIZE);

	if (r < 0 || (r == 0 && source_left(source) == 0))
		return r < 0 ? r : end(reader);
	if (r == 0)
		return wrong(reader, "ends within a packet's header");
	at = source_at(source);
	captured = section_load32(&reader->section, at + 8);
	wire = section_load32(&reader->section, at + 12);
	time_ns = section_load32(&reader->section, at) * NSEC_PER_SEC +
		  (uint64_t)section_load32(&reader->section, at + 4) * reader->unit;
	if (memcmp(at, zeroes, sizeof(zeroes)) == 0)
		return wrong(
		    reader, "zeroes where a packet should be, as in a file never finished");
	if (captured > reader->longest)
		return wrong(reader, "a packet is longer than the file says any is");
	if (captured > wire)
		return wrong(reader, "a packet is longer than it was on the wire");
	r = need(reader, (size_t)PCAP_RECORD_SIZE + captured, "ends within a packet");
	if (r < 0)
		return r;
	at = source_at(source);
	*record = (struct reader_record) {
		.packet = {
			.time_ns = time_ns,
			.bytes = at + PCAP_RECORD_SIZE,
			.captured_length = captured,
			.wire_length = wire,
		},
		.link_type = reader->link_type,
		.has_time = true,
	};
	source_take(source, (size_t)PCAP_RECORD_SIZE + captured);
	return 1;
}

static int begin_pcap(struct reader *reader, uint32_t magic)
{
	uint32_t snaplen;
	const uint8_t *at;
	int r = need(reader, PCAP_HEADER_SIZE, "ends within its header");

	if (r < 0)
		return r;
	at = source_at(&reader->source);
	reader->section.is_swapped = magic != MAGIC_MICROSECONDS && magic != MAGIC_NANOSECONDS;
	reader->unit =
	    magic == MAGIC_NANOSECONDS || magic == __builtin_bswap32(MAGIC_NANOSECONDS) ? 1 : 1000;
	if (section_load16(&reader->section, at + 4) != 2 ||
	    section_load16(&reader->section, at + 6) != 4)
		return wrong(reader, "a pcap version that is not known; 2.4 is");
	snaplen = section_load32(&reader->section, at + 16);
	reader->longest = LEAST(MOST(snaplen, (uint32_t)PACKET_MOST), (uint32_t)BLOCK_MOST);
	reader->link_type = section_load32(&reader->section, at + 20) & 0xffff;
	source_take(&reader->source, PCAP_HEADER_SIZE);
	reader->next = next_pcap;
	return 1;
}

/* ---- pcapng ------------------------------------------------------------------------------ */

/* Type and length of the block that begins here: 1, or 0 where the file ends before it. */
static int next_block(struct reader *reader, uint32_t *ret_type, uint32_t *ret_length)
{
	struct source *source = &reader->source;
	int r = source_need(source, SECTION_BLOCK_LEAST);

	if (r < 0 || (r == 0 && source_left(source) == 0))
		return r < 0 ? r : end(reader);
	if (r == 0)
		return wrong(reader, "ends within a block's header");
	*ret_type = section_load32(&reader->section, source_at(source));
	if (*ret_type == SECTION_HEADER && !section_begin(&reader->section, source_at(source) + 8))
		return wrong(reader, "a section header without its byte-order magic");
	*ret_length = section_load32(&reader->section, source_at(source) + 4);
	if (*ret_length < SECTION_BLOCK_LEAST || *ret_length % 4 != 0)
		return wrong(reader, "a block of a length that cannot be");
	return 1;
}

/* A block that is too long to be looked at: 0 where nobody needs to. */
static int pass_block(struct reader *reader, uint32_t type, uint32_t length)
{
	int r;

	if (section_knows(type))
		return wrong(reader, "a block that is longer than any packet");
	r = source_pass(&reader->source, length);
	if (r == 0)
		return wrong(reader, "ends within a block");
	return r < 0 ? r : 0;
}

static int read_block(
    struct reader *reader, uint32_t type, uint32_t length, struct reader_record *record)
{
	const uint8_t *block;
	int r;

	if (length > BLOCK_MOST)
		return pass_block(reader, type, length);
	r = need(reader, length, "ends within a block");
	if (r < 0)
		return r;
	block = source_at(&reader->source);
	if (section_load32(&reader->section, block + length - 4) != length)
		return wrong(reader, "a block's two lengths differ");
	r = section_read(&reader->section, block, length, record, &reader->fault);
	if (r >= 0)
		source_take(&reader->source, length);
	return r;
}

static int next_pcapng(struct reader *reader, struct reader_record *record)
{
	for (;;) {
		uint32_t type, length;
		int r = next_block(reader, &type, &length);

		if (r <= 0)
			return r;
		r = read_block(reader, type, length, record);
		if (r != 0)
			return r;
	}
}

/* ---- both -------------------------------------------------------------------------------- */

/* What is given to a reader by mistake, by its first bytes. */
static const struct {
	uint8_t bytes[MAGIC_SIZE];
	size_t count;
	const char *fault;
} others[] = {
	{ { 0x1f, 0x8b }, 2, "is compressed by gzip; unpack it into a pipe" },
	{ { 0xfd, '7', 'z', 'X' }, 4, "is compressed by xz; unpack it into a pipe" },
	{ { 'B', 'Z', 'h' }, 3, "is compressed by bzip2; unpack it into a pipe" },
	{ { 0x34, 0xcd, 0xb2, 0xa1 }, 4, "is a modified pcap, which is not read" },
	{ { 0xa1, 0xb2, 0xcd, 0x34 }, 4, "is a modified pcap, which is not read" },
	{ { 's', 'n', 'o', 'o' }, 4, "is a snoop capture, which is not read" },
	{ { 0 }, 4, "begins with zeroes, as a file never finished" },
};

static int refuse(struct reader *reader)
{
	const uint8_t *at = source_at(&reader->source);

	for (size_t i = 0; i < COUNT_OF(others); i++)
		if (memcmp(at, others[i].bytes, others[i].count) == 0)
			return wrong(reader, others[i].fault);
	return wrong(reader, "is neither pcap nor pcapng");
}

/* The first bytes say who reads the rest. */
static int begin(struct reader *reader, struct reader_record *record)
{
	uint32_t magic;
	int r = source_begin(&reader->source);

	if (r >= 0)
		r = source_need(&reader->source, MAGIC_SIZE);
	if (r == 0)
		return wrong(reader,
		    source_left(&reader->source) > 0 ? "is too short for a capture" : "is empty");
	if (r < 0)
		return r;
	memcpy(&magic, source_at(&reader->source), sizeof(magic));
	switch (magic) {
	case MAGIC_MICROSECONDS:
	case MAGIC_NANOSECONDS:
	case __builtin_bswap32(MAGIC_MICROSECONDS):
	case __builtin_bswap32(MAGIC_NANOSECONDS):
		r = begin_pcap(reader, magic);
		break;
	case SECTION_HEADER:
		reader->next = next_pcapng;
		break;
	default:
		r = refuse(reader);
	}
	return r < 0 ? r : reader->next(reader, record);
}

int reader_open(struct reader **ret_reader, int fd)
{
	struct reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return -ENOMEM;
	reader->source.fd = fd;
	reader->next = begin;
	reader->result = 1;
	*ret_reader = reader;
	return 0;
}

void reader_on_wait(struct reader *reader, source_wait *wait, void *context)
{
	reader->source.wait = wait;
	reader->source.context = context;
}

int reader_next(struct reader *reader, struct reader_record *ret_record)
{
	if (reader->result == 1)
		reader->result = reader->next(reader, ret_record);
	return reader->result;
}

const char *reader_fault(const struct reader *reader)
{
	return reader->fault ? reader->fault : "";
}

uint64_t reader_offset(const struct reader *reader)
{
	return reader->source.offset;
}

void reader_close(struct reader *reader)
{
	if (!reader)
		return;
	source_release(&reader->source);
	section_release(&reader->section);
	free(reader);
}
