/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "config/config.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Makes frames, as output.compression has it.  All memory is
 * taken at the beginning, and nothing of one frame is needed for the next.  NULL stands for none.
 */
struct encoder;

/* What it compresses by, and how much of it at most. */
struct encoder_terms {
	enum compression compression;
	uint64_t level; /* 0: the library's own default */
	size_t capacity;
};

/* Returns 0, also with NULL for COMPRESSION_NONE, or -ENOMEM. */
int encoder_new(struct encoder **ret_encoder, const struct encoder_terms *terms);
void encoder_free(struct encoder *encoder);

/* Whether it is what encoder_new() would make of these terms. */
bool encoder_is_of(const struct encoder *encoder, const struct encoder_terms *terms);

enum { ENCODER_MARGIN = 512 };

/*
 * Memory in which a block may be put together: `capacity` bytes, and ENCODER_MARGIN in front of
 * these.
 */
uint8_t *encoder_scratch(const struct encoder *encoder);

/* How many bytes the frame of so many may have; with NULL, as many. */
size_t encoder_bound(const struct encoder *encoder, size_t size);

/*
 * Put the frame of `size` bytes, wherever they are, and for which there must be room.  Returns its
 * size, or 0 where the library fails.
 */
size_t encoder_put(struct encoder *encoder, uint8_t *to, const uint8_t *from, size_t size);
