/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * A way to compress: each run of bytes into a frame of its own, which needs no other to be read and
 * says how long what it holds is, with a checksum.  Frames one behind the other are a file that the
 * usual tools read.  A table for each library: encoder.h and decoder.h are for everybody else.
 */
struct frames {
	/* What may be done to `capacity` bytes at most, with all the memory that it will need. */
	int (*encoder_new)(void **ret_state, uint64_t level, size_t capacity);
	/* The greatest size of a frame of so many bytes. */
	size_t (*bound)(const void *state, size_t size);
	/* Put a frame of `size` bytes where there is `room`: its size, or 0 where that failed. */
	size_t (*encode)(void *state, uint8_t *to, size_t room, const uint8_t *from, size_t size);
	void (*encoder_free)(void *state);

	int (*decoder_new)(void **ret_state);
	/*
	 * Go on with a frame, or begin one: up to *in_size bytes are taken and up to *out_size put;
	 * both are set to what was.  Returns 1 where a frame ended, 0 where it goes on, -EBADMSG.
	 */
	int (*decode)(
	    void *state, const uint8_t *in, size_t *in_size, uint8_t *out, size_t *out_size);
	void (*decoder_free)(void *state);

	uint8_t magic[4]; /* that each frame begins with */
};

enum { FRAMES_MAGIC_SIZE = 4 };

extern const struct frames frames_lz4, frames_zstd;
