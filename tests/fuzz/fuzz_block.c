/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A block of any bytes: each walk ends, stays within them, and yields no more than has room.
 */
#include "base/array.h"
#include "capture/cooked.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { RECORD_AND_TAG = 16 + 4, LEAST_SIZE = 48 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Walks a copy of its exact length, so that a sanitizer sees each byte too many. */
static void walk_all(block_step *step, const uint8_t *data, size_t size)
{
	uint8_t *block = malloc(MOST(size, (size_t)1));
	volatile uint8_t sum = 0;
	struct block_walk walk;
	struct packet packet;
	size_t needed = 0, count = 0;
	int r;

	memcpy(block, data, size);
	block_walk_begin(&walk, block, size);
	while ((r = step(&walk, &packet)) > 0) {
		const size_t begin = (size_t)(packet.bytes - block);

		if (begin > size || packet.captured_length > size - begin)
			abort();
		for (uint32_t i = 0; i < packet.captured_length; i++)
			sum = (uint8_t)(sum + packet.bytes[i]);
		needed += RECORD_AND_TAG + packet.captured_length;
		count++;
	}
	if (needed > size || (r != 0 && r != -EBADMSG))
		abort();
	if (r == 0 && (size < LEAST_SIZE || count != block_packet_count(block)))
		abort();
	free(block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	walk_all(block_walk_next, data, size);
	walk_all(cooked_next, data, size);
	walk_all(cooked_netlink_next, data, size);
	return 0;
}
