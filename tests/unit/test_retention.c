/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "base/array.h"
#include "base/clock.h"
#include "storage/retention.h"

enum { MB = 1000000, HOUR = 3600 };

/* Ten files of 10 MB, two workers whose files come to 10 MB, half a disk of 1 GB free. */
static const struct retention_facts usual = {
	.files = 10,
	.bytes = 100 * MB,
	.ours = 100 * MB,
	.open_files = 2,
	.open_bytes = 10 * MB,
	.oldest_ns = 1000 * HOUR * NSEC_PER_SEC,
	.now_ns = 1024 * HOUR * NSEC_PER_SEC,
	.knows_time = true,
	.disk_bytes = 1000 * MB,
	.disk_free = 500 * MB,
};

static enum retention_bound broken(struct retain_config retain)
{
	return retention_broken(&retain, &usual);
}

static void each_bound_is_kept_with_room_for_the_open_files(void **state)
{
	(void)state;
	assert_int_equal(broken((struct retain_config) { 0 }), RETENTION_KEPT);
	assert_int_equal(broken((struct retain_config) { .size = 120 * MB }), RETENTION_KEPT);
	assert_int_equal(broken((struct retain_config) { .size = 120 * MB - 1 }), RETENTION_SIZE);
	assert_int_equal(broken((struct retain_config) { .files = 12 }), RETENTION_KEPT);
	assert_int_equal(broken((struct retain_config) { .files = 11 }), RETENTION_FILES);
	assert_int_equal(
	    broken((struct retain_config) { .age = 24 * HOUR * NSEC_PER_SEC }), RETENTION_KEPT);
	assert_int_equal(
	    broken((struct retain_config) { .age = 24 * HOUR * NSEC_PER_SEC - 1 }), RETENTION_AGE);
	/* 48 % of the disk, and 2 % for the open files. */
	assert_int_equal(broken((struct retain_config) { .free = 4800 }), RETENTION_KEPT);
	assert_int_equal(broken((struct retain_config) { .free = 4801 }), RETENTION_FREE);
}

static void what_is_open_counts_as_large_as_it_is(void **state)
{
	const struct retain_config retain = { .size = 120 * MB };
	struct retention_facts facts = usual;

	(void)state;
	facts.open_now = 20 * MB;
	assert_int_equal(retention_broken(&retain, &facts), RETENTION_KEPT);
	facts.open_now = 20 * MB + 1;
	assert_int_equal(retention_broken(&retain, &facts), RETENTION_SIZE);
}

static void age_says_nothing_while_the_clock_is_not_right(void **state)
{
	const struct retain_config retain = { .age = HOUR * NSEC_PER_SEC };
	struct retention_facts facts = usual;

	(void)state;
	facts.knows_time = false;
	assert_int_equal(retention_broken(&retain, &facts), RETENTION_KEPT);
	/* Nor does one that was set back. */
	facts.knows_time = true;
	facts.now_ns = facts.oldest_ns - 1;
	assert_int_equal(retention_broken(&retain, &facts), RETENTION_KEPT);
}

static void others_who_fill_the_disk_do_not_cost_all_files(void **state)
{
	const struct retain_config retain = { .free = 5000 };
	struct retention_facts facts = usual;

	(void)state;
	facts.disk_free = 420 * MB;
	assert_false(retention_is_out_of_reach(&retain, &facts));
	assert_int_equal(retention_broken(&retain, &facts), RETENTION_FREE);
	/* Even without all of ours there would be less than half. */
	facts.disk_free = 420 * MB - 1;
	assert_true(retention_is_out_of_reach(&retain, &facts));
	assert_int_equal(retention_broken(&retain, &facts), RETENTION_KEPT);
	/* But the capture goes on, over the oldest. */
	facts.disk_free = 20 * MB - 1;
	assert_int_equal(retention_broken(&retain, &facts), RETENTION_FREE);
}

static void nothing_overflows(void **state)
{
	const struct retain_config retain = {
		.size = UINT64_MAX, .files = UINT64_MAX, .age = UINT64_MAX, .free = 10000
	};
	struct retention_facts facts = {
		.files = UINT64_MAX,
		.bytes = UINT64_MAX,
		.ours = UINT64_MAX,
		.open_files = UINT64_MAX,
		.open_bytes = UINT64_MAX,
		.oldest_ns = UINT64_MAX,
		.now_ns = UINT64_MAX,
		.knows_time = true,
		.disk_bytes = UINT64_MAX,
		.disk_free = UINT64_MAX,
	};

	(void)state;
	assert_int_equal(retention_broken(&retain, &facts), RETENTION_KEPT);
	facts.disk_free = 0;
	assert_int_equal(retention_broken(&retain, &facts), RETENTION_FREE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_bound_is_kept_with_room_for_the_open_files),
		cmocka_unit_test(what_is_open_counts_as_large_as_it_is),
		cmocka_unit_test(age_says_nothing_while_the_clock_is_not_right),
		cmocka_unit_test(others_who_fill_the_disk_do_not_cost_all_files),
		cmocka_unit_test(nothing_overflows),
	};

	return RUN_TESTS(tests);
}
