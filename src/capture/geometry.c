/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/geometry.h"

#include "base/array.h"
#include "base/clock.h"

#include <errno.h>
#include <unistd.h>

/*
 * A multiple of TPACKET_ALIGNMENT above the header; with a page as the least block, it always
 * divides into whole frames.
 */
enum { FRAME_SIZE = 2048, BLOCK_OVERHEAD = 130, BLOCKS_LEAST = 2 };

struct question {
	uint64_t block_size, block_count, timeout_ms, page;
};

static bool block_is_of_pages(const struct question *q)
{
	return q->block_size >= q->page && q->block_size % q->page == 0;
}

static bool block_fits_int(const struct question *q)
{
	return q->block_size <= INT32_MAX;
}

static bool has_two_blocks(const struct question *q)
{
	return q->block_count >= BLOCKS_LEAST;
}

static bool frames_fit_int(const struct question *q)
{
	return q->block_count <= UINT32_MAX / MOST(q->block_size / FRAME_SIZE, UINT64_C(1)) &&
	       q->block_count <= INT32_MAX;
}

static bool retires(const struct question *q)
{
	return q->timeout_ms >= 1 && q->timeout_ms <= INT32_MAX;
}

static const struct {
	bool (*holds)(const struct question *);
	const char *rule;
} rules[] = {
	{ block_is_of_pages, "ring.block_size must be a multiple of the page size" },
	{ block_fits_int, "ring.block_size must be below 2 GiB" },
	{ has_two_blocks, "ring.memory must hold at least two blocks of ring.block_size" },
	{ frames_fit_int, "ring.memory holds more blocks than the kernel can count" },
	{ retires,
	    "ring.retire_timeout must be at least 1 ms: with 0 the kernel chooses its own by the "
	    "link's speed" },
};

int geometry_plan(
    struct geometry *ret_geometry, const struct ring_config *ring, const char **ret_rule)
{
	const struct question question = {
		.block_size = ring->block_size,
		.block_count = ring->block_size ? ring->memory / ring->block_size : 0,
		.timeout_ms = ring->retire_timeout / NSEC_PER_MSEC,
		.page = (uint64_t)sysconf(_SC_PAGESIZE),
	};

	for (size_t i = 0; i < COUNT_OF(rules); i++) {
		if (rules[i].holds(&question))
			continue;
		*ret_rule = rules[i].rule;
		return -EINVAL;
	}
	*ret_geometry = (struct geometry) {
		.block_size = (uint32_t)question.block_size,
		.block_count = (uint32_t)question.block_count,
		.frame_size = FRAME_SIZE,
		.frame_count = (uint32_t)(question.block_size / FRAME_SIZE * question.block_count),
		.retire_timeout_ms = (uint32_t)question.timeout_ms,
	};
	return 0;
}

uint64_t geometry_memory(const struct geometry *geometry)
{
	uint64_t block = (uint64_t)sysconf(_SC_PAGESIZE);

	while (block < geometry->block_size)
		block *= 2;
	return block * geometry->block_count;
}

uint32_t geometry_largest_frame(const struct geometry *geometry)
{
	return geometry->block_size - BLOCK_OVERHEAD;
}

uint64_t geometry_patience_ns(const struct geometry *geometry)
{
	return (uint64_t)(geometry->block_count - 1) * geometry->retire_timeout_ms * NSEC_PER_MSEC;
}
