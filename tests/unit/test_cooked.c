/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "base/array.h"
#include "capture/cooked.h"
#include "capture/link.h"
#include "support/block_builder.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <net/if_arp.h>
#include <string.h>

enum { SIZE = 4096 };

static _Alignas(8) uint8_t block[SIZE];
static struct tpacket3_hdr *head;

/* A whole IPv4 packet of 24 bytes, and one of IPv6 of 44. */
#define IPV4 0x45, 0, 0, 24, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 1, 2, 3, 4
#define IPV6                                                                                       \
	0x60, 0, 0, 0, 0, 4, 59, 64, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xfd, 0,   \
	    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 2, 3, 4

static const struct sockaddr_ll received = {
	.sll_family = AF_PACKET,
	.sll_protocol = 0x0008, /* IPv4, in network order */
	.sll_ifindex = 0x01020304,
	.sll_hatype = ARPHRD_ETHER,
	.sll_pkttype = PACKET_MULTICAST,
	.sll_halen = 6,
	/* The last two are what was there before. */
	.sll_addr = { 2, 0, 0, 0, 0, 9, 0xee, 0xee },
};

static void build(const struct block_frame *frame)
{
	struct block_builder builder;

	block_builder_begin(&builder, block, sizeof(block), 1);
	assert_true(block_builder_add(&builder, frame));
	head = builder.last;
	(void)block_builder_end(&builder);
}

static void walk_one(block_step *step, struct packet *ret_packet)
{
	struct block_walk walk;

	block_walk_begin(&walk, block, sizeof(block));
	assert_int_equal(step(&walk, ret_packet), 1);
	assert_int_equal(step(&walk, &(struct packet) { 0 }), 0);
}

static struct packet cooked(const void *bytes, size_t length, const struct sockaddr_ll *about)
{
	struct packet packet;

	build(&(struct block_frame) { .bytes = bytes,
	    .captured_length = (uint32_t)length,
	    .wire_length = (uint32_t)length + 1000,
	    .about = about });
	walk_one(cooked_next, &packet);
	return packet;
}

static void a_header_says_where_a_packet_was_seen(void **state)
{
	static const uint8_t bytes[] = { IPV4 };
	static const uint8_t expected[] = { 0x08, 0x00, 0, 0, 1, 2, 3, 4, 0, 1, 2, 6, 2, 0, 0, 0, 0,
		9, 0, 0, IPV4 };
	struct packet packet = cooked(bytes, sizeof(bytes), &received);

	(void)state;
	assert_int_equal(packet.captured_length, sizeof(expected));
	assert_int_equal(packet.wire_length, sizeof(expected) + 1000);
	assert_memory_equal(packet.bytes, expected, sizeof(expected));
	assert_int_equal(packet.flags & PACKET_HAS_TAG, 0);
}

static void an_address_is_told_up_to_eight_bytes(void **state)
{
	static const uint8_t nothing[8];
	struct sockaddr_ll about = received;
	uint8_t byte = 7;

	(void)state;
	for (uint8_t length = 0; length <= 20; length++) {
		const size_t told = LEAST(length, sizeof(about.sll_addr));
		struct packet packet;

		about.sll_halen = length;
		packet = cooked(&byte, 1, &about);
		assert_int_equal(packet.bytes[11], length);
		assert_memory_equal(packet.bytes + 12, about.sll_addr, told);
		assert_memory_equal(packet.bytes + 12 + told, nothing, sizeof(nothing) - told);
		assert_int_equal(packet.bytes[20], byte);
	}
}

static void netlink_has_a_header_of_its_own(void **state)
{
	static const uint8_t bytes[] = { 16, 0, 0, 0 };
	static const uint8_t expected[] = { 0, 7, 0x03, 0x38, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16,
		16, 0, 0, 0 };
	const struct sockaddr_ll about = { .sll_family = AF_PACKET,
		.sll_protocol = htons(16),
		.sll_ifindex = 5,
		.sll_hatype = 824,
		.sll_pkttype = PACKET_KERNEL };
	struct packet packet;

	(void)state;
	build(&(struct block_frame) {
	    .bytes = bytes, .captured_length = 4, .wire_length = 4, .about = &about });
	walk_one(cooked_netlink_next, &packet);
	assert_int_equal(packet.captured_length, sizeof(expected));
	assert_int_equal(packet.wire_length, sizeof(expected));
	assert_memory_equal(packet.bytes, expected, sizeof(expected));
}

/* ---- tags -------------------------------------------------------------------------------- */

/* clang-format off */
static const struct {
	const char *what;
	uint16_t protocol; /* as the kernel tells it */
	uint8_t direction;
	uint8_t bytes[60];
	size_t length;
	uint32_t more; /* on the wire */
	uint16_t type; /* of what is behind the first tag, in the file */
} tagged[] = {
	{ "IPv4", ETH_P_IP, PACKET_HOST, { IPV4 }, 24, 0, ETH_P_IP },
	{ "IPv6", ETH_P_IPV6, PACKET_HOST, { IPV6 }, 44, 0, ETH_P_IPV6 },
	{ "a second tag, told", ETH_P_8021AD, PACKET_HOST, { 0, 5, 8, 0, IPV4 }, 28, 0, ETH_P_8021AD },
	{ "a second tag", ETH_P_IP, PACKET_HOST, { 0xe0, 5, 8, 0, IPV4 }, 28, 0, ETH_P_8021Q },
	{ "a second tag like IPv4", ETH_P_IP, PACKET_HOST, { 0x45, 5, 8, 0, IPV4 }, 28, 0, ETH_P_8021Q },
	{ "a second tag, padded", ETH_P_IP, PACKET_HOST, { 0, 5, 8, 0, IPV4 }, 50, 0, ETH_P_8021Q },
	{ "a second tag, cut", ETH_P_IP, PACKET_HOST, { 0, 5, 8, 0, IPV4 }, 10, 18, ETH_P_8021Q },
	{ "a second tag, cut too early", ETH_P_IP, PACKET_HOST, { 0, 5, 8, 0, IPV4 }, 9, 19, ETH_P_IP },
	{ "a second tag of IPv6", ETH_P_IPV6, PACKET_HOST, { 0, 5, 0x86, 0xdd, IPV6 }, 48, 0, ETH_P_8021Q },
	{ "three tags", ETH_P_IP, PACKET_HOST, { 0, 5, 0x81, 0, 0, 6, 8, 0, IPV4 }, 32, 0, ETH_P_8021Q },
	{ "a second tag of ARP", ETH_P_ARP, PACKET_BROADCAST, { 0, 5, 8, 6, 0, 1, 8, 0 }, 28, 0, ETH_P_8021Q },
	{ "ARP", ETH_P_ARP, PACKET_BROADCAST, { 0, 1, 8, 0, 6, 4, 0, 1 }, 28, 0, ETH_P_ARP },
	/* Bytes that look like a tag: of an IPv4 packet of 2048, of one that leaves. */
	{ "IPv4 of 2048 bytes", ETH_P_IP, PACKET_HOST, { 0x45, 0, 8, 0, 0x45, 1, 0x40, 0 }, 60, 1988, ETH_P_IP },
	{ "a fragment of it", ETH_P_IP, PACKET_HOST, { 0x45, 0, 8, 0, 0x45, 1, 0x20, 0 }, 60, 1988, ETH_P_IP },
	{ "outgoing", ETH_P_IP, PACKET_OUTGOING, { 0, 5, 8, 0, IPV4 }, 28, 0, ETH_P_IP },
};
/* clang-format on */

static void a_tag_stands_behind_the_header(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(tagged); i++) {
		const uint8_t expected[] = { 0x88, 0xa8, 0xe1, 0x23, (uint8_t)(tagged[i].type >> 8),
			(uint8_t)tagged[i].type };
		const size_t length = tagged[i].length;
		struct sockaddr_ll about = received;
		struct packet packet;

		about.sll_protocol = htons(tagged[i].protocol);
		about.sll_pkttype = tagged[i].direction;
		build(&(struct block_frame) { .bytes = tagged[i].bytes,
		    .captured_length = (uint32_t)length,
		    .wire_length = (uint32_t)length + tagged[i].more,
		    .status = TP_STATUS_VLAN_VALID | TP_STATUS_VLAN_TPID_VALID,
		    .vlan_tci = 0xe123,
		    .vlan_tpid = ETH_P_8021AD,
		    .about = &about });
		/* As often as is wanted. */
		walk_one(cooked_next, &packet);
		walk_one(cooked_next, &packet);
		if (memcmp(packet.bytes, expected, 2) != 0 ||
		    memcmp(packet.bytes + 20, expected + 2, 4) != 0 ||
		    memcmp(packet.bytes + 24, tagged[i].bytes, length) != 0)
			fail_msg("%s", tagged[i].what);
		assert_int_equal(packet.captured_length, 24 + length);
		assert_int_equal(packet.wire_length, 24 + length + tagged[i].more);
		assert_int_equal(packet.flags & PACKET_HAS_TAG, 0);
	}
}

static void a_header_without_room_for_it_is_refused(void **state)
{
	static const uint8_t bytes[64];
	struct block_walk walk;
	struct packet packet;

	(void)state;
	build(&(struct block_frame) {
	    .bytes = bytes, .captured_length = 64, .wire_length = 64, .about = &received });
	head->tp_mac = 48 + 20 + 24;
	walk_one(cooked_next, &packet);
	walk_one(cooked_netlink_next, &packet);
	head->tp_mac--;
	block_walk_begin(&walk, block, sizeof(block));
	assert_int_equal(cooked_next(&walk, &packet), -EBADMSG);
	block_walk_begin(&walk, block, sizeof(block));
	assert_int_equal(cooked_netlink_next(&walk, &packet), -EBADMSG);
	block_walk_begin(&walk, block, 47);
	assert_int_equal(cooked_next(&walk, &packet), -EBADMSG);
}

static void each_link_type_has_its_step(void **state)
{
	(void)state;
	assert_ptr_equal(cooked_step(LINKTYPE_LINUX_SLL2), cooked_next);
	assert_ptr_equal(cooked_step(LINKTYPE_NETLINK), cooked_netlink_next);
	assert_ptr_equal(cooked_step(LINKTYPE_ETHERNET), block_walk_next);
	assert_ptr_equal(cooked_step(LINKTYPE_RAW), block_walk_next);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_header_says_where_a_packet_was_seen),
		cmocka_unit_test(an_address_is_told_up_to_eight_bytes),
		cmocka_unit_test(netlink_has_a_header_of_its_own),
		cmocka_unit_test(a_tag_stands_behind_the_header),
		cmocka_unit_test(a_header_without_room_for_it_is_refused),
		cmocka_unit_test(each_link_type_has_its_step),
	};

	return RUN_TESTS(tests);
}
