/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "storage/close_record.h"
#include "storage/holds.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A finished file that is there. */
struct stock_file {
	char *file; /* relative to the output directory */
	uint64_t inode, bytes;
	uint64_t first_ns, last_ns, closed_ns; /* since the epoch */
	bool is_done;                          /* output.on_close is done with it */
	bool is_gone;                          /* removed, or not to be found */
	bool is_linked; /* has another name, too: to remove it frees nothing */
	bool is_stuck;  /* cannot be removed: passed over until it is looked at again */
	bool is_told;   /* that it could not; the caller's */
};

/*
 * The finished files of one sensor, the oldest first, as its catalog has them: followed as that
 * grows, and read anew where it was compacted.
 */
struct stock {
	int directory; /* the caller's */
	const char *sensor;
	struct stock_file **files;
	void
	    *names; /* tree of tsearch(3), by name and inode: both may come again after a removal */
	size_t count, room;
	size_t first;   /* before it all are gone */
	size_t checked; /* up to here it was looked last whether they are there */
	uint64_t there; /* files that are not gone, */
	uint64_t bytes; /* and their bytes */
	uint64_t inode; /* of the catalog, */
	uint64_t place; /* up to where it was read, */
	uint64_t lines; /* and how many of its own that were */
	bool only_done; /* what output.on_close is not done with stays; the caller's */
};

void stock_begin(struct stock *stock, int directory, const char *sensor);

/* Read what the catalog has had since.  Returns 0 or a negative errno; no catalog is none. */
int stock_follow(struct stock *stock);

/* Look which of them output.on_close is done with. */
void stock_mark_done(struct stock *stock, const struct close_record *record);

/* How many there are that it is not done with, where that counts. */
uint64_t stock_waiting(const struct stock *stock);

/*
 * Look whether a few of them are still there, in turn: people remove files, too, and mend what kept
 * one from being removed.
 */
void stock_check(struct stock *stock);

/* The oldest file that is not held, and not passed over, or NULL. */
struct stock_file *stock_oldest(struct stock *stock, const struct holds *holds);

/* The same, of those whose removal frees something. */
struct stock_file *stock_freeing(struct stock *stock, const struct holds *holds);

/* The bytes of those that may go, and free something. */
uint64_t stock_free_bytes(const struct stock *stock, const struct holds *holds);

/* It is removed, or was not there. */
void stock_forget(struct stock *stock, struct stock_file *file);

/* The greatest size among the newest. */
uint64_t stock_largest(const struct stock *stock);

void stock_release(struct stock *stock);
