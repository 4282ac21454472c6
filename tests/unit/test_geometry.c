/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "base/array.h"
#include "base/clock.h"
#include "capture/geometry.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

static struct ring_config ring_of(uint64_t memory, uint64_t block_size, uint64_t retire_timeout)
{
	return (struct ring_config) {
		.memory = memory, .block_size = block_size, .retire_timeout = retire_timeout
	};
}

static struct geometry plan(uint64_t memory, uint64_t block_size)
{
	struct ring_config ring = ring_of(memory, block_size, 100 * NSEC_PER_MSEC);
	struct geometry geometry = { 0 };
	const struct geometry_rule *rule = NULL;

	assert_int_equal(geometry_plan(&geometry, &ring, &rule), 0);
	assert_null(rule);
	return geometry;
}

static void the_defaults_become_sixty_four_blocks(void **state)
{
	struct geometry geometry = plan(64 * MIB, MIB);

	(void)state;
	assert_int_equal(geometry.block_size, MIB);
	assert_int_equal(geometry.block_count, 64);
	assert_int_equal(geometry.retire_timeout_ms, 100);
	assert_int_equal(geometry.frame_size % 16, 0);
	assert_int_equal(
	    geometry.frame_count, geometry.block_size / geometry.frame_size * geometry.block_count);
	assert_int_equal(geometry_memory(&geometry), 64 * MIB);
	assert_int_equal(geometry_largest_frame(&geometry), MIB - 130);
	assert_int_equal(geometry_patience_ns(&geometry), 6300 * NSEC_PER_MSEC);
}

static void what_is_left_of_the_memory_is_no_block(void **state)
{
	(void)state;
	assert_int_equal(plan(10 * MIB - 1, MIB).block_count, 9);
}

static void memory_is_told_as_the_kernel_rounds_it(void **state)
{
	const struct {
		uint64_t block_size, rounded;
	} rows[] = {
		{ 4 * KIB, 4 * KIB },
		{ 12 * KIB, 16 * KIB },
		{ 1536 * KIB, 2 * MIB },
		{ 4 * MIB, 4 * MIB },
		{ 4100 * KIB, 8 * MIB },
		{ GIB + 4 * KIB, 2 * GIB },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct geometry geometry = plan(4 * rows[i].block_size, rows[i].block_size);

		assert_int_equal(geometry_memory(&geometry), 4 * rows[i].rounded);
	}
}

static void each_broken_rule_is_named(void **state)
{
	const struct {
		uint64_t memory, block_size, retire_timeout;
		const char *named;
	} rows[] = {
		{ MIB, 0, NSEC_PER_SEC, "multiple of the page" },
		{ MIB, 2 * KIB, NSEC_PER_SEC, "multiple of the page" },
		{ 64 * MIB, MIB + 1, NSEC_PER_SEC, "multiple of the page" },
		{ 64 * MIB, MIB - 2048, NSEC_PER_SEC, "multiple of the page" },
		{ 64 * GIB, 2 * GIB, NSEC_PER_SEC, "below 2GiB" },
		{ 64 * GIB, 4 * GIB + 4096, NSEC_PER_SEC, "below 2GiB" },
		{ 0, MIB, NSEC_PER_SEC, "two blocks" },
		{ 2 * MIB - 1, MIB, NSEC_PER_SEC, "two blocks" },
		{ UINT64_C(1) << 43, 4 * KIB, NSEC_PER_SEC, "more blocks" },
		{ UINT64_C(1) << 60, 4 * KIB, NSEC_PER_SEC, "more blocks" },
		/* 2^19 frames to a block, 2^32 in all. */
		{ 8192 * GIB, GIB, NSEC_PER_SEC, "more blocks" },
		{ 64 * MIB, MIB, 0, "retire_timeout" },
		{ 64 * MIB, MIB, NSEC_PER_MSEC - 1, "retire_timeout" },
		{ 64 * MIB, MIB, UINT64_MAX, "retire_timeout" },
	};
	const struct geometry untouched = { 1, 2, 3, 4, 5 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct ring_config ring =
		    ring_of(rows[i].memory, rows[i].block_size, rows[i].retire_timeout);
		struct geometry geometry = untouched;
		const struct geometry_rule *rule = NULL;

		assert_int_equal(geometry_plan(&geometry, &ring, &rule), -EINVAL);
		assert_non_null(rule);
		if (!strstr(rule->text, rows[i].named) && !strstr(rule->key, rows[i].named))
			fail_msg("row %zu: \"%s: %s\" does not name \"%s\"", i, rule->key,
			    rule->text, rows[i].named);
		assert_ptr_equal(geometry_broken(&ring, 0), rule);
		assert_memory_equal(&geometry, &untouched, sizeof(geometry));
	}
}

static void every_broken_rule_is_found(void **state)
{
	struct ring_config bad = ring_of(4 * KIB, 5000, 0),
			   good = ring_of(64 * MIB, MIB, NSEC_PER_SEC);

	(void)state;
	assert_string_equal(geometry_broken(&bad, 0)->key, "ring.block_size");
	assert_string_equal(geometry_broken(&bad, 1)->key, "ring.memory");
	assert_string_equal(geometry_broken(&bad, 2)->key, "ring.retire_timeout");
	assert_null(geometry_broken(&bad, 3));
	assert_null(geometry_broken(&good, 0));
}

static void the_largest_of_each_is_counted_without_overflow(void **state)
{
	struct geometry geometry = plan(8191 * GIB, GIB);

	(void)state;
	assert_int_equal(geometry.frame_count, 8191 * (GIB / 2048));
	assert_int_equal(geometry_memory(&geometry), 8191 * GIB);
	geometry.retire_timeout_ms = 60000;
	assert_int_equal(geometry_patience_ns(&geometry), 8190 * 60 * NSEC_PER_SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_defaults_become_sixty_four_blocks),
		cmocka_unit_test(what_is_left_of_the_memory_is_no_block),
		cmocka_unit_test(memory_is_told_as_the_kernel_rounds_it),
		cmocka_unit_test(each_broken_rule_is_named),
		cmocka_unit_test(every_broken_rule_is_found),
		cmocka_unit_test(the_largest_of_each_is_counted_without_overflow),
	};

	/* The numbers above are those of a page of 4 KiB. */
	if (sysconf(_SC_PAGESIZE) != 4096)
		return 77;
	return RUN_TESTS(tests);
}
