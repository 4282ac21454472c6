/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "base/array.h"
#include "tool/delays.h"

static uint32_t values[1000];

static struct delays empty(void)
{
	return (struct delays) { .values = values, .capacity = COUNT_OF(values) };
}

static void a_percentile_is_the_nearest_rank(void **state)
{
	/* Of 5 values the 20th percentile is the first, the 21st already the second. */
	static const struct {
		uint32_t count;
		unsigned int percent;
		uint32_t expected;
	} cases[] = { { 1, 1, 10 }, { 1, 50, 10 }, { 1, 100, 10 }, { 2, 50, 10 }, { 2, 51, 20 },
		{ 5, 20, 10 }, { 5, 21, 20 }, { 5, 50, 30 }, { 5, 99, 50 }, { 100, 50, 500 },
		{ 100, 99, 990 }, { 101, 99, 1000 }, { 1000, 99, 9900 }, { 1000, 100, 10000 } };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct delays delays = empty();

		/* Added from the longest to the shortest. */
		for (uint32_t n = cases[i].count; n > 0; n--)
			delays_add(&delays, n * 10);
		delays_sort(&delays);
		assert_int_equal(delays_percentile(&delays, cases[i].percent), cases[i].expected);
	}
}

static void of_none_there_is_no_percentile(void **state)
{
	struct delays delays = empty();

	(void)state;
	delays_sort(&delays);
	assert_int_equal(delays_percentile(&delays, 50), 0);
}

static void a_delay_that_is_too_long_is_the_longest(void **state)
{
	struct delays delays = empty();

	(void)state;
	delays_add(&delays, UINT64_C(5000000000));
	delays_add(&delays, 1);
	delays_sort(&delays);
	assert_int_equal(delays_percentile(&delays, 50), 1);
	assert_int_equal(delays_percentile(&delays, 99), UINT32_MAX);
}

static void what_there_is_no_room_for_is_not_kept(void **state)
{
	struct delays delays = { .values = values, .capacity = 2 };

	(void)state;
	values[2] = 77;
	for (uint64_t i = 0; i < 3; i++)
		delays_add(&delays, i);
	assert_int_equal(delays.count, 2);
	assert_int_equal(values[2], 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_percentile_is_the_nearest_rank),
		cmocka_unit_test(of_none_there_is_no_percentile),
		cmocka_unit_test(a_delay_that_is_too_long_is_the_longest),
		cmocka_unit_test(what_there_is_no_room_for_is_not_kept),
	};

	return RUN_TESTS(tests);
}
