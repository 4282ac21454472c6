/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "base/array.h"
#include "supervisor/keeper.h"

#include <errno.h>
#include <string.h>

static void a_name_is_read_from_the_right(void **state)
{
	static const struct {
		const char *name, *interface;
		uint32_t generation, worker;
	} cases[] = {
		{ "ring.eth1.1.0", "eth1", 1, 0 },
		{ "ring.eth1.100.7.3", "eth1.100", 7, 3 },
		{ "ring.dmz@eth0.4294967295.255", "dmz@eth0", UINT32_MAX, 255 },
		{ "ring.1.2.3", "1", 2, 3 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct keeper_ring ring = { 0 };
		char name[KEEPER_NAME_SIZE];

		assert_int_equal(keeper_parse(cases[i].name, &ring), 0);
		assert_string_equal(ring.interface, cases[i].interface);
		assert_int_equal(ring.generation, cases[i].generation);
		assert_int_equal(ring.worker, cases[i].worker);
		keeper_name(name, &ring);
		assert_string_equal(name, cases[i].name);
	}
}

static void a_name_that_is_none_of_ours_is_refused(void **state)
{
	static const char *const names[] = {
		"",
		"stored",
		"ring.",
		"ring.eth1",
		"ring.eth1.1",
		"ring.1.2",
		"ring..1.2",
		"ring.eth1.1.",
		"ring.eth1.1.0x",
		"ring.eth1.-1.0",
		"ring.eth1.4294967296.0",
		"ring.eth1.1.99999999999999999999",
		"Ring.eth1.1.0",
		"ring.a-name-that-is-longer-than-any-interface-and-its-namespace-could-be.1.0",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		struct keeper_ring ring = { .worker = 77 };

		if (keeper_parse(names[i], &ring) != -EINVAL)
			fail_msg("%s was taken", names[i]);
		assert_int_equal(ring.worker, 77);
	}
}

/* What does not go in is refused in silence, and then what was there is removed. */
static void a_store_has_room_for_others_who_take_over(void **state)
{
	(void)state;
	assert_true(keeper_holds(8, 4));
	assert_false(keeper_holds(7, 4));
	assert_false(keeper_holds(4, 4));
	assert_false(keeper_holds(UINT32_MAX, UINT64_C(1) << 31));
}

/* A store that holds less than what is there loses all the same, and holds nobody up. */
static void those_who_come_need_room_beside_those_who_are_there(void **state)
{
	(void)state;
	assert_true(keeper_has_room(6, 2, 4));
	assert_false(keeper_has_room(6, 3, 4));
	assert_false(keeper_has_room(4, 4, 1));
	assert_true(keeper_has_room(3, 4, 1));
	assert_true(keeper_has_room(0, 0, 4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_read_from_the_right),
		cmocka_unit_test(a_name_that_is_none_of_ours_is_refused),
		cmocka_unit_test(a_store_has_room_for_others_who_take_over),
		cmocka_unit_test(those_who_come_need_room_beside_those_who_are_there),
	};

	return RUN_TESTS(tests);
}
