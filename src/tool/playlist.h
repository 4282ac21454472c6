/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "storage/reader.h"

/*
 * The packets of several recordings, one after the other, as often as asked for; read while they
 * are played, or all before.
 */
struct playlist;

struct playlist_plan {
	char *const *paths; /* "-" is standard input */
	size_t count;
	uint64_t rounds; /* 0: without end */
	bool preload;
	source_wait *wait;          /* before each read that may block */
	int (*look)(void *context); /* now and then while it preloads; -EINTR ends that */
	void *context;
};

struct playlist_entry {
	struct reader_record record; /* its bytes are lent until the next call */
	const char *path;
	uint64_t round; /* from 0 */
	bool is_first;  /* of its recording, in this round */
};

/*
 * Make the list, and with preload read it all.  Logs.  Returns 0, -EINTR where `wait` or `look`
 * ended it, or the negative errno of the file that cannot be read, before any other is; -ESPIPE for
 * a pipe that would have to be read again.
 */
int playlist_open(struct playlist **ret_playlist, const struct playlist_plan *plan);

/*
 * The next packet: 1, 0 at the end, or a negative errno.  Logs.  A damaged recording ends where it
 * is damaged, is told, and the next one follows.
 */
int playlist_next(struct playlist *playlist, struct playlist_entry *ret_entry);

/* NULL is allowed. */
void playlist_close(struct playlist *playlist);
