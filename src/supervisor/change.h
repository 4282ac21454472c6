/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "supervisor/group.h"

/*
 * Changes an interface's workers, or their rings, while packets flow (DESIGN section 4, "changing a
 * live group").  A next generation joins the fanout group of the one that serves, beyond what its
 * program returns, so that it is sent nothing.  Once all of it has ring and filter, one call sends
 * everything to its last member; the old members drain and end; their sockets are closed one by
 * one, and the next generation's own program takes over.
 *
 * What is closed has its place taken by the last member, and the kernel takes what a program
 * returns modulo the members.  So the first to be closed is member 0: "the last" is then 0, which
 * is the same member in its new place, and stays 0 whichever is closed after that.
 *
 * How far it is stands in the ledger: before the call a next life of the supervisor undoes it,
 * after it that goes on with it.
 */
struct change;

struct change_owner {
	/* The next generation serves from here on. */
	void (*moved)(void *user, struct change *change);
	/* Of those who give way nobody is left to wait for; their sockets are still there. */
	void (*ended)(void *user);
	/* Whether no process is just being born, which would hold each socket once more. */
	bool (*is_steady)(void *user);
	/* It is over: with an error, told, all is as it was before.  To be freed there. */
	void (*done)(void *user, struct change *change, int error);
	void *user;
};

/* Whether a group has other workers or rings than it should. */
bool change_is_wanted(const struct group *group, const struct config *config);

/* Whether a group can be changed just now to what it should be.  Logs.  Returns 0 or an error. */
int change_check(const struct group *group, const struct config *config);

/* Change a group to what its configuration says.  Logs.  Returns 0 or a negative errno. */
int change_begin(struct change **ret_change, struct group *from, const struct change_owner *owner);

/*
 * Go on with what an earlier life had begun: `to` has been opened and begun, `from` only opened.
 * Both are the change's.  Logs.
 */
int change_resume(struct change **ret_change, struct group *from, struct group *to,
    const struct change_owner *owner);

struct group *change_from(const struct change *change);
struct group *change_to(const struct change *change);

/* The sensor stops: what has not moved is undone.  Whoever gives way is waited for. */
void change_stop(struct change *change);

/* Whether nobody who gives way is left to wait for. */
bool change_has_ended(const struct change *change);

/* Let go of the generation that does not serve, and free; with `leaves` all is left as it stands,
 * for another life.  NULL is allowed. */
void change_close(struct change *change, bool leaves);
