/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "base/clock.h"
#include "tool/pace.h"

enum { NOW = 5000, LENGTH = 125 };

#define ONE UINT64_C(1000000)
#define RECORDED_AT (UINT64_C(1700000000) * NSEC_PER_SEC)

static struct pace begin(enum pace_mode mode, uint64_t value)
{
	const struct pace_plan plan = { mode, value };
	struct pace pace;

	pace_begin(&pace, &plan, NOW);
	return pace;
}

static uint64_t due(struct pace *pace, uint64_t time_ns)
{
	const struct packet packet = { .time_ns = time_ns, .captured_length = LENGTH };

	return pace_due(pace, &packet, true);
}

static uint64_t due_without_time(struct pace *pace)
{
	const struct packet packet = { .captured_length = LENGTH };

	return pace_due(pace, &packet, false);
}

static void recorded_gaps_are_kept(void **state)
{
	struct pace pace = begin(PACE_RECORDED, ONE);

	(void)state;
	assert_int_equal(due(&pace, RECORDED_AT), NOW);
	assert_int_equal(due(&pace, RECORDED_AT + 1), NOW + 1);
	assert_int_equal(due(&pace, RECORDED_AT + 3600 * NSEC_PER_SEC), NOW + 3600 * NSEC_PER_SEC);
}

static void a_factor_divides_them(void **state)
{
	struct pace fast = begin(PACE_RECORDED, 4 * ONE), slow = begin(PACE_RECORDED, ONE / 2);

	(void)state;
	assert_int_equal(due(&fast, RECORDED_AT), NOW);
	assert_int_equal(due(&fast, RECORDED_AT + 1000), NOW + 250);
	assert_int_equal(due(&slow, RECORDED_AT), NOW);
	assert_int_equal(due(&slow, RECORDED_AT + 1000), NOW + 2000);
}

static void a_stamp_that_steps_back_waits_for_nobody(void **state)
{
	struct pace pace = begin(PACE_RECORDED, ONE);

	(void)state;
	assert_int_equal(due(&pace, RECORDED_AT), NOW);
	assert_int_equal(due(&pace, RECORDED_AT + 100), NOW + 100);
	assert_int_equal(due(&pace, RECORDED_AT + 40), NOW + 100);
	assert_int_equal(due(&pace, RECORDED_AT - 40), NOW + 100);
	assert_int_equal(due(&pace, RECORDED_AT + 200), NOW + 200);
}

static void a_packet_without_a_stamp_goes_with_the_one_before(void **state)
{
	struct pace pace = begin(PACE_RECORDED, ONE);

	(void)state;
	assert_int_equal(due_without_time(&pace), NOW);
	assert_int_equal(due(&pace, RECORDED_AT), NOW);
	assert_int_equal(due(&pace, RECORDED_AT + 100), NOW + 100);
	assert_int_equal(due_without_time(&pace), NOW + 100);
}

static void what_follows_begins_where_the_one_before_ended(void **state)
{
	struct pace pace = begin(PACE_RECORDED, ONE);

	(void)state;
	assert_int_equal(due(&pace, RECORDED_AT), NOW);
	assert_int_equal(due(&pace, RECORDED_AT + 100), NOW + 100);
	pace_follow(&pace, NOW + 50);
	assert_int_equal(due(&pace, 7), NOW + 100);
	assert_int_equal(due(&pace, 17), NOW + 110);
	pace_follow(&pace, NOW);
	assert_int_equal(due(&pace, RECORDED_AT), NOW + 110);
	assert_int_equal(due(&pace, RECORDED_AT + 1), NOW + 111);
	/* What it took to open the next is no part of its first gap. */
	pace_follow(&pace, NOW + 500);
	assert_int_equal(due(&pace, 7), NOW + 500);
	assert_int_equal(due(&pace, 17), NOW + 510);
}

/* 3 packets a second never come out whole; a million of them still end on the second. */
static void a_rate_does_not_drift(void **state)
{
	struct pace pace = begin(PACE_RATE, 3 * ONE);
	uint64_t last = 0;

	(void)state;
	assert_int_equal(due(&pace, RECORDED_AT), NOW);
	assert_int_equal(due(&pace, RECORDED_AT), NOW + 333333333);
	assert_int_equal(due(&pace, RECORDED_AT), NOW + 666666666);
	assert_int_equal(due(&pace, 0), NOW + NSEC_PER_SEC);
	for (int i = 4; i <= 3000000; i++)
		last = due(&pace, RECORDED_AT);
	assert_int_equal(last, NOW + 1000000 * NSEC_PER_SEC);
	/* Files and rounds are all one to it. */
	pace_follow(&pace, NOW + 2000000 * NSEC_PER_SEC);
	assert_int_equal(due(&pace, 0), NOW + 1000000 * NSEC_PER_SEC + 333333333);
}

static void a_rate_may_be_less_than_one(void **state)
{
	struct pace pace = begin(PACE_RATE, ONE / 4);

	(void)state;
	assert_int_equal(due(&pace, RECORDED_AT), NOW);
	assert_int_equal(due(&pace, RECORDED_AT), NOW + 4 * NSEC_PER_SEC);
}

static void a_bandwidth_counts_the_bits_before(void **state)
{
	struct pace pace = begin(PACE_BANDWIDTH, 1000000);

	(void)state;
	assert_int_equal(due(&pace, RECORDED_AT), NOW);
	assert_int_equal(due(&pace, RECORDED_AT), NOW + NSEC_PER_MSEC);
	assert_int_equal(due_without_time(&pace), NOW + 2 * NSEC_PER_MSEC);
}

static void as_fast_as_possible_is_at_once(void **state)
{
	struct pace pace = begin(PACE_FAST, 1);

	(void)state;
	assert_int_equal(due(&pace, RECORDED_AT), 0);
	assert_int_equal(due(&pace, RECORDED_AT + NSEC_PER_SEC), 0);
}

static void what_is_beyond_time_is_never_due(void **state)
{
	struct pace pace = begin(PACE_RECORDED, 1);

	(void)state;
	assert_int_equal(due(&pace, 0), NOW);
	assert_int_equal(due(&pace, UINT64_MAX), UINT64_MAX);
	assert_int_equal(due(&pace, UINT64_MAX), UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recorded_gaps_are_kept),
		cmocka_unit_test(a_factor_divides_them),
		cmocka_unit_test(a_stamp_that_steps_back_waits_for_nobody),
		cmocka_unit_test(a_packet_without_a_stamp_goes_with_the_one_before),
		cmocka_unit_test(what_follows_begins_where_the_one_before_ended),
		cmocka_unit_test(a_rate_does_not_drift),
		cmocka_unit_test(a_rate_may_be_less_than_one),
		cmocka_unit_test(a_bandwidth_counts_the_bits_before),
		cmocka_unit_test(as_fast_as_possible_is_at_once),
		cmocka_unit_test(what_is_beyond_time_is_never_due),
	};

	return RUN_TESTS(tests);
}
