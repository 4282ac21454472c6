/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "base/clock.h"

static void the_monotonic_clock_never_goes_back(void **state)
{
	uint64_t before = clock_monotonic_ns();

	(void)state;
	for (int i = 0; i < 100000; i++) {
		uint64_t now = clock_monotonic_ns();

		assert_true(now >= before);
		before = now;
	}
}

static void utc_is_in_nanoseconds_since_the_epoch(void **state)
{
	(void)state;
	/* Between 2020 and 2100: any other unit falls outside. */
	assert_true(clock_utc_ns() > UINT64_C(1577836800) * NSEC_PER_SEC);
	assert_true(clock_utc_ns() < UINT64_C(4102444800) * NSEC_PER_SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_monotonic_clock_never_goes_back),
		cmocka_unit_test(utc_is_in_nanoseconds_since_the_epoch),
	};

	return RUN_TESTS(tests);
}
