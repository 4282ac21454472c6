/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/crew.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "supervisor/deadlines.h"
#include "supervisor/unfinished.h"

#include <errno.h>
#include <stdlib.h>

/* ---- changes ----------------------------------------------------------------------------- */

static size_t index_of(const struct crew *crew, const struct change *change)
{
	size_t i = 0;

	while (crew->changes[i] != change)
		i++;
	return i;
}

static void on_moved(void *user, struct change *change)
{
	struct crew *crew = user;

	crew->groups[index_of(crew, change)] = change_to(change);
}

/* Its first beat comes when it has closed what is not its own. */
static bool is_being_born(const struct group *group)
{
	for (size_t i = 0; group && i < group->count; i++) {
		const struct child *child = &group->children[i];

		if (child_lives(child) &&
		    atomic_load(&child->heritage.record->heartbeat_ns) == child->started_ns)
			return true;
	}
	return false;
}

static bool is_steady(void *user)
{
	const struct crew *crew = user;

	for (size_t i = 0; i < crew->config->interface_count; i++)
		if (is_being_born(crew->groups[i]) ||
		    (crew->changes[i] && (is_being_born(change_from(crew->changes[i])) ||
					     is_being_born(change_to(crew->changes[i])))))
			return false;
	return true;
}

static int take_error(struct crew *crew)
{
	int error = crew->error;

	crew->error = 0;
	return error;
}

static void on_done(void *user, struct change *change, int error)
{
	struct crew *crew = user;

	crew->changes[index_of(crew, change)] = NULL;
	change_close(change, false);
	if (error < 0)
		crew->error = error;
	if (!crew_is_changing(crew))
		crew->changed(crew->owner.user, take_error(crew));
}

/* A stop may have waited for nobody else. */
static void on_ended(void *user)
{
	struct crew *crew = user;

	crew->owner.ended(crew->owner.user);
}

static struct change_owner owner_of_changes(struct crew *crew)
{
	return (struct change_owner) { on_moved, on_ended, is_steady, on_done, crew };
}

int crew_change(struct crew *crew)
{
	const struct change_owner owner = owner_of_changes(crew);

	for (size_t i = 0; i < crew->config->interface_count; i++) {
		struct group *group = crew->groups[i];

		/* An earlier life's change, which is perhaps not yet gone on with, comes first. */
		if (!crew->changes[i] && !group->before && change_is_wanted(group, crew->config)) {
			int r = change_check(group, crew->config);

			if (r >= 0)
				r = change_begin(&crew->changes[i], group, &owner);
			if (r < 0)
				crew->error = r;
		}
	}
	return crew_is_changing(crew) ? 1 : take_error(crew);
}

bool crew_is_changing(const struct crew *crew)
{
	for (size_t i = 0; i < crew->config->interface_count; i++)
		if (crew->changes[i])
			return true;
	return false;
}

/* ---- the beginning ----------------------------------------------------------------------- */

static struct group *make_group(
    const struct crew *crew, size_t index, const struct ledger_run *run, enum group_role role)
{
	const struct premises *premises = crew->premises;
	struct group *group = calloc(1, sizeof(*group));

	if (!group)
		return NULL;
	*group = (struct group) {
		.config = crew->config,
		.interface = &crew->config->interfaces[index],
		.interfaces = crew->interfaces,
		.premises = crew->premises,
		.keeper = premises->goes_on ? crew->keeper : NULL,
		.limits = &group_limits,
		.owner = crew->owner,
		.run = *run,
		.ring = premises->goes_on
			    ? premises_ring_of(&ledger_slot(premises->ledger, run->first)->ring)
			    : crew->config->ring,
		.start = premises->goes_on ? PREMISES_GO_ON : PREMISES_ANEW,
		.role = role,
	};
	return group;
}

static int open_one(struct crew *crew, size_t index)
{
	const struct ledger_interface *record = ledger_interface(crew->premises->ledger, index);
	bool is_moving;
	struct group *group;
	int r;

	if (crew->premises->goes_on)
		unfinished_settle(crew->premises, crew->keeper, index);
	is_moving = atomic_load(&record->change) == CHANGE_MOVES;
	group = crew->groups[index] =
	    make_group(crew, index, is_moving ? &record->next : &record->serving, GROUP_SERVES);
	if (group && is_moving)
		group->before = make_group(crew, index, &record->serving, GROUP_LEAVES);
	if (!group || (is_moving && !group->before))
		return log_failure(-ENOMEM, "cannot plan the groups");
	r = group_open(group, crew->event, crew->run, index);
	if (r >= 0 && is_moving)
		r = group_open(group->before, crew->event, crew->run, index);
	return r;
}

int crew_open(struct crew *crew)
{
	const size_t count = crew->config->interface_count;
	int r = 0;

	crew->groups = calloc(count, sizeof(struct group *));
	crew->changes = calloc(count, sizeof(struct change *));
	if (!crew->groups || !crew->changes)
		return log_failure(-ENOMEM, "cannot plan the groups");
	for (size_t i = 0; r >= 0 && i < count; i++)
		r = open_one(crew, i);
	return r;
}

int crew_begin(struct crew *crew)
{
	const struct change_owner owner = owner_of_changes(crew);
	int r = 0;

	for (size_t i = 0; r >= 0 && i < crew->config->interface_count; i++) {
		struct group *group = crew->groups[i];

		r = group_begin(group);
		if (r >= 0 && group->before)
			r = change_resume(&crew->changes[i], group->before, group, &owner);
	}
	if (r < 0)
		return r;
	for (size_t i = 0; i < crew->config->interface_count; i++) {
		crew->groups[i]->keeper = NULL;
		if (crew->groups[i]->before)
			crew->groups[i]->before->keeper = NULL;
	}
	keeper_drop(TAKE(crew->keeper));
	return 0;
}

/* ---- while it runs, and the end ---------------------------------------------------------- */

void crew_check(const struct crew *crew, uint64_t now_ns)
{
	for (size_t i = 0; i < crew->config->interface_count; i++) {
		const struct change *change = crew->changes[i];
		struct group *group = crew->groups[i];

		deadlines_check(group, now_ns);
		if (group->before)
			deadlines_check(group->before, now_ns);
		if (change && change_to(change) && change_to(change) != group)
			deadlines_check(change_to(change), now_ns);
	}
}

void crew_rotate(const struct crew *crew)
{
	for (size_t i = 0; i < crew->config->interface_count; i++)
		group_rotate(crew->groups[i]);
}

void crew_stop(struct crew *crew)
{
	for (size_t i = 0; i < crew->config->interface_count; i++) {
		if (crew->changes[i])
			change_stop(crew->changes[i]);
		group_stop(crew->groups[i]);
	}
}

bool crew_has_ended(const struct crew *crew)
{
	for (size_t i = 0; i < crew->config->interface_count; i++)
		if (!group_has_ended(crew->groups[i]) ||
		    (crew->changes[i] && !change_has_ended(crew->changes[i])))
			return false;
	return true;
}

static void close_group(struct group *group, bool leaves)
{
	if (!group)
		return;
	if (group->config)
		(leaves ? group_leave : group_close)(group);
	free(group);
}

void crew_close(struct crew *crew, bool leaves)
{
	for (size_t i = 0; crew->groups && i < crew->config->interface_count; i++) {
		struct group *group = crew->groups[i];
		struct change *change = crew->changes ? crew->changes[i] : NULL;

		/* Opened, and not yet gone on with. */
		if (group && group->before && !change)
			close_group(group->before, leaves);
		change_close(change, leaves);
		close_group(group, leaves);
	}
	free(crew->groups);
	free(crew->changes);
	keeper_free(TAKE(crew->keeper));
}
