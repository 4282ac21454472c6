/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/crew.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/difference.h"
#include "ledger/roster.h"
#include "supervisor/deadlines.h"
#include "supervisor/unfinished.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* For workers that come to be in their group: to open a ring may take some seconds. */
static const uint64_t patience_ns = 60 * NSEC_PER_SEC;

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
	for (size_t i = 0; i < group->count; i++) {
		const struct child *child = &group->children[i];

		if (child_lives(child) &&
		    atomic_load(&child->heritage.record->heartbeat_ns) == child->started_ns)
			return true;
	}
	return false;
}

/* ---- all generations of all interfaces ---------------------------------------------------- */

/* One after the other; NULL once there is no more. */
struct walk {
	const struct crew *crew;
	size_t at, turn;
};

static struct group *next_of_interface(struct walk *walk)
{
	const struct crew *crew = walk->crew;
	const struct change *change = crew->changes ? crew->changes[walk->at] : NULL;
	struct group *group = crew->groups[walk->at];

	switch (walk->turn++) {
	case 0:
		return group;
	case 1:
		return change ? change_from(change) : group ? group->before : NULL;
	case 2:
		return change ? change_to(change) : NULL;
	default:
		walk->at++;
		walk->turn = 0;
		return NULL;
	}
}

static struct group *walk_next(struct walk *walk)
{
	const size_t count = walk->crew->groups ? walk->crew->config->interface_count : 0;

	while (walk->at < count) {
		struct group *group = next_of_interface(walk);

		/* Of two generations in a change one is the group that serves. */
		if (group && (walk->turn == 1 || group != walk->crew->groups[walk->at]))
			return group;
	}
	while (walk->at < count + walk->crew->removal_count) {
		struct group *group =
		    removal_group(walk->crew->removals[walk->at - count], walk->turn++);

		if (group)
			return group;
		walk->at++;
		walk->turn = 0;
	}
	return NULL;
}

static bool is_steady(void *user)
{
	struct walk walk = { .crew = user };
	const struct group *group;

	while ((group = walk_next(&walk)))
		if (is_being_born(group))
			return false;
	return true;
}

struct group *crew_find_group(const struct crew *crew, const char *name)
{
	for (size_t i = 0; i < crew->config->interface_count; i++)
		if (strcmp(crew->config->interfaces[i].name, name) == 0)
			return crew->groups[i];
	return NULL;
}

uint64_t crew_count_kept(const struct crew *crew)
{
	struct walk walk = { .crew = crew };
	const struct group *group;
	uint64_t count = 0;

	while ((group = walk_next(&walk)))
		for (size_t i = 0; i < group->count; i++)
			count += group->children[i].is_kept;
	return count;
}

/* ---- what is under way ------------------------------------------------------------------- */

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
	crew_look(crew, error);
}

void crew_look(struct crew *crew, int error)
{
	if (error < 0)
		crew->error = error;
	if (!crew_is_changing(crew))
		crew->changed(crew->owner.user, take_error(crew));
}

void crew_look_at_arrival(struct crew *crew, const struct group *arrival, int error)
{
	for (size_t i = 0; i < crew->config->interface_count; i++)
		if (crew->groups[i] == arrival)
			crew->groups[i]->arrives = false;
	crew_look(crew, error);
}

static void on_removed(void *user, struct removal *removal)
{
	struct crew *crew = user;
	size_t i = 0;

	while (crew->removals[i] != removal)
		i++;
	crew->removals[i] = crew->removals[--crew->removal_count];
	removal_close(removal, false);
	crew_look(crew, 0);
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

struct removal_owner crew_removal_owner(struct crew *crew)
{
	return (struct removal_owner) { on_ended, on_removed, crew };
}

void crew_add_removal(struct crew *crew, struct removal *removal)
{
	crew->removals[crew->removal_count++] = removal;
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
		if (crew->changes[i] || crew->groups[i]->arrives)
			return true;
	return crew->removal_count > 0;
}

/* ---- the beginning ----------------------------------------------------------------------- */

static struct group *make_group(const struct crew *crew, const struct interface_config *interface,
    const struct ledger_run *run, enum premises_start start)
{
	const struct premises *premises = crew->premises;
	struct group *group = calloc(1, sizeof(*group));

	if (!group) {
		(void)log_failure(-ENOMEM, "%s: cannot plan its workers", interface->name);
		return NULL;
	}
	*group = (struct group) {
		.config = crew->config,
		.interface = interface,
		.interfaces = crew->interfaces,
		.premises = crew->premises,
		.keeper = start == PREMISES_GO_ON ? crew->keeper : NULL,
		.limits = &group_limits,
		.owner = crew->owner,
		.run = *run,
		.ring = premises_ring_of(&ledger_slot(premises->ledger, run->first)->ring),
		.start = start,
		.role = GROUP_SERVES,
	};
	return group;
}

int crew_open_group(struct crew *crew, const struct interface_config *interface, size_t index,
    struct group **ret_group)
{
	const struct ledger_run run = ledger_interface(crew->premises->ledger, index)->serving;
	struct group *group = make_group(crew, interface, &run, PREMISES_ANEW);
	int r = group ? group_open(group, crew->event, crew->run, index) : -ENOMEM;

	if (r >= 0) {
		*ret_group = group;
		return 0;
	}
	if (group)
		crew_forget_group(crew, group);
	else
		ledger_free_run(crew->premises->ledger, &run);
	return r;
}

void crew_forget_group(const struct crew *crew, struct group *group)
{
	const struct ledger_run run = group->run;

	group_close(group);
	premises_free_slots(crew->premises, &run);
	free(group);
}

/* What the ledger has of it, by which it is gone on with. */
static int go_on_with(struct crew *crew, const struct interface_config *interface, size_t index,
    struct group **ret_serving, struct group **ret_leaving)
{
	const struct ledger_interface *record = ledger_interface(crew->premises->ledger, index);
	const bool is_moving = atomic_load(&record->change) == CHANGE_MOVES;
	const enum premises_start start = crew->premises->goes_on ? PREMISES_GO_ON : PREMISES_ANEW;
	struct group *leaving = NULL;
	int r;

	*ret_serving =
	    make_group(crew, interface, is_moving ? &record->next : &record->serving, start);
	if (*ret_serving && is_moving) {
		leaving = *ret_leaving = make_group(crew, interface, &record->serving, start);
		if (leaving)
			leaving->role = GROUP_LEAVES;
	}
	if (!*ret_serving || (is_moving && !leaving))
		return -ENOMEM;
	r = group_open(*ret_serving, crew->event, crew->run, index);
	return r >= 0 && leaving ? group_open(leaving, crew->event, crew->run, index) : r;
}

static int open_new(struct crew *crew, const struct interface_config *interface, size_t i)
{
	const struct ledger_ring ring = premises_ring(&crew->config->ring);
	int r = roster_plan(crew->premises->ledger, interface->name, interface->workers, &ring);

	if (r < 0)
		return log_failure(r, "%s: the ledger has no room for it", interface->name);
	r = crew_open_group(crew, interface, (size_t)r, &crew->groups[i]);
	if (r >= 0)
		roster_enter(crew->groups[i]->record);
	return r;
}

static int open_one(struct crew *crew, size_t i)
{
	const struct interface_config *interface = &crew->config->interfaces[i];
	int index = roster_find(crew->premises->ledger, interface->name);
	struct group *leaving = NULL;
	int r = index < 0 ? open_new(crew, interface, i)
			  : go_on_with(crew, interface, (size_t)index, &crew->groups[i], &leaving);

	if (crew->groups[i])
		crew->groups[i]->before = leaving;
	return r;
}

/* An earlier life's, which the configuration has not. */
static int open_removal(struct crew *crew, size_t index)
{
	const struct removal_owner owner = crew_removal_owner(crew);
	struct group *groups[] = { NULL, NULL };
	struct removal *removal;
	int r = removal_new(
	    &removal, ledger_interface(crew->premises->ledger, index), crew->event, &owner);

	if (r < 0)
		return r;
	r = go_on_with(crew, removal_interface(removal), index, &groups[0], &groups[1]);
	for (size_t i = 0; i < COUNT_OF(groups); i++)
		if (groups[i])
			removal_take(removal, groups[i]);
	crew_add_removal(crew, removal);
	return r;
}

static int open_all(struct crew *crew)
{
	const struct ledger *ledger = crew->premises->ledger;
	const uint32_t count = ledger_header(ledger)->interface_count;
	int r = 0;

	for (uint32_t i = 0; crew->premises->goes_on && i < count; i++)
		unfinished_settle(crew->premises, crew->keeper, i);
	for (size_t i = 0; r >= 0 && i < crew->config->interface_count; i++)
		r = open_one(crew, i);
	for (uint32_t i = 0; r >= 0 && i < count; i++) {
		const struct ledger_interface *record = ledger_interface(ledger, i);

		if (roster_has(record) && !difference_find(crew->config, record->name))
			r = open_removal(crew, i);
	}
	return r;
}

int crew_open(struct crew *crew)
{
	const size_t count = crew->config->interface_count;

	crew->groups = calloc(count, sizeof(struct group *));
	crew->changes = calloc(count, sizeof(struct change *));
	crew->removals = calloc(
	    ledger_header(crew->premises->ledger)->interface_count, sizeof(struct removal *));
	if (!crew->groups || !crew->changes || !crew->removals)
		return log_failure(-ENOMEM, "cannot plan the groups");
	return open_all(crew);
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
	for (size_t i = 0; i < crew->removal_count; i++)
		removal_begin(crew->removals[i]);
	keeper_drop(TAKE(crew->keeper));
	return 0;
}

/* ---- while it runs, and the end ---------------------------------------------------------- */

/* The reload is told as done in part; they are tried again for as long as they are wanted. */
static void give_up_waiting(struct crew *crew)
{
	for (size_t i = 0; i < crew->config->interface_count; i++) {
		struct group *group = crew->groups[i];

		if (group->arrives)
			log_line(LOG_ERR, "%s: its workers do not come up; they are tried again",
			    group->interface->name);
		group->arrives = false;
	}
	crew_look(crew, -ETIMEDOUT);
}

static bool is_waited_for(const struct crew *crew)
{
	for (size_t i = 0; i < crew->config->interface_count; i++)
		if (crew->groups[i]->arrives)
			return true;
	return false;
}

void crew_check(struct crew *crew, uint64_t now_ns)
{
	struct walk walk = { .crew = crew };
	struct group *group;

	while ((group = walk_next(&walk)))
		deadlines_check(group, now_ns);
	if (is_waited_for(crew) && now_ns - crew->since_ns > patience_ns)
		give_up_waiting(crew);
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
	for (size_t i = 0; i < crew->removal_count; i++)
		if (!removal_has_ended(crew->removals[i]))
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
	for (size_t i = 0; i < crew->removal_count; i++)
		removal_close(crew->removals[i], leaves);
	free(crew->groups);
	free(crew->changes);
	free(crew->removals);
	keeper_free(TAKE(crew->keeper));
}
