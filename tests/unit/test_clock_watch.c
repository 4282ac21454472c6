/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "base/clock.h"
#include "supervisor/clock_watch.h"

static const uint64_t start_ns = UINT64_C(1700000000) * NSEC_PER_SEC;

/* A look at so many seconds after the start, by a clock that was set by so much since then. */
static int64_t look(struct clock_watch *watch, uint64_t seconds, int64_t set_ns)
{
	uint64_t now_ns = seconds * NSEC_PER_SEC;

	return clock_watch_step(watch, now_ns, start_ns + now_ns + (uint64_t)set_ns, now_ns + 800);
}

static void a_clock_that_is_set_is_told_once(void **state)
{
	const int64_t hour = 3600 * (int64_t)NSEC_PER_SEC;
	struct clock_watch watch = { 0 };

	(void)state;
	assert_int_equal(look(&watch, 5, 0), 0);
	assert_int_equal(look(&watch, 6, 0), 0);
	assert_int_equal(look(&watch, 7, hour), hour);
	assert_int_equal(look(&watch, 8, hour), 0);
	assert_int_equal(look(&watch, 9, 0), -hour);
	assert_int_equal(look(&watch, 10, 0), 0);
}

/* A leap second, smeared over a day by small corrections of whatever kind. */
static void a_smear_is_no_step(void **state)
{
	struct clock_watch watch = { 0 };

	(void)state;
	for (uint64_t second = 1; second < 86400; second++)
		assert_int_equal(look(&watch, second, (int64_t)(second * 11574)), 0);
}

static void a_pause_between_two_readings_is_no_step(void **state)
{
	struct clock_watch watch = { 0 };

	(void)state;
	assert_int_equal(look(&watch, 1, 0), 0);
	assert_int_equal(clock_watch_step(&watch, 2 * NSEC_PER_SEC, start_ns + 2 * NSEC_PER_SEC,
			     3 * NSEC_PER_SEC),
	    0);
	assert_int_equal(look(&watch, 4, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_clock_that_is_set_is_told_once),
		cmocka_unit_test(a_smear_is_no_step),
		cmocka_unit_test(a_pause_between_two_readings_is_no_step),
	};

	return RUN_TESTS(tests);
}
