/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "base/clock.h"
#include "supervisor/restart.h"

static void a_worker_that_had_worked_is_started_at_once(void **state)
{
	struct restart restart = { .most_ns = 3 * NSEC_PER_SEC };

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_int_equal(restart_next(&restart, true), 0);
}

static void one_that_never_worked_waits_twice_as_long_each_time(void **state)
{
	struct restart restart = { .most_ns = 1000 * NSEC_PER_MSEC };
	const uint64_t expected_ms[] = { 100, 200, 400, 800, 1000, 1000 };

	(void)state;
	for (size_t i = 0; i < sizeof(expected_ms) / sizeof(expected_ms[0]); i++)
		assert_int_equal(restart_next(&restart, false), expected_ms[i] * NSEC_PER_MSEC);
}

static void work_ends_the_waiting(void **state)
{
	struct restart restart = { .most_ns = 3 * NSEC_PER_SEC };

	(void)state;
	assert_int_equal(restart_next(&restart, false), 100 * NSEC_PER_MSEC);
	assert_int_equal(restart_next(&restart, false), 200 * NSEC_PER_MSEC);
	assert_int_equal(restart_next(&restart, true), 0);
	assert_int_equal(restart_next(&restart, false), 100 * NSEC_PER_MSEC);
}

static void the_wait_stays_below_what_a_short_ring_can_bear(void **state)
{
	struct restart restart = { .most_ns = 50 * NSEC_PER_MSEC };

	(void)state;
	assert_int_equal(restart_next(&restart, false), 50 * NSEC_PER_MSEC);
	assert_int_equal(restart_next(&restart, false), 50 * NSEC_PER_MSEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_worker_that_had_worked_is_started_at_once),
		cmocka_unit_test(one_that_never_worked_waits_twice_as_long_each_time),
		cmocka_unit_test(work_ends_the_waiting),
		cmocka_unit_test(the_wait_stays_below_what_a_short_ring_can_bear),
	};

	return RUN_TESTS(tests);
}
