/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "base/array.h"
#include "tool/refusal.h"

enum { ETHERNET = 1, RAW = 101, MTU = 1500 };

static const struct refusal_limits ethernet = { .link_type = ETHERNET, .room = { 14, MTU } };
static const struct refusal_limits raw = { .link_type = RAW, .room = { 0, MTU } };

static enum refusal judge(
    const struct refusal_limits *limits, uint32_t link_type, uint32_t captured, uint32_t wire)
{
	static const uint8_t bytes[2048];
	const struct reader_record record = {
		.packet = { .bytes = bytes, .captured_length = captured, .wire_length = wire },
		.link_type = link_type,
	};

	return refusal_of(limits, &record);
}

static enum refusal judge_tagged(uint16_t type, uint32_t length)
{
	uint8_t bytes[2048] = { [12] = (uint8_t)(type >> 8), [13] = (uint8_t)type };
	const struct reader_record record = {
		.packet = { .bytes = bytes, .captured_length = length, .wire_length = length },
		.link_type = ETHERNET,
	};

	return refusal_of(&ethernet, &record);
}

static void each_reason_begins_where_it_must(void **state)
{
	(void)state;
	assert_int_equal(judge(&ethernet, ETHERNET, 60, 60), REFUSAL_NONE);
	assert_int_equal(judge(&ethernet, RAW, 60, 60), REFUSAL_LINK_TYPE);
	assert_int_equal(judge(&ethernet, ETHERNET, 60, 61), REFUSAL_CUT);
	assert_int_equal(judge(&ethernet, ETHERNET, 14, 14), REFUSAL_NONE);
	assert_int_equal(judge(&ethernet, ETHERNET, 13, 13), REFUSAL_TOO_SHORT);
	assert_int_equal(judge(&ethernet, ETHERNET, MTU + 14, MTU + 14), REFUSAL_NONE);
	assert_int_equal(judge(&ethernet, ETHERNET, MTU + 15, MTU + 15), REFUSAL_TOO_LONG);
	assert_int_equal(judge(&raw, RAW, 0, 0), REFUSAL_TOO_SHORT);
	assert_int_equal(judge(&raw, RAW, 1, 1), REFUSAL_NONE);
	assert_int_equal(judge(&raw, RAW, MTU, MTU), REFUSAL_NONE);
	assert_int_equal(judge(&raw, RAW, MTU + 1, MTU + 1), REFUSAL_TOO_LONG);
}

/* The kernel lets four bytes more pass for 802.1Q alone. */
static void a_tag_makes_room_for_itself(void **state)
{
	(void)state;
	assert_int_equal(judge_tagged(0x8100, MTU + 18), REFUSAL_NONE);
	assert_int_equal(judge_tagged(0x8100, MTU + 19), REFUSAL_TOO_LONG);
	assert_int_equal(judge_tagged(0x88a8, MTU + 18), REFUSAL_TOO_LONG);
	assert_int_equal(judge_tagged(0x0081, MTU + 15), REFUSAL_TOO_LONG);
	assert_int_equal(link_longest(&ethernet.room), MTU + 18);
}

static void each_reason_has_its_words(void **state)
{
	(void)state;
	for (int i = 0; i < REFUSAL_COUNT_; i++) {
		assert_non_null(refusal_name((enum refusal)i));
		assert_non_null(refusal_text((enum refusal)i));
	}
	assert_string_equal(refusal_link_name(ETHERNET), "Ethernet");
	assert_null(refusal_link_name(65535));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_reason_begins_where_it_must),
		cmocka_unit_test(a_tag_makes_room_for_itself),
		cmocka_unit_test(each_reason_has_its_words),
	};

	return RUN_TESTS(tests);
}
