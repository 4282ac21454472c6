/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/unfinished.h"

#include "ledger/members.h"
#include "ledger/roster.h"

#include <stdio.h>
#include <unistd.h>

static bool is_in(const struct ledger_run *run, uint32_t slot)
{
	return slot - run->first < run->count;
}

/* What is in its ring is nothing, or all written. */
static void drop_socket(const struct premises *premises, struct keeper *keeper,
    const struct ledger_interface *record, size_t slot)
{
	struct keeper_ring ring = {
		.generation = atomic_load(&ledger_slot(premises->ledger, slot)->generation),
		.worker = ledger_slot(premises->ledger, slot)->worker,
	};
	int fd;

	snprintf(ring.interface, sizeof(ring.interface), "%s", record->name);
	fd = keeper_claim(keeper, &ring);
	if (fd < 0)
		return;
	close(fd);
	keeper_remove(&ring);
}

static void drop_next(
    const struct premises *premises, struct keeper *keeper, struct ledger_interface *record)
{
	for (uint32_t i = 0; i < record->next.count; i++) {
		const size_t slot = record->next.first + i;

		drop_socket(premises, keeper, record, slot);
		/* With its process it is out of the fanout group. */
		premises_drop_stage(premises, slot);
		members_drop(premises->ledger, slot);
	}
	/* While one of them is left, nobody knows what number the next to join has. */
	if (keeper_settle() < 0)
		members_forget(premises->ledger, record);
	ledger_free_run(premises->ledger, &record->next);
}

/*
 * Of a generation that had gone, or of an interface that had not yet come or had gone, when the
 * supervisor was killed before it said so.
 */
static void free_what_is_left(
    const struct premises *premises, struct keeper *keeper, const struct ledger_interface *record)
{
	const bool serves = roster_has(record);
	const bool has_next = serves && atomic_load(&record->change) == CHANGE_MOVES;

	for (uint32_t i = 0; i < record->slot_count; i++) {
		const struct ledger_run one = { record->first_slot + i, 1 };

		if (!atomic_load(&ledger_slot(premises->ledger, one.first)->is_used) ||
		    (serves && is_in(&record->serving, one.first)) ||
		    (has_next && is_in(&record->next, one.first)))
			continue;
		/* Of one that had gone it may still be in the store. */
		if (!serves)
			drop_socket(premises, keeper, record, one.first);
		premises_free_slots(premises, &one);
		if (!atomic_load(&ledger_slot(premises->ledger, one.first)->is_used))
			premises_remove_stage(premises, one.first);
	}
}

void unfinished_settle(const struct premises *premises, struct keeper *keeper, size_t index)
{
	struct ledger_interface *record = ledger_interface(premises->ledger, index);
	uint32_t change = roster_has(record) ? atomic_load(&record->change) : CHANGE_NONE;

	if (change == CHANGE_OPENS)
		drop_next(premises, keeper, record);
	if (change == CHANGE_SETTLES)
		record->serving = record->next;
	if (change != CHANGE_MOVES)
		atomic_store(&record->change, CHANGE_NONE);
	free_what_is_left(premises, keeper, record);
}
