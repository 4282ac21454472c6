/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "capture/program.h"
#include "capture/socket.h"
#include "support/own_namespace.h"
#include "support/sender.h"

#include <linux/if.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * Which member of a fanout group the kernel has as which number: nobody can ask it, so that
 * supervisor/membership.c and change.c go by a rule.  Each packet here is sent to one number, and
 * looked for.
 */
enum { MEMBERS = 4, ROUNDS = 3 };

static struct sender sender;

/* ---- what the rule says ------------------------------------------------------------------ */

/* By their places; each is the number of its socket, which grows as they are made. */
struct order {
	size_t count;
	unsigned int who[MEMBERS * ROUNDS];
};

static void joins(struct order *order, unsigned int who)
{
	order->who[order->count++] = who;
}

static void leaves(struct order *order, size_t place)
{
	order->who[place] = order->who[--order->count];
}

/* All leave and join again as the link goes down and up. */
static void is_linked_again(struct order *order)
{
	for (size_t i = 1; i < order->count; i++)
		for (size_t k = i; k > 0 && order->who[k] < order->who[k - 1]; k--) {
			unsigned int other = order->who[k];

			order->who[k] = order->who[k - 1];
			order->who[k - 1] = other;
		}
}

/* ---- what the kernel does ---------------------------------------------------------------- */

static struct {
	int fds[MEMBERS * ROUNDS];
	unsigned int count;
	int32_t id; /* -1: of none yet */
} group;

static unsigned int make_socket(void)
{
	int fd = socket_open(PLACE_OF(OWN_NEAR));

	assert_true(fd >= 0);
	group.fds[group.count] = fd;
	return group.count++;
}

static void join(struct order *order, unsigned int who)
{
	struct socket_seat seat;
	struct fanout_args arguments = {
		.id = (uint16_t)(group.id < 0 ? 0 : group.id),
		.type_flags = PACKET_FANOUT_CBPF,
	};

	if (group.id < 0)
		arguments.type_flags |= PACKET_FANOUT_FLAG_UNIQUEID;
	assert_int_equal(socket_bind(group.fds[who], PLACE_OF(OWN_NEAR)), 0);
	assert_int_equal(
	    setsockopt(group.fds[who], SOL_PACKET, PACKET_FANOUT, &arguments, sizeof(uint32_t)), 0);
	assert_int_equal(socket_seat(group.fds[who], &seat), 0);
	group.id = seat.group;
	joins(order, who);
}

static void leave(struct order *order, size_t place)
{
	close_at(&group.fds[order->who[place]]);
	leaves(order, place);
}

static void set_link(bool is_up)
{
	CLEANUP(close_at) int fd = socket_open_questions(PLACE_OF(OWN_NEAR));
	struct ifreq request = { 0 };

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", OWN_NEAR);
	assert_int_equal(ioctl(fd, SIOCGIFFLAGS, &request), 0);
	request.ifr_flags =
	    (short)(is_up ? request.ifr_flags | IFF_UP : request.ifr_flags & ~IFF_UP);
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &request), 0);
}

/* Who has got a packet since it was asked last; -1: nobody. */
static int who_got_one(void)
{
	int who = -1;

	for (unsigned int i = 0; i < group.count; i++) {
		struct ledger_statistics answer = { 0 };

		if (group.fds[i] < 0)
			continue;
		assert_int_equal(socket_statistics(group.fds[i], &answer), 0);
		if (answer.packets > 0)
			who = (int)i;
	}
	return who;
}

/* Send to a number; again where the link is not yet quite up. */
static int who_is(const struct order *order, uint32_t number)
{
	static const uint8_t frame[60] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5 };
	const struct sender_frame one = { frame, sizeof(frame) };
	const uint64_t deadline = clock_monotonic_ns() + 5 * NSEC_PER_SEC;
	struct program program;
	int who = -1;

	assert_int_equal(program_constant(&program, number), 0);
	assert_int_equal(program_attach(group.fds[order->who[0]], &program), 0);
	program_release(&program);
	(void)who_got_one();
	while (who < 0 && clock_monotonic_ns() < deadline) {
		assert_int_equal(sender_send(&sender, &one, 1), 0);
		for (int i = 0; who < 0 && i < 50; i++) {
			who = who_got_one();
			if (who < 0)
				(void)usleep(1000);
		}
	}
	return who;
}

/* Also beyond the members: what a program returns is taken modulo these. */
static void check(const struct order *order)
{
	for (uint32_t number = 0; number < 2 * order->count; number++)
		assert_int_equal(who_is(order, number), order->who[number % order->count]);
}

static void make_group(struct order *order)
{
	*order = (struct order) { 0 };
	group.id = -1;
	for (unsigned int i = 0; i < MEMBERS; i++)
		join(order, make_socket());
}

static int close_all(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < group.count; i++)
		close_at(&group.fds[i]);
	group.count = 0;
	return 0;
}

/* ---- tests ------------------------------------------------------------------------------- */

static void who_joins_is_the_last(void **state)
{
	static const unsigned int turns[MEMBERS] = { 2, 0, 3, 1 };
	struct order order = { 0 };

	(void)state;
	group.id = -1;
	for (unsigned int i = 0; i < MEMBERS; i++)
		(void)make_socket();
	for (unsigned int i = 0; i < MEMBERS; i++) {
		join(&order, turns[i]);
		check(&order);
	}
}

static void the_last_takes_the_place_of_one_that_leaves(void **state)
{
	for (size_t place = 0; place < MEMBERS; place++) {
		struct order order;

		make_group(&order);
		leave(&order, place);
		check(&order);
		join(&order, make_socket());
		check(&order);
		(void)close_all(state);
	}
}

static void it_does_so_each_time(void **state)
{
	static const size_t places[] = { 1, 0, 3, 2, 0, 0 };
	struct order order;

	(void)state;
	make_group(&order);
	for (size_t i = 0; i < COUNT_OF(places); i++) {
		leave(&order, places[i]);
		join(&order, make_socket());
		check(&order);
	}
	while (order.count > 1) {
		leave(&order, 0);
		check(&order);
	}
}

static void a_link_that_was_down_puts_them_in_the_order_in_which_they_were_made(void **state)
{
	struct order order;

	(void)state;
	make_group(&order);
	leave(&order, 0);
	leave(&order, 1);
	join(&order, make_socket());
	join(&order, make_socket());
	check(&order);
	set_link(false);
	set_link(true);
	is_linked_again(&order);
	check(&order);
	/* One that is not closed before it is up has its place in that order, too. */
	set_link(false);
	close_at(&group.fds[order.who[1]]);
	for (size_t i = 1; i + 1 < order.count; i++)
		order.who[i] = order.who[i + 1];
	order.count--;
	set_link(true);
	check(&order);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(who_joins_is_the_last, close_all),
		cmocka_unit_test_teardown(the_last_takes_the_place_of_one_that_leaves, close_all),
		cmocka_unit_test_teardown(it_does_so_each_time, close_all),
		cmocka_unit_test_teardown(
		    a_link_that_was_down_puts_them_in_the_order_in_which_they_were_made, close_all),
	};
	int r = own_namespace_enter();

	if (r < 0)
		return 77;
	if (sender_open(OWN_FAR, 0, &sender) < 0)
		return 99;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
