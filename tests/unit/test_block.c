/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "capture/block.h"
#include "support/block_builder.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST = 48, STEP = 160, MAC = 82, LENGTH = 60, SIZE = 4096 };

static uint8_t block[SIZE] __attribute__((aligned(16)));

static struct tpacket3_hdr *packet_at(size_t index)
{
	void *at = block + FIRST + index * STEP;

	return at;
}

/* A block of packets as the kernel lays them out: the last one's next offset is 0. */
static void build(uint32_t count)
{
	struct tpacket_block_desc *head = (void *)block;

	memset(block, 0, sizeof(block));
	head->hdr.bh1.num_pkts = count;
	head->hdr.bh1.offset_to_first_pkt = FIRST;
	for (uint32_t i = 0; i < count; i++) {
		*packet_at(i) = (struct tpacket3_hdr) { .tp_next_offset = i + 1 < count ? STEP : 0,
			.tp_sec = 100 + i,
			.tp_nsec = i,
			.tp_snaplen = LENGTH,
			.tp_len = LENGTH + i,
			.tp_mac = MAC };
		memset(block + FIRST + i * STEP + MAC, (int)i + 1, LENGTH);
	}
}

static int walk_all(size_t size, uint32_t *ret_count)
{
	struct block_walk walk;
	struct packet packet;
	int r;

	*ret_count = 0;
	block_walk_begin(&walk, block, size);
	while ((r = block_walk_next(&walk, &packet)) > 0)
		(*ret_count)++;
	return r;
}

static void packets_come_in_order_with_their_bytes(void **state)
{
	struct block_walk walk;
	struct packet packet;

	(void)state;
	build(3);
	block_walk_begin(&walk, block, SIZE);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(block_walk_next(&walk, &packet), 1);
		assert_int_equal(packet.time_ns, (100 + i) * UINT64_C(1000000000) + i);
		assert_int_equal(packet.captured_length, LENGTH);
		assert_int_equal(packet.wire_length, LENGTH + i);
		assert_int_equal(packet.bytes[0], i + 1);
		assert_int_equal(packet.flags, 0);
	}
	assert_int_equal(block_walk_next(&walk, &packet), 0);
	assert_int_equal(block_walk_next(&walk, &packet), 0);
}

static void a_block_without_packets_is_no_fault(void **state)
{
	uint32_t count;

	(void)state;
	build(0);
	assert_int_equal(walk_all(SIZE, &count), 0);
	assert_int_equal(count, 0);
	assert_int_equal(block_packet_count(block), 0);
}

static void a_tag_is_told_with_its_whole_tci(void **state)
{
	struct block_walk walk;
	struct packet packet;

	(void)state;
	build(2);
	packet_at(0)->tp_status = TP_STATUS_VLAN_VALID | TP_STATUS_VLAN_TPID_VALID;
	packet_at(0)->hv1.tp_vlan_tci = 0xe005;
	packet_at(0)->hv1.tp_vlan_tpid = ETH_P_8021AD;
	packet_at(1)->tp_status = TP_STATUS_VLAN_VALID;
	packet_at(1)->hv1.tp_vlan_tci = 0;
	block_walk_begin(&walk, block, SIZE);
	assert_int_equal(block_walk_next(&walk, &packet), 1);
	assert_true(packet.flags & PACKET_HAS_TAG);
	assert_int_equal(packet.vlan_tci, 0xe005);
	assert_int_equal(packet.vlan_tpid, ETH_P_8021AD);
	assert_int_equal(block_walk_next(&walk, &packet), 1);
	assert_true(packet.flags & PACKET_HAS_TAG);
	assert_int_equal(packet.vlan_tpid, ETH_P_8021Q);
}

static void a_packet_reaching_past_the_block_is_refused(void **state)
{
	const size_t whole = FIRST + MAC + LENGTH;
	uint32_t count;

	(void)state;
	build(1);
	assert_int_equal(walk_all(whole, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(walk_all(whole - 1, &count), -EBADMSG);
	packet_at(0)->tp_snaplen = UINT32_MAX;
	assert_int_equal(walk_all(SIZE, &count), -EBADMSG);
	build(1);
	packet_at(0)->tp_mac = UINT16_MAX;
	assert_int_equal(walk_all(SIZE, &count), -EBADMSG);
}

static void a_header_reaching_past_the_block_is_refused(void **state)
{
	struct tpacket_block_desc *head = (void *)block;
	const size_t last = SIZE - sizeof(struct tpacket3_hdr);
	uint32_t count;

	(void)state;
	build(1);
	head->hdr.bh1.offset_to_first_pkt = (uint32_t)last + 1;
	assert_int_equal(walk_all(SIZE, &count), -EBADMSG);
	head->hdr.bh1.offset_to_first_pkt = UINT32_MAX;
	assert_int_equal(walk_all(SIZE, &count), -EBADMSG);
}

static void a_chain_that_stands_still_or_leaves_is_refused(void **state)
{
	uint32_t count;

	(void)state;
	build(3);
	packet_at(1)->tp_next_offset = 0;
	assert_int_equal(walk_all(SIZE, &count), -EBADMSG);
	assert_int_equal(count, 1);
	packet_at(1)->tp_next_offset = UINT32_MAX;
	assert_int_equal(walk_all(SIZE, &count), -EBADMSG);
	assert_int_equal(count, 1);
}

static void a_block_that_says_too_many_packets_ends_with_a_fault(void **state)
{
	struct tpacket_block_desc *head = (void *)block;
	uint32_t count;

	(void)state;
	build(3);
	head->hdr.bh1.num_pkts = UINT32_MAX;
	assert_int_equal(walk_all(SIZE, &count), -EBADMSG);
}

/* Else their records together could be longer than the block, for which the stage has room. */
static void a_packet_reaching_into_the_next_is_refused(void **state)
{
	uint32_t count;

	(void)state;
	build(3);
	packet_at(1)->tp_snaplen = STEP - MAC;
	assert_int_equal(walk_all(SIZE, &count), 0);
	packet_at(1)->tp_snaplen++;
	assert_int_equal(walk_all(SIZE, &count), -EBADMSG);
	assert_int_equal(count, 1);
}

static void a_header_or_bytes_within_another_header_are_refused(void **state)
{
	struct tpacket_block_desc *head = (void *)block;
	uint32_t count;

	(void)state;
	build(2);
	packet_at(0)->tp_mac = sizeof(struct tpacket3_hdr) - 1;
	assert_int_equal(walk_all(SIZE, &count), -EBADMSG);
	build(2);
	head->hdr.bh1.offset_to_first_pkt = sizeof(*head) - 1;
	assert_int_equal(walk_all(SIZE, &count), -EBADMSG);
	assert_int_equal(count, 0);
}

static void a_block_cut_anywhere_never_ends_well(void **state)
{
	const size_t whole = FIRST + 2 * STEP + MAC + LENGTH;

	(void)state;
	build(3);
	for (size_t size = 0; size < whole; size++) {
		/* Of its exact length, so that a sanitizer sees each byte too many. */
		uint8_t *copy = malloc(size + (size == 0));
		struct packet packet = { .time_ns = 42 };
		struct block_walk walk;
		uint32_t count = 0;

		memcpy(copy, block, size);
		block_walk_begin(&walk, copy, size);
		while (block_walk_next(&walk, &packet) > 0)
			count++;
		assert_int_equal(block_walk_next(&walk, &packet), -EBADMSG);
		assert_int_equal(
		    packet.time_ns, count ? (99 + count) * UINT64_C(1000000000) + count - 1 : 42);
		assert_true(count < 3);
		free(copy);
	}
}

static void a_block_as_full_as_can_be_is_walked_whole(void **state)
{
	static const uint8_t bytes[SIZE];
	struct block_frame frame = { .bytes = bytes, .captured_length = SIZE - 129 };
	struct block_builder builder;
	uint32_t count;

	(void)state;
	block_builder_begin(&builder, block, SIZE, 1);
	assert_false(block_builder_add(&builder, &frame));
	frame.captured_length = SIZE - 130; /* the longest Ethernet frame */
	assert_true(block_builder_add(&builder, &frame));
	assert_int_equal(block_builder_end(&builder), SIZE);
	assert_int_equal(walk_all(SIZE, &count), 0);
	assert_int_equal(count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_come_in_order_with_their_bytes),
		cmocka_unit_test(a_block_without_packets_is_no_fault),
		cmocka_unit_test(a_tag_is_told_with_its_whole_tci),
		cmocka_unit_test(a_packet_reaching_past_the_block_is_refused),
		cmocka_unit_test(a_header_reaching_past_the_block_is_refused),
		cmocka_unit_test(a_chain_that_stands_still_or_leaves_is_refused),
		cmocka_unit_test(a_block_that_says_too_many_packets_ends_with_a_fault),
		cmocka_unit_test(a_packet_reaching_into_the_next_is_refused),
		cmocka_unit_test(a_header_or_bytes_within_another_header_are_refused),
		cmocka_unit_test(a_block_cut_anywhere_never_ends_well),
		cmocka_unit_test(a_block_as_full_as_can_be_is_walked_whole),
	};

	return RUN_TESTS(tests);
}
