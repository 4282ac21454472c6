/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "config/config.h"

/*
 * Whether the oldest finished file must go, by output.retain.  Pure.
 *
 * A bound is kept with what the open files may still take, so that a worker that begins another
 * never waits for room.
 */
enum retention_bound {
	RETENTION_KEPT, /* every bound is */
	RETENTION_SIZE,
	RETENTION_AGE,
	RETENTION_FILES,
	RETENTION_FREE,
	RETENTION_COUNT_,
};

struct retention_facts {
	uint64_t files, bytes; /* of finished files that are there, those that are held included */
	uint64_t ours;         /* bytes of those that may go */
	uint64_t open_files;   /* one for each worker */
	uint64_t open_bytes;   /* what one of them may come to, by what is known */
	uint64_t open_now;     /* what they hold together already */
	uint64_t
	    oldest_ns;   /* since when the file that would go has had no packet, since the epoch */
	uint64_t now_ns; /* since the epoch */
	bool knows_time; /* the clock is right, and was not set within an hour */
	uint64_t disk_bytes, disk_free; /* of the file system: f_blocks and f_bavail, in bytes */
};

/* The first bound, in the order above, that is not kept. */
enum retention_bound retention_broken(
    const struct retain_config *retain, const struct retention_facts *facts);

/*
 * Whether output.retain.free cannot be kept by all that is ours to remove: others fill the disk.
 * Then no more goes for it than the open files need.
 */
bool retention_is_out_of_reach(
    const struct retain_config *retain, const struct retention_facts *facts);

/* "size", "age", "files", "free", as in the configuration. */
const char *retention_name(enum retention_bound bound);
