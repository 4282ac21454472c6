/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/*
 * The finished files that output.on_close is done with: on-close/SENSOR.jsonl in the output
 * directory, one line of JSON for each.
 *
 * `fancap on-close` alone writes it, each line after the fact; who removes files reads it.  What is
 * done is done for ever: a line that is lost costs a repetition, one too many does no harm.  No
 * place in the catalog is kept: that may be compacted, and a place in it is of no use then.
 */
struct close_record {
	int output;         /* the output directory, the caller's */
	const char *sensor; /* the caller's */
	int folder;         /* -1: not opened yet */
	FILE *file;         /* as it was read last; open, so that another has another inode */
	uint64_t place;     /* behind the last whole line that was read */
	uint64_t lines;     /* how many */
	void *marks;        /* of all of them, a tree of tsearch(3) */
	int writing, lock;  /* of the one who writes */
};

/* What tells a line of the catalog from any other. */
struct close_mark {
	const char *file;
	uint64_t inode, closed_ns;
};

void close_record_begin(struct close_record *record, int output, const char *sensor);

/* Read what it has had since.  Returns 0, also where there is none, or a negative errno. */
int close_record_follow(struct close_record *record);

bool close_record_has(const struct close_record *record, const struct close_mark *mark);

/*
 * Read it, as the one who writes; it is made where there is none, owned like its folder, and that
 * like the output directory.  Returns 0, -EBUSY where somebody else writes it, or another negative
 * errno.
 */
int close_record_open(struct close_record *record);

/*
 * Append a line, in one write; it is on the disk with close_record_sync().  Some room for more is
 * kept ready, so that a full disk does not hinder who would make room.  Returns 0 or a negative
 * errno.
 */
int close_record_add(struct close_record *record, const struct close_mark *mark);
int close_record_sync(struct close_record *record);

/* Rewrite it without the lines of files that the catalog has no more.  Returns 0 or a negative
 * errno: then it is as it was. */
int close_record_trim(struct close_record *record);

void close_record_release(struct close_record *record);

/* By inode, time and name; for trees of whatever begins with a mark. */
int close_mark_compare(const void *a, const void *b);
