/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "control/channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int ends[2];

static int open_pair(void **state)
{
	(void)state;
	return channel_open(ends);
}

static int close_pair(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++)
		if (ends[i] >= 0)
			close(ends[i]);
	return 0;
}

static void what_one_side_sends_the_other_receives(void **state)
{
	struct message sent = { .kind = MESSAGE_FINISHED, .value = 7, .error = -ENOSPC };
	struct message received;

	(void)state;
	strcpy(sent.file.name, "2026-01-02/a.pcap");
	sent.file.packets = 1234567890123;
	assert_int_equal(channel_send(ends[0], &sent), 0);
	assert_int_equal(channel_receive(ends[1], &received), 1);
	assert_memory_equal(&sent, &received, sizeof(sent));
}

static void nothing_sent_is_no_message(void **state)
{
	struct message message = { .kind = MESSAGE_RUN };

	(void)state;
	assert_int_equal(channel_receive(ends[1], &message), 0);
	assert_int_equal(message.kind, MESSAGE_RUN);
}

static void the_end_of_the_other_side_is_told(void **state)
{
	struct message message = { .kind = MESSAGE_STOP };

	(void)state;
	close(ends[0]);
	ends[0] = -1;
	assert_int_equal(channel_receive(ends[1], &message), -EPIPE);
	assert_int_equal(channel_send(ends[1], &message), -EPIPE);
}

static void a_message_of_another_size_is_refused(void **state)
{
	char bytes[sizeof(struct message) + 1] = { 0 };
	const size_t sizes[] = { 1, 4, sizeof(struct message) - 1, sizeof(struct message) + 1 };
	struct message message;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_int_equal(send(ends[0], bytes, sizes[i], 0), sizes[i]);
		assert_int_equal(channel_receive(ends[1], &message), -EPROTO);
	}
}

static void a_kind_that_is_none_is_refused(void **state)
{
	struct message message = { .kind = MESSAGE_COUNT_ };

	(void)state;
	assert_int_equal(channel_send(ends[0], &message), 0);
	assert_int_equal(channel_receive(ends[1], &message), -EPROTO);
}

static void text_without_an_end_is_given_one(void **state)
{
	struct message sent = { .kind = MESSAGE_FAILED }, received;

	(void)state;
	memset(sent.text, 'x', sizeof(sent.text));
	assert_int_equal(channel_send(ends[0], &sent), 0);
	assert_int_equal(channel_receive(ends[1], &received), 1);
	assert_int_equal(strlen(received.text), sizeof(received.text) - 1);
}

static void every_kind_has_a_name(void **state)
{
	(void)state;
	for (uint32_t kind = 0; kind < MESSAGE_COUNT_; kind++)
		assert_non_null(message_name(kind));
	assert_string_equal(message_name(MESSAGE_COUNT_), "unknown");
}

#define PAIR_TEST(name) cmocka_unit_test_setup_teardown(name, open_pair, close_pair)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR_TEST(what_one_side_sends_the_other_receives),
		PAIR_TEST(nothing_sent_is_no_message),
		PAIR_TEST(the_end_of_the_other_side_is_told),
		PAIR_TEST(a_message_of_another_size_is_refused),
		PAIR_TEST(a_kind_that_is_none_is_refused),
		PAIR_TEST(text_without_an_end_is_given_one),
		cmocka_unit_test(every_kind_has_a_name),
	};

	return RUN_TESTS(tests);
}
