/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/decoder.h"

#include "base/array.h"
#include "storage/frames.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct decoder {
	const struct frames *frames;
	void *state;
};

static const struct frames *const ways[] = {
	[COMPRESSION_LZ4] = &frames_lz4,
	[COMPRESSION_ZSTD] = &frames_zstd,
};

enum compression decoder_compression(const uint8_t *magic)
{
	_Static_assert((int)DECODER_MAGIC_SIZE == (int)FRAMES_MAGIC_SIZE, "of the same bytes");

	for (size_t i = COMPRESSION_LZ4; i < COUNT_OF(ways); i++)
		if (memcmp(magic, ways[i]->magic, FRAMES_MAGIC_SIZE) == 0)
			return (enum compression)i;
	return COMPRESSION_NONE;
}

int decoder_new(struct decoder **ret_decoder, enum compression compression)
{
	struct decoder *decoder = calloc(1, sizeof(*decoder));
	int r;

	if (!decoder)
		return -ENOMEM;
	decoder->frames = ways[compression];
	r = decoder->frames->decoder_new(&decoder->state);
	if (r < 0) {
		free(decoder);
		return r;
	}
	*ret_decoder = decoder;
	return 0;
}

void decoder_free(struct decoder *decoder)
{
	if (!decoder)
		return;
	decoder->frames->decoder_free(decoder->state);
	free(decoder);
}

int decoder_step(
    struct decoder *decoder, const uint8_t *in, size_t *in_size, uint8_t *out, size_t *out_size)
{
	return decoder->frames->decode(decoder->state, in, in_size, out, out_size);
}
