/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/membership.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "supervisor/departure.h"
#include "supervisor/news.h"

#include <errno.h>

/* Whether there are others that go on, and the program is ours. */
static bool applies(const struct group *group)
{
	return group->runs && !group->is_stopping && !group->is_gone && group_is_alone(group);
}

static bool is_member(const struct child *child)
{
	return (child->socket >= 0 && (child->captures || child->was_asked)) || child->leaving > 0;
}

/* It may be in the group already, and does not capture yet. */
static bool is_joining(const struct child *child)
{
	return is_member(child) && !child->captures && child_lives(child);
}

static bool is_lost(const struct child *child)
{
	return is_member(child) && !child->captures && !child_lives(child);
}

static size_t count(const struct group *group, bool (*is_one)(const struct child *))
{
	size_t sum = 0;

	for (size_t i = 0; i < group->count; i++)
		sum += is_one(&group->children[i]);
	return sum;
}

static bool captures(const struct child *child)
{
	return child->captures && child->socket >= 0;
}

/* NULL: none. */
static const struct child *find(const struct group *group, bool (*is_one)(const struct child *))
{
	for (size_t i = 0; i < group->count; i++)
		if (is_one(&group->children[i]))
			return &group->children[i];
	return NULL;
}

static uint32_t number_of(const struct group *group, const struct child *child)
{
	return group->run.first + child->heritage.worker + 1;
}

/* ---- the program ------------------------------------------------------------------------- */

int membership_share_out(const struct group *group)
{
	const struct child *one = find(group, captures);

	/* Where one is lost, its share goes to another until it has left. */
	if (!one || count(group, is_lost) > 0)
		return 0;
	return intake_share_among(&group->intake, one->socket, (uint32_t)count(group, captures));
}

/*
 * Number 0 is known, and 1 is another; both stay members that capture when this one leaves, as the
 * last that then takes its place does.
 */
static int divert(const struct group *group, const struct child *child)
{
	const uint32_t front = atomic_load(&group->record->front);
	const struct child *one = find(group, captures);
	struct program program = { 0 };
	bool is_front = front == number_of(group, child);
	int r;

	if (group->intake.program.count == 0 || front == 0 || !one)
		return -EOPNOTSUPP;
	if (is_front ? count(group, is_member) != count(group, captures) + 1
		     : !captures(&group->children[front - 1 - group->run.first]))
		return -EOPNOTSUPP;
	r = program_constant(&program, is_front ? 1 : 0);
	if (r >= 0)
		r = program_attach(one->socket, &program);
	program_release(&program);
	return r;
}

/* ---- the gap ----------------------------------------------------------------------------- */

uint64_t membership_last_heard_ns(const struct ledger_worker *record)
{
	const uint64_t beat = atomic_load(&record->heartbeat_ns), now = clock_monotonic_ns();

	/* Of an earlier uptime it says nothing. */
	return beat == 0 || beat > now ? 0 : clock_utc_ns() - (now - beat);
}

static void open_gap(const struct group *group, struct child *child)
{
	/* Nothing comes from a link that is down. */
	if (child->gap_since_ns == 0 && !group->is_down)
		child->gap_since_ns = clock_utc_ns();
}

void membership_tell_gap(const struct group *group, struct child *child)
{
	if (child->gap_since_ns == 0)
		return;
	atomic_fetch_add(&child->slot->gaps, 1);
	news_gap(group, child, child->gap_since_ns);
	child->gap_since_ns = 0;
}

/* ---- leaving ----------------------------------------------------------------------------- */

void membership_lose(struct group *group, struct child *child)
{
	if (!applies(group) || !is_member(child))
		return;
	/* Its share must not be counted as that of one that captures. */
	child->captures = false;
	if (divert(group, child) < 0)
		open_gap(group, child);
	FAULT(MEMBER_LOST);
}

/* The last has its place now. */
static void note_front(const struct group *group, const struct child *gone)
{
	const struct child *one = find(group, is_member);

	if (atomic_load(&group->record->front) != number_of(group, gone))
		return;
	atomic_store(
	    &group->record->front, count(group, is_member) == 1 ? number_of(group, one) : 0);
}

/* Others may hold it for some moments more: the service manager, and who is just being born. */
static bool has_left(const struct group *group, const struct child *child)
{
	struct departure departure = {
		.place = interfaces_place(group->interfaces, group->interface),
		.count = 1,
		.inodes = { child->leaving },
	};

	return departure_is_over(&departure);
}

bool membership_leave(struct group *group, struct child *child)
{
	uint64_t inode;
	int r;

	if (!applies(group) || (child->socket < 0 && child->leaving == 0))
		return true;
	/* One that joins would be put in its place, and sent what it does not let in yet. */
	if (child->leaving == 0) {
		/* So would one of a next generation: these go first, as soon as the change looks.
		 */
		if (group->is_joined || count(group, is_joining) > 0)
			return false;
		inode = socket_inode(child->socket);
		child_let_go(child);
		child->leaving = inode;
	}
	if (!has_left(group, child))
		return false;
	child->leaving = 0;
	child->was_asked = false;
	note_front(group, child);
	FAULT(MEMBER_CLOSED);
	r = membership_share_out(group);
	if (r < 0)
		(void)log_failure(
		    r, "%s: cannot give the fanout group its program", group->interface->name);
	/* What was its share is another's from here on. */
	if (find(group, captures))
		membership_tell_gap(group, child);
	return true;
}

/* ---- coming ------------------------------------------------------------------------------ */

bool membership_prepare(struct group *group, struct child *child)
{
	if (!applies(group))
		return true;
	/* Whoever does not capture is the last, or it would be sent a share. */
	if (count(group, is_joining) + count(group, is_lost) > 0)
		return false;
	/* It ends with its last member: the id may be another's by now. */
	if (!find(group, is_member))
		group->fanout = -1;
	if (group->intake.program.count == 0 || !find(group, captures) ||
	    membership_share_out(group) < 0)
		open_gap(group, child);
	return true;
}

void membership_enter(struct group *group, struct child *child)
{
	int r;

	if (!applies(group))
		return;
	if (count(group, is_member) == 1)
		atomic_store(&group->record->front, number_of(group, child));
	r = membership_share_out(group);
	if (r < 0)
		(void)log_failure(
		    r, "%s: cannot give the fanout group its program", group->interface->name);
	membership_tell_gap(group, child);
}
