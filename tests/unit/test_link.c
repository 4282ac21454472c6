/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "base/array.h"
#include "capture/link.h"
#include "config/config.h"

#include <errno.h>
#include <net/if_arp.h>

static void each_kind_of_interface_has_the_link_type_of_its_bytes(void **state)
{
	const struct {
		uint16_t arphrd;
		uint32_t link_type;
	} rows[] = {
		{ ARPHRD_ETHER, 1 }, { ARPHRD_LOOPBACK, 1 }, { ARPHRD_NONE, 101 },
		{ ARPHRD_TUNNEL, 101 }, { ARPHRD_TUNNEL6, 101 }, { ARPHRD_SIT, 101 },
		{ ARPHRD_IPGRE, 101 }, { 823, 101 }, /* GRE over IPv6 */
		{ 519, 101 },                        /* raw IP */
		{ ARPHRD_IEEE80211, 105 }, { ARPHRD_IEEE80211_PRISM, 119 },
		{ ARPHRD_IEEE80211_RADIOTAP, 127 }, { ARPHRD_IEEE802154, 230 },
		{ 826, 271 }, /* vsockmon */
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		uint32_t link_type = 0;

		assert_int_equal(link_type_of(rows[i].arphrd, &link_type), 0);
		assert_int_equal(link_type, rows[i].link_type);
		link_type = 0;
		assert_int_equal(link_choose(rows[i].arphrd, LINK_AUTO, &link_type), 1);
		assert_int_equal(link_type, rows[i].link_type);
	}
}

static void what_is_no_link_type_of_its_own_is_captured_cooked(void **state)
{
	const struct {
		uint16_t arphrd;
		uint32_t link_type;
		int is_known;
	} rows[] = {
		{ ARPHRD_PPP, 276, 1 },
		{ ARPHRD_INFINIBAND, 276, 1 },
		{ 280, 276, 1 },         /* CAN */
		{ 824, 253, 1 },         /* netlink */
		{ ARPHRD_VOID, 276, 1 }, /* all interfaces */
		{ ARPHRD_FDDI, 276, 0 },
		{ 4711, 276, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		uint32_t link_type = 42;

		assert_int_equal(link_type_of(rows[i].arphrd, &link_type), -EOPNOTSUPP);
		assert_int_equal(link_type, 42);
		assert_int_equal(
		    link_choose(rows[i].arphrd, LINK_AUTO, &link_type), rows[i].is_known);
		assert_int_equal(link_type, rows[i].link_type);
		assert_true(link_is_cooked(link_type));
	}
}

static void what_is_asked_for_cooked_is_cooked(void **state)
{
	const uint16_t kinds[] = { ARPHRD_ETHER, ARPHRD_NONE, ARPHRD_PPP, 4711 };
	uint32_t link_type = 42;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		/* That an unknown type is cooked is no news where cooked was asked for. */
		assert_int_equal(link_choose(kinds[i], LINK_COOKED, &link_type), 1);
		assert_int_equal(link_type, 276);
	}
	assert_int_equal(link_choose(824, LINK_COOKED, &link_type), 1);
	assert_int_equal(link_type, 253);
	assert_int_equal(link_choose(ARPHRD_ETHER, LINK_AUTO, &link_type), 1);
	assert_int_equal(link_type, 1);
	assert_false(link_is_cooked(link_type));
}

static void only_ethernet_has_a_header_in_the_ring(void **state)
{
	(void)state;
	assert_int_equal(link_header_received(LINKTYPE_ETHERNET), 14);
	assert_int_equal(link_header_received(LINKTYPE_RAW), 0);
	assert_int_equal(link_header_received(LINKTYPE_IEEE802_11_RADIOTAP), 0);
	assert_int_equal(link_header_received(LINKTYPE_LINUX_SLL2), 0);
	assert_int_equal(link_header_received(LINKTYPE_NETLINK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_of_interface_has_the_link_type_of_its_bytes),
		cmocka_unit_test(what_is_no_link_type_of_its_own_is_captured_cooked),
		cmocka_unit_test(what_is_asked_for_cooked_is_cooked),
		cmocka_unit_test(only_ethernet_has_a_header_in_the_ring),
	};

	return RUN_TESTS(tests);
}
