/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/membership.h"

#include "base/array.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "ledger/members.h"
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
static struct child *find(const struct group *group, bool (*is_one)(const struct child *))
{
	for (size_t i = 0; i < group->count; i++)
		if (is_one(&group->children[i]))
			return &group->children[i];
	return NULL;
}

static size_t slot_of(const struct group *group, const struct child *child)
{
	return group->run.first + child->heritage.worker;
}

static int64_t number_of(const struct group *group, const struct child *child)
{
	return members_number(group->premises->ledger, slot_of(group, child));
}

/* The kernel has it in the group already, or not yet. */
static bool is_underway(const struct child *child)
{
	return child->leaving > 0 || (child->was_asked && !child->has_joined && child_lives(child));
}

bool membership_is_settled(const struct group *group)
{
	return count(group, is_underway) == 0;
}

/* Two at a time could come and go in either order. */
static bool may_move(const struct group *group)
{
	return membership_is_settled(group) && !group->is_joined &&
	       !(group->before && group->before->closes);
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
 * The number of one that captures, and still has it when this one has left: only the last ever gets
 * another.  Where there is none but the last, it gets 0 in place of this one: what a program
 * returns is taken modulo the members.
 */
static int64_t find_stand_in(const struct group *group, const struct child *child)
{
	const size_t members = members_count(group->premises->ledger, group->record);
	int64_t last = MEMBER_NOT_KNOWN;

	for (size_t i = 0; i < group->count; i++) {
		const struct child *one = &group->children[i];
		int64_t number = captures(one) ? number_of(group, one) : MEMBER_NOT_KNOWN;

		if (number >= 0 && number + 1 < (int64_t)members)
			return number;
		last = MOST(last, number);
	}
	return number_of(group, child) == 0 ? last : MEMBER_NOT_KNOWN;
}

static int divert(const struct group *group, const struct child *child)
{
	const struct child *one = find(group, captures);
	int64_t number = find_stand_in(group, child);
	struct program program = { 0 };
	int r;

	if (group->intake.program.count == 0 || !one || number < 0)
		return -EOPNOTSUPP;
	r = program_constant(&program, (uint32_t)number);
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

/* A program leaves one out that joins, until it captures. */
static bool has_share(const struct group *group, const struct child *child)
{
	return group->intake.program.count == 0 || child->heritage.life != LIFE_BEGINS ||
	       child_state(child) == STATE_RUNNING;
}

void membership_lose(struct group *group, struct child *child)
{
	if (!applies(group) || !is_member(child) || !has_share(group, child))
		return;
	/* Its share must not be counted as that of one that captures. */
	child->captures = false;
	/* One that has not joined has none. */
	if (child->has_joined && divert(group, child) < 0)
		open_gap(group, child);
	FAULT(MEMBER_LOST);
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

/* What the one that has left was sent is for others; one after the other leaves. */
static void share_out_again(struct group *group)
{
	struct child *next = find(group, is_lost);
	int r = 0;

	if (!next)
		r = membership_share_out(group);
	else if (divert(group, next) < 0)
		open_gap(group, next);
	if (r < 0)
		(void)log_failure(
		    r, "%s: cannot give the fanout group its program", group->interface->name);
}

bool membership_leave(struct group *group, struct child *child)
{
	uint64_t inode;

	if (group->is_stopping || group->is_gone || (child->socket < 0 && child->leaving == 0))
		return true;
	if (child->leaving == 0) {
		/* One that joins would be put in its place, and sent what it does not let in yet.
		 */
		if (!may_move(group) || (group->runs && count(group, is_joining) > 0))
			return false;
		inode = socket_mark(child->socket);
		child_let_go(child);
		child->leaving = inode;
	}
	if (!has_left(group, child))
		return false;
	child->leaving = 0;
	child->was_asked = false;
	members_leave(group->premises->ledger, slot_of(group, child));
	FAULT(MEMBER_CLOSED);
	if (!applies(group))
		return true;
	share_out_again(group);
	/* What was its share is another's from here on. */
	if (find(group, captures))
		membership_tell_gap(group, child);
	return true;
}

/* ---- coming ------------------------------------------------------------------------------ */

bool membership_prepare(struct group *group, struct child *child)
{
	if (!may_move(group) || count(group, is_lost) > 0)
		return false;
	if (!applies(group))
		return true;
	/* Whoever does not capture is the last, or it would be sent a share. */
	if (count(group, is_joining) > 0)
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
	r = membership_share_out(group);
	if (r < 0)
		(void)log_failure(
		    r, "%s: cannot give the fanout group its program", group->interface->name);
	membership_tell_gap(group, child);
}
