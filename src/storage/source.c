/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/source.h"

#include "base/array.h"
#include "storage/decoder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CAPACITY_LEAST = 256 << 10 };

struct source_frames {
	struct decoder *decoder;
	uint8_t bytes[CAPACITY_LEAST]; /* of the file */
	size_t begin, end;             /* of these, what was not decoded yet */
	uint64_t read;                 /* of the file, up to `end` */
	struct source_frame last;
	bool is_within; /* a frame */
	bool has_more;  /* the decoder may, of bytes that it has taken */
	bool is_cut;    /* the file ends within one */
	const char *fault;
};

static int make_room(struct source *source, size_t size)
{
	size_t capacity = MOST(source->capacity, (size_t)CAPACITY_LEAST);
	size_t left = source_left(source);
	uint8_t *bytes;

	if (source->begin > 0 && left > 0)
		memmove(source->bytes, source_at(source), left);
	source->begin = 0;
	source->end = left;
	while (capacity < size)
		capacity *= 2;
	if (capacity == source->capacity)
		return 0;
	bytes = realloc(source->bytes, capacity);
	if (!bytes)
		return -ENOMEM;
	source->bytes = bytes;
	source->capacity = capacity;
	return 0;
}

/* Returns how many there were, also none for now, or a negative errno. */
static ssize_t read_some(struct source *source, uint8_t *to, size_t room)
{
	ssize_t got;
	int r = source->wait ? source->wait(source->context, source->fd) : 0;

	if (r < 0)
		return r;
	got = read(source->fd, to, room);
	if (got < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : -errno;
	source->has_ended = got == 0;
	return got;
}

static int fill_plain(struct source *source)
{
	ssize_t got =
	    read_some(source, source->bytes + source->end, source->capacity - source->end);

	if (got < 0)
		return (int)got;
	source->end += (size_t)got;
	return 0;
}

/* ---- what is compressed ------------------------------------------------------------------ */

static int end_with(struct source *source, const char *fault)
{
	source->frames->fault = fault;
	source->has_ended = true;
	return 0;
}

/* Up to the end of a frame, at most: so who takes all has taken whole frames. */
static int decode(struct source *source)
{
	struct source_frames *frames = source->frames;
	size_t in = frames->end - frames->begin, out = source->capacity - source->end;
	const bool was_given = in > 0;
	int r = decoder_step(
	    frames->decoder, frames->bytes + frames->begin, &in, source->bytes + source->end, &out);

	if (r < 0 || (was_given && in == 0 && out == 0))
		return end_with(source, "bytes that are no frame, or a damaged one");
	frames->begin += in;
	source->end += out;
	frames->is_within = r == 0;
	frames->has_more = r == 0 && source->end == source->capacity;
	if (r > 0)
		frames->last = (struct source_frame) {
			.end = frames->read - (frames->end - frames->begin),
			.offset = source->offset + source_left(source),
		};
	return 0;
}

static int fill_decoded(struct source *source)
{
	struct source_frames *frames = source->frames;
	ssize_t got;

	if (frames->begin < frames->end || frames->has_more)
		return decode(source);
	frames->begin = frames->end = 0;
	got = read_some(source, frames->bytes, sizeof(frames->bytes));
	if (got < 0)
		return (int)got;
	frames->end = (size_t)got;
	frames->read += (uint64_t)got;
	frames->is_cut = source->has_ended && frames->is_within;
	return frames->is_cut ? end_with(source, "ends within a frame") : 0;
}

int source_begin(struct source *source)
{
	struct source_frames *frames;
	enum compression compression;
	int r = source_need(source, DECODER_MAGIC_SIZE);

	if (r <= 0)
		return r;
	compression = decoder_compression(source_at(source));
	if (compression == COMPRESSION_NONE)
		return 0;
	frames = calloc(1, sizeof(*frames));
	if (!frames)
		return -ENOMEM;
	r = decoder_new(&frames->decoder, compression);
	if (r < 0) {
		free(frames);
		return r;
	}
	/* No more was read than there is room for. */
	frames->end = LEAST(source_left(source), sizeof(frames->bytes));
	memcpy(frames->bytes, source_at(source), frames->end);
	frames->read = frames->end;
	source->begin = source->end = 0;
	source->frames = frames;
	return 0;
}

bool source_frame_end(const struct source *source, struct source_frame *ret_frame)
{
	if (!source->frames)
		return false;
	*ret_frame = source->frames->last;
	return true;
}

const char *source_fault(const struct source *source)
{
	return source->frames ? source->frames->fault : NULL;
}

bool source_is_cut(const struct source *source)
{
	return source->frames && source->frames->is_cut;
}

/* ---- both -------------------------------------------------------------------------------- */

static int fill(struct source *source)
{
	return source->frames ? fill_decoded(source) : fill_plain(source);
}

int source_need(struct source *source, size_t size)
{
	int r = 0;

	if (source_left(source) >= size)
		return 1;
	if (!source->has_ended)
		r = make_room(source, size);
	while (r == 0 && source_left(source) < size && !source->has_ended)
		r = fill(source);
	if (r < 0)
		return r;
	return source_left(source) >= size;
}

int source_pass(struct source *source, uint64_t size)
{
	while (size > 0) {
		size_t step = (size_t)LEAST(size, (uint64_t)CAPACITY_LEAST);
		int r = source_need(source, step);

		if (r <= 0)
			return r;
		source_take(source, step);
		size -= step;
	}
	return 1;
}

void source_release(struct source *source)
{
	if (source->frames)
		decoder_free(source->frames->decoder);
	free(source->frames);
	free(source->bytes);
	source->frames = NULL;
	source->bytes = NULL;
	source->capacity = source->begin = source->end = 0;
}
