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
	struct geometry_rule rule;
} rules[] = {
	{ block_is_of_pages,
	    { "ring.block_size",
		"is no multiple of the page size; a multiple of it, best a power of two such as "
		"64KiB or 1MiB" } },
	{ block_fits_int, { "ring.block_size", "is more than the kernel takes; below 2GiB" } },
	{ has_two_blocks,
	    { "ring.memory", "does not hold two blocks; at least twice ring.block_size" } },
	{ frames_fit_int,
	    { "ring.memory",
		"holds more blocks than the kernel can count; less memory, or a larger "
		"ring.block_size" } },
	{ retires,
	    { "ring.retire_timeout",
		"is no time that the kernel takes; at least 1ms, as with 0 it would choose its own "
		"by the link's speed" } },
};

static struct question question_of(const struct ring_config *ring)
{
	return (struct question) {
		.block_size = ring->block_size,
		.block_count = ring->block_size ? ring->memory / ring->block_size : 0,
		.timeout_ms = ring->retire_timeout / NSEC_PER_MSEC,
		.page = (uint64_t)sysconf(_SC_PAGESIZE),
	};
}

const struct geometry_rule *geometry_broken(const struct ring_config *ring, size_t nth)
{
	const struct question question = question_of(ring);

	for (size_t i = 0; i < COUNT_OF(rules); i++)
		if (!rules[i].holds(&question) && nth-- == 0)
			return &rules[i].rule;
	return NULL;
}

int geometry_plan(struct geometry *ret_geometry, const struct ring_config *ring,
    const struct geometry_rule **ret_rule)
{
	const struct question question = question_of(ring);
	const struct geometry_rule *broken = geometry_broken(ring, 0);

	if (broken) {
		*ret_rule = broken;
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
