/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/section.h"

#include "base/array.h"
#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	BLOCK_HEAD = 8,
	BLOCK_TAIL = 4,
	INTERFACE_COUNT_MOST = 65536,
	OPTION_END = 0,
	OPTION_TSRESOL = 9,
	OPTION_TSOFFSET = 14,
	MAJOR_VERSION = 1,
};

#define BYTE_ORDER_MAGIC 0x1a2b3c4dU

__extension__ typedef unsigned __int128 wide;

struct section_interface {
	uint16_t link_type;
	uint32_t snaplen;   /* 0: none */
	uint8_t resolution; /* as the option has it: a power of ten, with the top bit of two */
	int64_t offset;     /* seconds to add to each stamp */
};

/* A block on its way through its reader. */
struct block {
	const uint8_t *body;
	size_t size; /* of the body */
	const char *fault;
};

static int wrong(struct block *block, const char *fault)
{
	block->fault = fault;
	return -EBADMSG;
}

bool section_begin(struct section *section, const uint8_t *magic)
{
	uint32_t value;

	section_release(section);
	memcpy(&value, magic, sizeof(value));
	section->is_swapped = value == __builtin_bswap32(BYTE_ORDER_MAGIC);
	return section->is_swapped || value == BYTE_ORDER_MAGIC;
}

void section_release(struct section *section)
{
	free(section->interfaces);
	*section = (struct section) { 0 };
}

/* ---- stamps ------------------------------------------------------------------------------ */

static wide ticks_to_ns(uint64_t ticks, uint8_t resolution)
{
	unsigned int power = resolution & 0x7f;
	wide ns = ticks;

	if (resolution & 0x80)
		return ns * NSEC_PER_SEC >> power;
	for (; power < 9; power++)
		ns *= 10;
	for (; power > 9 && ns > 0; power--)
		ns /= 10;
	return ns;
}

/* False for what 64 bits of nanoseconds since 1970 cannot say: before that, or past 2554. */
static bool time_of(const struct section_interface *interface, uint64_t ticks, uint64_t *ret_ns)
{
	wide ns = ticks_to_ns(ticks, interface->resolution);
	wide offset = interface->offset < 0 ? -(wide)interface->offset : (wide)interface->offset;

	offset *= NSEC_PER_SEC;
	if (interface->offset < 0 && offset > ns)
		return false;
	ns = interface->offset < 0 ? ns - offset : ns + offset;
	if (ns > UINT64_MAX)
		return false;
	*ret_ns = (uint64_t)ns;
	return true;
}

/* ---- blocks ------------------------------------------------------------------------------ */

static int read_header(struct section *section, struct block *block, struct reader_record *record)
{
	enum { SIZE = 16 };

	(void)record;
	if (block->size < SIZE)
		return wrong(block, "a section header is too short");
	if (section_load16(section, block->body + 4) != MAJOR_VERSION)
		return wrong(block, "a pcapng version that is not known; 1.0 is");
	return 0;
}

static int read_option(struct section *section, struct section_interface *interface, uint16_t code,
    const uint8_t *value, uint16_t length)
{
	if (code == OPTION_TSRESOL) {
		if (length != 1)
			return -EBADMSG;
		interface->resolution = value[0];
	} else if (code == OPTION_TSOFFSET) {
		uint32_t high = section->is_swapped ? 0 : 4;

		if (length != 8)
			return -EBADMSG;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
		high = 4 - high;
#endif
		interface->offset =
		    (int64_t)((uint64_t)section_load32(section, value + high) << 32 |
			      section_load32(section, value + 4 - high));
	}
	return 0;
}

static int read_options(
    struct section *section, struct section_interface *interface, struct block *block, size_t at)
{
	enum { HEAD = 4 };

	while (block->size - at >= HEAD) {
		uint16_t code = section_load16(section, block->body + at);
		uint16_t length = section_load16(section, block->body + at + 2);

		at += HEAD;
		if (code == OPTION_END)
			return 0;
		if (length > block->size - at)
			return wrong(block, "an option reaches past its block");
		if (read_option(section, interface, code, block->body + at, length) < 0)
			return wrong(block, "an option about stamps has a wrong length");
		/* Blocks are whole words, so that the padding is there where the value is. */
		at += (length + 3U) & ~3U;
	}
	return 0;
}

static int read_interface(
    struct section *section, struct block *block, struct reader_record *record)
{
	enum { SIZE = 8, MICROSECONDS = 6 };
	struct section_interface interface = { .resolution = MICROSECONDS }, *more;
	int r;

	(void)record;
	if (block->size < SIZE)
		return wrong(block, "an interface's description is too short");
	if (section->interface_count == INTERFACE_COUNT_MOST)
		return wrong(block, "more than 65536 interfaces");
	interface.link_type = section_load16(section, block->body);
	interface.snaplen = section_load32(section, block->body + 4);
	r = read_options(section, &interface, block, SIZE);
	if (r < 0)
		return r;
	more = reallocarray(
	    section->interfaces, section->interface_count + 1, sizeof(*section->interfaces));
	if (!more)
		return -ENOMEM;
	section->interfaces = more;
	section->interfaces[section->interface_count++] = interface;
	return 0;
}

/* A stamp, two lengths and the bytes: what both kinds of stamped packets have at the same place. */
static int read_stamped(
    struct section *section, struct block *block, uint32_t number, struct reader_record *record)
{
	enum { SIZE = 20 };
	const struct section_interface *interface;
	uint64_t ticks;

	if (number >= section->interface_count)
		return wrong(block, "a packet of an interface that is not described");
	interface = &section->interfaces[number];
	ticks = (uint64_t)section_load32(section, block->body + 4) << 32 |
		section_load32(section, block->body + 8);
	record->packet.captured_length = section_load32(section, block->body + 12);
	record->packet.wire_length = section_load32(section, block->body + 16);
	record->packet.bytes = block->body + SIZE;
	record->link_type = interface->link_type;
	record->has_time = true;
	if (record->packet.captured_length > block->size - SIZE)
		return wrong(block, "a packet is longer than its block");
	if (record->packet.captured_length > record->packet.wire_length)
		return wrong(block, "a packet is longer than it was on the wire");
	if (!time_of(interface, ticks, &record->packet.time_ns))
		return wrong(block, "a stamp before 1970 or past 2554");
	return 1;
}

static int read_enhanced(struct section *section, struct block *block, struct reader_record *record)
{
	enum { SIZE = 20 };

	if (block->size < SIZE)
		return wrong(block, "a packet's block is too short");
	return read_stamped(section, block, section_load32(section, block->body), record);
}

/* The older form, in which a count of drops shares the word with the interface. */
static int read_older(struct section *section, struct block *block, struct reader_record *record)
{
	enum { SIZE = 20 };

	if (block->size < SIZE)
		return wrong(block, "a packet's block is too short");
	return read_stamped(section, block, section_load16(section, block->body), record);
}

static int read_simple(struct section *section, struct block *block, struct reader_record *record)
{
	enum { SIZE = 4 };
	const struct section_interface *interface = section->interfaces;

	if (block->size < SIZE)
		return wrong(block, "a packet's block is too short");
	if (section->interface_count == 0)
		return wrong(block, "a packet of an interface that is not described");
	record->packet.wire_length = section_load32(section, block->body);
	record->packet.captured_length = record->packet.wire_length;
	if (interface->snaplen > 0 && record->packet.captured_length > interface->snaplen)
		record->packet.captured_length = interface->snaplen;
	record->packet.bytes = block->body + SIZE;
	record->link_type = interface->link_type;
	if (record->packet.captured_length > block->size - SIZE)
		return wrong(block, "a packet is longer than its block");
	return 1;
}

static const struct {
	uint32_t type;
	int (*read)(struct section *, struct block *, struct reader_record *);
} kinds[] = {
	{ 6, read_enhanced },
	{ 3, read_simple },
	{ 2, read_older },
	{ 1, read_interface },
	{ SECTION_HEADER, read_header },
};

bool section_knows(uint32_t type)
{
	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		if (kinds[i].type == type)
			return true;
	return false;
}

int section_read(struct section *section, const uint8_t *block, size_t size,
    struct reader_record *ret_record, const char **ret_fault)
{
	const uint32_t type = section_load32(section, block);
	struct block inside = { .body = block + BLOCK_HEAD,
		.size = size - BLOCK_HEAD - BLOCK_TAIL };
	struct reader_record record = { 0 };
	int r = 0;

	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		if (kinds[i].type != type)
			continue;
		r = kinds[i].read(section, &inside, &record);
		break;
	}
	if (r > 0)
		*ret_record = record;
	if (r == -EBADMSG)
		*ret_fault = inside.fault;
	return r;
}
