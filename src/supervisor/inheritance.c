/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/inheritance.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "capture/filter.h"
#include "ledger/members.h"
#include "supervisor/departure.h"
#include "supervisor/succession.h"

#include <inttypes.h>
#include <poll.h>

/* The ring that the ledger speaks of, and no other: its numbers say nothing of another. */
static bool is_of_ledger(const struct child *child, int fd)
{
	struct ledger_commit commit;
	uint64_t cookie = socket_cookie(fd);

	return cookie != 0 && ledger_commit_read(child->heritage.record, &commit) == 0 &&
	       commit.ring_cookie == cookie;
}

/* What nobody will read is counted at least. */
static void refuse(const struct group *group, const struct child *child, int fd)
{
	const struct keeper_ring ring = child_ring(child);
	struct ledger_worker *record = child->heritage.record;
	uint64_t lost;

	(void)filter_attach(fd, &filter_refuse_all);
	lost = ledger_settle(record);
	(void)socket_statistics(fd, ledger_statistics_free_slot(record));
	lost += ledger_settle(record);
	log_line(LOG_WARNING,
	    "%s: the socket of worker %u that the service manager kept is of no ring that the "
	    "ledger knows; closed, with %" PRIu64 " packets that nobody had read",
	    group->interface->name, child->heritage.worker, lost);
	keeper_remove(&ring);
}

/* Its link was down since a worker looked, and is perhaps up again. */
static bool was_down(int fd)
{
	struct pollfd wait = { .fd = fd };

	return poll(&wait, 1, 0) > 0 && (wait.revents & POLLERR);
}

/* It was closed between two lives, or just before. */
static void miss(struct group *group, const struct child *child)
{
	const size_t slot = group->run.first + child->heritage.worker;

	group->inherited.misses_one |= members_has(group->premises->ledger, slot);
	members_drop(group->premises->ledger, slot);
}

/*
 * Nobody told this life, or the one before, of what has become of the members' numbers.  Where one
 * has gone and the link was down, nobody can say which was first.
 */
static void renew_order(const struct group *group)
{
	struct ledger *ledger = group->premises->ledger;

	/* Those who give way are asked for last, and know of both. */
	if (group->before) {
		group->before->inherited = group->inherited;
		return;
	}
	if (group->inherited.is_relinked && group->inherited.misses_one)
		members_forget(ledger, group->record);
	else if (group->inherited.is_relinked)
		members_relink(ledger, group->record);
	members_settle(ledger, group->record);
}

/* One after the other, or nobody could say which number another has then. */
static void turn_away(const struct group *group, const int fds[WORKERS_MOST])
{
	struct ledger *ledger = group->premises->ledger;

	for (size_t i = 0; i < group->count; i++) {
		struct departure departure = { 0 };

		if (fds[i] < 0)
			continue;
		refuse(group, &group->children[i], fds[i]);
		departure_note(&departure, group, fds[i]);
		close(fds[i]);
		/* As long as it is a member it is sent a share, which it does not let in. */
		if (!departure_await(&departure))
			members_forget(ledger, group->record);
		else if (group->before)
			members_drop(ledger, group->run.first + i);
		else
			members_leave(ledger, group->run.first + i);
	}
}

size_t inheritance_enter(struct group *group, struct socket_seat *ret_seat)
{
	int unfit[WORKERS_MOST];
	size_t count = 0;

	for (size_t i = 0; i < group->count; i++) {
		struct child *child = &group->children[i];
		struct socket_seat seat;
		const struct keeper_ring ring = child_ring(child);
		int fd = keeper_claim(group->keeper, &ring);

		unfit[i] = -1;
		if (fd < 0) {
			miss(group, child);
			continue;
		}
		if (!is_of_ledger(child, fd) || socket_seat(fd, &seat) < 0 ||
		    (count > 0 &&
			(seat.group != ret_seat->group || seat.ifindex != ret_seat->ifindex))) {
			unfit[i] = fd;
			continue;
		}
		*ret_seat = seat;
		group->inherited.is_relinked |= was_down(fd);
		(void)succession_inherit(group, child, fd);
		count++;
	}
	renew_order(group);
	turn_away(group, unfit);
	return count;
}
