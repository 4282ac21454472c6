/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "capture/place.h"
#include "control/channel.h"
#include "control/heritage.h"
#include "ledger/ledger.h"
#include "supervisor/keeper.h"
#include "supervisor/restart.h"
#include "supervisor/suspicion.h"

#include <signal.h>
#include <stdbool.h>
#include <systemd/sd-event.h>

struct child;

/* Who is told what a child says and how it ended. */
struct child_owner {
	void (*said)(void *user, struct child *child, const struct message *message);
	void (*ended)(void *user, struct child *child, const siginfo_t *how);
	void *user;
};

/*
 * One worker from outside.  The slot outlives the process: a child that died is started again in
 * the same place.
 */
struct child {
	struct heritage heritage; /* what the next life is born with */
	struct place place;       /* where its socket is made */
	struct child_owner owner;
	sd_event *event;
	worker_main *run;
	struct ledger_slot *slot;
	struct restart restart;
	int socket;  /* the duplicate that is kept; -1: none */
	int channel; /* our end */
	sd_event_source *channel_source, *end_source, *restart_source;
	uint64_t started_ns;        /* monotonic */
	uint64_t stopping_ns;       /* when the stop was asked for, or last made progress */
	uint64_t settled;           /* packets that the stop had settled then */
	uint64_t killed_ns;         /* when we killed this life; 0: not */
	bool is_frozen;             /* and it does not end: told */
	struct suspicion suspicion; /* that a block kills who reads it */
	bool is_mapped;             /* the ring is there */
	bool was_asked;             /* to join the group */
	bool is_drained;            /* said so, and has nothing left */
	bool keeps_place;      /* its socket is closed by a change, in its turn, and not before */
	bool captures;         /* the socket has the real filter: what it takes in counts */
	bool has_joined;       /* its socket is a member of the fanout group */
	bool is_kept;          /* the service manager has a duplicate of the socket, too */
	uint64_t leaving;      /* the inode of a socket that was closed, and may be held; or 0 */
	uint64_t gap_since_ns; /* UTC: what is its share is let in by nobody; 0: it is */
	uint64_t due_ns;       /* the next life, on the monotonic clock */
	unsigned int ends_in_stop; /* lives that a stop has seen end before their time */
};

/*
 * Fork a life of this child, as heritage.life says.  A socket that it does not take over goes to it
 * to be closed.  Returns 0 or a negative errno, with *ret_purpose for the sentence.
 */
int child_start(struct child *child, const char **ret_purpose);

/* Send a command.  A child that is gone is told of by its end, so nothing is returned. */
void child_command(struct child *child, enum message_kind kind, uint32_t value);

/* The same with more than a value.  Returns 0, or a negative errno where it will not hear of it. */
int child_tell(struct child *child, const struct message *message);

/* Have it drain and leave. */
void child_stop(struct child *child);

/* What its socket is in the service manager's store. */
struct keeper_ring child_ring(const struct child *child);

/* Have the service manager keep a duplicate of its socket. */
void child_keep(struct child *child);

/* Close our socket, and have the service manager close its own. */
void child_let_go(struct child *child);

/* Whether its socket is a member of the fanout group, also with nobody behind it. */
bool child_is_member(const struct child *child);

/* Kill it and wait for its end; what the service manager keeps stays for another life. */
void child_leave(struct child *child);

/* The same, and nothing is kept: for a supervisor that ends. */
void child_abandon(struct child *child);

void child_kill(struct child *child);

/*
 * Have its end looked for again: a process that others trace shows it once, before it can be
 * reaped.
 */
void child_look_for_end(struct child *child);
bool child_lives(const struct child *child);
enum ledger_state child_state(const struct child *child);
void child_set_state(struct child *child, enum ledger_state state);

/* How it ended, as a sentence's end: "killed by SIGKILL", "exited with status 3". */
void child_describe_end(const siginfo_t *how, char *text, size_t size);
