/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "base/array.h"
#include "base/clock.h"
#include "capture/ring.h"
#include "capture/socket.h"
#include "support/listener.h"
#include "support/numbered.h"
#include "support/own_namespace.h"
#include "support/sender.h"

#include <dirent.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- system calls that fail when they are told to --------------------------------------- */

static int calls_until_failure; /* 0: none fails */

int __real_setsockopt(int fd, int level, int option, const void *value, socklen_t length);
int __wrap_setsockopt(int fd, int level, int option, const void *value, socklen_t length);
int __real_getsockopt(int fd, int level, int option, void *value, socklen_t *length);
int __wrap_getsockopt(int fd, int level, int option, void *value, socklen_t *length);
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

int __wrap_getsockopt(int fd, int level, int option, void *value, socklen_t *length)
{
	return fails_now() ? -1 : __real_getsockopt(fd, level, option, value, length);
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

static size_t count_descriptors(void)
{
	DIR *all = opendir("/proc/self/fd");
	size_t count = 0;

	while (readdir(all))
		count++;
	closedir(all);
	return count;
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

static int near_index(void)
{
	struct link_state link;

	assert_int_equal(socket_interface(PLACE_OF(OWN_NEAR), &link), 0);
	return link.ifindex;
}

/* Open and join as a worker does; the ring, where one was made, is closed with it. */
static int try_opening(int fd, int ifindex, struct ring_fault *ret_fault)
{
	const struct ring_seat seat = {
		.ifindex = ifindex,
		.mode = FANOUT_HASH,
		.group = RING_NEW_GROUP,
		.member_count = 1,
		.promiscuous = true,
	};
	struct ring *ring = NULL;
	uint16_t group;
	int r = ring_open(&ring, fd, &listener_geometry, ret_fault);

	assert_true((r < 0) == (ring == NULL));
	if (r >= 0)
		r = ring_join(ring, &seat, &group, ret_fault);
	ring_close(ring);
	return r;
}

static void a_failure_at_any_step_names_it_and_leaves_nothing_behind(void **state)
{
	const char *const purposes[] = { "select TPACKET_V3", "ask for nanosecond stamps",
		"create the ring", "map the ring", "attach a filter that refuses everything",
		"choose whose stamps to take", "bind to the interface", "join the fanout group",
		"join the fanout group", "make the interface promiscuous" };
	const int ifindex = near_index(); /* asked before calls fail */
	size_t descriptors = count_descriptors();
	size_t mapped = count_rings_mapped();

	(void)state;
	for (size_t i = 0; i <= COUNT_OF(purposes); i++) {
		struct ring_fault fault = { 0 };
		int fd = socket_open(PLACE_OF(OWN_NEAR));
		int r;

		calls_until_failure = (int)i + 1;
		r = try_opening(fd, ifindex, &fault);
		calls_until_failure = 0;
		if (i < COUNT_OF(purposes)) {
			assert_int_equal(r, -EDQUOT);
			assert_string_equal(fault.purpose, purposes[i]);
		} else {
			assert_int_equal(r, 0);
		}
		close(fd);
		assert_int_equal(count_descriptors(), descriptors);
		assert_int_equal(count_rings_mapped(), mapped);
	}
}

/* ---- what the kernel takes --------------------------------------------------------------- */

static int ask_kernel(uint64_t memory, uint64_t block_size, const struct geometry_rule **ret_rule)
{
	const struct ring_config config = {
		.memory = memory, .block_size = block_size, .retire_timeout = NSEC_PER_SEC
	};
	struct geometry geometry;
	struct ring_fault fault;
	struct ring *ring = NULL;
	int fd, r = geometry_plan(&geometry, &config, ret_rule);

	if (r < 0)
		return r;
	fd = socket_open(PLACE_OF(OWN_NEAR));
	r = ring_open(&ring, fd, &geometry, &fault);
	ring_close(ring);
	close(fd);
	return r;
}

static void the_kernel_takes_each_ring_that_was_planned(void **state)
{
	const uint64_t sizes[] = { 4096, 8192, 12288, 65536, 69632, 1 << 20, 1536 * 1024,
		4100 * 1024 };
	const struct geometry_rule *rule;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(sizes); i++)
		for (uint64_t count = 2; count <= 5; count++)
			assert_int_equal(ask_kernel(sizes[i] * count, sizes[i], &rule), 0);
}

static void the_kernel_refuses_what_the_rules_refuse(void **state)
{
	const struct tpacket_req3 refused[] = {
		{ .tp_block_size = 2048,
		    .tp_block_nr = 4,
		    .tp_frame_size = 2048,
		    .tp_frame_nr = 4 },
		{ .tp_block_size = 6144,
		    .tp_block_nr = 4,
		    .tp_frame_size = 2048,
		    .tp_frame_nr = 12 },
		{ .tp_block_size = 1U << 31,
		    .tp_block_nr = 2,
		    .tp_frame_size = 2048,
		    .tp_frame_nr = 1U << 21 },
		{ .tp_block_size = 1U << 30,
		    .tp_block_nr = 8192,
		    .tp_frame_size = 2048,
		    .tp_frame_nr = 0 },
	};
	const int version = TPACKET_V3;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(refused); i++) {
		int fd = socket_open(PLACE_OF(OWN_NEAR));

		assert_int_equal(
		    setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)), 0);
		assert_int_equal(
		    setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &refused[i], sizeof(refused[i])),
		    -1);
		assert_int_equal(errno, EINVAL);
		close(fd);
	}
}

/* ---- packets ----------------------------------------------------------------------------- */

static const struct filter everything = {
	(struct sock_filter[]) { BPF_STMT(BPF_RET | BPF_K, 65535) }, 1
};

static void send_numbers(const char *interface, const struct numbered_plan *plan)
{
	static uint8_t frame[NUMBERED_LENGTH_MAX];
	struct sender sender;

	assert_int_equal(sender_open(interface, 0, &sender), 0);
	for (uint64_t i = 0; i < plan->count; i++) {
		struct sender_frame one = { frame, numbered_build(plan, plan->first + i, frame) };

		assert_int_equal(sender_send(&sender, &one, 1), 0);
	}
	close(sender.fd);
}

static struct listener members[3];

static void open_members(enum fanout_mode mode, size_t count)
{
	struct ring_seat seat = { .mode = mode,
		.group = RING_NEW_GROUP,
		.member_count = (unsigned int)count,
		.promiscuous = true };
	uint16_t first = 0, group = 0;

	for (size_t i = 0; i < count; i++) {
		assert_int_equal(listener_open(&members[i], OWN_NEAR, &seat, &group), 0);
		if (i == 0)
			first = group;
		assert_int_equal(group, first);
		seat.group = group;
	}
}

static void close_members(size_t count)
{
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(members[i].blocks_amiss, 0);
		assert_int_equal(members[i].dropped, 0);
		listener_close(&members[i]);
	}
}

/* What was sent before the real filter came counts for nobody, all after it once. */
static void send_to_members(const struct numbered_plan *plan, size_t count)
{
	const struct numbered_plan early = { .first = 4000, .count = 90, .size = 60, .flows = 50 };

	send_numbers(OWN_FAR, &early);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(filter_attach(members[i].fd, &everything), 0);
	send_numbers(OWN_FAR, plan);
	assert_int_equal(listeners_drain(members, count, plan->count), plan->count);
}

/* A ring of 1 MiB takes them all, also of one member. */
static const struct numbered_plan numbers = { .count = 1500, .size = 0, .flows = 50 };

static void a_group_by_flow_gives_each_packet_to_one_member(void **state)
{
	int8_t member_of[50];

	(void)state;
	memset(member_of, -1, sizeof(member_of));
	open_members(FANOUT_HASH, 3);
	send_to_members(&numbers, 3);
	for (uint64_t n = 0; n < numbers.count; n++) {
		int8_t *member = &member_of[numbered_flow(&numbers, n)];

		for (int8_t i = 0; i < 3; i++) {
			if (members[i].times[n] == 0)
				continue;
			assert_int_equal(members[i].times[n], 1);
			assert_true(*member == -1 || *member == i);
			*member = i;
		}
		assert_int_equal(
		    members[0].times[n] + members[1].times[n] + members[2].times[n], 1);
	}
	close_members(3);
}

static void a_group_in_turn_gives_each_member_its_share(void **state)
{
	(void)state;
	open_members(FANOUT_LB, 2);
	send_to_members(&numbers, 2);
	for (uint64_t n = 0; n < numbers.count; n++)
		assert_int_equal(members[0].times[n] + members[1].times[n], 1);
	assert_int_equal(members[0].walked, numbers.count / 2);
	close_members(2);
}

static void a_mode_of_no_type_is_refused(void **state)
{
	const unsigned int modes[] = { FANOUT_PROGRAM + 1, 1000 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(modes); i++) {
		struct ring_seat seat = { .ifindex = near_index(),
			.mode = modes[i],
			.group = RING_NEW_GROUP,
			.member_count = 1 };
		struct ring_fault fault = { 0 };
		struct ring *ring = NULL;
		int fd = socket_open(PLACE_OF(OWN_NEAR));
		uint16_t group;

		assert_int_equal(ring_open(&ring, fd, &listener_geometry, &fault), 0);
		assert_int_equal(ring_join(ring, &seat, &group, &fault), -EOPNOTSUPP);
		assert_string_equal(fault.purpose, "join the fanout group");
		ring_close(ring);
		close(fd);
	}
}

/* Group 0 is an id like others, which the kernel gives to the first that asks in a namespace. */
static void a_second_group_on_the_interface_sees_all_again(void **state)
{
	struct ring_seat seat = { .mode = FANOUT_HASH, .group = RING_NEW_GROUP, .member_count = 1 };
	uint16_t group[2];

	(void)state;
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(listener_open(&members[i], OWN_NEAR, &seat, &group[i]), 0);
	assert_int_not_equal(group[0], group[1]);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(filter_attach(members[i].fd, &everything), 0);
	send_numbers(OWN_FAR, &numbers);
	assert_int_equal(listeners_drain(members, 2, 2 * numbers.count), 2 * numbers.count);
	close_members(2);
}

static void blocks_come_in_their_order_round_after_round(void **state)
{
	struct numbered_plan plan = { .count = 100, .size = 8000, .flows = 1 };
	uint64_t walked = 0;

	(void)state;
	open_members(FANOUT_HASH, 1);
	assert_int_equal(filter_attach(members[0].fd, &everything), 0);
	/* Sixteen blocks take some eight frames each: a hundred at a time never fill them. */
	for (; plan.first < 1000; plan.first += plan.count) {
		const uint64_t deadline = clock_monotonic_ns() + 5 * NSEC_PER_SEC;

		send_numbers(OWN_FAR, &plan);
		walked += plan.count;
		while (members[0].walked < walked && clock_monotonic_ns() < deadline)
			listener_read(&members[0]);
	}
	assert_int_equal(listeners_drain(members, 1, walked), walked);
	assert_true(members[0].block_number > 3 * listener_geometry.block_count);
	for (uint64_t n = 0; n < 1000; n++)
		assert_int_equal(members[0].times[n], 1);
	close_members(1);
}

/* The kernel says so of blocks, until its count of drops is read. */
static void packets_after_drops_say_so(void **state)
{
	const struct numbered_plan flood = { .count = 400, .size = 8000, .flows = 1 };
	const struct numbered_plan after = { .first = 1000, .count = 20, .size = 8000, .flows = 1 };
	const struct numbered_plan later = { .first = 2000, .count = 20, .size = 8000, .flows = 1 };
	uint64_t walked;

	(void)state;
	open_members(FANOUT_HASH, 1);
	assert_int_equal(filter_attach(members[0].fd, &everything), 0);
	send_numbers(OWN_FAR, &flood);
	listener_read(&members[0]);
	walked = members[0].walked;
	assert_true(walked > 0 && walked < flood.count);
	send_numbers(OWN_FAR, &after);
	assert_int_equal(listeners_drain(members, 1, walked + after.count), walked + after.count);
	assert_int_equal(members[0].last[0].flags & PACKET_LOSING, 0);
	assert_int_equal(members[0].last[1000].flags & PACKET_LOSING, PACKET_LOSING);
	assert_int_equal(filter_attach(members[0].fd, &everything), 0);
	send_numbers(OWN_FAR, &later);
	walked += after.count + later.count;
	assert_int_equal(listeners_drain(members, 1, walked), walked);
	assert_int_equal(members[0].last[2000].flags & PACKET_LOSING, 0);
	assert_true(members[0].dropped > 0);
	listener_close(&members[0]);
}

/* ---- a ring that is there already -------------------------------------------------------- */

/* Some thirteen blocks. */
static const struct numbered_plan batch = { .count = 100, .size = 8000, .flows = 1 };

static uint64_t lease_number(struct ring *ring)
{
	uint64_t number = 0;
	size_t size;

	return ring_lease(ring, &size, &number) ? number : 0;
}

/* As a successor does: another mapping of the same ring, behind the block that was done. */
static bool pass_on(struct listener *listener, uint64_t done)
{
	struct ring_fault fault;
	int r;

	ring_close(listener->ring);
	r = ring_adopt(&listener->ring, listener->fd, &listener_geometry, done, &fault);
	assert_true(r >= 0);
	return r == 0;
}

static void send_batch(uint64_t first)
{
	struct numbered_plan plan = batch;

	plan.first = first;
	send_numbers(OWN_FAR, &plan);
	/* The last block comes out by its timeout. */
	usleep(50 * 1000);
}

/* Read so many blocks, and release them. */
static void read_some(struct listener *listener, unsigned int blocks)
{
	void *block;
	uint64_t number;
	size_t size;

	for (; blocks > 0; blocks--) {
		block = ring_lease(listener->ring, &size, &number);
		assert_non_null(block);
		listener_take(listener, block, size, number);
		ring_release(listener->ring);
	}
}

static void begin_batch(void)
{
	open_members(FANOUT_HASH, 1);
	assert_int_equal(filter_attach(members[0].fd, &everything), 0);
	send_batch(0);
	read_some(&members[0], 5);
}

static void check_batches(unsigned int count)
{
	(void)listeners_drain(members, 1, count * batch.count);
	assert_int_equal(members[0].walked, count * batch.count);
	for (uint64_t n = 0; n < count * batch.count; n++)
		assert_int_equal(members[0].times[n], 1);
	close_members(1);
}

static void a_block_that_was_not_done_is_read_again(void **state)
{
	uint64_t next;

	(void)state;
	begin_batch();
	assert_int_equal(lease_number(members[0].ring), 6);
	assert_true(pass_on(&members[0], 5));
	assert_true(ring_waiting(members[0].ring, &next) >= 7);
	assert_int_equal(next, 6);
	assert_int_equal(lease_number(members[0].ring), 6);
	check_batches(1);
}

static void a_block_that_was_done_is_given_back(void **state)
{
	void *block;
	uint64_t number, next;
	size_t size;

	(void)state;
	begin_batch();
	block = ring_lease(members[0].ring, &size, &number);
	listener_take(&members[0], block, size, number);
	assert_true(pass_on(&members[0], 6));
	assert_true(ring_waiting(members[0].ring, &next) >= 6);
	assert_int_equal(next, 7);
	assert_int_equal(lease_number(members[0].ring), 7);
	listener_read(&members[0]);
	/* The kernel has it back, or it would find no room in the next round. */
	send_batch(batch.count);
	listener_read(&members[0]);
	assert_true(members[0].block_number > 6 + listener_geometry.block_count);
	check_batches(2);
}

static void a_ring_is_passed_on_round_after_round(void **state)
{
	enum { BATCHES = 9 };

	(void)state;
	begin_batch();
	for (uint64_t i = 1; i < BATCHES; i++) {
		assert_true(pass_on(&members[0], members[0].block_number));
		listener_read(&members[0]);
		/* Empty: its next block is one that the kernel has yet to open, or has open. */
		assert_true(pass_on(&members[0], members[0].block_number));
		send_batch(i * batch.count);
		read_some(&members[0], 5);
	}
	assert_true(members[0].block_number > 3 * listener_geometry.block_count);
	check_batches(BATCHES);
}

static void where_nobody_knows_the_place_the_oldest_block_is_next(void **state)
{
	uint64_t next;

	(void)state;
	begin_batch();
	assert_false(pass_on(&members[0], RING_PLACE_UNKNOWN));
	assert_true(ring_waiting(members[0].ring, &next) >= 7);
	assert_int_equal(next, 6);
	assert_int_equal(lease_number(members[0].ring), 6);
	listener_read(&members[0]);
	/* Nothing waits, so that nothing says where: it is seen with the next. */
	assert_false(pass_on(&members[0], RING_PLACE_UNKNOWN));
	assert_int_equal(ring_waiting(members[0].ring, &next), 0);
	assert_int_equal(next, 0);
	assert_int_equal(lease_number(members[0].ring), 0);
	send_batch(batch.count);
	check_batches(2);
}

static void a_place_that_the_ring_contradicts_is_not_believed(void **state)
{
	const uint64_t wrong[] = { 0, 1, 4, 7, 5 + 16, 6 + 16, 1000, UINT64_MAX - 1 };

	(void)state;
	begin_batch();
	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		assert_false(pass_on(&members[0], wrong[i]));
		assert_int_equal(lease_number(members[0].ring), 6);
	}
	assert_true(pass_on(&members[0], 5));
	check_batches(1);
}

static void a_ring_that_cannot_be_mapped_says_so(void **state)
{
	struct geometry other = listener_geometry;
	struct ring_fault fault = { 0 };
	struct ring *ring = NULL;

	(void)state;
	begin_batch();
	other.block_count++;
	assert_int_equal(ring_adopt(&ring, members[0].fd, &other, 5, &fault), -EINVAL);
	assert_string_equal(fault.purpose, "map the ring that is there");
	assert_null(ring);
	check_batches(1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failure_at_any_step_names_it_and_leaves_nothing_behind),
		cmocka_unit_test(the_kernel_takes_each_ring_that_was_planned),
		cmocka_unit_test(the_kernel_refuses_what_the_rules_refuse),
		cmocka_unit_test(a_group_by_flow_gives_each_packet_to_one_member),
		cmocka_unit_test(a_group_in_turn_gives_each_member_its_share),
		cmocka_unit_test(a_second_group_on_the_interface_sees_all_again),
		cmocka_unit_test(a_mode_of_no_type_is_refused),
		cmocka_unit_test(blocks_come_in_their_order_round_after_round),
		cmocka_unit_test(packets_after_drops_say_so),
		cmocka_unit_test(a_block_that_was_not_done_is_read_again),
		cmocka_unit_test(a_block_that_was_done_is_given_back),
		cmocka_unit_test(a_ring_is_passed_on_round_after_round),
		cmocka_unit_test(where_nobody_knows_the_place_the_oldest_block_is_next),
		cmocka_unit_test(a_place_that_the_ring_contradicts_is_not_believed),
		cmocka_unit_test(a_ring_that_cannot_be_mapped_says_so),
	};

	if (own_namespace_enter() < 0)
		return 77;
	return RUN_TESTS(tests);
}
