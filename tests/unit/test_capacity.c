/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "base/array.h"
#include "base/clock.h"
#include "capture/capacity.h"

#include <errno.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)
#define GBIT UINT64_C(1000000000)

enum { ETHERNET = 14 };

static struct geometry geometry_of(const struct ring_config *ring)
{
	const struct geometry_rule *rule = NULL;
	struct geometry geometry = { 0 };

	assert_int_equal(geometry_plan(&geometry, ring, &rule), 0);
	return geometry;
}

static void a_block_holds_whole_packets_with_their_headers(void **state)
{
	const struct {
		uint64_t block_size;
		uint32_t packet, captured, link_header;
		uint64_t packets;
	} rows[] = {
		{ MIB, 800, 0, ETHERNET, (MIB - 49) / 888 },
		{ MIB, 60, 0, ETHERNET, (MIB - 49) / 144 },
		{ MIB, 62, 0, ETHERNET, (MIB - 49) / 144 },
		{ MIB, 63, 0, ETHERNET, (MIB - 49) / 152 },
		{ MIB, 1514, 128, ETHERNET, (MIB - 49) / 216 },
		{ MIB, 60, 0, 0, (MIB - 49) / 160 },
		{ 4096, 4096 - 144, 0, 0, 1 },
		{ MIB, 100, 262144, ETHERNET, (MIB - 49) / 184 },
		/* 28 slots of 144 bytes and 48 are 4080; of 28 slots and 64 the last byte lacks. */
		{ 4096, 60, 0, ETHERNET, 28 },
		{ 4096, 4096 - 130, 0, ETHERNET, 1 },
		{ 4096, 100000, 0, ETHERNET, 1 },
		/* Two of 2024 are all of a page but its header, and the second has no room. */
		{ 4096, 1942, 0, ETHERNET, 1 },
		{ 4096, 1934, 0, ETHERNET, 2 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct capacity_load load = { .packet = rows[i].packet,
			.captured = rows[i].captured,
			.link_header = rows[i].link_header };

		assert_int_equal(capacity_of_block(rows[i].block_size, &load), rows[i].packets);
	}
}

static bool is_near(double a, double b)
{
	return a > b * 0.9999 && a < b * 1.0001;
}

static void times_follow_from_blocks_load_and_timeout(void **state)
{
	const struct ring_config ring = {
		.memory = 64 * MIB, .block_size = MIB, .retire_timeout = 100 * NSEC_PER_MSEC
	};
	const struct geometry geometry = geometry_of(&ring);
	const struct capacity_load none = { 0 };
	const struct capacity_load high = {
		.bits = 10 * GBIT, .packet = 800, .link_header = ETHERNET
	};
	const struct capacity_load low = { .bits = 1000, .packet = 800, .link_header = ETHERNET };
	/* A block each 0.1 s, as the timeout has it. */
	const struct capacity_load even = {
		.bits = UINT64_C(10) * 1180 * 800 * 8, .packet = 800, .link_header = ETHERNET
	};

	(void)state;
	assert_true(is_near(capacity_gap(&geometry, &none), 6.3));
	assert_true(is_near(capacity_sure_gap(&geometry, &none), 6.2));
	assert_true(is_near(capacity_burst(&geometry, &high), 64 * 1180 / 1562500.0));
	assert_true(is_near(capacity_gap(&geometry, &high), 64 * 1180 / 1562500.0));
	assert_true(is_near(capacity_sure_gap(&geometry, &high), 62 / (1562500.0 / 1180 + 10)));
	assert_true(is_near(capacity_gap(&geometry, &low), 6.3));
	assert_true(is_near(capacity_burst(&geometry, &even), 6.4));
	assert_true(is_near(capacity_gap(&geometry, &even), 6.3));
	assert_true(is_near(capacity_sure_gap(&geometry, &even), 3.1));
}

static void a_suggestion_survives_its_gap_and_wastes_little(void **state)
{
	const uint64_t rates[] = { 1, 1000, GBIT / 1000, GBIT / 10, GBIT, 10 * GBIT, 100 * GBIT };
	const uint32_t packets[] = { 1, 60, 800, 1514, 9014, 65535, 262144 };
	const uint64_t gaps[] = { 1, NSEC_PER_MSEC, 300 * NSEC_PER_MSEC, 2 * NSEC_PER_SEC,
		600 * NSEC_PER_SEC };
	const uint64_t timeouts[] = { NSEC_PER_MSEC, 100 * NSEC_PER_MSEC, 10 * NSEC_PER_SEC };
	size_t asked = 0, found = 0;

	(void)state;
	for (size_t i = 0;
	     i < COUNT_OF(rates) * COUNT_OF(packets) * COUNT_OF(gaps) * COUNT_OF(timeouts); i++) {
		const struct capacity_wish wish = {
			.load = { .bits = rates[i % COUNT_OF(rates)],
			    .packet = packets[i / COUNT_OF(rates) % COUNT_OF(packets)],
			    .link_header = ETHERNET },
			.gap_ns = gaps[i / COUNT_OF(rates) / COUNT_OF(packets) % COUNT_OF(gaps)],
			.retire_timeout =
			    timeouts[i / COUNT_OF(rates) / COUNT_OF(packets) / COUNT_OF(gaps)],
		};
		const double gap = (double)wish.gap_ns / (double)NSEC_PER_SEC;
		struct ring_config ring, smaller;
		struct geometry geometry;

		asked++;
		if (capacity_suggest(&ring, &wish) < 0)
			continue;
		found++;
		geometry = geometry_of(&ring);
		assert_int_equal(ring.memory % ring.block_size, 0);
		assert_true(geometry_largest_frame(&geometry, ETHERNET) >= wish.load.packet);
		assert_true(capacity_sure_gap(&geometry, &wish.load) >= gap);
		assert_true(capacity_gap(&geometry, &wish.load) >= gap);
		/* Three blocks less are not sure any more. */
		smaller = ring;
		smaller.memory -= 3 * ring.block_size;
		if (smaller.memory >= 2 * ring.block_size) {
			geometry = geometry_of(&smaller);
			assert_true(capacity_sure_gap(&geometry, &wish.load) < gap);
		}
	}
	/* What is not found is beyond 65536 blocks of 1 ms, or of 1 GiB. */
	assert_true(found > asked * 8 / 10);
}

static void block_sizes_are_usual_where_they_can_be(void **state)
{
	const struct {
		uint64_t bits, packet, gap_ms, block_size;
	} rows[] = {
		{ 10 * GBIT, 800, 300, MIB },
		{ 100 * GBIT, 1514, 2000, MIB },
		/* Less memory, where the timeout decides. */
		{ GBIT / 1000, 800, 60000, MIB / 8 },
		/* More than the usual for a large packet, and where blocks are too many. */
		{ GBIT, MIB, 300, 2 * MIB },
		{ 1000 * GBIT, 1514, 1000, 2 * MIB },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct capacity_wish wish = {
			.load = { .bits = rows[i].bits,
			    .packet = (uint32_t)rows[i].packet,
			    .link_header = ETHERNET },
			.gap_ns = rows[i].gap_ms * NSEC_PER_MSEC,
			.retire_timeout = 100 * NSEC_PER_MSEC,
		};
		struct ring_config ring;

		assert_int_equal(capacity_suggest(&ring, &wish), 0);
		if (ring.block_size != rows[i].block_size)
			fail_msg("row %zu: %llu", i, (unsigned long long)ring.block_size);
	}
}

static void what_no_ring_survives_is_refused(void **state)
{
	struct capacity_wish wish = {
		.load = { .bits = UINT64_C(1000000) * GBIT, .packet = 60, .link_header = ETHERNET },
		.gap_ns = 86400 * NSEC_PER_SEC,
		.retire_timeout = 100 * NSEC_PER_MSEC,
	};
	struct ring_config ring = { .memory = 42 };

	(void)state;
	assert_int_equal(capacity_suggest(&ring, &wish), -ERANGE);
	wish.load.bits = 8;
	wish.retire_timeout = NSEC_PER_MSEC;
	assert_int_equal(capacity_suggest(&ring, &wish), -ERANGE);
	/* A block that was asked for, and does not hold the packet. */
	wish = (struct capacity_wish) {
		.load = { .bits = GBIT, .packet = 9000, .link_header = ETHERNET },
		.gap_ns = NSEC_PER_MSEC,
		.block_size = 8192,
		.retire_timeout = 100 * NSEC_PER_MSEC,
	};
	assert_int_equal(capacity_suggest(&ring, &wish), -ERANGE);
	assert_int_equal(ring.memory, 42);
	wish.block_size = 16384;
	assert_int_equal(capacity_suggest(&ring, &wish), 0);
	assert_int_equal(ring.block_size, 16384);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_block_holds_whole_packets_with_their_headers),
		cmocka_unit_test(times_follow_from_blocks_load_and_timeout),
		cmocka_unit_test(a_suggestion_survives_its_gap_and_wastes_little),
		cmocka_unit_test(block_sizes_are_usual_where_they_can_be),
		cmocka_unit_test(what_no_ring_survives_is_refused),
	};

	/* The numbers above are those of a page of 4 KiB. */
	if (sysconf(_SC_PAGESIZE) != 4096)
		return 77;
	return RUN_TESTS(tests);
}
