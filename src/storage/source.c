/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/source.h"

#include "base/array.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CAPACITY_LEAST = 256 << 10 };

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

static int fill(struct source *source)
{
	ssize_t got;
	int r = source->wait ? source->wait(source->context, source->fd) : 0;

	if (r < 0)
		return r;
	got = read(source->fd, source->bytes + source->end, source->capacity - source->end);
	if (got < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : -errno;
	source->end += (size_t)got;
	source->has_ended = got == 0;
	return 0;
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
	free(source->bytes);
	source->bytes = NULL;
	source->capacity = source->begin = source->end = 0;
}
