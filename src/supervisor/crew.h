/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "supervisor/change.h"
#include "supervisor/removal.h"
#include "supervisor/group.h"

/*
 * All workers of a sensor: a group for each interface, and the changes of them that are under way.
 */
struct crew {
	struct config *config;
	struct premises *premises;
	struct keeper *keeper; /* what the service manager kept, until the groups have begun */
	struct interfaces *interfaces;
	sd_event *event;
	worker_main *run;
	struct group_owner owner;
	/* Every change that was under way is over; the error of the last that failed, or 0. */
	void (*changed)(void *user, int error);
	struct group **groups;     /* one for each interface: the generation that serves */
	struct change **changes;   /* the same; NULL: none */
	struct removal **removals; /* of interfaces that the configuration has no more */
	size_t removal_count;
	int error;         /* of a change, once one of those under way has failed */
	uint64_t since_ns; /* when interfaces came last */
};

/* Lay out all groups, by what an earlier life left where that is gone on with.  Logs. */
int crew_open(struct crew *crew);

/* Begin to capture, or to wait for what is not there.  Logs.  Returns 0 or a negative errno. */
int crew_begin(struct crew *crew);

/*
 * Change each group that is not as the configuration says.  Logs.  Returns 1 where changes are
 * under way, whose end crew.changed tells; else 0, or a negative errno where one could not begin.
 */
int crew_change(struct crew *crew);
bool crew_is_changing(const struct crew *crew);

/* Tell crew.changed, where nothing is under way any more. */
void crew_look(struct crew *crew, int error);

/* The same, since one that came runs, or, with an error, could not begin. */
void crew_look_at_arrival(struct crew *crew, const struct group *arrival, int error);

/*
 * Lay out the workers of an interface in the run that its record serves by, which is new.  Logs.
 * Returns 0 or a negative errno: then it is out of the ledger, too.
 */
int crew_open_group(struct crew *crew, const struct interface_config *interface, size_t index,
    struct group **ret_group);

/* Take back one that is not yet the sensor's. */
void crew_forget_group(const struct crew *crew, struct group *group);

/* One more interface goes, which is the crew's to wait for. */
struct removal_owner crew_removal_owner(struct crew *crew);
void crew_add_removal(struct crew *crew, struct removal *removal);

/* The generation that serves an interface, by its name; or NULL. */
struct group *crew_find_group(const struct crew *crew, const char *name);

/* How many of its sockets the service manager keeps. */
uint64_t crew_count_kept(const struct crew *crew);

/* Look for workers that are late with something. */
void crew_check(struct crew *crew, uint64_t now_ns);

void crew_rotate(const struct crew *crew);
void crew_stop(struct crew *crew);
bool crew_has_ended(const struct crew *crew);

/* End all workers, and forget them; with `leaves` all is left for another life to go on with. */
void crew_close(struct crew *crew, bool leaves);
