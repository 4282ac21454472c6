/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/capture_builder.h"

#include <stdlib.h>
#include <string.h>

void capture_begin(struct capture_builder *capture, bool is_swapped)
{
	capture->size = 0;
	capture->is_swapped = is_swapped;
}

void capture_put(struct capture_builder *capture, const void *bytes, size_t size)
{
	if (size > sizeof(capture->bytes) - capture->size)
		abort();
	memcpy(capture->bytes + capture->size, bytes, size);
	capture->size += size;
}

void capture_put16(struct capture_builder *capture, uint16_t value)
{
	value = capture->is_swapped ? __builtin_bswap16(value) : value;
	capture_put(capture, &value, sizeof(value));
}

void capture_put32(struct capture_builder *capture, uint32_t value)
{
	value = capture->is_swapped ? __builtin_bswap32(value) : value;
	capture_put(capture, &value, sizeof(value));
}

void capture_set32(struct capture_builder *capture, size_t at, uint32_t value)
{
	value = capture->is_swapped ? __builtin_bswap32(value) : value;
	memcpy(capture->bytes + at, &value, sizeof(value));
}

static void put_fill(struct capture_builder *capture, uint32_t length, uint8_t fill)
{
	for (uint32_t i = 0; i < length; i++)
		capture_put(capture, &fill, 1);
}

static void put64(struct capture_builder *capture, uint64_t value)
{
	value = capture->is_swapped ? __builtin_bswap64(value) : value;
	capture_put(capture, &value, sizeof(value));
}

void capture_pcap_header(struct capture_builder *capture, uint32_t magic, uint32_t link_type)
{
	capture_put32(capture, magic);
	capture_put16(capture, 2);
	capture_put16(capture, 4);
	capture_put32(capture, 0);
	capture_put32(capture, 0);
	capture_put32(capture, 65535);
	capture_put32(capture, link_type);
}

void capture_pcap_packet(struct capture_builder *capture, uint32_t seconds, uint32_t fraction,
    uint32_t length, uint8_t fill)
{
	capture_put32(capture, seconds);
	capture_put32(capture, fraction);
	capture_put32(capture, length);
	capture_put32(capture, length);
	put_fill(capture, length, fill);
}

void capture_block_begin(struct capture_builder *capture, uint32_t type)
{
	capture->block = capture->size;
	capture_put32(capture, type);
	capture_put32(capture, 0);
}

void capture_block_end(struct capture_builder *capture)
{
	uint32_t length;

	while (capture->size % 4 != 0)
		put_fill(capture, 1, 0);
	length = (uint32_t)(capture->size - capture->block) + 4;
	capture_put32(capture, length);
	capture_set32(capture, capture->block + 4, length);
}

void capture_section(struct capture_builder *capture)
{
	capture_block_begin(capture, 0x0a0d0d0a);
	capture_put32(capture, 0x1a2b3c4d);
	capture_put16(capture, 1);
	capture_put16(capture, 0);
	put64(capture, UINT64_MAX);
	capture_block_end(capture);
}

void capture_interface(struct capture_builder *capture, uint16_t link_type, uint32_t snaplen,
    int resolution, int64_t offset)
{
	enum { COMMENT = 1, TSRESOL = 9, TSOFFSET = 14 };

	capture_block_begin(capture, 1);
	capture_put16(capture, link_type);
	capture_put16(capture, 0);
	capture_put32(capture, snaplen);
	/* One that nobody asks for, with padding. */
	capture_put16(capture, COMMENT);
	capture_put16(capture, 5);
	capture_put(capture, "hello\0\0\0", 8);
	if (resolution >= 0) {
		const uint8_t value[4] = { (uint8_t)resolution };

		capture_put16(capture, TSRESOL);
		capture_put16(capture, 1);
		capture_put(capture, value, sizeof(value));
	}
	if (offset != 0) {
		capture_put16(capture, TSOFFSET);
		capture_put16(capture, 8);
		put64(capture, (uint64_t)offset);
	}
	if (resolution >= 0 || offset != 0)
		capture_put32(capture, 0);
	capture_block_end(capture);
}

static void put_stamped(
    struct capture_builder *capture, uint64_t ticks, uint32_t length, uint8_t fill)
{
	capture_put32(capture, (uint32_t)(ticks >> 32));
	capture_put32(capture, (uint32_t)ticks);
	capture_put32(capture, length);
	capture_put32(capture, length);
	put_fill(capture, length, fill);
	capture_block_end(capture);
}

void capture_enhanced(struct capture_builder *capture, uint32_t interface, uint64_t ticks,
    uint32_t length, uint8_t fill)
{
	capture_block_begin(capture, 6);
	capture_put32(capture, interface);
	put_stamped(capture, ticks, length, fill);
}

void capture_older(struct capture_builder *capture, uint16_t interface, uint64_t ticks,
    uint32_t length, uint8_t fill)
{
	capture_block_begin(capture, 2);
	capture_put16(capture, interface);
	capture_put16(capture, 7);
	put_stamped(capture, ticks, length, fill);
}

void capture_simple(struct capture_builder *capture, uint32_t wire, uint32_t captured, uint8_t fill)
{
	capture_block_begin(capture, 3);
	capture_put32(capture, wire);
	put_fill(capture, captured, fill);
	capture_block_end(capture);
}
