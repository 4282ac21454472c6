/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/room.h"

#include "config/workers.h"
#include "supervisor/manager.h"

#include <errno.h>
#include <stdlib.h>

/* What it refuses for want of room it refuses in silence. */
bool room_is_kept(const struct config *config)
{
	uint32_t size;

	return manager_store_size(&size) >= 0 && keeper_holds(size, workers_count(config));
}

/* Workers that will be there before any other has gone. */
static uint64_t count_coming(const struct crew *crew, const struct config *wanted)
{
	uint64_t count = 0;

	for (size_t i = 0; i < wanted->interface_count; i++) {
		const struct group *group = crew_find_group(crew, wanted->interfaces[i].name);

		if (!group || change_is_wanted(group, wanted))
			count += wanted->interfaces[i].workers;
	}
	return count;
}

int room_check(const struct crew *crew, const struct config *wanted)
{
	const uint64_t coming = count_coming(crew, wanted);
	uint32_t size;
	int r = coming > 0 ? premises_check_memory(&wanted->ring, wanted->output.stage, coming) : 0;

	if (r < 0 || coming == 0 || !getenv("NOTIFY_SOCKET") || manager_store_size(&size) < 0)
		return r;
	return keeper_has_room(size, crew_count_kept(crew), coming) ? 0 : -ENOSPC;
}
