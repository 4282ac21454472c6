/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bytes of a pcapng, what it tells of losses and where, and how one that was left is finished.
 */
#include "support/cmocka.h"

#include "base/array.h"
#include "storage/losses.h"
#include "storage/reader.h"
#include "storage/records.h"
#include "storage/repair.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PACKETS = 9, SIZE_MOST = 4096 };

static const uint64_t start_ns = UINT64_C(1700000000123456789);
static uint8_t bytes[SIZE_MOST];

static uint32_t word(size_t at)
{
	uint32_t value;

	memcpy(&value, bytes + at, sizeof(value));
	return value;
}

/* The value of an option in the block that begins there, of which the options begin at `at`; of no
 * size where there is none. */
static const uint8_t *option(size_t block, size_t at, uint16_t code, uint16_t *ret_size)
{
	const size_t end = block + word(block + 4) - 4;
	static const uint8_t none[16];
	uint16_t head[2];

	*ret_size = 0;
	for (at += block; at + sizeof(head) <= end; at += 4 + pcapng_padded(head[1])) {
		memcpy(head, bytes + at, sizeof(head));
		if (head[0] == code && code != 0) {
			*ret_size = head[1];
			return bytes + at + 4;
		}
	}
	return none;
}

static uint64_t count(size_t block, uint16_t code)
{
	uint16_t size = 0;
	const uint8_t *value = option(block, 20, code, &size);
	uint64_t result;

	assert_int_equal(size, sizeof(result));
	memcpy(&result, value, sizeof(result));
	return result;
}

static const struct pcapng_head head = {
	.application = "fancapd 1",
	.interface = "eth0",
	.filter = "udp",
	.link_type = 1,
	.snaplen = 96,
	.resolution = RESOLUTION_NS,
};

static void the_head_describes_section_and_interface(void **state)
{
	struct pcapng_head other = head;
	char filter[PCAPNG_FILTER_MOST + 2];
	const uint8_t *value;
	size_t size = pcapng_head(bytes, &head), second = word(4);
	uint16_t length = 0;

	(void)state;
	assert_int_equal(word(0), PCAPNG_SECTION);
	assert_int_equal(word(8), 0x1a2b3c4d);
	assert_int_equal(word(12), 1);
	assert_int_equal(word(16) & word(20), UINT32_MAX);
	assert_int_equal(word(second - 4), second);
	value = option(0, 24, 4, &length);
	assert_int_equal(length, 9);
	assert_memory_equal(value, "fancapd 1", 9);
	assert_int_equal(word(second), PCAPNG_INTERFACE);
	assert_int_equal(word(second + 8), 1);
	assert_int_equal(word(second + 12), 96);
	assert_int_equal(second + word(second + 4), size);
	assert_int_equal(word(size - 4), size - second);
	assert_memory_equal(option(second, 16, 2, &length), "eth0", 4);
	assert_memory_equal(option(second, 16, 11, &length), "\0udp", 4);
	assert_int_equal(length, 4);
	assert_int_equal(*option(second, 16, 9, &length), 9);
	/* One that is too long is not named in part. */
	memset(filter, 'x', sizeof(filter));
	filter[sizeof(filter) - 1] = 0;
	other.filter = filter;
	other.resolution = RESOLUTION_US;
	size = pcapng_head(bytes, &other);
	assert_true(size <= PCAPNG_HEAD_MOST);
	second = word(4);
	(void)option(second, 16, 11, &length);
	assert_int_equal(length, 0);
	assert_int_equal(*option(second, 16, 9, &length), 6);
	filter[sizeof(filter) - 2] = 0;
	assert_true(pcapng_head(bytes, &other) <= PCAPNG_HEAD_MOST);
	(void)option(word(4), 16, 11, &length);
	assert_int_equal(length, 1 + PCAPNG_FILTER_MOST);
}

static void a_packet_is_padded_and_has_its_way(void **state)
{
	uint8_t frame[64];

	(void)state;
	memset(frame, 0xee, sizeof(frame));
	for (uint32_t length = 0; length <= 40; length++) {
		const struct packet packet = { .time_ns = start_ns,
			.bytes = frame,
			.captured_length = length,
			.wire_length = length + 7,
			.flags = UINT32_C(17) << PACKET_WAY_SHIFT | PACKET_LOSING };
		const size_t end = PCAPNG_PACKET_HEAD + pcapng_padded(length);
		size_t size;

		memset(bytes, 0xaa, sizeof(bytes));
		size = pcapng_put(bytes, &packet, 96, length % 2);
		assert_int_equal(size, pcapng_packet_size(length));
		assert_int_equal(word(0), PCAPNG_PACKET);
		assert_int_equal(word(4), size);
		assert_int_equal(word(8), 0);
		assert_int_equal(
		    (uint64_t)word(12) << 32 | word(16), length % 2 ? start_ns / 1000 : start_ns);
		assert_int_equal(word(20), length);
		assert_int_equal(word(24), length + 7);
		for (size_t at = PCAPNG_PACKET_HEAD; at < end; at++)
			assert_int_equal(bytes[at], at < PCAPNG_PACKET_HEAD + length ? 0xee : 0);
		assert_int_equal(word(end), 2 | 4 << 16);
		assert_int_equal(word(end + 4), 17);
		assert_int_equal(word(end + 8), 0);
		assert_int_equal(word(size - 4), size);
		assert_int_equal(bytes[size], 0xaa);
	}
}

static void a_tag_is_put_back(void **state)
{
	const uint8_t frame[20] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 8, 0, 0x45 };
	const struct packet packet = { .bytes = frame,
		.captured_length = 15,
		.wire_length = 20,
		.vlan_tci = 0x2064,
		.vlan_tpid = 0x8100,
		.flags = PACKET_HAS_TAG };

	(void)state;
	assert_int_equal(pcapng_put(bytes, &packet, 96, false), pcapng_packet_size(19));
	assert_int_equal(word(20), 19);
	assert_int_equal(word(24), 24);
	assert_memory_equal(
	    bytes + PCAPNG_PACKET_HEAD + 10, "\x0b\x0c\x81\x00\x20\x64\x08\x00\x45\0", 10);
	/* The snaplen counts it. */
	assert_int_equal(pcapng_put(bytes, &packet, 14, false), pcapng_packet_size(14));
	assert_memory_equal(bytes + PCAPNG_PACKET_HEAD + 10, "\x0b\x0c\x81\x00\0\0", 6);
}

/* ---- losses ------------------------------------------------------------------------------ */

static struct losses losses;
static struct counters counters;
static struct ledger_segment segment;

static const struct losses_place *place(uint64_t at_ns)
{
	static struct losses_place result;

	result = (struct losses_place) { &segment, &counters, at_ns, RESOLUTION_NS };
	return &result;
}

static void begin(void)
{
	losses = (struct losses) { 0 };
	counters = (struct counters) { 0 };
	segment = (struct ledger_segment) { .begun_utc_ns = start_ns, .dropped_before = 10 };
	counters.value[COUNTER_DROPPED] = 10;
	losses_begin(&losses, 10, 0);
}

static void drops_are_told_in_front_of_what_came_later(void **state)
{
	(void)state;
	begin();
	losses_see(&losses, 10, start_ns + 5);
	assert_false(losses_look(&losses, &counters, start_ns + 9, start_ns + 100));
	counters.value[COUNTER_DROPPED] = 17;
	losses_see(&losses, 17, start_ns + 50);
	/* What the ring still held is from before. */
	assert_false(losses_look(&losses, &counters, start_ns + 49, start_ns + 100));
	counters.value[COUNTER_DROPPED] = 20;
	losses_see(&losses, 20, start_ns + 70);
	assert_true(losses_look(&losses, &counters, start_ns + 60, start_ns + 100));
	segment.packets = 5;
	assert_true(losses_put(&losses, bytes, place(start_ns + 60)) <= PCAPNG_STATISTICS_MOST);
	assert_int_equal(count(0, 5), 7);
	assert_int_equal(count(0, 8), 5);
	assert_int_equal(count(0, 4), 12);
	assert_int_equal((uint64_t)word(12) << 32 | word(16), start_ns + 60);
	/* Later ones have their own place, or the end of the file. */
	assert_false(losses_look(&losses, &counters, start_ns + 69, start_ns + 100));
	losses_put_all(&losses, bytes, place(start_ns + 80));
	assert_int_equal(count(0, 5), 10);
	assert_false(losses_look(&losses, &counters, start_ns + 90, start_ns + 100));
}

static void other_clocks_do_not_keep_drops_back(void **state)
{
	const uint64_t minute = UINT64_C(60000000000);

	(void)state;
	begin();
	losses_see(&losses, 11, start_ns);
	assert_false(losses_look(&losses, &counters, 5, start_ns + minute));
	assert_true(losses_look(&losses, &counters, 5, start_ns + minute + 1));
	losses_see(&losses, 12, start_ns);
	assert_true(losses_look(&losses, &counters, 5, start_ns - 1));
}

static void more_than_there_is_room_for_are_told_all_the_same(void **state)
{
	(void)state;
	begin();
	for (uint64_t i = 1; i <= 2 * LOSSES_SEEN_MOST; i++)
		losses_see(&losses, 10 + i, start_ns + i);
	assert_true(losses_look(&losses, &counters, start_ns + 100, start_ns + 100));
	losses_put(&losses, bytes, place(start_ns + 100));
	assert_int_equal(count(0, 5), LOSSES_SEEN_MOST);
	losses_see(&losses, 10 + 2 * LOSSES_SEEN_MOST, start_ns + 101);
	assert_true(losses_look(&losses, &counters, start_ns + 102, start_ns + 102));
	losses_put(&losses, bytes, place(start_ns + 102));
	assert_int_equal(count(0, 5), 2 * LOSSES_SEEN_MOST);
}

static void all_else_is_told_at_once_with_words(void **state)
{
	static const char all[] =
	    "taken over by a successor; a gap, as a ring was lost; 7 packets discarded";
	uint16_t size = 0;
	const uint8_t *text;

	(void)state;
	begin();
	counters.value[COUNTER_DISCARDED] = 7;
	losses.events = LOSSES_TAKEOVER | LOSSES_GAP;
	assert_true(losses_look(&losses, &counters, 5, start_ns));
	assert_true(losses_put(&losses, bytes, place(5)) <= PCAPNG_STATISTICS_MOST);
	text = option(0, 20, 1, &size);
	assert_int_equal(size, sizeof(all) - 1);
	assert_memory_equal(text, all, size);
	assert_int_equal(count(0, 4), 7);
	assert_int_equal(count(0, 5), 0);
	assert_false(losses_look(&losses, &counters, 6, start_ns));
	losses_put_all(&losses, bytes, place(7));
	(void)option(0, 20, 1, &size);
	assert_int_equal(size, 0);
	/* The greatest there can be. */
	counters.value[COUNTER_DISCARDED] = UINT64_MAX;
	losses.events = LOSSES_TAKEOVER | LOSSES_GAP;
	assert_true(losses_put(&losses, bytes, place(8)) <= PCAPNG_STATISTICS_MOST);
}

/* ---- an unfinished one ------------------------------------------------------------------- */

static char path[64];
static int directory = -1;
static size_t size_of_all, ends[PACKETS + 1]; /* where block i behind the head ends */

/* Packets, and statistics in their middle and at the end. */
static void build(void)
{
	const uint8_t frame[64] = { 1, 2, 3 };

	size_of_all = pcapng_head(bytes, &head);
	for (size_t i = 0; i <= PACKETS; i++) {
		const struct packet packet = { .time_ns = start_ns + i,
			.bytes = frame,
			.captured_length = (uint32_t)(20 + i),
			.wire_length = 64 };
		const struct pcapng_statistics statistics = { .now_ns = start_ns, .comment = "" };

		ends[i] = size_of_all;
		size_of_all +=
		    i % 5 == 4 ? pcapng_statistics(bytes + size_of_all, &statistics, RESOLUTION_NS)
			       : pcapng_put(bytes + size_of_all, &packet, 96, false);
	}
}

static struct repair_report repair(size_t size)
{
	const struct repair_wish wish = { 0 };
	struct repair_report report;
	int fd = openat(directory, "f.pcapng.part", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), size);
	close(fd);
	assert_int_equal(repair_file(directory, "f.pcapng", &wish, &report), 0);
	return report;
}

static off_t size_of(const char *name)
{
	int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
	off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);

	if (fd >= 0)
		close(fd);
	(void)unlinkat(directory, name, 0);
	return size;
}

static void one_cut_anywhere_keeps_each_whole_block(void **state)
{
	(void)state;
	build();
	for (size_t size = 0; size <= size_of_all; size++) {
		struct repair_report report = repair(size);
		size_t whole = 0, packets = 0;

		for (size_t at = 0; at < size && at + word(at + 4) <= size; at = whole) {
			packets += word(at) == PCAPNG_PACKET;
			whole = at + word(at + 4);
		}
		assert_int_equal(report.packets, packets);
		if (packets == 0) {
			assert_int_equal(report.verdict, REPAIR_NO_PACKET);
			assert_int_equal(size_of("f.pcapng.part"), size);
			continue;
		}
		assert_int_equal(report.verdict, REPAIR_DONE);
		assert_int_equal(report.whole, whole);
		assert_int_equal(report.first_ns, start_ns);
		assert_int_equal(size_of("f.pcapng"), whole);
	}
}

static void one_with_packets_behind_a_damaged_place_is_left(void **state)
{
	(void)state;
	for (size_t i = 1; i < PACKETS - 1; i++) {
		struct repair_report report;

		build();
		/* Its length at the end. */
		bytes[ends[i] - 4] ^= 0x40;
		report = repair(size_of_all);
		assert_int_equal(report.verdict, REPAIR_DAMAGED);
		assert_true(report.next >= ends[i]);
		assert_int_equal(size_of("f.pcapng.part"), size_of_all);
	}
	/* Where nothing follows, it is cut off. */
	build();
	bytes[size_of_all - 4] ^= 0x40;
	assert_int_equal(repair(size_of_all).verdict, REPAIR_DONE);
	assert_int_equal(size_of("f.pcapng"), ends[PACKETS]);
	build();
	memset(bytes + ends[5], 0, size_of_all - ends[5]);
	assert_int_equal(repair(size_of_all).verdict, REPAIR_DONE);
	assert_int_equal(size_of("f.pcapng"), ends[5]);
}

static void no_flipped_bit_is_taken_for_another_record(void **state)
{
	(void)state;
	for (size_t bit = 0; bit < 8 * ends[3]; bit++) {
		struct repair_report report;

		build();
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		report = repair(size_of_all);
		/* What is left is what was there before, or the whole of it. */
		assert_true(report.verdict != REPAIR_DONE || report.whole == size_of_all ||
			    report.whole <= bit / 8);
		assert_int_not_equal(report.verdict, REPAIR_NO_PACKET);
		/* No whole packet behind it is cut off. */
		if (bit / 8 < ends[2])
			assert_true(report.verdict != REPAIR_DONE || report.whole == size_of_all);
		(void)size_of("f.pcapng");
		(void)size_of("f.pcapng.part");
	}
}

static int set_up(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "/tmp/fancap-pcapng-XXXXXX");
	if (!mkdtemp(path))
		return -1;
	directory = open(path, O_DIRECTORY | O_CLOEXEC);
	return directory < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	close(directory);
	return rmdir(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_head_describes_section_and_interface),
		cmocka_unit_test(a_packet_is_padded_and_has_its_way),
		cmocka_unit_test(a_tag_is_put_back),
		cmocka_unit_test(drops_are_told_in_front_of_what_came_later),
		cmocka_unit_test(other_clocks_do_not_keep_drops_back),
		cmocka_unit_test(more_than_there_is_room_for_are_told_all_the_same),
		cmocka_unit_test(all_else_is_told_at_once_with_words),
		cmocka_unit_test_setup_teardown(
		    one_cut_anywhere_keeps_each_whole_block, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    one_with_packets_behind_a_damaged_place_is_left, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    no_flipped_bit_is_taken_for_another_record, set_up, tear_down),
	};

	return RUN_TESTS(tests);
}
