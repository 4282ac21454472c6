/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "capture/transmit.h"
#include "tool/pace.h"
#include "tool/playlist.h"
#include "tool/refusal.h"

/*
 * Plays a list of packets through a transmit ring: judges each, waits until it is due, puts it, and
 * hands over what is due together.
 */
struct player_plan {
	const char *interface;
	struct refusal_limits limits;
	struct pace_plan pace;
	uint64_t limit;            /* packets to send; 0: all */
	struct transmit *transmit; /* NULL: judge only */
	bool bypass;               /* as it was opened */
	int fd;                    /* its socket */
	int stop_fd;               /* readable where the playing is to end; stays so */
	bool has_progress;         /* on stderr */
};

struct player_counts {
	uint64_t read, sent, bytes;
	uint64_t refused[REFUSAL_COUNT_];
	uint64_t unsent;  /* accepted, and then the interface went down or the user had enough */
	uint64_t late;    /* sent a millisecond or more after they were due */
	uint64_t took_ns; /* from the first packet to the last */
};

struct player {
	struct player_plan plan;
	struct player_counts counts;
	uint64_t accepted;
	uint64_t round, accepted_before; /* the round that is played, and as it began */
	struct pace pace;
	bool has_begun;
	bool is_stopped;
	bool has_given_up;    /* on a frame that was refused for so long that it was gone past */
	uint64_t sent_before; /* that, */
	uint64_t stuck_at;    /* when the kernel last took nothing, and since when; */
	uint64_t stuck_since; /* 0: it takes */
	int failure;          /* of the ring, and so none of a file's */
	uint64_t started, now, looked; /* looked: when the stop was last asked for */
	uint64_t shown;                /* when the progress was */
	uint64_t awake;                /* ns before a packet is due that a sleep is to end */
	const char *warned;            /* the recording that was last warned of */
};

void player_begin(struct player *player, const struct player_plan *plan);

/*
 * Play.  Logs, but for the failure of the ring.  Returns 0, also where it was stopped or had its
 * fill, or the negative errno of what ended it: the ring's, such as -ENETDOWN or -ENXIO, or the
 * list's.
 */
int player_run(struct player *player, struct playlist *playlist);

/*
 * A source_wait for the list, with the player as its context: hands over, then waits for bytes.
 * Ends the list with -EINTR, whatever it is that ends it.
 */
int player_wait_for(void *context, int fd);

/* For the list, with the player as its context: -EINTR where the user has had enough, else 0. */
int player_is_stopped(void *context);
