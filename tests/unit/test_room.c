/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "base/array.h"
#include "base/memory.h"
#include "supervisor/room.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MEBIBYTE = 1 << 20 };

static char eth0[] = "eth0", eth1[] = "eth1", eth2[] = "eth2";
static uint64_t available;
static uint32_t store_size;
static int store_error;

uint64_t __wrap_memory_available(void);
uint64_t __wrap_memory_available(void)
{
	return available;
}

int __wrap_manager_store_size(uint32_t *ret_size);
int __wrap_manager_store_size(uint32_t *ret_size)
{
	*ret_size = store_size;
	return store_error;
}

/* Two interfaces, with a worker and a ring of 8 MiB each. */
static struct interface_config interfaces[] = { { .name = eth0, .workers = 1 },
	{ .name = eth1, .workers = 1 } };
static struct config config = {
	.interfaces = interfaces,
	.interface_count = COUNT_OF(interfaces),
	.ring = { .memory = 8 * MEBIBYTE, .block_size = MEBIBYTE, .retire_timeout = 100000000 },
	.output = { .stage = 2 * MEBIBYTE },
};
static struct child children[] = { { .is_kept = true }, { .is_kept = true } };
static struct group serving[2];
static struct group *groups[] = { &serving[0], &serving[1] };
static struct change *changes[2];
static const struct crew crew = { .config = &config, .groups = groups, .changes = changes };

static int set_up(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(groups); i++)
		serving[i] = (struct group) {
			.config = &config,
			.interface = &interfaces[i],
			.ring = config.ring,
			.children = &children[i],
			.count = 1,
		};
	available = 1000 * (uint64_t)MEBIBYTE;
	store_size = 1024;
	store_error = 0;
	return unsetenv("NOTIFY_SOCKET");
}

static int check_ring(uint64_t memory)
{
	struct config wanted = config;

	wanted.ring.memory = memory;
	return room_check(&crew, &wanted);
}

static void memory_is_that_of_all_interfaces_together(void **state)
{
	(void)state;
	available = 100 * MEBIBYTE;
	assert_int_equal(check_ring(48 * MEBIBYTE), 0);
	/* Each of them alone would go in. */
	assert_int_equal(check_ring(64 * MEBIBYTE), -EINVAL);
	/* Where nobody comes, nobody needs any. */
	available = MEBIBYTE;
	assert_int_equal(room_check(&crew, &config), 0);
}

static int check_one_more(uint64_t workers)
{
	struct interface_config more[] = { interfaces[1], interfaces[0],
		{ .name = eth2, .workers = workers } };
	struct config wanted = config;

	wanted.interfaces = more;
	wanted.interface_count = COUNT_OF(more);
	return room_check(&crew, &wanted);
}

static void an_interface_that_comes_is_counted_and_those_that_stay_are_not(void **state)
{
	(void)state;
	available = 45 * MEBIBYTE;
	assert_int_equal(check_one_more(4), 0);
	assert_int_equal(check_one_more(5), -EINVAL);
}

static void the_store_must_hold_those_that_come_too(void **state)
{
	(void)state;
	store_size = 5;
	/* Without a service manager there is none. */
	assert_int_equal(check_one_more(4), 0);
	assert_int_equal(setenv("NOTIFY_SOCKET", "/nowhere", 1), 0);
	assert_int_equal(check_one_more(4), -ENOSPC);
	assert_int_equal(check_one_more(3), 0);
	assert_int_equal(check_ring(16 * MEBIBYTE), 0);
	store_size = 3;
	assert_int_equal(check_ring(16 * MEBIBYTE), -ENOSPC);
	assert_int_equal(room_check(&crew, &config), 0);
	store_error = -EIO;
	assert_int_equal(check_ring(16 * MEBIBYTE), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(memory_is_that_of_all_interfaces_together, set_up),
		cmocka_unit_test_setup(
		    an_interface_that_comes_is_counted_and_those_that_stay_are_not, set_up),
		cmocka_unit_test_setup(the_store_must_hold_those_that_come_too, set_up),
	};

	return RUN_TESTS(tests);
}
