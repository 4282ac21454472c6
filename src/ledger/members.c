/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ledger/members.h"

/* As a slot has it; any other is the number, + 1. */
enum {
	NONE = 0,
	UNKNOWN = INT32_MAX,
	BY_BIRTH = INT32_MAX - 1, /* to be numbered by when its socket was made */
};

static uint32_t get(const struct ledger *ledger, size_t slot)
{
	return atomic_load(&ledger_slot(ledger, slot)->member);
}

static void set(const struct ledger *ledger, size_t slot, size_t member)
{
	atomic_store(&ledger_slot(ledger, slot)->member, (uint32_t)member);
}

static struct ledger_interface *interface_of(const struct ledger *ledger, size_t slot)
{
	return ledger_interface(ledger, ledger_slot(ledger, slot)->interface);
}

/* How many slots of an interface say this. */
static size_t count_of(
    const struct ledger *ledger, const struct ledger_interface *interface, uint32_t member)
{
	size_t count = 0;

	for (uint32_t i = 0; i < interface->slot_count; i++)
		count += get(ledger, interface->first_slot + i) == member;
	return count;
}

size_t members_count(const struct ledger *ledger, const struct ledger_interface *interface)
{
	return interface->slot_count - count_of(ledger, interface, NONE);
}

bool members_has(const struct ledger *ledger, size_t slot)
{
	return get(ledger, slot) != NONE;
}

int64_t members_number(const struct ledger *ledger, size_t slot)
{
	const uint32_t member = get(ledger, slot);

	return member == NONE || member >= BY_BIRTH ? MEMBER_NOT_KNOWN : (int64_t)member - 1;
}

static void set_all(
    const struct ledger *ledger, const struct ledger_interface *interface, uint32_t member)
{
	for (uint32_t i = 0; i < interface->slot_count; i++)
		if (get(ledger, interface->first_slot + i) != NONE)
			set(ledger, interface->first_slot + i, member);
}

static void note_front(const struct ledger *ledger, struct ledger_interface *interface)
{
	uint32_t front = 0;

	for (uint32_t i = 0; i < interface->slot_count; i++)
		if (members_number(ledger, interface->first_slot + i) == 0)
			front = interface->first_slot + i + 1;
	atomic_store(&interface->front, front);
}

/* As long as one is not numbered, whoever finds it begins again. */
static void number_by_birth(const struct ledger *ledger, struct ledger_interface *interface)
{
	size_t count = members_count(ledger, interface);

	set_all(ledger, interface, BY_BIRTH);
	for (size_t member = 1; member <= count; member++) {
		uint32_t oldest = 0;
		uint64_t oldest_ns = UINT64_MAX;

		for (uint32_t i = 0; i < interface->slot_count; i++) {
			const uint32_t slot = interface->first_slot + i;
			uint64_t born_ns = atomic_load(&ledger_slot(ledger, slot)->born_ns);

			if (get(ledger, slot) != BY_BIRTH || born_ns > oldest_ns)
				continue;
			oldest = slot;
			oldest_ns = born_ns;
		}
		set(ledger, oldest, member);
	}
}

/* Who has a number that there is has kept it: only the last ever gets another. */
static bool fill_gap(const struct ledger *ledger, const struct ledger_interface *interface)
{
	const size_t count = members_count(ledger, interface);
	size_t gaps = 0, gap = 0;

	for (size_t member = 1; member <= count; member++) {
		size_t holders = count_of(ledger, interface, (uint32_t)member);

		if (holders > 1)
			return false;
		if (holders == 0) {
			gaps++;
			gap = member;
		}
	}
	if (gaps > 1)
		return false;
	for (uint32_t i = 0; gaps == 1 && i < interface->slot_count; i++)
		if (get(ledger, interface->first_slot + i) > count)
			set(ledger, interface->first_slot + i, gap);
	return true;
}

void members_settle(const struct ledger *ledger, struct ledger_interface *interface)
{
	if (count_of(ledger, interface, BY_BIRTH) > 0)
		number_by_birth(ledger, interface);
	/* One alone is number 0, whatever was. */
	if ((members_count(ledger, interface) > 1 && count_of(ledger, interface, UNKNOWN) > 0) ||
	    !fill_gap(ledger, interface))
		set_all(ledger, interface, UNKNOWN);
	note_front(ledger, interface);
}

void members_join(const struct ledger *ledger, size_t slot)
{
	struct ledger_interface *interface = interface_of(ledger, slot);
	const bool are_known = count_of(ledger, interface, UNKNOWN) == 0;

	if (get(ledger, slot) != NONE)
		return;
	set(ledger, slot, are_known ? members_count(ledger, interface) + 1 : UNKNOWN);
	note_front(ledger, interface);
}

void members_drop(const struct ledger *ledger, size_t slot)
{
	set(ledger, slot, NONE);
}

void members_leave(const struct ledger *ledger, size_t slot)
{
	members_drop(ledger, slot);
	members_settle(ledger, interface_of(ledger, slot));
}

void members_relink(const struct ledger *ledger, struct ledger_interface *interface)
{
	number_by_birth(ledger, interface);
	note_front(ledger, interface);
}

void members_forget(const struct ledger *ledger, struct ledger_interface *interface)
{
	set_all(ledger, interface, UNKNOWN);
	note_front(ledger, interface);
}

void members_clear(const struct ledger *ledger, struct ledger_interface *interface)
{
	set_all(ledger, interface, NONE);
	note_front(ledger, interface);
}
