/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "storage/reader.h"

/*
 * A section of a pcapng file: its byte order, its interfaces, and the packets that refer to them,
 * as draft-ietf-opsawg-pcapng describes them.  Given whole blocks, of which the size is known to be
 * right.  Pure, but for the memory of the interfaces.
 */
enum {
	SECTION_HEADER = 0x0a0d0d0a, /* the one block type that reads alike in both orders */
	SECTION_BLOCK_LEAST = 12,    /* type, length, and the length again */
};

struct section {
	bool is_swapped; /* against this machine's order */
	struct section_interface *interfaces;
	size_t interface_count;
};

static inline uint16_t section_load16(const struct section *section, const uint8_t *at)
{
	uint16_t value;

	__builtin_memcpy(&value, at, sizeof(value));
	return section->is_swapped ? __builtin_bswap16(value) : value;
}

static inline uint32_t section_load32(const struct section *section, const uint8_t *at)
{
	uint32_t value;

	__builtin_memcpy(&value, at, sizeof(value));
	return section->is_swapped ? __builtin_bswap32(value) : value;
}

/*
 * The magic of a section header tells the byte order, without which not even the block's length can
 * be read: forgets the section before.  `magic` are its four bytes.  False where it is none.
 */
bool section_begin(struct section *section, const uint8_t *magic);

/* Whether blocks of this type are read; others may be left out unseen, however long. */
bool section_knows(uint32_t type);

/*
 * Read one block, of a type that section_knows(): 1 with a packet, 0 where it holds none, -ENOMEM,
 * or -EBADMSG with what is wrong.
 */
int section_read(struct section *section, const uint8_t *block, size_t size,
    struct reader_record *ret_record, const char **ret_fault);

void section_release(struct section *section);
