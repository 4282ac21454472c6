/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The bytes of a capture file as any program might have written it: pcap and pcapng, in both byte
 * orders, with all that the formats allow and with what they do not.
 */
enum { CAPTURE_SIZE_MOST = 1 << 16 };

struct capture_builder {
	uint8_t bytes[CAPTURE_SIZE_MOST];
	size_t size;
	bool is_swapped;
	size_t block; /* where the open block begins */
};

void capture_begin(struct capture_builder *capture, bool is_swapped);
void capture_put16(struct capture_builder *capture, uint16_t value);
void capture_put32(struct capture_builder *capture, uint32_t value);
void capture_put(struct capture_builder *capture, const void *bytes, size_t size);
/* Write over what is there. */
void capture_set32(struct capture_builder *capture, size_t at, uint32_t value);

void capture_pcap_header(struct capture_builder *capture, uint32_t magic, uint32_t link_type);
/* A packet of bytes that are all `fill`. */
void capture_pcap_packet(struct capture_builder *capture, uint32_t seconds, uint32_t fraction,
    uint32_t length, uint8_t fill);

/* Blocks are opened, filled by put, and closed, which writes both lengths. */
void capture_block_begin(struct capture_builder *capture, uint32_t type);
void capture_block_end(struct capture_builder *capture);
void capture_section(struct capture_builder *capture);
/* Options that may be left away: resolution -1, offset 0. */
void capture_interface(struct capture_builder *capture, uint16_t link_type, uint32_t snaplen,
    int resolution, int64_t offset);
void capture_enhanced(struct capture_builder *capture, uint32_t interface, uint64_t ticks,
    uint32_t length, uint8_t fill);
void capture_older(struct capture_builder *capture, uint16_t interface, uint64_t ticks,
    uint32_t length, uint8_t fill);
void capture_simple(
    struct capture_builder *capture, uint32_t wire, uint32_t captured, uint8_t fill);
