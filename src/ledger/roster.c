/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ledger/roster.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int roster_find(const struct ledger *ledger, const char *name)
{
	for (uint32_t i = 0; i < ledger_header(ledger)->interface_count; i++) {
		const struct ledger_interface *interface = ledger_interface(ledger, i);

		if (roster_has(interface) && strcmp(interface->name, name) == 0)
			return (int)i;
	}
	return -ENOENT;
}

/* Whether a slot of a record that is not used can be had. */
typedef bool slot_test(const struct ledger *ledger, size_t slot);

static bool is_free(const struct ledger *ledger, size_t slot)
{
	return !atomic_load(&ledger_slot(ledger, slot)->is_used);
}

/* Or can be as soon as what a killed life left of it is cleared away. */
static bool is_about_to_be(const struct ledger *ledger, size_t slot)
{
	struct ledger_commit commit;
	int r = ledger_commit_read(ledger_worker(ledger, slot), &commit);

	return is_free(ledger, slot) || r == -ENODATA ||
	       (r == 0 && counters_are_settled(&commit.counters));
}

/* Nothing was ever counted in it, so that its name says nothing. */
static bool is_blank(const struct ledger *ledger, const struct ledger_interface *interface)
{
	for (uint32_t i = 0; i < interface->slot_count; i++) {
		struct ledger_commit commit;

		if (ledger_commit_read(ledger_worker(ledger, interface->first_slot + i), &commit) !=
		    -ENODATA)
			return false;
	}
	return atomic_load(&interface->nic_dropped) == 0;
}

static int find_run(const struct ledger *ledger, const struct ledger_interface *interface,
    size_t workers, slot_test *test, struct ledger_run *ret_run)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < interface->slot_count; i++) {
		count = test(ledger, interface->first_slot + i) ? count + 1 : 0;
		if (count != workers)
			continue;
		*ret_run = (struct ledger_run) { interface->first_slot + i + 1 - count, count };
		return 0;
	}
	return -ENOSPC;
}

static int find_before(const struct ledger *ledger, const char *name)
{
	for (uint32_t i = 0; i < ledger_header(ledger)->interface_count; i++) {
		const struct ledger_interface *interface = ledger_interface(ledger, i);

		if (!roster_has(interface) && strcmp(interface->name, name) == 0 &&
		    !is_blank(ledger, interface))
			return (int)i;
	}
	return -ENOENT;
}
/* Whom a record is wanted for; `skip` that none has had are somebody else's already. */
struct wish {
	const char *name;
	size_t workers, skip;
	slot_test *test;
};

/* One that was planned for another has slots that are not free any more. */
static int find_room(
    const struct ledger *ledger, const struct wish *wish, struct ledger_run *ret_run)
{
	const int before = find_before(ledger, wish->name);
	size_t skip = wish->skip;

	if (before >= 0)
		return find_run(ledger, ledger_interface(ledger, (size_t)before), wish->workers,
			   wish->test, ret_run) < 0
			   ? -ENOSPC
			   : before;
	for (uint32_t i = 0; i < ledger_header(ledger)->interface_count; i++) {
		const struct ledger_interface *interface = ledger_interface(ledger, i);

		if (roster_has(interface) || !is_blank(ledger, interface) ||
		    find_run(ledger, interface, interface->slot_count, wish->test, ret_run) < 0 ||
		    find_run(ledger, interface, wish->workers, wish->test, ret_run) < 0)
			continue;
		if (skip-- == 0)
			return (int)i;
	}
	return -ENOSPC;
}

bool roster_has_room(const struct ledger *ledger, const struct ledger_shape *shape)
{
	size_t blank = 0;

	for (size_t i = 0; i < shape->interface_count; i++) {
		const struct ledger_shape_interface *wanted = &shape->interfaces[i];
		const struct wish wish = { wanted->name, wanted->workers, blank, is_about_to_be };
		struct ledger_run run;
		int index;

		if (roster_find(ledger, wanted->name) >= 0)
			continue;
		index = find_room(ledger, &wish, &run);
		if (index < 0)
			return false;
		blank += is_blank(ledger, ledger_interface(ledger, (size_t)index));
	}
	return true;
}

int roster_plan(
    const struct ledger *ledger, const char *name, size_t workers, const struct ledger_ring *ring)
{
	const struct wish wish = { name, workers, 0, is_free };
	struct ledger_interface *interface;
	struct ledger_run run;
	int index = find_room(ledger, &wish, &run);

	if (index < 0)
		return index;
	interface = ledger_interface(ledger, (size_t)index);
	snprintf(interface->name, sizeof(interface->name), "%s", name);
	atomic_store(&interface->front, 0);
	atomic_store(&interface->change, CHANGE_NONE);
	ledger_take_run(ledger, &run, ring);
	ledger_number_run(ledger, interface, &run);
	interface->serving = run;
	return index;
}

void roster_enter(struct ledger_interface *interface)
{
	atomic_store(&interface->is_used, 1);
}

void roster_leave(struct ledger_interface *interface)
{
	atomic_store(&interface->is_used, 0);
}
