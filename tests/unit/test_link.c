/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "base/array.h"
#include "capture/link.h"

#include <errno.h>
#include <net/if_arp.h>

static void each_kind_of_interface_has_the_link_type_of_its_bytes(void **state)
{
	const struct {
		uint16_t arphrd;
		uint32_t link_type;
	} rows[] = {
		{ ARPHRD_ETHER, 1 },
		{ ARPHRD_LOOPBACK, 1 },
		{ ARPHRD_NONE, 101 },
		{ ARPHRD_TUNNEL, 101 },
		{ ARPHRD_SIT, 101 },
		{ ARPHRD_IEEE80211, 105 },
		{ ARPHRD_IEEE80211_RADIOTAP, 127 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		uint32_t link_type = 0;

		assert_int_equal(link_type_of(rows[i].arphrd, &link_type), 0);
		assert_int_equal(link_type, rows[i].link_type);
	}
}

static void a_kind_that_is_not_known_is_refused(void **state)
{
	/* CAN's and netlink's bytes are no link type without a change, PPP's have no header. */
	const uint16_t refused[] = { ARPHRD_PPP, ARPHRD_INFINIBAND, 280, 824, ARPHRD_VOID };
	uint32_t link_type = 42;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(refused); i++)
		assert_int_equal(link_type_of(refused[i], &link_type), -EOPNOTSUPP);
	assert_int_equal(link_type, 42);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_of_interface_has_the_link_type_of_its_bytes),
		cmocka_unit_test(a_kind_that_is_not_known_is_refused),
	};

	return RUN_TESTS(tests);
}
