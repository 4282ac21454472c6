/* SPDX-License-Identifier: GPL-2.0-or-later */
/* With a fake at the seam of ioctl(2): nothing that a test can make has a clock of its own. */
#include "support/cmocka.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "capture/stamps.h"
#include "supervisor/journal.h"
#include "supervisor/stamping.h"
#include "support/fake_device.h"
#include "support/own_namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/net_tstamp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct fake_device able = {
	.abilities = SOF_TIMESTAMPING_RX_HARDWARE | SOF_TIMESTAMPING_RAW_HARDWARE |
		     SOF_TIMESTAMPING_SOFTWARE,
	.receive_filters = 1U << HWTSTAMP_FILTER_NONE | 1U << HWTSTAMP_FILTER_ALL |
			   1U << HWTSTAMP_FILTER_PTP_V2_EVENT,
	.transmit_types = 1U << HWTSTAMP_TX_OFF | 1U << HWTSTAMP_TX_ON,
	.clock = 3,
};

static struct stamps_order order;
static struct stamps_fault fault;

static int begin(void)
{
	return stamps_begin(&order, PLACE_OF(OWN_NEAR), &fault);
}

static int set_up(void **state)
{
	(void)state;
	fake_device = able;
	order = (struct stamps_order) { .fd = -1 };
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	stamps_leave(&order);
	return 0;
}

/* ---- the order ----------------------------------------------------------------------------- */

static void a_device_is_told_to_stamp_all_and_later_what_it_did_before(void **state)
{
	const struct stamps_mode befores[] = {
		{ HWTSTAMP_TX_OFF, HWTSTAMP_FILTER_NONE },
		{ HWTSTAMP_TX_ON, HWTSTAMP_FILTER_PTP_V2_EVENT },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(befores); i++) {
		fake_device.transmit = befores[i].transmit;
		fake_device.receive = befores[i].receive;
		assert_int_equal(begin(), 0);
		assert_int_equal(order.clock, 3);
		assert_int_equal(fake_device.receive, HWTSTAMP_FILTER_ALL);
		assert_int_equal(fake_device.transmit, befores[i].transmit);
		assert_int_equal(stamps_end(&order), 0);
		assert_int_equal(fake_device.receive, befores[i].receive);
		assert_int_equal(fake_device.transmit, befores[i].transmit);
	}
}

static void one_that_stamps_all_already_is_left_alone(void **state)
{
	(void)state;
	fake_device.receive = HWTSTAMP_FILTER_ALL;
	fake_device.transmit = HWTSTAMP_TX_ON;
	fake_device.refusal = EPERM;
	assert_int_equal(begin(), 0);
	assert_int_equal(stamps_end(&order), 0);
	assert_int_equal(fake_device.orders, 0);
}

static void what_another_has_ordered_meanwhile_is_left_to_it(void **state)
{
	(void)state;
	assert_int_equal(begin(), 0);
	fake_device.transmit = HWTSTAMP_TX_ON;
	fake_device.receive = HWTSTAMP_FILTER_PTP_V2_EVENT;
	assert_int_equal(stamps_end(&order), 0);
	assert_int_equal(fake_device.orders, 1);
	assert_int_equal(fake_device.receive, HWTSTAMP_FILTER_PTP_V2_EVENT);
}

static void one_that_keeps_its_mode_secret_goes_on_for_whoever_relies_on_it(void **state)
{
	(void)state;
	fake_device.keeps_mode_secret = true;
	assert_int_equal(begin(), 0);
	assert_false(order.knows_before);
	assert_int_equal(fake_device.receive, HWTSTAMP_FILTER_ALL);
	assert_int_equal(fake_device.transmit, HWTSTAMP_TX_ON);
	assert_int_equal(stamps_end(&order), 0);
	assert_int_equal(fake_device.orders, 1);
}

static void one_that_forgets_is_told_again(void **state)
{
	(void)state;
	assert_int_equal(begin(), 0);
	assert_int_equal(stamps_again(&order), 0);
	assert_int_equal(fake_device.orders, 1);
	fake_device.receive = HWTSTAMP_FILTER_NONE;
	assert_int_equal(stamps_again(&order), 0);
	assert_int_equal(fake_device.orders, 2);
	assert_int_equal(fake_device.receive, HWTSTAMP_FILTER_ALL);
}

static void one_that_has_another_name_by_now_is_still_the_one(void **state)
{
	(void)state;
	assert_int_equal(begin(), 0);
	assert_int_equal(system("PATH=$PATH:/usr/sbin:/sbin; ip link set " OWN_NEAR " down; "
				"ip link set " OWN_NEAR " name fcother"),
	    0);
	assert_int_equal(stamps_end(&order), 0);
	assert_int_equal(system("PATH=$PATH:/usr/sbin:/sbin; ip link set fcother name " OWN_NEAR
				"; ip link set " OWN_NEAR " up"),
	    0);
	assert_int_equal(fake_device.orders, 2);
	assert_int_equal(fake_device.receive, HWTSTAMP_FILTER_NONE);
}

static void one_that_is_gone_needs_nothing_back(void **state)
{
	(void)state;
	assert_int_equal(begin(), 0);
	order.ifindex = 1 << 30;
	assert_int_equal(stamps_end(&order), 0);
	assert_int_equal(fake_device.orders, 1);
}

/* ---- refusals ------------------------------------------------------------------------------ */

static void what_cannot_stamp_all_is_refused_with_its_reason(void **state)
{
	const uint32_t ptp_alone = 1U << HWTSTAMP_FILTER_NONE | 1U << HWTSTAMP_FILTER_PTP_V2_EVENT;
	const struct {
		struct fake_device device;
		int error;
		const char *reason; /* NULL: the errno says it */
		unsigned int orders;
	} cases[] = {
		/* As veth answers. */
		{ { .abilities = SOF_TIMESTAMPING_RX_SOFTWARE, .clock = -1 }, -EINVAL,
		    "stamps nothing", 0 },
		{ { .abilities = able.abilities, .receive_filters = ptp_alone }, -EINVAL,
		    "PTP packets alone", 0 },
		{ { .abilities = able.abilities,
		      .receive_filters = able.receive_filters,
		      .refusal = ERANGE },
		    -EINVAL, "takes no order", 1 },
		{ { .abilities = able.abilities,
		      .receive_filters = able.receive_filters,
		      .makes_of_it = HWTSTAMP_FILTER_PTP_V2_EVENT },
		    -EINVAL, "and does not", 2 },
		{ { .abilities = able.abilities,
		      .receive_filters = able.receive_filters,
		      .refusal = EPERM },
		    -EPERM, NULL, 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		fake_device = cases[i].device;
		assert_int_equal(begin(), cases[i].error);
		assert_true((fault.reason == NULL) == (cases[i].reason == NULL));
		if (fault.reason)
			assert_non_null(strstr(fault.reason, cases[i].reason));
		assert_int_equal(fake_device.orders, cases[i].orders);
		assert_int_equal(fake_device.receive, HWTSTAMP_FILTER_NONE);
		assert_int_equal(order.fd, -1);
	}
}

static void a_device_that_is_not_there_is_told_as_such(void **state)
{
	(void)state;
	assert_int_equal(stamps_begin(&order, PLACE_OF("absent0"), &fault), -ENODEV);
	assert_null(fault.reason);
}

/* ---- the clock ----------------------------------------------------------------------------- */

static void a_clock_is_read_as_exactly_as_it_can_be(void **state)
{
	static const int64_t distances[] = { 0, 1, -1, 37 * INT64_C(1000000000), -2500000000 };
	CLEANUP(close_at) int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(distances); i++) {
		int64_t offset;

		fake_device.ahead_ns = distances[i];
		for (int way = 0; way < 3; way++) {
			fake_device.reads_precisely = way == 0;
			fake_device.reads_extended = way <= 1;
			offset = INT64_MAX;
			assert_int_equal(stamps_offset(fd, &offset), 0);
			assert_true(offset == distances[i]);
		}
	}
}

static void what_is_no_clock_is_not_read(void **state)
{
	CLEANUP(close_at) int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int64_t offset = 5;

	(void)state;
	fake_device.has_no_clock = true;
	assert_int_equal(stamps_offset(fd, &offset), -ENOTTY);
	assert_true(offset == 5);
	assert_int_equal(stamps_open_clock(1 << 30), -ENOENT);
}

/* ---- over several lives -------------------------------------------------------------------- */

static char runtime[] = "/tmp/fancap-stamps-XXXXXX";

static bool has_note(int directory)
{
	return faccessat(directory, "stamps.red@eth1", F_OK, 0) == 0;
}

static void what_was_there_before_is_given_back_by_a_later_life(void **state)
{
	CLEANUP(close_at) int directory = -1;
	struct stamping stamping;

	(void)state;
	assert_non_null(mkdtemp(runtime));
	directory = open(runtime, O_DIRECTORY | O_CLOEXEC);
	fake_device.receive = HWTSTAMP_FILTER_PTP_V2_EVENT;
	for (int life = 0; life < 3; life++) {
		stamping = (struct stamping) { .runtime = directory };
		assert_int_equal(stamping_begin(&stamping, PLACE_OF(OWN_NEAR), "red@eth1"), 0);
		assert_int_equal(fake_device.receive, HWTSTAMP_FILTER_ALL);
		if (life < 2)
			stamping_leave(&stamping);
		assert_true(has_note(directory));
	}
	assert_int_equal(fake_device.orders, 1);
	stamping_end(&stamping);
	assert_int_equal(fake_device.receive, HWTSTAMP_FILTER_PTP_V2_EVENT);
	assert_false(has_note(directory));
}

static void what_was_changed_between_two_lives_is_what_was_before(void **state)
{
	CLEANUP(close_at) int directory = open(runtime, O_DIRECTORY | O_CLOEXEC);
	struct stamping stamping = { .runtime = directory };

	(void)state;
	assert_int_equal(stamping_begin(&stamping, PLACE_OF(OWN_NEAR), "red@eth1"), 0);
	stamping_leave(&stamping);
	fake_device.receive = HWTSTAMP_FILTER_PTP_V2_EVENT;
	assert_int_equal(stamping_begin(&stamping, PLACE_OF(OWN_NEAR), "red@eth1"), 0);
	stamping_end(&stamping);
	assert_int_equal(fake_device.receive, HWTSTAMP_FILTER_PTP_V2_EVENT);
	assert_false(has_note(directory));
	assert_int_equal(rmdir(runtime), 0);
}

/* ---- what is told -------------------------------------------------------------------------- */

static unsigned int times_told;
static char told[512];

void __wrap_journal_event(enum event event, const struct journal_about *about, const char *format,
    ...) __attribute__((format(printf, 3, 4)));

void __wrap_journal_event(
    enum event event, const struct journal_about *about, const char *format, ...)
{
	va_list arguments;

	assert_int_equal(event, EVENT_DEVICE_CLOCK);
	assert_string_equal(about->interface, "red@eth1");
	va_start(arguments, format);
	vsnprintf(told, sizeof(told), format, arguments);
	va_end(arguments);
	times_told++;
}

static void a_clock_out_of_step_is_told_of_once_each_time(void **state)
{
	static const struct {
		int64_t ahead_ns;
		const char *words; /* NULL: it is in step */
	} days[] = {
		{ 0, NULL },
		{ 999000, NULL },
		{ 37 * INT64_C(1000000000) + 5, "red@eth1: its clock, /dev/ptp3, which stamps "
						"packets, is 37.000000005 s ahead of the" },
		{ 37 * INT64_C(1000000000), "" },
		{ 0, NULL },
		{ -1001000, "is 0.001001000 s behind the system's; phc2sys(8)" },
	};
	struct stamping stamping = { .interface = "red@eth1",
		.order = { .clock = 3 },
		.clock = open("/dev/null", O_RDONLY | O_CLOEXEC) };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(days); i++) {
		fake_device.ahead_ns = days[i].ahead_ns;
		times_told = 0;
		stamping_look(&stamping);
		assert_int_equal(times_told, days[i].words && days[i].words[0]);
		if (times_told)
			assert_non_null(strstr(told, days[i].words));
	}
	close(stamping.clock);
}

static void a_clock_that_cannot_be_read_is_told_of_once(void **state)
{
	struct stamping stamping = {
		.interface = "red@eth1", .order = { .clock = 3 }, .clock = -EACCES
	};

	(void)state;
	times_told = 0;
	stamping_look(&stamping);
	stamping_look(&stamping);
	assert_int_equal(times_told, 1);
	assert_non_null(strstr(told, "/dev/ptp3, cannot be read: Permission denied"));
	stamping = (struct stamping) { 0 };
	stamping_look(&stamping);
	assert_int_equal(times_told, 1);
}

#define STAMPS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STAMPS_TEST(a_device_is_told_to_stamp_all_and_later_what_it_did_before),
		STAMPS_TEST(one_that_stamps_all_already_is_left_alone),
		STAMPS_TEST(what_another_has_ordered_meanwhile_is_left_to_it),
		STAMPS_TEST(one_that_keeps_its_mode_secret_goes_on_for_whoever_relies_on_it),
		STAMPS_TEST(one_that_forgets_is_told_again),
		STAMPS_TEST(one_that_has_another_name_by_now_is_still_the_one),
		STAMPS_TEST(one_that_is_gone_needs_nothing_back),
		STAMPS_TEST(what_cannot_stamp_all_is_refused_with_its_reason),
		STAMPS_TEST(a_device_that_is_not_there_is_told_as_such),
		STAMPS_TEST(a_clock_is_read_as_exactly_as_it_can_be),
		STAMPS_TEST(what_is_no_clock_is_not_read),
		STAMPS_TEST(what_was_there_before_is_given_back_by_a_later_life),
		STAMPS_TEST(what_was_changed_between_two_lives_is_what_was_before),
		STAMPS_TEST(a_clock_out_of_step_is_told_of_once_each_time),
		STAMPS_TEST(a_clock_that_cannot_be_read_is_told_of_once),
	};

	return own_namespace_enter() < 0 ? 77 : RUN_TESTS(tests);
}
