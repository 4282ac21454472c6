/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * The folder quarantine/ of the output directory, for ring blocks that nobody can read: as the
 * kernel wrote them, so that what is wrong with them can be found.
 */

/* Where a block came from. */
struct quarantine_origin {
	const char *sensor, *interface;
	uint32_t worker;
	uint64_t cookie; /* of its ring */
	uint64_t number;
};

/* Its name, relative to the output directory: the same for the same block. */
void quarantine_name(char *name, size_t size, const struct quarantine_origin *origin);

/*
 * Keep a block under that name, in place of what an earlier try left of it.  Blocks on the disk.
 * Returns 0 or a negative errno.
 */
int quarantine_put(int output, const char *name, const void *bytes, size_t size);
