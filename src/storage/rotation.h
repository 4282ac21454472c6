/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "config/config.h"

/*
 * When a file is full or old.  Asked between two blocks, since a file holds whole blocks.  Pure.
 */
struct rotation_file {
	uint64_t bytes, packets;
	uint64_t begun_ns; /* UTC since the epoch */
};

/* Whether a block of so many bytes and packets would pass a bound of a file that holds some. */
bool rotation_is_full(const struct rotate_config *config, const struct rotation_file *file,
    uint64_t bytes, uint64_t packets);

/*
 * When the file is old: the next multiple of the interval after its beginning, in UTC since the
 * epoch; UINT64_MAX for never.
 */
uint64_t rotation_deadline(const struct rotate_config *config, uint64_t begun_ns);

/*
 * Whether the file is old at `now`.  A clock that was set back to before the interval in which the
 * file was begun makes it old too, or it would stay open for as long as the step was wide.
 */
bool rotation_is_old(
    const struct rotate_config *config, const struct rotation_file *file, uint64_t now_ns);
