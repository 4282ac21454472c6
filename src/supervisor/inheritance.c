/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/inheritance.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "capture/filter.h"
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
static void refuse(
    const struct group *group, const struct child *child, int fd, struct departure *departure)
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
	departure_note(departure, group, fd);
	close(fd);
	keeper_remove(&ring);
}

/* Its link was down since a worker looked, and is perhaps up again. */
static bool was_down(int fd)
{
	struct pollfd wait = { .fd = fd };

	return poll(&wait, 1, 0) > 0 && (wait.revents & POLLERR);
}

/* Nobody told this life, or the one before, of what has become of the members' numbers. */
static void renew_front(const struct group *group, bool is_relinked)
{
	const uint32_t front = atomic_load(&group->record->front);
	const uint32_t index = front - 1 - group->run.first;

	/* Of those who give way, whoever moves them knows it. */
	if (group->role == GROUP_LEAVES)
		return;
	if (is_relinked && !group->before)
		group_take_order(group);
	else if (front != 0 && index < group->count && group->children[index].socket < 0)
		atomic_store(&group->record->front, 0);
}

size_t inheritance_enter(struct group *group, struct socket_seat *ret_seat)
{
	struct departure departure = { 0 };
	bool is_relinked = false;
	size_t count = 0;

	for (size_t i = 0; i < group->count; i++) {
		struct child *child = &group->children[i];
		struct socket_seat seat;
		const struct keeper_ring ring = child_ring(child);
		int fd = keeper_claim(group->keeper, &ring);

		if (fd < 0)
			continue;
		if (!is_of_ledger(child, fd) || socket_seat(fd, &seat) < 0 ||
		    (count > 0 &&
			(seat.group != ret_seat->group || seat.ifindex != ret_seat->ifindex))) {
			refuse(group, child, fd, &departure);
			continue;
		}
		*ret_seat = seat;
		is_relinked = is_relinked || was_down(fd);
		(void)succession_inherit(group, child, fd);
		count++;
	}
	/* As long as one is a member it is sent a share, which it does not let in. */
	(void)departure_await(&departure);
	renew_front(group, is_relinked);
	return count;
}
