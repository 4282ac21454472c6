/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Devices of the test's own: a veth pair, and a tap that loses what is asked of it. */
#include "support/cmocka.h"

#include "capture/device.h"
#include "support/own_namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static bool has_namespace;

static int set_up(void **state)
{
	(void)state;
	has_namespace = own_namespace_enter() == 0;
	return 0;
}

/* ---- as it is ---------------------------------------------------------------------------- */

static void a_device_says_what_it_does(void **state)
{
	struct device_facts facts;

	(void)state;
	if (!has_namespace)
		skip();
	assert_int_equal(device_look(PLACE_OF(OWN_NEAR), &facts), 0);
	assert_string_equal(facts.name, OWN_NEAR);
	assert_string_equal(facts.driver, "veth");
	assert_true(facts.feature[DEVICE_GSO]);
	assert_false(facts.feature[DEVICE_LRO]);
	assert_int_equal(facts.dropped, 0);
}

static void what_is_not_there_is_said(void **state)
{
	struct device_facts facts;
	uint64_t dropped;

	(void)state;
	assert_int_equal(device_look(PLACE_OF("absent0"), &facts), -ENODEV);
	assert_int_equal(device_look(PLACE_OF("a-name-that-is-too-long"), &facts), -ENODEV);
	assert_int_equal(device_dropped(PLACE_OF(""), 1 << 30, &dropped), -ENODEV);
}

static void what_a_device_loses_is_counted(void **state)
{
	struct ifreq request = { .ifr_name = "losing0", .ifr_flags = IFF_TAP | IFF_NO_PI };
	struct device_facts facts;
	int fd, control;

	(void)state;
	fd = has_namespace ? open("/dev/net/tun", O_RDWR | O_CLOEXEC) : -1;
	if (fd < 0)
		skip();
	assert_int_equal(ioctl(fd, TUNSETIFF, &request), 0);
	control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	request.ifr_flags = IFF_UP;
	assert_int_equal(ioctl(control, SIOCSIFFLAGS, &request), 0);
	close(control);
	/* A frame from where no memory is: the driver has to drop it. */
	for (int i = 0; i < 3; i++)
		assert_int_equal(write(fd, (const void *)sysconf(_SC_PAGESIZE), 100), -1);
	assert_int_equal(device_look(PLACE_OF("losing0"), &facts), 0);
	assert_int_equal(facts.dropped, 3);
	assert_string_equal(facts.driver, "tun");
	close(fd);
}

/* ---- in words ---------------------------------------------------------------------------- */

static char said[8][400];
static size_t said_count;

static void take(void *user, const char *sentence)
{
	(void)user;
	snprintf(said[said_count++], sizeof(said[0]), "%s", sentence);
}

static void advise(struct device_facts facts, uint64_t workers)
{
	snprintf(facts.name, sizeof(facts.name), "eth7");
	said_count = 0;
	device_advise(&facts, workers, take, NULL);
}

static void a_plain_device_needs_no_advice(void **state)
{
	(void)state;
	advise((struct device_facts) { .ring_size = 512,
		   .ring_most = 512,
		   .receive_queues = 4,
		   .feature = { [DEVICE_RX_VLAN] = true, [DEVICE_TSO] = true } },
	    4);
	assert_int_equal(said_count, 0);
}

static void each_thing_is_said_with_its_remedy(void **state)
{
	static const struct {
		struct device_facts facts;
		const char *words;
	} cases[] = {
		{ { .feature = { [DEVICE_GRO] = true } }, "`ethtool -K eth7 gro off`" },
		{ { .feature = { [DEVICE_LRO] = true } }, "`ethtool -K eth7 lro off`" },
		{ { .feature = { [DEVICE_GSO] = true } }, "`ethtool -K eth7 gso off tso off`" },
		{ { .ring_size = 256, .ring_most = 4096 }, "`ethtool -G eth7 rx 4096`" },
		{ { .receive_queues = 1 }, "1 receive queue for 4 workers" },
		{ { .receive_queues = 2 }, "2 receive queues for 4 workers" },
		{ { .dropped = 77 }, "eth7: 77 packets were lost" },
		{ { .territory = "red", .dropped = 1 }, "red@eth7: 1 packets were lost" },
		{ { .territory = "red", .dropped = 1 },
		    "`ip netns exec red ip -s -s link show eth7`" },
		{ { .territory = "red", .feature = { [DEVICE_GRO] = true } },
		    "`ip netns exec red ethtool -K eth7 gro off`" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		advise(cases[i].facts, 4);
		assert_int_equal(said_count, 1);
		assert_non_null(strstr(said[0], cases[i].words));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_device_says_what_it_does),
		cmocka_unit_test(what_is_not_there_is_said),
		cmocka_unit_test(what_a_device_loses_is_counted),
		cmocka_unit_test(a_plain_device_needs_no_advice),
		cmocka_unit_test(each_thing_is_said_with_its_remedy),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
