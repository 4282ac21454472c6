/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/capacity.h"

#include "base/array.h"
#include "base/clock.h"

#include <errno.h>

enum {
	SLOT_HEADER = 96,
	SLOT_ALIGNMENT = 8,
	BLOCK_HEADER = 48,
	BLOCK_SIZE_LEAST = 1 << 16,
	BLOCK_SIZE_USUAL = 1 << 20,
	BLOCK_SIZE_MOST = 1 << 30,
	/* The block being read, and the one being filled. */
	BLOCKS_TAKEN = 2,
};

static uint64_t slot_of(const struct capacity_load *load)
{
	uint64_t bytes = load->packet;

	if (load->captured > 0)
		bytes = LEAST(bytes, (uint64_t)load->captured);
	return (SLOT_HEADER - load->link_header + bytes + SLOT_ALIGNMENT - 1) / SLOT_ALIGNMENT *
	       SLOT_ALIGNMENT;
}

uint64_t capacity_of_block(uint64_t block_size, const struct capacity_load *load)
{
	return MOST((block_size - BLOCK_HEADER - 1) / slot_of(load), UINT64_C(1));
}

static double packets_a_second(const struct capacity_load *load)
{
	return (double)load->bits / 8 / (double)load->packet;
}

static double blocks_a_second(const struct geometry *geometry, const struct capacity_load *load)
{
	return packets_a_second(load) / (double)capacity_of_block(geometry->block_size, load);
}

static double retire_seconds(const struct geometry *geometry)
{
	return geometry->retire_timeout_ms / 1000.0;
}

double capacity_burst(const struct geometry *geometry, const struct capacity_load *load)
{
	return geometry->block_count / blocks_a_second(geometry, load);
}

double capacity_gap(const struct geometry *geometry, const struct capacity_load *load)
{
	const double quiet = (geometry->block_count - 1) * retire_seconds(geometry);

	return load->bits == 0 ? quiet : LEAST(quiet, capacity_burst(geometry, load));
}

double capacity_sure_gap(const struct geometry *geometry, const struct capacity_load *load)
{
	double used = 1 / retire_seconds(geometry);

	if (load->bits > 0)
		used += blocks_a_second(geometry, load);
	return (geometry->block_count - BLOCKS_TAKEN) / used;
}

/* ---- the other way round ----------------------------------------------------------------- */

static struct ring_config ring_of_blocks(const struct capacity_wish *wish, uint64_t block_size)
{
	const double packets =
	    packets_a_second(&wish->load) * (double)wish->gap_ns / (double)NSEC_PER_SEC;
	const double full = packets / (double)capacity_of_block(block_size, &wish->load);
	const uint64_t cut_short = wish->gap_ns / wish->retire_timeout + 1;
	struct ring_config ring = { .block_size = block_size,
		.retire_timeout = wish->retire_timeout };

	/* Above this no rule is met, and below it nothing overflows. */
	if (full < UINT32_MAX && cut_short < UINT32_MAX)
		ring.memory = ((uint64_t)full + 1 + cut_short + BLOCKS_TAKEN) * block_size;
	return ring;
}

static bool is_right(const struct ring_config *ring, const struct capacity_wish *wish)
{
	const struct geometry_rule *rule;
	struct geometry geometry;

	return geometry_plan(&geometry, ring, &rule) == 0 &&
	       geometry_largest_frame(&geometry, wish->load.link_header) >= wish->load.packet;
}

static int choose_block_size(struct ring_config *ret_ring, const struct capacity_wish *wish)
{
	struct ring_config best = { 0 };
	uint64_t least = 0;

	for (uint64_t size = BLOCK_SIZE_LEAST; size <= BLOCK_SIZE_MOST; size *= 2) {
		const struct ring_config ring = ring_of_blocks(wish, size);

		if (size > BLOCK_SIZE_USUAL && least > 0)
			break;
		if (!is_right(&ring, wish))
			continue;
		if (least == 0 || ring.memory < least)
			least = ring.memory;
		if (ring.memory / 2 <= least)
			best = ring;
	}
	if (least == 0)
		return -ERANGE;
	*ret_ring = best;
	return 0;
}

int capacity_suggest(struct ring_config *ret_ring, const struct capacity_wish *wish)
{
	struct ring_config ring;

	if (wish->block_size == 0)
		return choose_block_size(ret_ring, wish);
	ring = ring_of_blocks(wish, wish->block_size);
	if (!is_right(&ring, wish))
		return -ERANGE;
	*ret_ring = ring;
	return 0;
}
