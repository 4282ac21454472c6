/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "supervisor/legacy.h"
#include "supervisor/premises.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[64];
static uint64_t available;
static struct interface_config interface;
static struct config config;
static struct premises premises;

uint64_t __wrap_memory_available(void);
uint64_t __wrap_memory_available(void)
{
	return available;
}

static int set_up(void **state)
{
	static char sensor[] = "s", name[] = "eth0", nothing[] = "";

	(void)state;
	strcpy(path, "/tmp/fancap-premises-XXXXXX");
	if (!mkdtemp(path))
		return -1;
	interface = (struct interface_config) {
		.name = name, .device = name, .workers = 2, .namespace = nothing
	};
	config = (struct config) {
		.sensor = sensor,
		.interfaces = &interface,
		.interface_count = 1,
		.ring = { .memory = 1 << 20, .block_size = 1 << 17, .retire_timeout = 100000000 },
		.capture = { .filter = nothing, .snaplen = SNAPLEN_MOST, .promiscuous = true },
		.output = { .directory = path, .stage = 1 << 18 },
	};
	available = UINT64_C(1) << 40;
	premises = (struct premises) { .runtime = -1, .output = -1 };
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (premises.ledger)
		premises_remove_ledger(&premises);
	premises_close(&premises);
	return rmdir(path);
}

static int open_them(enum premises_start start)
{
	enum exit_step step;

	return premises_open(&premises, &config, path, start, &step);
}

static void more_memory_than_there_is_is_refused(void **state)
{
	(void)state;
	available = 1 << 20;
	assert_int_equal(open_them(PREMISES_ANEW), -EINVAL);
}

/* Its rings are there already: what is available is what they leave. */
static void memory_that_is_gone_on_with_is_not_asked_for_again(void **state)
{
	(void)state;
	available = 1 << 20;
	assert_int_equal(open_them(PREMISES_GO_ON), 0);
}

static void a_ledger_fits_what_it_was_made_for(void **state)
{
	(void)state;
	assert_int_equal(open_them(PREMISES_ANEW), 0);
	assert_true(premises_fit(premises.ledger, &config));
	/* Others can take over, where there is room for them. */
	interface.workers = 8;
	config.ring.memory = 2 << 20;
	assert_true(premises_fit(premises.ledger, &config));
	interface.workers = 9;
	assert_false(premises_fit(premises.ledger, &config));
	interface.workers = 2;
	config.fanout.mode = FANOUT_HASH;
	assert_false(premises_fit(premises.ledger, &config));
	config.ring.memory = 1 << 20;
	assert_false(premises_fit(premises.ledger, &config));
}

static void a_ledger_of_the_kernels_own_mode_fits_nothing_else(void **state)
{
	(void)state;
	config.fanout.mode = FANOUT_HASH;
	assert_int_equal(open_them(PREMISES_ANEW), 0);
	assert_true(premises_fit(premises.ledger, &config));
	interface.workers = 3;
	assert_false(premises_fit(premises.ledger, &config));
	interface.workers = 2;
	config.ring.memory = 2 << 20;
	assert_false(premises_fit(premises.ledger, &config));
}

/* Each of them, or a drain would go by what was never so. */
static void its_terms_are_recalled(void **state)
{
	const struct config before = config;

	(void)state;
	assert_int_equal(open_them(PREMISES_ANEW), 0);
	atomic_store(&ledger_worker(premises.ledger, 0)->file_terms, SNAPLEN_MOST << 1);
	config.ring.memory = 2 << 20;
	config.ring.block_size = 1 << 18;
	config.ring.retire_timeout = 1;
	config.output.stage = 1 << 19;
	config.output.resolution = RESOLUTION_US;
	config.capture.snaplen = 96;
	config.capture.link = LINK_COOKED;
	config.capture.timestamp = TIMESTAMP_HARDWARE;
	config.capture.promiscuous = false;
	config.fanout.mode = FANOUT_HASH;
	config.fanout.rollover = true;
	premises_recall(&config, premises.ledger);
	assert_true(premises_fit(premises.ledger, &config));
	assert_int_equal(config.ring.memory, before.ring.memory);
	assert_int_equal(config.ring.block_size, before.ring.block_size);
	assert_int_equal(config.output.stage, before.output.stage);
	assert_int_equal(config.capture.snaplen, before.capture.snaplen);
}

static void leave(uint64_t block_size)
{
	for (size_t i = 0; i < interface.workers; i++) {
		int stage = premises_stage(&premises, i, config.output.stage, PREMISES_ANEW);

		assert_true(stage >= 0);
		close(stage);
		ledger_slot(premises.ledger, i)->ring.block_size = block_size;
	}
	premises_close(&premises);
}

/* No start would ever get beyond a ring that cannot be made. */
static void a_damaged_ring_is_not_gone_on_with(void **state)
{
	(void)state;
	assert_int_equal(open_them(PREMISES_ANEW), 0);
	leave(config.ring.block_size);
	assert_int_equal(open_them(PREMISES_GO_ON), 0);
	assert_true(premises.goes_on);
	assert_true(premises_are_sound(premises.ledger));
	leave(5);
	assert_int_equal(open_them(PREMISES_GO_ON), 0);
	assert_false(premises.goes_on);
	ledger_slot(premises.ledger, 0)->ring.block_size = 5;
	ledger_slot(premises.ledger, 1)->ring.block_size = 5;
	assert_false(premises_are_sound(premises.ledger));
}

/* Whether the next life, which does not go on, tells of a gap. */
static bool tells_a_gap(uint32_t pid, enum ledger_state state, uint64_t started_utc_ns)
{
	struct ledger_header *header = ledger_header(premises.ledger);

	atomic_store(&header->pid, pid);
	atomic_store(&header->state, (uint32_t)state);
	atomic_store(&header->started_utc_ns, started_utc_ns);
	premises_close(&premises);
	assert_int_equal(open_them(PREMISES_ANEW), 0);
	legacy_tell_gap(premises.legacy, premises.ledger, interface.name);
	return atomic_load(&ledger_slot(premises.ledger, 0)->gaps) > 0;
}

static void a_gap_is_told_unless_the_life_before_was_to_end(void **state)
{
	(void)state;
	assert_int_equal(open_them(PREMISES_ANEW), 0);
	assert_true(tells_a_gap(77, STATE_RUNNING, 1));
	/* It left, and its rings did not come back. */
	assert_true(tells_a_gap(0, STATE_RUNNING, 1));
	assert_false(tells_a_gap(0, STATE_GONE, 1));
	/* Killed before it was anybody's. */
	assert_false(tells_a_gap(0, STATE_WAITING, 0));
}

/* As by who drains a predecessor's rings: a ledger of its own would have nothing to tell of. */
static void what_can_only_be_gone_on_with_is_left_to_be_told_of(void **state)
{
	(void)state;
	assert_int_equal(open_them(PREMISES_ANEW), 0);
	leave(config.ring.block_size);
	assert_int_equal(open_them(PREMISES_ONLY_ON), 0);
	assert_true(premises.goes_on);
	atomic_store(&ledger_header(premises.ledger)->pid, 77);
	ledger_slot(premises.ledger, 0)->ring.block_size = 5;
	premises_close(&premises);
	assert_int_equal(open_them(PREMISES_ONLY_ON), -ESTALE);
	assert_int_equal(open_them(PREMISES_ANEW), 0);
	legacy_tell_gap(premises.legacy, premises.ledger, interface.name);
	assert_true(atomic_load(&ledger_slot(premises.ledger, 0)->gaps) > 0);
}

#define PREMISES_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PREMISES_TEST(more_memory_than_there_is_is_refused),
		PREMISES_TEST(memory_that_is_gone_on_with_is_not_asked_for_again),
		PREMISES_TEST(a_ledger_fits_what_it_was_made_for),
		PREMISES_TEST(a_ledger_of_the_kernels_own_mode_fits_nothing_else),
		PREMISES_TEST(its_terms_are_recalled),
		PREMISES_TEST(a_damaged_ring_is_not_gone_on_with),
		PREMISES_TEST(what_can_only_be_gone_on_with_is_left_to_be_told_of),
		PREMISES_TEST(a_gap_is_told_unless_the_life_before_was_to_end),
	};

	return RUN_TESTS(tests);
}
