/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "storage/close_record.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

/* A finished file that output.on_close is not done with. */
struct closing {
	struct close_mark mark; /* first: it is found by that */
	char *text;             /* its line of the catalog */
	size_t length;
	unsigned int attempts; /* that failed */
	uint64_t due_ns;       /* of the next one, monotonic */
	pid_t pid;             /* of the one that runs */
	TAILQ_ENTRY(closing) link;
};

TAILQ_HEAD(closing_list, closing);

/*
 * The files that output.on_close is not done with, in the order of the catalog, which is followed
 * as it grows, and read anew where it was compacted: a file that is known, or done with, is not
 * taken twice, wherever its line stands.
 */
struct closings {
	int directory; /* the output directory, the caller's */
	const char *sensor;
	struct close_record record;
	struct closing_list fresh;  /* not tried yet */
	struct closing_list failed; /* to be tried again, the earliest first */
	struct closing_list done;   /* and not in the record yet */
	size_t count;               /* of all that is known, what runs included */
	void *known;                /* the same, a tree of tsearch(3) */
	int pin;                    /* the catalog, open, so that another has another inode */
	uint64_t inode, place;      /* of it, and up to where it was read */
	bool turn;                  /* the next is one that failed, where both kinds are there */
};

void closings_begin(struct closings *closings, int directory, const char *sensor);

/* Read what the catalog has had since; none is an empty one.  Returns 0 or a negative errno. */
int closings_look(struct closings *closings);

/*
 * Take the next one that is due out of the lists: the caller's, until it is given back to one of
 * them below.  NULL: none.
 */
struct closing *closings_take(struct closings *closings, uint64_t now_ns);

/* When the next of those that failed is due; UINT64_MAX: never. */
uint64_t closings_due(const struct closings *closings);

/* It failed: later, and with each time later still.  Returns by how much. */
uint64_t closings_again(struct closings *closings, struct closing *closing, uint64_t now_ns);

/* It is done with: entered in the record with closings_record(). */
void closings_finish(struct closings *closings, struct closing *closing);

/* Enter what is done with in the record.  Returns 0, or a negative errno: the rest waits. */
int closings_record(struct closings *closings);

void closings_release(struct closings *closings);
