/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The bytes of a file or a pipe, in order, as many at a time as who reads them asks for; of what is
 * compressed, the bytes that it holds.  Knows nothing of the formats of these.
 */
struct source_frames;

/*
 * Called before each read that may have to wait, so that work which is due can be done first.  A
 * negative errno ends the reading with that error.
 */
typedef int source_wait(void *context, int fd);

struct source {
	int fd; /* the caller's */
	uint8_t *bytes;
	size_t capacity;
	size_t begin, end; /* of what was read and not yet taken */
	uint64_t offset;   /* of begin in the file, or in what it holds */
	bool has_ended;
	struct source_frames *frames; /* of what is compressed */
	source_wait *wait;            /* NULL: reads may block */
	void *context;
};

/* Up to where frames of a compressed file were whole, of what was read so far. */
struct source_frame {
	uint64_t end;    /* in the file */
	uint64_t offset; /* in what it holds */
};

/*
 * Begin: where the first bytes are those of a frame, all that follows is read as frames.  Returns
 * 0 or a negative errno.
 */
int source_begin(struct source *source);

/*
 * Where the last frame ended that was read.  As it is read no further than that at once, all that
 * was taken lies in whole frames where source_left() is 0 and `offset` is that of the source.
 * False for what is not compressed.
 */
bool source_frame_end(const struct source *source, struct source_frame *ret_frame);

/* Whether what was compressed is damaged, or ends within a frame: why, or NULL; whether the latter.
 */
const char *source_fault(const struct source *source);
bool source_is_cut(const struct source *source);

/* Have `size` bytes at source_at(): 1, 0 where the file ends before, or a negative errno.
 * Where source_fault() says why, too, the file ends. */
int source_need(struct source *source, size_t size);

/* What was not taken yet; lent until the next source_need() or source_pass(). */
static inline const uint8_t *source_at(const struct source *source)
{
	return source->bytes + source->begin;
}

static inline size_t source_left(const struct source *source)
{
	return source->end - source->begin;
}

/* Take bytes that are there; they stay lent. */
static inline void source_take(struct source *source, size_t size)
{
	source->begin += size;
	source->offset += size;
}

/* Leave out bytes that need not be there yet: 1, 0 where the file ends before, or a negative errno.
 */
int source_pass(struct source *source, uint64_t size);

/* Free the memory; the descriptor stays the caller's. */
void source_release(struct source *source);
