/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/change.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "capture/program.h"
#include "config/difference.h"
#include "ledger/members.h"
#include "supervisor/departure.h"
#include "supervisor/joining.h"
#include "supervisor/membership.h"
#include "supervisor/order.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Often enough to lose no time, and seldom enough to cost none. */
static const uint64_t look_us = 5000;
/* A worker that died is followed within this, or the change is put off to another day. */
static const uint64_t patience_ns = 20 * NSEC_PER_SEC;
/* Of a next generation that died before it was sent anything. */
enum { ATTEMPTS_MOST = 5, MEMBERS_LEAST = 256 };

enum stage_of_change {
	WAITS, /* until each worker is there to give way */
	OPENS,
	MOVES,
	IS_OVER,
};

struct change {
	struct group *from, *to;
	struct change_owner owner;
	enum stage_of_change stage;
	sd_event_source *source;
	uint64_t since_ns;
	unsigned int attempts;
	int error;                  /* of the next generation, told */
	struct order order;         /* from the move on */
	int64_t sent_to;            /* the member that everything is sent to; -1: not yet */
	struct departure departure; /* of the old member that was closed last, until it is gone */
	uint32_t departing_front;   /* as it stands in the ledger, where that member is it; or 0 */
	size_t departing;           /* the slot of that member */
};

/* ---- what there is to change ------------------------------------------------------------- */

static size_t workers_of(const struct group *group, const struct config *config)
{
	const struct interface_config *interface = difference_find(config, group->interface->name);

	return interface ? (size_t)interface->workers : group->count;
}

bool change_is_wanted(const struct group *group, const struct config *config)
{
	const struct ledger_ring wanted = premises_ring(&config->ring);
	const struct ledger_ring is = premises_ring(&group->ring);

	return group->count != workers_of(group, config) ||
	       memcmp(&wanted, &is, sizeof(wanted)) != 0;
}

static const char *obstacle(const struct group *group, size_t count)
{
	struct ledger_run run;

	if (!program_runs(group->config->fanout.mode) || group->config->fanout.rollover)
		return "a fanout group of this mode cannot change while it captures; a restart "
		       "would";
	if (group->has_begun && (group->is_down || group->is_gone || !group->runs))
		return "it is down; it can once it is up";
	if (group->has_begun && atomic_load(&group->record->front) == 0)
		return "the order of its fanout group is not known, since several workers have "
		       "lost their sockets between two lives; it can once the link was down and "
		       "up";
	if (group->count + count > MOST(2 * group->count, (size_t)MEMBERS_LEAST))
		return "its fanout group has no room for so many workers more; a stop and a start "
		       "would";
	if (ledger_find_run(group->premises->ledger, group->record, count, &run) < 0)
		return "the ledger has no room for so many workers more; a stop and a start would";
	return NULL;
}

int change_check(const struct group *group, const struct config *config)
{
	const char *why = obstacle(group, workers_of(group, config));

	if (!why)
		return 0;
	log_line(LOG_ERR, "%s: cannot change workers or rings without loss: %s",
	    group->interface->name, why);
	return -EBUSY;
}

/* ---- the fanout group -------------------------------------------------------------------- */

static struct child *find_socket(const struct group *group)
{
	for (size_t i = 0; i < group->count; i++)
		if (group->children[i].socket >= 0)
			return &group->children[i];
	return NULL;
}

/* The one of the old members that the kernel has as number 0; NULL where a new one is that. */
static struct child *find_front(const struct change *change)
{
	const struct group *from = change->from;
	const uint32_t front = atomic_load(&from->record->front);

	for (size_t i = 0; i < from->count; i++)
		if (from->children[i].socket >= 0 && from->run.first + i + 1 == front)
			return &from->children[i];
	return NULL;
}

/* The same of the new ones. */
static const struct child *find_first(const struct change *change)
{
	const struct group *to = change->to;
	const uint32_t front = atomic_load(&to->record->front);

	return front - 1 - to->run.first < to->run.count ? &to->children[front - 1 - to->run.first]
							 : NULL;
}

static int send_all_to(struct change *change, uint32_t member)
{
	const struct child *child = find_socket(change->to);
	struct program program = { 0 };
	int r = child ? program_constant(&program, member) : -ENOTCONN;

	if (r >= 0)
		r = program_attach(child->socket, &program);
	program_release(&program);
	if (r >= 0)
		change->sent_to = member;
	return r;
}

static void note_first(const struct change *change)
{
	struct group *to = change->to;

	if (change->order.first)
		atomic_store(
		    &to->record->front, to->run.first + change->order.first->heritage.worker + 1);
}

/* Everything to one new member that captures, wherever the kernel has it now. */
static int aim(struct change *change)
{
	const size_t members = group_count_members(change->from) + group_count_members(change->to);
	int64_t member;

	/* Where the link went down meanwhile, the oldest are first again. */
	if (change->order.first && find_front(change))
		order_relink(&change->order, change->to);
	order_look(&change->order, change->to);
	note_first(change);
	member = order_find(&change->order, members);
	if (member < 0)
		/* Until one of them is born again; what an earlier life did is not known. */
		member = MOST(change->sent_to, 0);
	return change->sent_to == member ? 0 : send_all_to(change, (uint32_t)member);
}

/* ---- the next generation ----------------------------------------------------------------- */

static void on_failed(void *user, const struct group *group, int error)
{
	struct change *change = user;

	(void)group;
	change->error = error;
}

static void on_runs(void *user, const struct group *group)
{
	(void)user;
	(void)group;
}

static void on_ended(void *user)
{
	const struct change *change = user;

	change->owner.ended(change->owner.user);
}

static void set_change(const struct group *group, enum ledger_change how)
{
	atomic_store(&group->record->change, (uint32_t)how);
}

static int make_next(struct change *change)
{
	const struct group *from = change->from;
	const struct ledger *ledger = from->premises->ledger;
	struct group *to = calloc(1, sizeof(*to));
	const struct ledger_ring ring = premises_ring(&from->config->ring);
	int r =
	    to ? ledger_find_run(ledger, from->record, (size_t)from->interface->workers, &to->run)
	       : -ENOMEM;

	if (r < 0) {
		free(to);
		return log_failure(r, "%s: cannot plan other workers", from->interface->name);
	}
	to->config = from->config;
	to->interface = from->interface;
	to->interfaces = from->interfaces;
	to->premises = from->premises;
	to->limits = from->limits;
	to->record = from->record;
	to->ring = from->config->ring;
	to->start = PREMISES_ANEW;
	to->role = GROUP_COMES;
	to->owner = (struct group_owner) { on_runs, on_failed, on_ended, change };
	change->to = to;
	to->record->next = to->run;
	/* First their numbers: by these a next life that undoes it finds their sockets. */
	ledger_take_run(ledger, &to->run, &ring);
	ledger_number_run(ledger, to->record, &to->run);
	FAULT(CHANGE_PLANNED);
	set_change(to, CHANGE_OPENS);
	FAULT(CHANGE_BEGUN);
	return group_open(to, from->children[0].event, from->children[0].run,
	    ledger_slot(ledger, from->run.first)->interface);
}

static void let_go(struct group *group)
{
	const struct premises *premises = group->premises;
	const struct ledger_run run = group->run;
	struct ledger_interface *record = group->record;
	struct departure departure = { 0 };

	departure_note_all(&departure, group);
	group_close(group);
	for (uint32_t i = 0; i < run.count; i++)
		members_drop(premises->ledger, run.first + i);
	/* While one of them is left, nobody knows what number the next to join has. */
	if (departure_await(&departure))
		members_settle(premises->ledger, record);
	else
		members_forget(premises->ledger, record);
	premises_free_slots(premises, &run);
	free(group);
}

/* It has been sent nothing, so that nothing is lost with it. */
static void undo(struct change *change)
{
	struct ledger_interface *record = change->from->record;

	if (!change->to)
		return;
	change->from->is_joined = false;
	let_go(TAKE(change->to));
	atomic_store(&record->change, CHANGE_NONE);
}

static void end(struct change *change, int error)
{
	change->stage = IS_OVER;
	change->owner.done(change->owner.user, change, error);
}

static void give_up(struct change *change, int error)
{
	undo(change);
	end(change, error);
}

/* ---- one stage after the other ------------------------------------------------------------- */

/* Nobody captures yet: there is nothing to move. */
static void replace(struct change *change)
{
	struct group *from = change->from, *to;
	int r = make_next(change);

	if (r < 0) {
		give_up(change, r);
		return;
	}
	to = change->to;
	to->role = GROUP_SERVES;
	to->owner = from->owner;
	set_change(to, CHANGE_SETTLES);
	to->record->serving = to->run;
	set_change(to, CHANGE_NONE);
	change->owner.moved(change->owner.user, change);
	from->role = GROUP_LEAVES;
	let_go(TAKE(change->from));
	end(change, 0);
}

static void open_next(struct change *change)
{
	int r = make_next(change);

	change->error = 0;
	/* Where nothing is made, nothing is there to undo. */
	change->from->is_joined = change->to != NULL;
	if (r >= 0)
		r = group_begin_beside(change->to, change->from);
	if (r < 0) {
		give_up(change, r);
		return;
	}
	change->stage = OPENS;
}

static void wait_for_all(struct change *change)
{
	const struct group *from = change->from;

	if (!from->has_begun) {
		replace(change);
	} else if (obstacle(from, (size_t)from->interface->workers)) {
		end(change, change_check(from, from->config));
	} else if (group_is_steady(from) && change->owner.is_steady(change->owner.user)) {
		open_next(change);
	} else if (clock_monotonic_ns() - change->since_ns > patience_ns) {
		log_line(LOG_ERR,
		    "%s: a worker does not come up; workers and rings stay as they are",
		    from->interface->name);
		end(change, -EBUSY);
	}
}

/* From here on there is no way back: whoever finds the ledger so goes on. */
static void move(struct change *change)
{
	struct group *from = change->from, *to = change->to;
	int r;

	FAULT(CHANGE_OPENED);
	set_change(to, CHANGE_MOVES);
	FAULT(CHANGE_MEANT);
	order_begin(&change->order, to);
	r = aim(change);
	if (r < 0) {
		(void)log_failure(
		    r, "%s: cannot move the traffic to other workers", from->interface->name);
		set_change(to, CHANGE_OPENS);
		give_up(change, r);
		return;
	}
	FAULT(CHANGE_MOVED);
	to->role = GROUP_SERVES;
	to->before = from;
	to->owner = from->owner;
	to->intake.stamping = from->intake.stamping;
	from->role = GROUP_LEAVES;
	from->is_joined = false;
	group_keep_places(from);
	from->owner = (struct group_owner) { on_runs, on_failed, on_ended, change };
	from->intake.stamping = (struct stamping) { 0 };
	change->stage = MOVES;
	change->owner.moved(change->owner.user, change);
	group_stop(from);
}

/* Whether one has ended: where it had joined, the others are not where they are meant to be. */
static bool has_died(const struct group *group)
{
	for (size_t i = 0; i < group->count; i++)
		if (!child_lives(&group->children[i]))
			return true;
	return false;
}

static void wait_for_next(struct change *change)
{
	const struct group *from = change->from;

	if (change->error < 0 || from->is_down || from->is_gone) {
		log_line(LOG_ERR, "%s: other workers could not begin; the ones there are go on",
		    from->interface->name);
		give_up(change, change->error < 0 ? change->error : -ENETDOWN);
	} else if (group_has_lost_one(from) || has_died(change->to)) {
		undo(change);
		change->stage = WAITS;
		if (++change->attempts == ATTEMPTS_MOST)
			end(change, -EIO);
	} else if (change->to->runs) {
		move(change);
	}
}

static void close_one(struct change *change, struct child *child)
{
	const struct keeper_ring ring = child_ring(child);
	struct group *from = change->from;

	change->departing = from->run.first + child->heritage.worker;
	from->closes = true;
	change->departing_front =
	    child == find_front(change) ? atomic_load(&from->record->front) : 0;
	departure_note(&change->departure, from, child->socket);
	/* First the one who is slow to let go: whoever is last has to wait for the kernel. */
	if (child->is_kept) {
		keeper_remove(&ring);
		(void)keeper_settle();
	}
	child->is_kept = false;
	close_at(&child->socket);
}

/* Until it is gone it has its number, and the others have theirs. */
static bool has_closed(struct change *change)
{
	struct ledger_interface *record = change->from->record;
	uint32_t front = change->departing_front;

	if (change->departure.count == 0)
		return true;
	if (!departure_is_over(&change->departure))
		return false;
	change->departure.count = 0;
	FAULT(CHANGE_CLOSED);
	/* Not so where a link that went down gave them new numbers meanwhile. */
	if (front == 0)
		order_other_closed(&change->order);
	else if (front == atomic_load(&record->front))
		order_first_closed(&change->order);
	else
		order_relink(&change->order, change->to);
	note_first(change);
	members_leave(change->to->premises->ledger, change->departing);
	change->from->closes = false;
	joining_advance(change->to);
	return true;
}

static void settle(struct change *change)
{
	struct group *from = TAKE(change->from), *to = change->to;
	const struct child *any = find_socket(to);
	const uint32_t front = atomic_load(&to->record->front);
	int r = any ? intake_share_out(&to->intake, any->socket) : 0;

	if (r < 0)
		(void)log_failure(
		    r, "%s: cannot give the fanout group its program", to->interface->name);
	/* A life that was killed had no time to say so. */
	if (front != 0 && front - 1 - to->run.first >= to->run.count)
		atomic_store(&to->record->front, to->run.first + to->run.count);
	FAULT(CHANGE_EMPTY);
	set_change(to, CHANGE_SETTLES);
	to->record->serving = to->record->next;
	FAULT(CHANGE_SETTLED);
	set_change(to, CHANGE_NONE);
	to->before = NULL;
	let_go(from);
	end(change, 0);
}

static void empty(struct change *change)
{
	struct child *child;

	if (!has_closed(change))
		return;
	/* Where the link went down meanwhile, members are in another order. */
	(void)aim(change);
	if (!group_has_ended(change->from) || !change->owner.is_steady(change->owner.user) ||
	    !membership_is_settled(change->to))
		return;
	child = find_front(change);
	/* Then the one who is sent all is where no other's end moves it. */
	if (!child && change->order.first && change->sent_to != 0)
		return;
	if (!child)
		child = find_socket(change->from);
	/* One at a time: each takes some 30 ms. */
	if (child)
		close_one(change, child);
	else
		settle(change);
}

static int on_look(sd_event_source *source, uint64_t usec, void *user)
{
	static void (*const stages[])(struct change *) = {
		[WAITS] = wait_for_all,
		[OPENS] = wait_for_next,
		[MOVES] = empty,
	};
	struct change *change = user;
	int r = sd_event_source_set_time_relative(source, look_us);

	(void)usec;
	if (r >= 0)
		r = sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	if (r < 0)
		return r;
	/* The last thing that is done to it: it may be freed in there. */
	stages[change->stage](change);
	return 0;
}

/* ---- life -------------------------------------------------------------------------------- */

static int make(struct change **ret_change, struct group *from, const struct change_owner *owner)
{
	struct change *change = calloc(1, sizeof(*change));
	int r = change ? sd_event_add_time_relative(from->children[0].event, &change->source,
			     CLOCK_MONOTONIC, 0, 1, on_look, change)
		       : -ENOMEM;

	if (r < 0) {
		free(change);
		return log_failure(r, "%s: cannot plan a change", from->interface->name);
	}
	change->from = from;
	change->owner = *owner;
	change->since_ns = clock_monotonic_ns();
	change->sent_to = -1;
	*ret_change = change;
	return 0;
}

int change_begin(struct change **ret_change, struct group *from, const struct change_owner *owner)
{
	return make(ret_change, from, owner);
}

int change_resume(struct change **ret_change, struct group *from, struct group *to,
    const struct change_owner *owner)
{
	struct change *change;
	int r = make(&change, from, owner);

	if (r < 0)
		return r;
	change->to = to;
	change->stage = MOVES;
	from->owner = (struct group_owner) { on_runs, on_failed, on_ended, change };
	group_go_on_leaving(from);
	group_keep_places(from);
	if (find_front(change))
		order_begin(&change->order, to);
	else
		order_resume(&change->order, to, find_first(change));
	r = aim(change);
	if (r < 0)
		(void)log_failure(
		    r, "%s: cannot move the traffic to other workers", from->interface->name);
	group_stop(from);
	*ret_change = change;
	return 0;
}

struct group *change_from(const struct change *change)
{
	return change->from;
}

struct group *change_to(const struct change *change)
{
	return change->to;
}

void change_stop(struct change *change)
{
	if (change->stage != MOVES)
		undo(change);
	if (change->stage != MOVES)
		change->source = sd_event_source_disable_unref(change->source);
}

bool change_has_ended(const struct change *change)
{
	return change->stage != MOVES || group_has_ended(change->from);
}

void change_close(struct change *change, bool leaves)
{
	struct group *other;

	if (!change)
		return;
	sd_event_source_disable_unref(change->source);
	other = change->stage == MOVES ? change->from : change->stage == OPENS ? change->to : NULL;
	if (other) {
		(leaves ? group_leave : group_close)(other);
		free(other);
	}
	free(change);
}
