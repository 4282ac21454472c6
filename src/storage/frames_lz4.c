/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/frames.h"

#include <errno.h>
#include <lz4frame.h>
#include <stdbool.h>
#include <stdlib.h>

enum { SMALL = 64, FRAME_OF_SMALL = 512 };

struct encoder_state {
	LZ4F_cctx *context;
	LZ4F_preferences_t preferences;
};

static void free_encoder(void *state)
{
	struct encoder_state *encoder = state;

	if (!encoder)
		return;
	(void)LZ4F_freeCompressionContext(encoder->context);
	free(encoder);
}

static size_t bound(const void *state, size_t size)
{
	const struct encoder_state *encoder = state;

	return LZ4F_compressFrameBound(size, &encoder->preferences);
}

static size_t encode(void *state, uint8_t *to, size_t room, const uint8_t *from, size_t size)
{
	struct encoder_state *encoder = state;
	size_t done, n;

	encoder->preferences.frameInfo.contentSize = size;
	done = LZ4F_compressBegin(encoder->context, to, room, &encoder->preferences);
	if (LZ4F_isError(done))
		return 0;
	n = LZ4F_compressUpdate(encoder->context, to + done, room - done, from, size, NULL);
	if (LZ4F_isError(n))
		return 0;
	done += n;
	n = LZ4F_compressEnd(encoder->context, to + done, room - done, NULL);
	return LZ4F_isError(n) ? 0 : done + n;
}

/* What the library allocates with the first frame serves all that follow. */
static bool try_once(struct encoder_state *encoder)
{
	static const uint8_t nothing[SMALL];
	uint8_t frame[FRAME_OF_SMALL];

	return bound(encoder, SMALL) <= sizeof(frame) &&
	       encode(encoder, frame, sizeof(frame), nothing, SMALL) > 0;
}

static int new_encoder(void **ret_state, uint64_t level, size_t capacity)
{
	struct encoder_state *encoder = calloc(1, sizeof(*encoder));

	(void)capacity;
	if (!encoder)
		return -ENOMEM;
	/* No block needs the one before it, and none is kept back: then nothing is copied, either.
	 */
	encoder->preferences = (LZ4F_preferences_t) {
		.frameInfo = { .blockSizeID = LZ4F_max256KB,
		    .blockMode = LZ4F_blockIndependent,
		    .contentChecksumFlag = LZ4F_contentChecksumEnabled },
		.compressionLevel = (int)level,
		.autoFlush = 1,
	};
	if (LZ4F_isError(LZ4F_createCompressionContext(&encoder->context, LZ4F_VERSION)) ||
	    !try_once(encoder)) {
		free_encoder(encoder);
		return -ENOMEM;
	}
	*ret_state = encoder;
	return 0;
}

static int new_decoder(void **ret_state)
{
	LZ4F_dctx *context;

	if (LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION)))
		return -ENOMEM;
	*ret_state = context;
	return 0;
}

static int decode(void *state, const uint8_t *in, size_t *in_size, uint8_t *out, size_t *out_size)
{
	size_t r = LZ4F_decompress(state, out, out_size, in, in_size, NULL);

	if (LZ4F_isError(r))
		return -EBADMSG;
	return r == 0;
}

static void free_decoder(void *state)
{
	(void)LZ4F_freeDecompressionContext(state);
}

const struct frames frames_lz4 = {
	.encoder_new = new_encoder,
	.bound = bound,
	.encode = encode,
	.encoder_free = free_encoder,
	.decoder_new = new_decoder,
	.decode = decode,
	.decoder_free = free_decoder,
	.magic = { 0x04, 0x22, 0x4d, 0x18 },
};
