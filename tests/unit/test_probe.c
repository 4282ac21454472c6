/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "base/array.h"
#include "tool/probe.h"

#include <string.h>

static uint8_t frame[PROBE_SIZE_MOST];

static struct packet packet_of(uint32_t length)
{
	return (struct packet) { .bytes = frame, .captured_length = length, .wire_length = length };
}

static void a_probe_is_read_as_it_was_written(void **state)
{
	const uint32_t sizes[] = { PROBE_SIZE_LEAST, 61, 1514, PROBE_SIZE_MOST };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		const struct probe probe = { .number = UINT64_MAX - i, .sent_ns = 12345678901 };
		const struct packet packet = packet_of(sizes[i]);
		struct probe read = { 0 };

		memset(frame, 0xff, sizeof(frame));
		probe_begin(frame, sizes[i]);
		probe_write(frame, &probe);
		assert_true(probe_read(&packet, &read));
		assert_int_equal(read.number, probe.number);
		assert_int_equal(read.sent_ns, probe.sent_ns);
		assert_true(sizes[i] == sizeof(frame) || frame[sizes[i]] == 0xff);
	}
}

static void what_is_none_is_not_taken_for_one(void **state)
{
	struct probe probe = { 7, 7 };
	struct packet packet = packet_of(PROBE_SIZE_LEAST);

	(void)state;
	probe_begin(frame, PROBE_SIZE_LEAST);
	for (packet.captured_length = 0; packet.captured_length < 38; packet.captured_length++)
		assert_false(probe_read(&packet, &probe));
	packet.captured_length = PROBE_SIZE_LEAST;
	frame[14] ^= 1;
	assert_false(probe_read(&packet, &probe));
	assert_int_equal(probe.number, 7);
	frame[14] ^= 1;
	assert_true(probe_read(&packet, &probe));
}

static void gaps_are_lost_and_steps_back_are_disorder(void **state)
{
	static const uint64_t numbers[] = { 0, 1, 4, 5, 3, 3, 9 };
	struct probe_tally tally = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(numbers); i++)
		probe_count(&tally, &(struct probe) { .number = numbers[i] });
	assert_int_equal(tally.received, 7);
	assert_int_equal(tally.next, 10);
	assert_int_equal(tally.disordered, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_probe_is_read_as_it_was_written),
		cmocka_unit_test(what_is_none_is_not_taken_for_one),
		cmocka_unit_test(gaps_are_lost_and_steps_back_are_disorder),
	};

	return RUN_TESTS(tests);
}
