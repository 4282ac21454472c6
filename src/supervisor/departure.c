/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/departure.h"

#include "base/clock.h"

#include <errno.h>
#include <unistd.h>

/* Half of what WatchdogSec= leaves to the loop that waits here. */
static const uint64_t patience_ns = 5 * NSEC_PER_SEC;
enum { LOOK_US = 1000 };

void departure_note(struct departure *departure, const struct group *group, int fd)
{
	departure->place = interfaces_place(group->interfaces, group->interface);
	departure->inodes[departure->count++] = socket_mark(fd);
}

void departure_note_all(struct departure *departure, const struct group *group)
{
	for (size_t i = 0; i < group->count; i++)
		if (group->children[i].socket >= 0)
			departure_note(departure, group, group->children[i].socket);
}

bool departure_is_over(const struct departure *departure)
{
	for (size_t i = 0; i < departure->count; i++) {
		int r = socket_is_held(&departure->place, departure->inodes[i]);

		/* With its namespace it is gone, too. */
		if (r > 0 || (r < 0 && r != -ENODEV && keeper_settle() < 0))
			return false;
	}
	return true;
}

bool departure_await(const struct departure *departure)
{
	const uint64_t deadline_ns = clock_monotonic_ns() + patience_ns;

	while (!departure_is_over(departure)) {
		if (clock_monotonic_ns() >= deadline_ns)
			return false;
		usleep(LOOK_US);
	}
	return true;
}
