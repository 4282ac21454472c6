/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
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
 * catalog.jsonl of an output directory, one line of JSON for each finished file.  The supervisor
 * alone writes it.
 */
struct catalog {
	int directory; /* the caller's */
	int refuge;    /* a directory where the lines below are kept for another life, the caller's,
			* too;    0: nowhere */
	char *lines;   /* whole ones that the storage has refused so far */
	size_t length;
	bool is_astray; /* the refuge may hold others than these */
};

/*
 * Begin with the catalog of a directory as earlier lives left it: a line that one was killed over
 * is cut off, and what waits in the refuge waits again, but for what did go in.
 */
void catalog_open(struct catalog *catalog, int directory, int refuge);

/*
 * Append a line, in one write.  Times are ISO 8601 in UTC with nanoseconds.  Returns 0, or a
 * negative errno: then the line waits in memory, before all that come later, but for -ENOMEM.
 */
int catalog_append(struct catalog *catalog, const struct catalog_entry *entry);

/* Append what waits.  Returns 0 where nothing does any more, or a negative errno. */
int catalog_catch_up(struct catalog *catalog);

/* Forget what waits, but for what is kept. */
void catalog_release(struct catalog *catalog);

/*
 * Whether a file is among those that were entered last, some hundreds of them: for who may have
 * been killed when it had entered one, and before it could say so.
 */
bool catalog_has(const struct catalog *catalog, const char *file, uint64_t inode);
