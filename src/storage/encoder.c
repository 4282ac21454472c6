/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/encoder.h"

#include "base/cleanup.h"
#include "storage/frames.h"

#include <errno.h>
#include <sys/mman.h>

struct encoder {
	struct encoder_terms terms;
	const struct frames *frames;
	void *state;
	uint8_t *scratch;
};

DEFINE_CLEANUP(struct encoder *, encoder_free)

static const struct frames *const ways[] = {
	[COMPRESSION_LZ4] = &frames_lz4,
	[COMPRESSION_ZSTD] = &frames_zstd,
};

/* It holds packets, as the stage does: not for a core dump. */
static uint8_t *make_scratch(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	(void)madvise(memory, size, MADV_DONTDUMP);
	return memory;
}

int encoder_new(struct encoder **ret_encoder, const struct encoder_terms *terms)
{
	CLEANUP(encoder_free_at) struct encoder *encoder = NULL;
	int r;

	*ret_encoder = NULL;
	if (terms->compression == COMPRESSION_NONE)
		return 0;
	encoder = calloc(1, sizeof(*encoder));
	if (!encoder)
		return -ENOMEM;
	encoder->terms = *terms;
	encoder->frames = ways[terms->compression];
	encoder->scratch = make_scratch(terms->capacity + ENCODER_MARGIN);
	if (!encoder->scratch)
		return -ENOMEM;
	r = encoder->frames->encoder_new(&encoder->state, terms->level, terms->capacity);
	if (r < 0)
		return r;
	*ret_encoder = TAKE(encoder);
	return 0;
}

void encoder_free(struct encoder *encoder)
{
	if (!encoder)
		return;
	if (encoder->state)
		encoder->frames->encoder_free(encoder->state);
	if (encoder->scratch)
		munmap(encoder->scratch, encoder->terms.capacity + ENCODER_MARGIN);
	free(encoder);
}

bool encoder_is_of(const struct encoder *encoder, const struct encoder_terms *terms)
{
	if (!encoder || terms->compression == COMPRESSION_NONE)
		return !encoder && terms->compression == COMPRESSION_NONE;
	return encoder->terms.compression == terms->compression &&
	       encoder->terms.level == terms->level && encoder->terms.capacity == terms->capacity;
}

uint8_t *encoder_scratch(const struct encoder *encoder)
{
	return encoder->scratch + ENCODER_MARGIN;
}

size_t encoder_bound(const struct encoder *encoder, size_t size)
{
	return encoder ? encoder->frames->bound(encoder->state, size) : size;
}

size_t encoder_put(struct encoder *encoder, uint8_t *to, const uint8_t *from, size_t size)
{
	return encoder->frames->encode(
	    encoder->state, to, encoder_bound(encoder, size), from, size);
}
