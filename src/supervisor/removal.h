/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "supervisor/group.h"

/*
 * An interface that the configuration has no more: its sockets take nothing new in, its workers
 * write what their rings hold, finish their files and end.  Then the sensor has it no more, which
 * is one store in the ledger: before it, a next life of the supervisor does all of this again;
 * after it, what is left is put away, here or by that life.  What was counted stays in the sensor's
 * sums.
 */
struct removal;

struct removal_owner {
	/* Nobody is left to wait for; the sockets are still there. */
	void (*ended)(void *user);
	/* It is over, and to be freed there. */
	void (*done)(void *user, struct removal *removal);
	void *user;
};

/* For the interface of a record.  Logs.  Returns 0 or a negative errno. */
int removal_new(struct removal **ret_removal, struct ledger_interface *record, sd_event *event,
    const struct removal_owner *owner);

/* The settings that workers of it are born with from here on. */
const struct interface_config *removal_interface(const struct removal *removal);

/* A generation of its workers, opened, which is the removal's from here on; two at most. */
void removal_take(struct removal *removal, struct group *group);

/* Let nothing new in.  What an earlier life left is taken over first. */
void removal_begin(struct removal *removal);

/* Its groups: NULL behind the last. */
struct group *removal_group(const struct removal *removal, size_t index);

/* Whether nobody is left to wait for. */
bool removal_has_ended(const struct removal *removal);

/* Close what is left of it, and free; with `leaves` all is left as it stands, for another life.
 * NULL is allowed. */
void removal_close(struct removal *removal, bool leaves);
