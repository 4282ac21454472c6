/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "control/heritage.h"
#include "control/message.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Workers that obey, hang, lie and die, and touch no packet: each in its first life, in some only
 * worker 1; the others, and its later lives, are good.
 */
enum { WORKERS = 3, LIVES = 32, STEPS = 64, FAKE_GROUP = 7, FAKE_BLOCK = 9 };

/* Shared with the workers: what they are to do, and what they did. */
struct play {
	enum message_kind nonsense; /* what to say out of turn; COUNT_: what is no message */
	_Atomic unsigned int lives[WORKERS];
	_Atomic uint64_t born_ns[WORKERS][LIVES];
	_Atomic int life[WORKERS][LIVES];        /* enum life */
	_Atomic uint64_t cookie[WORKERS][LIVES]; /* of the socket; 0: none */
	_Atomic uint32_t poison[WORKERS][LIVES]; /* the block to set aside */
	_Atomic int32_t asked[WORKERS][LIVES];   /* the group to join */
	_Atomic unsigned int steps;
	char said[STEPS]; /* in order: 'a' + worker for mapped, 'A' + worker for joined */
};

extern struct play *play;

/* Make the play, which is nobody's but this process's and its children's.  False: no memory. */
bool play_open(void);

worker_main fake_good;
worker_main fake_exits_at_once;
worker_main fake_hangs;                 /* no heartbeat */
worker_main fake_never_comes_up;        /* no ring */
worker_main fake_opens_on_a_slow_disk;  /* 600 ms, then a while of its own */
worker_main fake_opens_on_a_stuck_disk; /* for ever */
worker_main fake_speaks_nonsense;
worker_main fake_joins_unasked;
worker_main fake_fails;
worker_main fake_loses;               /* cannot take a ring over */
worker_main fake_dies_while_stopping; /* in all its lives */
worker_main fake_dies_of_a_block;     /* and of no other */
worker_main fake_never_stops;
worker_main fake_finishes_files;      /* 1, and dies of it; then 1 again, and 2 of the same name */
worker_main fake_joins_into_the_stop; /* the stop has overtaken the word */
