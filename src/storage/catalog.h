/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdint.h>

/* One finished file. */
struct catalog_entry {
	const char *file; /* relative to the output directory */
	uint64_t inode;
	const char *sensor, *interface;
	uint32_t worker;
	uint64_t first_ns, last_ns;  /* least and greatest stamp, since the epoch */
	uint64_t packets, bytes;     /* bytes: the file's size */
	uint64_t dropped, discarded; /* by its worker while it was open */
	uint64_t closed_ns;
	const char *cause; /* "rotated", "stopped", "repaired" */
};

/*
 * Append a line of JSON to catalog.jsonl of the directory, in one write.  The supervisor alone
 * calls it.  Times are ISO 8601 in UTC with nanoseconds.  Returns 0 or a negative errno.
 */
int catalog_append(int directory, const struct catalog_entry *entry);
