/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/frames.h"

#include "base/array.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

/* For a context in memory of our own, which never allocates. */
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>

struct encoder_state {
	ZSTD_CCtx *context; /* in `memory` */
	void *memory;
};

static void free_encoder(void *state)
{
	struct encoder_state *encoder = state;

	if (!encoder)
		return;
	free(encoder->memory);
	free(encoder);
}

/*
 * The library has other parameters for up to 16, 128 and 256 KiB, and less need for memory the less
 * there is within each.
 */
static size_t memory_for(int level, size_t capacity)
{
	const size_t sizes[] = { 16 << 10, 128 << 10, 256 << 10, capacity };
	size_t most = 0;

	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		size_t size = ZSTD_estimateCCtxSize_usingCParams(
		    ZSTD_getCParams(level, LEAST(sizes[i], capacity), 0));

		if (ZSTD_isError(size))
			return 0;
		most = MOST(most, size);
	}
	return most;
}

static bool set(const struct encoder_state *encoder, ZSTD_cParameter parameter, int value)
{
	return !ZSTD_isError(ZSTD_CCtx_setParameter(encoder->context, parameter, value));
}

static int new_encoder(void **ret_state, uint64_t level, size_t capacity)
{
	struct encoder_state *encoder = calloc(1, sizeof(*encoder));
	size_t size = memory_for((int)level, capacity);

	if (!encoder)
		return -ENOMEM;
	encoder->memory = size > 0 ? malloc(size) : NULL;
	if (encoder->memory)
		encoder->context = ZSTD_initStaticCCtx(encoder->memory, size);
	/* One that is made so has not even the library's own defaults. */
	if (!encoder->context ||
	    ZSTD_isError(ZSTD_CCtx_reset(encoder->context, ZSTD_reset_session_and_parameters)) ||
	    !set(encoder, ZSTD_c_compressionLevel, (int)level) ||
	    !set(encoder, ZSTD_c_contentSizeFlag, 1) || !set(encoder, ZSTD_c_checksumFlag, 1)) {
		free_encoder(encoder);
		return -ENOMEM;
	}
	*ret_state = encoder;
	return 0;
}

static size_t bound(const void *state, size_t size)
{
	(void)state;
	return ZSTD_compressBound(size);
}

static size_t encode(void *state, uint8_t *to, size_t room, const uint8_t *from, size_t size)
{
	struct encoder_state *encoder = state;
	size_t n = ZSTD_compress2(encoder->context, to, room, from, size);

	return ZSTD_isError(n) ? 0 : n;
}

static int new_decoder(void **ret_state)
{
	ZSTD_DCtx *context = ZSTD_createDCtx();

	if (!context)
		return -ENOMEM;
	*ret_state = context;
	return 0;
}

static int decode(void *state, const uint8_t *in, size_t *in_size, uint8_t *out, size_t *out_size)
{
	ZSTD_inBuffer from = { .src = in, .size = *in_size };
	ZSTD_outBuffer to = { .dst = out, .size = *out_size };
	size_t r = ZSTD_decompressStream(state, &to, &from);

	*in_size = from.pos;
	*out_size = to.pos;
	if (ZSTD_isError(r))
		return -EBADMSG;
	return r == 0;
}

static void free_decoder(void *state)
{
	(void)ZSTD_freeDCtx(state);
}

const struct frames frames_zstd = {
	.encoder_new = new_encoder,
	.bound = bound,
	.encode = encode,
	.encoder_free = free_encoder,
	.decoder_new = new_decoder,
	.decode = decode,
	.decoder_free = free_decoder,
	.magic = { 0x28, 0xb5, 0x2f, 0xfd },
};
