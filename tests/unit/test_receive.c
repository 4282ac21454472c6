/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "capture/receive.h"
#include "capture/socket.h"
#include "capture/transmit_plain.h"
#include "support/numbered.h"
#include "support/own_namespace.h"
#include "support/sender.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

enum { VERSION_COUNT = 4, PATIENCE_MS = 5000, LONGEST = 2000 };

/* 64 KiB: sixteen frames of V1 or V2, so that a test goes round them. */
static const struct geometry small = {
	.block_size = 1 << 14,
	.block_count = 4,
	.frame_size = 2048,
	.frame_count = 32,
	.retire_timeout_ms = 5,
};

/* ---- system calls that fail when they are told to --------------------------------------- */

static int calls_until_failure; /* 0: none fails */

int __real_setsockopt(int fd, int level, int option, const void *value, socklen_t length);
int __wrap_setsockopt(int fd, int level, int option, const void *value, socklen_t length);
int __real_bind(int fd, const struct sockaddr *address, socklen_t length);
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t length);
void *__real_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);

static bool fails_now(void)
{
	if (calls_until_failure == 0 || --calls_until_failure > 0)
		return false;
	errno = EDQUOT; /* which none of these calls knows */
	return true;
}

int __wrap_setsockopt(int fd, int level, int option, const void *value, socklen_t length)
{
	return fails_now() ? -1 : __real_setsockopt(fd, level, option, value, length);
}

int __wrap_bind(int fd, const struct sockaddr *address, socklen_t length)
{
	return fails_now() ? -1 : __real_bind(fd, address, length);
}

void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
	return fd >= 0 && fails_now() ? MAP_FAILED
				      : __real_mmap(at, size, protection, flags, fd, offset);
}

static size_t count_rings_mapped(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[4352];
	size_t count = 0;

	while (fgets(line, sizeof(line), maps))
		count += strstr(line, "socket:[") != NULL;
	fclose(maps);
	return count;
}

/* ---- packets ----------------------------------------------------------------------------- */

static int index_of(const char *name)
{
	struct link_state link;

	assert_int_equal(socket_interface(PLACE_OF(name), &link), 0);
	return link.ifindex;
}

struct stand {
	int fd;
	struct receive *receive;
	struct sender sender;
};

static struct receive_plan plan_of(unsigned int version)
{
	return (struct receive_plan) { index_of(OWN_NEAR), version, small, LONGEST };
}

static void open_stand(struct stand *stand, unsigned int version)
{
	const struct receive_plan plan = plan_of(version);
	struct ring_fault fault;

	stand->fd = socket_open(PLACE_OF(OWN_NEAR));
	assert_int_equal(receive_open(&stand->receive, stand->fd, &plan, &fault), 0);
	assert_int_equal(sender_open(OWN_FAR, 0, &stand->sender), 0);
}

static void close_stand(struct stand *stand)
{
	receive_close(stand->receive);
	close(stand->fd);
	close(stand->sender.fd);
}

static uint8_t frame[NUMBERED_LENGTH_MAX];

static size_t send_number(struct stand *stand, const struct numbered_plan *plan, uint64_t number)
{
	struct sender_frame one = { frame, numbered_build(plan, number, frame) };

	assert_int_equal(sender_send(&stand->sender, &one, 1), 0);
	return one.length;
}

/* Ten frames at a time, which each ring has room for, until it has been gone round often. */
static void each_way_gives_what_was_sent(void **state)
{
	static const struct numbered_plan plan = { .count = 400, .size = 0, .flows = 3 };

	(void)state;
	for (unsigned int version = 0; version < VERSION_COUNT; version++) {
		uint64_t begun = clock_utc_ns() - 10 * NSEC_PER_MSEC;
		struct stand stand;
		struct packet packet;

		open_stand(&stand, version);
		for (uint64_t n = 0; n < plan.count; n++) {
			for (uint64_t i = n; n % 10 == 0 && i < n + 10; i++)
				send_number(&stand, &plan, i);
			assert_int_equal(receive_next(stand.receive, PATIENCE_MS, &packet), 1);
			assert_int_equal(packet.wire_length, numbered_build(&plan, n, frame));
			assert_int_equal(packet.captured_length, packet.wire_length);
			assert_memory_equal(packet.bytes, frame, packet.wire_length);
			if (version > 0)
				assert_in_range(packet.time_ns, begun, clock_utc_ns());
		}
		assert_int_equal(receive_next(stand.receive, 0, &packet), 0);
		assert_int_equal(receive_next(stand.receive, 10, &packet), 0);
		close_stand(&stand);
	}
}

static void what_there_is_no_room_for_is_dropped_and_told(void **state)
{
	static const struct numbered_plan plan = { .count = 500, .size = 1500, .flows = 1 };

	(void)state;
	for (unsigned int version = 0; version < VERSION_COUNT; version++) {
		struct ledger_statistics statistics = { 0 };
		uint64_t received = 0, number, last = 0;
		struct packet packet;
		struct stand stand;

		open_stand(&stand, version);
		for (uint64_t n = 0; n < plan.count; n++)
			send_number(&stand, &plan, n);
		while (receive_next(stand.receive, 200, &packet) == 1) {
			assert_int_equal(
			    numbered_find(&plan, packet.bytes, packet.captured_length, &number), 1);
			assert_true(received == 0 || number > last);
			last = number;
			received++;
		}
		assert_int_equal(socket_statistics(stand.fd, &statistics), 0);
		assert_true(received > 0 && received < plan.count);
		assert_int_equal(received + statistics.drops, plan.count);
		close_stand(&stand);
	}
}

static void a_frame_that_is_too_long_is_cut_and_says_so(void **state)
{
	static const struct numbered_plan plan = { .count = 1, .size = 8000, .flows = 1 };

	(void)state;
	/* A block of V3 takes it. */
	for (unsigned int version = 0; version < 3; version++) {
		struct packet packet;
		struct stand stand;

		open_stand(&stand, version);
		send_number(&stand, &plan, 0);
		assert_int_equal(receive_next(stand.receive, PATIENCE_MS, &packet), 1);
		assert_int_equal(packet.wire_length, 8000);
		assert_in_range(packet.captured_length, LONGEST, 7999);
		assert_memory_equal(packet.bytes, frame, packet.captured_length);
		close_stand(&stand);
	}
}

/* The kernel takes the tag out, and the older header has no place for it. */
static void a_tag_is_told_from_version_2_on(void **state)
{
	static const struct numbered_plan plan = {
		.count = 1, .size = 60, .flows = 1, .tag_count = 1, .tags = { { 0x8100, 0x2064 } }
	};

	(void)state;
	for (unsigned int version = 2; version < VERSION_COUNT; version++) {
		struct packet packet;
		struct stand stand;

		open_stand(&stand, version);
		send_number(&stand, &plan, 0);
		assert_int_equal(receive_next(stand.receive, PATIENCE_MS, &packet), 1);
		assert_int_equal(packet.flags & PACKET_HAS_TAG, PACKET_HAS_TAG);
		assert_int_equal(packet.vlan_tpid, 0x8100);
		assert_int_equal(packet.vlan_tci, 0x2064);
		assert_int_equal(packet.wire_length, 60);
		close_stand(&stand);
	}
}

static void plain_sending_sends(void **state)
{
	static const struct numbered_plan plan = { .count = 1, .size = 1000, .flows = 1 };
	CLEANUP(close_at) int fd = socket_open(PLACE_OF(OWN_NEAR));
	struct packet packet;
	struct stand stand;
	uint32_t length;

	(void)state;
	open_stand(&stand, 2);
	assert_int_equal(transmit_plain_open(fd, index_of(OWN_FAR)), 0);
	length = (uint32_t)numbered_build(&plan, 5, frame);
	assert_int_equal(transmit_plain(fd, frame, length), 0);
	assert_int_equal(receive_next(stand.receive, PATIENCE_MS, &packet), 1);
	assert_int_equal(packet.captured_length, length);
	assert_memory_equal(packet.bytes, frame, length);
	assert_int_equal(transmit_plain(fd, frame, 9100), -EMSGSIZE);
	close_stand(&stand);
}

/* ---- failures ---------------------------------------------------------------------------- */

static void a_failure_at_any_step_names_it_and_leaves_nothing_mapped(void **state)
{
	/* Without a ring the first call widens the queue, which is no failure where it cannot. */
	static const char *const purposes[VERSION_COUNT][9] = {
		{ NULL, "bind to the interface" },
		{ "select the ring's version", "create the ring", "map the ring",
		    "bind to the interface" },
		{ "select the ring's version", "create the ring", "map the ring",
		    "bind to the interface" },
		{ "select TPACKET_V3", "ask for nanosecond stamps", "create the ring",
		    "map the ring", "attach a filter that refuses everything",
		    "choose whose stamps to take", "bind to the interface" },
	};

	(void)state;
	for (unsigned int version = 0; version < VERSION_COUNT; version++) {
		for (size_t i = 0; i < COUNT_OF(purposes[0]); i++) {
			const struct receive_plan plan = plan_of(version);
			struct ring_fault fault = { 0 };
			struct receive *receive = NULL;
			int fd = socket_open(PLACE_OF(OWN_NEAR)), r;

			if (!purposes[version][i]) {
				close(fd);
				continue;
			}
			calls_until_failure = (int)i + 1;
			r = receive_open(&receive, fd, &plan, &fault);
			calls_until_failure = 0;
			assert_int_equal(r, -EDQUOT);
			assert_null(receive);
			assert_string_equal(fault.purpose, purposes[version][i]);
			close(fd);
			assert_int_equal(count_rings_mapped(), 0);
		}
	}
}

static void a_version_that_there_is_not_is_refused(void **state)
{
	const struct receive_plan plan = plan_of(VERSION_COUNT);
	struct receive *receive = NULL;
	struct ring_fault fault;
	CLEANUP(close_at) int fd = socket_open(PLACE_OF(OWN_NEAR));

	(void)state;
	assert_int_equal(receive_open(&receive, fd, &plan, &fault), -EINVAL);
	assert_null(receive);
	receive_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_way_gives_what_was_sent),
		cmocka_unit_test(what_there_is_no_room_for_is_dropped_and_told),
		cmocka_unit_test(a_frame_that_is_too_long_is_cut_and_says_so),
		cmocka_unit_test(a_tag_is_told_from_version_2_on),
		cmocka_unit_test(plain_sending_sends),
		cmocka_unit_test(a_failure_at_any_step_names_it_and_leaves_nothing_mapped),
		cmocka_unit_test(a_version_that_there_is_not_is_refused),
	};

	return own_namespace_enter() < 0 ? 77 : RUN_TESTS(tests);
}
