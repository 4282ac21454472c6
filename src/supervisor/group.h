/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "capture/socket.h"
#include "config/config.h"
#include "supervisor/child.h"
#include "supervisor/intake.h"
#include "supervisor/interfaces.h"
#include "supervisor/premises.h"

struct group;
struct group_limits;

/* Who is told of what becomes of a group. */
struct group_owner {
	/* Every worker has joined, packets count. */
	void (*runs)(void *user, const struct group *group);
	void (*failed)(void *user, int error); /* it could not begin; all is logged */
	void (*ended)(void *user);             /* a stop that was asked for is done */
	void *user;
};

/*
 * The workers of one interface: they open their rings at the same time and join their fanout group
 * one after the other (DESIGN section 3), and are started again where they die.
 */
struct group {
	const struct config *config;
	const struct interface_config *interface;
	const struct interfaces *interfaces;
	struct premises *premises;
	struct keeper *keeper; /* what an earlier life left in the descriptor store; or NULL */
	struct ledger_interface *record;
	const struct group_limits *limits;
	struct group_owner owner;
	struct child *children;
	size_t count;
	struct intake intake;
	struct link_state link; /* as it was when the workers were started */
	int32_t fanout;         /* the group's id once the first has joined, else -1 */
	bool has_begun;         /* workers were started */
	bool has_ever_run;      /* from here on nothing is refused any more: it is waited for */
	bool is_down;           /* the link, as we were told last */
	bool runs;              /* the real filters are in place */
	bool is_stopping;       /* for good */
	bool is_gone;           /* the device went; workers drain, and begin anew when it is back */
	bool is_of_old; /* the filters are an earlier life's: ours need the link to be compiled */
};

/* Lay out the slots and stages of an interface.  Logs.  Returns 0 or a negative errno. */
int group_open(struct group *group, sd_event *event, worker_main *run, size_t index);

/*
 * Start the workers on the sockets that an earlier life left, or, if the interface is there and up,
 * on new ones.  Returns 1 if started, 0 if it is to be
 * waited for (told in the journal), or a negative errno.  Logs.
 */
int group_begin(struct group *group);

/* Take in what is known of the link. */
void group_link(struct group *group, int ifindex, enum link_change change);

/* Nothing new is let in, what is there is drained; owner.ended tells when that is done. */
void group_stop(struct group *group);

/* Every worker finishes its file and begins another. */
void group_rotate(struct group *group);

/* A worker is not waited for any more: tell the owner, or begin anew, where it was the last. */
void group_look_for_end(struct group *group);

bool group_has_ended(const struct group *group);

/* End everything at once, and forget it. */
void group_close(struct group *group);

/* The same, but that rings, stages and ledger are left for another life to go on with. */
void group_leave(struct group *group);
