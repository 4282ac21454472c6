/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "config/config.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Reads frames of lz4 or zstd, ours or others', one behind the other.  Given bytes as they come;
 * does not read files.
 */
struct decoder;

enum { DECODER_MAGIC_SIZE = 4 };

/* What a file that begins with these DECODER_MAGIC_SIZE bytes is compressed by. */
enum compression decoder_compression(const uint8_t *magic);

/* Returns 0, or -ENOMEM. */
int decoder_new(struct decoder **ret_decoder, enum compression compression);

/* NULL is allowed. */
void decoder_free(struct decoder *decoder);

/*
 * Go on with a frame, or begin one: up to *in_size bytes are taken and up to *out_size put; both
 * are set to what was.  Returns 1 where a frame ended with these, 0 where it goes on, or -EBADMSG
 * for what is no frame; then the decoder is of no use any more.
 */
int decoder_step(
    struct decoder *decoder, const uint8_t *in, size_t *in_size, uint8_t *out, size_t *out_size);
