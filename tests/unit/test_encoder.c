/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames of lz4 and zstd: what goes in comes out, at each level, also of what does not become
 * smaller; each by itself, within its bound, and with its size; nothing is allocated for one.
 */
#include "support/cmocka.h"

#include "base/array.h"
#include "storage/decoder.h"
#include "storage/encoder.h"

#include <errno.h>
#include <lz4frame.h>
#include <malloc.h>
#include <string.h>
#include <zstd.h>

enum { CAPACITY = 1 << 20, ROOM = CAPACITY + CAPACITY / 64 + 1024 };

static uint8_t plain[CAPACITY], frames[3 * ROOM], back[CAPACITY];

static void fill_with_noise(uint8_t *bytes, size_t size)
{
	uint64_t state = UINT64_C(88172645463325252);

	for (size_t i = 0; i < size; i++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		bytes[i] = (uint8_t)(state >> 24);
	}
}

static void fill_with_zeroes(uint8_t *bytes, size_t size)
{
	memset(bytes, 0, size);
}

/* As packets are: headers that are much alike, and bodies that are not. */
static void fill_with_packets(uint8_t *bytes, size_t size)
{
	fill_with_noise(bytes, size);
	for (size_t i = 0; i + 64 < size; i += 200)
		memset(bytes + i, (int)(i % 3), 64);
}

static void (*const fillings[])(
    uint8_t *, size_t) = { fill_with_noise, fill_with_zeroes, fill_with_packets };
static const size_t sizes[] = { 1, 24, 4096, 16385, 131073, 262145, CAPACITY };
static const unsigned int levels_most[] = {
	[COMPRESSION_LZ4] = LZ4_LEVEL_MOST, [COMPRESSION_ZSTD] = ZSTD_LEVEL_MOST
};

static struct encoder *make(enum compression compression, uint64_t level)
{
	const struct encoder_terms terms = { compression, level, CAPACITY };
	struct encoder *encoder = NULL;

	assert_int_equal(encoder_new(&encoder, &terms), 0);
	assert_true(encoder_is_of(encoder, &terms));
	return encoder;
}

static uint64_t content_size(enum compression compression, const uint8_t *frame, size_t size)
{
	LZ4F_frameInfo_t info;
	LZ4F_dctx *context;

	if (compression == COMPRESSION_ZSTD)
		return ZSTD_getFrameContentSize(frame, size);
	assert_int_equal(LZ4F_createDecompressionContext(&context, LZ4F_VERSION), 0);
	assert_false(LZ4F_isError(LZ4F_getFrameInfo(context, &info, frame, &size)));
	LZ4F_freeDecompressionContext(context);
	return info.contentSize;
}

/* By a decoder that has seen no other frame. */
static void check_frame(enum compression compression, const uint8_t *frame, size_t size, size_t of)
{
	struct decoder *decoder;
	size_t at = 0, got = 0;
	int r = 0;

	assert_int_equal(decoder_compression(frame), compression);
	assert_int_equal(content_size(compression, frame, size), of);
	assert_int_equal(decoder_new(&decoder, compression), 0);
	while (r == 0) {
		size_t in = size - at, out = sizeof(back) - got;

		r = decoder_step(decoder, frame + at, &in, back + got, &out);
		at += in;
		got += out;
	}
	assert_int_equal(r, 1);
	assert_int_equal(at, size);
	assert_int_equal(got, of);
	assert_memory_equal(back, plain, of);
	decoder_free(decoder);
}

static void check_sizes(struct encoder *encoder, enum compression compression)
{
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		size_t bound = encoder_bound(encoder, sizes[i]);
		size_t size = encoder_put(encoder, frames, plain, sizes[i]);

		assert_true(bound <= sizes[i] + sizes[i] / 128 + 256);
		assert_true(size > 0 && size <= bound);
		check_frame(compression, frames, size, sizes[i]);
	}
}

static void at_each_level_all_comes_back(void **state)
{
	(void)state;
	for (int compression = COMPRESSION_LZ4; compression <= COMPRESSION_ZSTD; compression++)
		for (unsigned int level = 0; level <= levels_most[compression];
		     level += level < 3                          ? 1
			      : level < 9                        ? 3
			      : levels_most[compression] - level ? levels_most[compression] - level
								 : 1) {
			struct encoder *encoder = make((enum compression)compression, level);

			for (size_t i = 0; i < COUNT_OF(fillings); i++) {
				fillings[i](plain, sizeof(plain));
				check_sizes(encoder, (enum compression)compression);
			}
			encoder_free(encoder);
		}
}

static void each_frame_can_be_read_without_the_others(void **state)
{
	(void)state;
	fill_with_packets(plain, sizeof(plain));
	for (int i = COMPRESSION_LZ4; i <= COMPRESSION_ZSTD; i++) {
		const enum compression compression = (enum compression)i;
		struct encoder *encoder = make(compression, 1);
		size_t first = encoder_put(encoder, frames, plain, CAPACITY);
		size_t second = encoder_put(encoder, frames + first, plain, 5000);
		size_t third = encoder_put(encoder, frames + first + second, plain, 70000);

		check_frame(compression, frames + first + second, third, 70000);
		check_frame(compression, frames + first, second, 5000);
		check_frame(compression, frames, first, CAPACITY);
		encoder_free(encoder);
	}
}

static size_t allocated(void)
{
	const struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

static void a_frame_needs_no_more_memory(void **state)
{
	(void)state;
	fill_with_packets(plain, sizeof(plain));
	for (int i = COMPRESSION_LZ4; i <= COMPRESSION_ZSTD; i++) {
		struct encoder *encoder = make((enum compression)i, 9);
		size_t before = allocated();

		/* So many small ones that a library would make itself smaller, which it must not.
		 */
		for (int k = 0; k < 300; k++)
			assert_true(encoder_put(encoder, frames, plain, 100) > 0);
		assert_int_equal(allocated(), before);
		assert_true(encoder_put(encoder, frames, plain, CAPACITY) > 0);
		assert_int_equal(allocated(), before);
		encoder_free(encoder);
	}
}

static void a_damaged_frame_is_told(void **state)
{
	(void)state;
	fill_with_packets(plain, sizeof(plain));
	for (int i = COMPRESSION_LZ4; i <= COMPRESSION_ZSTD; i++) {
		struct encoder *encoder = make((enum compression)i, 0);
		size_t size = encoder_put(encoder, frames, plain, 5000);
		struct decoder *decoder;
		size_t at = 0;
		int r = 0;

		/* In what does not become smaller, a byte is wrong: the checksum alone can tell. */
		frames[size / 2] ^= 1;
		assert_int_equal(decoder_new(&decoder, (enum compression)i), 0);
		while (r == 0 && at < size) {
			size_t in = size - at, out = sizeof(back);

			r = decoder_step(decoder, frames + at, &in, back, &out);
			at += in;
		}
		assert_int_equal(r, -EBADMSG);
		decoder_free(decoder);
		encoder_free(encoder);
	}
}

static void no_compression_is_no_encoder(void **state)
{
	const struct encoder_terms none = { COMPRESSION_NONE, 0, CAPACITY };
	const struct encoder_terms some = { COMPRESSION_LZ4, 0, CAPACITY };
	const struct encoder_terms higher = { COMPRESSION_LZ4, 1, CAPACITY };
	struct encoder *encoder = make(COMPRESSION_LZ4, 0), *nothing = encoder;

	(void)state;
	assert_int_equal(encoder_new(&nothing, &none), 0);
	assert_null(nothing);
	assert_true(encoder_is_of(NULL, &none));
	assert_false(encoder_is_of(NULL, &some));
	assert_false(encoder_is_of(encoder, &none));
	assert_true(encoder_is_of(encoder, &some));
	assert_false(encoder_is_of(encoder, &higher));
	assert_int_equal(encoder_bound(NULL, 77), 77);
	encoder_free(encoder);
	encoder_free(NULL);
	decoder_free(NULL);
}

/* The configuration does not ask the libraries. */
static void the_bounds_of_levels_are_those_of_the_libraries(void **state)
{
	(void)state;
	assert_int_equal(LZ4F_compressionLevel_max(), LZ4_LEVEL_MOST);
	assert_int_equal(ZSTD_maxCLevel(), ZSTD_LEVEL_MOST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(at_each_level_all_comes_back),
		cmocka_unit_test(each_frame_can_be_read_without_the_others),
		cmocka_unit_test(a_frame_needs_no_more_memory),
		cmocka_unit_test(a_damaged_frame_is_told),
		cmocka_unit_test(no_compression_is_no_encoder),
		cmocka_unit_test(the_bounds_of_levels_are_those_of_the_libraries),
	};

	return RUN_TESTS(tests);
}
