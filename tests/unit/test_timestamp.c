/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "base/clock.h"
#include "support/listener.h"
#include "support/numbered.h"
#include "support/own_namespace.h"
#include "support/sender.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MEMBERS = 2, EARLY = 4000 };

static const struct filter everything = {
	(struct sock_filter[]) { BPF_STMT(BPF_RET | BPF_K, 65535) }, 1
};
static const struct numbered_plan numbers = { .count = 1500, .size = 0, .flows = 50 };
static struct listener members[MEMBERS];

static void send_numbers(const struct numbered_plan *plan)
{
	static uint8_t frame[NUMBERED_LENGTH_MAX];
	struct sender sender;

	assert_int_equal(sender_open(OWN_FAR, 0, &sender), 0);
	for (uint64_t i = 0; i < plan->count; i++) {
		struct sender_frame one = { frame, numbered_build(plan, plan->first + i, frame) };

		assert_int_equal(sender_send(&sender, &one, 1), 0);
	}
	close(sender.fd);
}

/* By itself, since any socket on the machine that asks is enough for the stack to stamp. */
static void assert_asks_for_stamps(int fd)
{
	int on = 0;
	socklen_t length = sizeof(on);

	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, &length), 0);
	assert_int_equal(on, 1);
}

/* The kernel begins to stamp a moment after it was asked to. */
static void await_stamps(void)
{
	const struct numbered_plan early = { .first = EARLY, .count = 1, .size = 60, .flows = 1 };
	const uint64_t deadline = clock_monotonic_ns() + 5 * NSEC_PER_SEC;

	do {
		assert_true(clock_monotonic_ns() < deadline);
		members[0].last[EARLY].flags = 0;
		send_numbers(&early);
		poll(NULL, 0, 20);
		listener_read(&members[0]);
	} while (!(members[0].last[EARLY].flags & PACKET_STAMPED_SOFTWARE));
	while (members[1].walked < members[0].walked && clock_monotonic_ns() < deadline)
		listener_read(&members[1]);
	members[0].walked = members[1].walked = 0;
}

static bool have_all(void)
{
	for (size_t i = 0; i < MEMBERS; i++) {
		listener_read(&members[i]);
		if (members[i].walked < numbers.count)
			return false;
	}
	return true;
}

/* Also where one of them would rather have the device's, which veth has none of. */
static void two_sockets_see_one_stamp_of_each_packet(void **state)
{
	const unsigned int sources[MEMBERS] = { TIMESTAMP_SOFTWARE, TIMESTAMP_HARDWARE };
	const uint64_t deadline = clock_monotonic_ns() + 10 * NSEC_PER_SEC;
	uint16_t group;

	(void)state;
	for (size_t i = 0; i < MEMBERS; i++) {
		const struct ring_seat seat = { .mode = FANOUT_HASH,
			.group = RING_NEW_GROUP,
			.member_count = 1,
			.timestamp = sources[i] };

		assert_int_equal(listener_open(&members[i], OWN_NEAR, &seat, &group), 0);
		assert_int_equal(filter_attach(members[i].fd, &everything), 0);
		assert_asks_for_stamps(members[i].fd);
	}
	await_stamps();
	send_numbers(&numbers);
	while (!have_all())
		assert_true(clock_monotonic_ns() < deadline);
	for (uint64_t n = 0; n < numbers.count; n++) {
		const struct packet *one = &members[0].last[n], *other = &members[1].last[n];

		assert_int_equal(members[0].times[n], 1);
		assert_int_equal(members[1].times[n], 1);
		assert_true(one->time_ns > 0 && one->time_ns == other->time_ns);
		assert_int_equal(one->flags & PACKET_STAMPED_SOFTWARE, PACKET_STAMPED_SOFTWARE);
		assert_int_equal(one->flags & PACKET_STAMPED_HARDWARE, 0);
	}
	for (size_t i = 0; i < MEMBERS; i++)
		listener_close(&members[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_sockets_see_one_stamp_of_each_packet),
	};

	return own_namespace_enter() < 0 ? 77 : RUN_TESTS(tests);
}
