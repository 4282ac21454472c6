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
	/* It could not begin; all is logged. */
	void (*failed)(void *user, const struct group *group, int error);
	void (*ended)(void *user); /* a stop that was asked for is done */
	void *user;
};

/* Of two generations of workers that an interface may have at a time. */
enum group_role {
	GROUP_SERVES, /* the state of the interface is its own */
	GROUP_COMES,  /* has joined the fanout group of the one that serves, and is sent nothing */
	GROUP_LEAVES, /* is sent nothing any more */
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
	struct ledger_run run;     /* its slots */
	struct ring_config ring;   /* by which their rings are made */
	enum premises_start start; /* whether stages and books are an earlier life's */
	enum group_role role;
	struct group *before; /* whose place it takes: not yet gone from the fanout group, whose
			       * program is the change's for so long; or NULL */
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
	struct {
		bool is_relinked; /* the link was down since anybody looked */
		bool misses_one;  /* a member's socket is not there any more */
	} inherited;              /* of the fanout group that an earlier life left */
	bool closes;              /* one of its sockets is on the way out of the fanout group */
	bool is_joined;           /* by the next generation, which is sent nothing yet */
	bool is_gone;   /* the device went; workers drain, and begin anew when it is back */
	bool arrives;   /* by a reload, which waits until it runs */
	bool is_of_old; /* the filters are an earlier life's: ours need the link to be compiled */
};

/*
 * Lay out the workers of an interface in the slots of `run`, which is set, as is `ring`, with their
 * stages.  Logs.  Returns 0 or a negative errno.
 */
int group_open(struct group *group, sd_event *event, worker_main *run, size_t index);

/*
 * Start the workers on the sockets that an earlier life left, or, if the interface is there and up,
 * on new ones.  Returns 1 if started, 0 if it is to be
 * waited for (told in the journal), or a negative errno.  Logs.
 */
int group_begin(struct group *group);

/*
 * Look whether a group that is open could begin by a configuration that is not yet in force.  Makes
 * what it needs; nobody is started.  Logs.  Returns 0 or a negative errno.
 */
int group_prepare(struct group *group, const struct config *config);

/* Its interface's settings are there from now on. */
void group_take_settings(struct group *group, const struct interface_config *interface);

/*
 * Start the workers of the next generation in the fanout group of the one that serves, whose link
 * and kind they share.  Logs.  Returns 0 or a negative errno.
 */
int group_begin_beside(struct group *group, const struct group *serving);

/* Go on with those of a generation that was giving way, to the end.  Logs. */
void group_go_on_leaving(struct group *group);

/* The link was down, and all members of its fanout group have other numbers. */
void group_take_order(const struct group *group);

/* Take in what is known of the link. */
void group_link(struct group *group, int ifindex, enum link_change change);

/* The same, where no more is known than that something has changed. */
void group_look_at_link(struct group *group);

/* Nothing new is let in, what is there is drained; owner.ended tells when that is done. */
void group_stop(struct group *group);

/* Every worker finishes its file and begins another. */
void group_rotate(struct group *group);

/* A worker is not waited for any more: tell the owner, or begin anew, where it was the last. */
void group_look_for_end(struct group *group);

bool group_has_ended(const struct group *group);

/* Whether no other generation is in its fanout group. */
static inline bool group_is_alone(const struct group *group)
{
	return group->role == GROUP_SERVES && !group->before;
}

/* Whether each worker captures, and none is just being born: a fork holds each socket once more. */
bool group_is_steady(const struct group *group);

/* How many of its sockets are in the fanout group. */
size_t group_count_members(const struct group *group);

/* Whether one cannot go on in its ring: it leaves its place in the fanout group to another. */
bool group_has_lost_one(const struct group *group);

/* From here on their sockets are closed by a change alone, each in its turn. */
void group_keep_places(struct group *group);

/* The interface's state, where this generation speaks for it. */
void group_set_state(struct group *group, enum ledger_state state);

/* End everything at once, and forget it. */
void group_close(struct group *group);

/* The same, but that rings, stages and ledger are left for another life to go on with. */
void group_leave(struct group *group);
