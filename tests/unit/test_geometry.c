/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "base/array.h"
#include "base/clock.h"
#include "capture/geometry.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
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
	assert_int_equal(geometry_largest_frame(&geometry, 14), MIB - 130);
	assert_int_equal(geometry_largest_frame(&geometry, 0), MIB - 144);
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
		{ 64 * MIB, MIB, 65536 * NSEC_PER_MSEC, "retire_timeout" },
		/* One above what kactive_blk_num counts. */
		{ 65537 * 4 * KIB, 4 * KIB, NSEC_PER_SEC, "65536 blocks" },
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

static const struct geometry_rule *rule_named(const char *name)
{
	const struct geometry_rule *rule;

	for (size_t i = 0; (rule = geometry_rule(i)); i++)
		if (strcmp(rule->name, name) == 0)
			return rule;
	fail_msg("no rule is named %s", name);
	return NULL;
}

static const struct geometry_request good_request = {
	.version = 3,
	.block_size = 16384,
	.block_count = 4,
	.frame_size = 2048,
	.frame_count = 32,
	.retire_timeout_ms = 10,
};

/* One field of a good request, at the last value that meets a rule and the first that does not. */
static void each_rule_is_broken_at_its_border(void **state)
{
#define AT(field, last, first) offsetof(struct geometry_request, field), last, first
	const struct {
		const char *name;
		size_t offset;
		uint64_t last, first;
	} rows[] = {
		{ "block_int", AT(block_size, INT32_MAX, INT32_MAX + UINT64_C(1)) },
		{ "block_int", AT(block_size, 4096, UINT64_C(1) << 32) },
		{ "block_pages", AT(block_size, 4096, 4095) },
		{ "block_pages", AT(block_size, 8192, 8193) },
		{ "block_pages", AT(block_size, 4096, 0) },
		/* 48 of the block's header and 68 of the packet's; rounded up to 8. */
		{ "block_header", AT(private_size, 16384 - 116 - 4, 16384 - 116 - 3) },
		{ "block_header", AT(private_size, 0, UINT32_MAX) },
		{ "block_header", AT(reserve, 16384 - 116, 16384 - 115) },
		{ "frame_header", AT(frame_size, 80, 64) },
		{ "frame_header", AT(reserve, 2048 - 68, 2048 - 67) },
		{ "frame_header", AT(reserve, 0, INT32_MAX) },
		{ "frame_aligned", AT(frame_size, 2048, 2047) },
		{ "frame_aligned", AT(frame_size, 2064, 2056) },
		{ "frame_in_block", AT(frame_size, 16384, 16400) },
		{ "blocks", AT(block_count, 1, 0) },
		{ "frames_int", AT(block_count, UINT32_MAX / 8, UINT32_MAX / 8 + 1) },
		{ "frames_counted", AT(frame_count, 32, 31) },
		{ "frames_counted", AT(frame_count, 32, 33) },
		{ "blocks_listed", AT(block_count, 524288, 524289) },
		{ "two_blocks", AT(block_count, 2, 1) },
		{ "blocks_in_turn", AT(block_count, 65536, 65537) },
		{ "timeout_given", AT(retire_timeout_ms, 1, 0) },
		{ "timeout_kept", AT(retire_timeout_ms, 65535, 65536) },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct geometry_rule *rule = rule_named(rows[i].name);
		struct geometry_request request = good_request;
		char text[GEOMETRY_TEXT];

		assert_null(geometry_fault(&good_request));
		memcpy((char *)&request + rows[i].offset, &rows[i].last, sizeof(uint64_t));
		if (!geometry_meets(rule, &request))
			fail_msg("row %zu: %s is broken", i, rule->name);
		memcpy((char *)&request + rows[i].offset, &rows[i].first, sizeof(uint64_t));
		if (geometry_meets(rule, &request))
			fail_msg("row %zu: %s is met", i, rule->name);
		geometry_compare(rule, &request, text);
		assert_non_null(strstr(text, "is not"));
	}
}

static void a_rule_of_one_kind_of_ring_is_met_by_the_others(void **state)
{
	struct geometry_request request = good_request;

	(void)state;
	request.transmits = true;
	assert_ptr_equal(geometry_fault(&request), rule_named("transmit_plain"));
	request.version = 2;
	assert_null(geometry_fault(&request));
	request.transmits = false;
	request.block_count = 1;
	request.frame_count = 8;
	assert_null(geometry_fault(&request));
	/* Fifty-two bytes, and no more in these. */
	request.frame_size = 64;
	request.frame_count = 256;
	assert_null(geometry_fault(&request));
	request.version = 3;
	assert_ptr_equal(geometry_fault(&request), rule_named("frame_header"));
	assert_ptr_equal(geometry_kernel_fault(&request), rule_named("frame_header"));
	request.frame_size = 2048;
	request.frame_count = 8;
	assert_ptr_equal(geometry_fault(&request), rule_named("two_blocks"));
	assert_null(geometry_kernel_fault(&request));
}

static void the_numbers_of_a_rule_are_told(void **state)
{
	struct geometry_request request = good_request;
	char text[GEOMETRY_TEXT];

	(void)state;
	geometry_compare(rule_named("block_pages"), &request, text);
	assert_string_equal(text, "tp_block_size 16384 is a multiple of the page, 4096");
	request.block_size = 5000;
	geometry_compare(rule_named("block_pages"), &request, text);
	assert_string_equal(text, "tp_block_size 5000 is not a multiple of the page, 4096");
}

static void a_ring_is_told_in_words(void **state)
{
	const struct geometry geometry = plan(64 * MIB, MIB);
	char text[GEOMETRY_TEXT];

	(void)state;
	geometry_describe(&geometry, 14, text);
	assert_string_equal(text,
	    "64 blocks of 1MiB (64MiB), each handed over after 100ms at the latest; frames of up "
	    "to 1048446 bytes; at low load nobody need read for 6.3s");
	geometry_describe(&geometry, 0, text);
	assert_string_equal(text,
	    "64 blocks of 1MiB (64MiB), each handed over after 100ms at the latest; packets "
	    "without link header of up to 1048432 bytes; at low load nobody need read for 6.3s");
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
		cmocka_unit_test(each_rule_is_broken_at_its_border),
		cmocka_unit_test(a_rule_of_one_kind_of_ring_is_met_by_the_others),
		cmocka_unit_test(the_numbers_of_a_rule_are_told),
		cmocka_unit_test(a_ring_is_told_in_words),
	};

	/* The numbers above are those of a page of 4 KiB. */
	if (sysconf(_SC_PAGESIZE) != 4096)
		return 77;
	return RUN_TESTS(tests);
}
