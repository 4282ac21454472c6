/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the ledger says of the members of a fanout group, beside a list that is kept as the kernel
 * keeps its own (test_member_order).
 */
#include "support/cmocka.h"

#include "ledger/members.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SLOTS = 8, FIRST = 3, ROUNDS = 300, EVENTS = 40 };

static char path[64];
static int directory = -1;
static struct ledger *ledger;
static struct ledger_interface *interface;

/* By their places, as the kernel has them. */
static size_t members[SLOTS], count;
static uint64_t clock_ns;
static unsigned int seed;

static size_t draw(size_t below)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % below;
}

static int set_up(void **state)
{
	static const struct ledger_shape_interface interfaces[] = { { "eth0", FIRST, 0 },
		{ "eth1", SLOTS, 0 } };
	static const struct ledger_shape shape = {
		.sensor = "dmz",
		.interface_count = 2,
		.interfaces = interfaces,
		.ring = { 1 << 26, 1 << 20, 100000000 },
	};

	(void)state;
	strcpy(path, "/tmp/fancap-members-XXXXXX");
	directory = mkdtemp(path) ? open(path, O_DIRECTORY | O_CLOEXEC) : -1;
	if (directory < 0 || ledger_create(&ledger, directory, &shape) < 0)
		return -1;
	interface = ledger_interface(ledger, 1);
	count = 0;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	ledger_close(ledger);
	(void)unlinkat(directory, "ledger", 0);
	close(directory);
	return rmdir(path);
}

/* ---- what the kernel does ---------------------------------------------------------------- */

static void kernel_drops(size_t at)
{
	members[at] = members[--count];
}

static void join(size_t slot)
{
	atomic_store(&ledger_slot(ledger, slot)->born_ns, ++clock_ns);
	members[count++] = slot;
	members_join(ledger, slot);
}

static void leave(size_t at)
{
	const size_t slot = members[at];

	kernel_drops(at);
	members_leave(ledger, slot);
}

static uint64_t born_ns(size_t at)
{
	return atomic_load(&ledger_slot(ledger, members[at])->born_ns);
}

static void kernel_links_again(void)
{
	for (size_t i = 1; i < count; i++)
		for (size_t k = i; k > 0 && born_ns(k) < born_ns(k - 1); k--) {
			size_t other = members[k];

			members[k] = members[k - 1];
			members[k - 1] = other;
		}
}

static void check(void)
{
	assert_int_equal(members_count(ledger, interface), count);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(members_number(ledger, members[i]), i);
	assert_int_equal(atomic_load(&interface->front), count > 0 ? members[0] + 1 : 0);
}

static void check_unknown(void)
{
	assert_int_equal(members_count(ledger, interface), count);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(members_number(ledger, members[i]), MEMBER_NOT_KNOWN);
	assert_int_equal(atomic_load(&interface->front), 0);
}

static void begin(size_t how_many)
{
	members_clear(ledger, interface);
	count = 0;
	for (size_t i = 0; i < how_many; i++)
		join(FIRST + i);
	check();
}

/* ---- tests ------------------------------------------------------------------------------- */

static size_t draw_who_is_out(void)
{
	size_t slot;

	do {
		slot = FIRST + draw(SLOTS);
	} while (members_number(ledger, slot) >= 0);
	return slot;
}

static void do_something(void)
{
	switch (draw(5)) {
	case 0:
		kernel_links_again();
		members_relink(ledger, interface);
		break;
	case 1:
	case 2:
		if (count > 0)
			leave(draw(count));
		break;
	default:
		if (count < SLOTS)
			join(draw_who_is_out());
	}
}

static void they_are_numbered_as_the_kernel_numbers_them(void **state)
{
	(void)state;
	for (seed = 1; seed <= ROUNDS; seed++) {
		begin(draw(SLOTS + 1));
		for (unsigned int i = 0; i < EVENTS; i++) {
			do_something();
			check();
		}
	}
}

/* A life that was killed had perhaps not come so far as to say it, or only half of it. */
static void one_that_was_gone_when_a_life_began_is_found(void **state)
{
	(void)state;
	for (size_t at = 0; at < SLOTS; at++) {
		size_t slot;

		begin(SLOTS);
		slot = members[at];
		kernel_drops(at);
		members_drop(ledger, slot);
		members_settle(ledger, interface);
		check();
		/* Once more changes nothing. */
		members_settle(ledger, interface);
		check();
	}
}

static void two_that_were_gone_are_found_where_it_does_not_matter_who_was_first(void **state)
{
	(void)state;
	for (size_t a = 0; a < 5; a++)
		for (size_t b = 0; b < 5; b++) {
			size_t one, other;
			bool is_certain = a == b || a >= 3 || b >= 3;

			begin(5);
			one = members[a];
			other = members[b];
			kernel_drops(a);
			members_drop(ledger, one);
			members_drop(ledger, other);
			for (size_t i = 0; a != b && i < count; i++)
				if (members[i] == other)
					kernel_drops(i);
			members_settle(ledger, interface);
			if (is_certain)
				check();
			else
				check_unknown();
		}
}

static void what_is_not_known_is_so_until_the_link_was_down_or_one_is_left(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		begin(4);
		members_forget(ledger, interface);
		check_unknown();
		join(FIRST + 5);
		check_unknown();
		leave(1);
		check_unknown();
		if (i == 0) {
			kernel_links_again();
			members_relink(ledger, interface);
		} else {
			while (count > 1)
				leave(0);
		}
		check();
		join(FIRST + 6);
		check();
	}
}

/* No sum guards it: a number that nobody can have, or that two have. */
static void one_that_is_damaged_is_mended_or_not_believed(void **state)
{
	_Atomic uint32_t *member;

	(void)state;
	begin(4);
	member = &ledger_slot(ledger, members[2])->member;
	atomic_store(member, atomic_load(member) | 64);
	members_settle(ledger, interface);
	check();
	atomic_store(member, 1);
	members_settle(ledger, interface);
	check_unknown();
}

static void those_of_other_interfaces_are_left_alone(void **state)
{
	(void)state;
	members_join(ledger, 0);
	begin(3);
	leave(0);
	check();
	members_relink(ledger, interface);
	members_clear(ledger, interface);
	assert_int_equal(members_number(ledger, 0), 0);
	assert_int_equal(atomic_load(&ledger_interface(ledger, 0)->front), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    they_are_numbered_as_the_kernel_numbers_them, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    one_that_was_gone_when_a_life_began_is_found, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    two_that_were_gone_are_found_where_it_does_not_matter_who_was_first, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(
		    what_is_not_known_is_so_until_the_link_was_down_or_one_is_left, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(
		    one_that_is_damaged_is_mended_or_not_believed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    those_of_other_interfaces_are_left_alone, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
