/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * A window onto a file that outlives the worker: byte i of it holds stream offset i modulo its
 * size, and it is mapped twice back to back, so that nothing ever wraps.
 */
struct stage;

/*
 * Map a stage; fd is a file of `size` bytes, a multiple of STAGE_UNIT, and stays the caller's.
 * Returns 0 or a negative errno.
 */
int stage_open(struct stage **ret_stage, int fd, size_t size);
void stage_close(struct stage *stage);

/* Where a stream offset lies: `size` bytes from there on are addressable. */
uint8_t *stage_at(const struct stage *stage, uint64_t offset);
size_t stage_size(const struct stage *stage);

/* Alignment of what is written with O_DIRECT: that of every disk with 512 or 4096 byte sectors. */
enum { STAGE_UNIT = 4096 };

static inline uint64_t stage_round_down(uint64_t offset)
{
	return offset & ~(uint64_t)(STAGE_UNIT - 1);
}

static inline uint64_t stage_round_up(uint64_t offset)
{
	return stage_round_down(offset + STAGE_UNIT - 1);
}
