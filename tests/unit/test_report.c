/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "capture/socket.h"
#include "supervisor/journal.h"
#include "supervisor/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- what is told, and to whom ----------------------------------------------------------- */

enum { TOLD_MOST = 32, WORKERS = 4 };

static struct {
	enum event event;
	uint32_t worker;
	uint64_t packets, drops, drops_total, discards;
	char interface[16];
	char text[512];
} told[TOLD_MOST];
static size_t told_count;
static char notified[1024];

int __wrap_sd_notify(int unset, const char *text);
void __wrap_journal_event(enum event event, const struct journal_about *about, const char *format,
    ...) __attribute__((format(printf, 3, 4)));

int __wrap_sd_notify(int unset, const char *text)
{
	(void)unset;
	snprintf(notified, sizeof(notified), "%s", text);
	return 1;
}

/* The device of every interface; no index is none. */
static int device_index;
static uint64_t device_lost;

int __wrap_socket_interface(const struct place *place, struct link_state *ret_link);
int __wrap_device_dropped(const struct place *place, int ifindex, uint64_t *ret_dropped);

int __wrap_socket_interface(const struct place *place, struct link_state *ret_link)
{
	(void)place;
	*ret_link = (struct link_state) { .ifindex = device_index };
	return device_index == 0 ? -ENODEV : 0;
}

int __wrap_device_dropped(const struct place *place, int ifindex, uint64_t *ret_dropped)
{
	(void)place;
	assert_int_equal(ifindex, device_index);
	*ret_dropped = device_lost;
	return 0;
}

static uint64_t number(const uint64_t *value)
{
	return value ? *value : UINT64_MAX;
}

void __wrap_journal_event(
    enum event event, const struct journal_about *about, const char *format, ...)
{
	va_list arguments;

	assert_true(told_count < TOLD_MOST);
	told[told_count].event = event;
	told[told_count].worker = about->worker ? *about->worker : UINT32_MAX;
	told[told_count].packets = number(about->packets);
	told[told_count].drops = number(about->drops);
	told[told_count].drops_total = number(about->drops_total);
	told[told_count].discards = number(about->discards);
	snprintf(told[told_count].interface, sizeof(told->interface), "%s", about->interface);
	va_start(arguments, format);
	vsnprintf(told[told_count].text, sizeof(told->text), format, arguments);
	va_end(arguments);
	told_count++;
}

/* ---- a ledger, and a clock --------------------------------------------------------------- */

static char directory[] = "/tmp/fancap-report-XXXXXX";
static struct ledger *ledger;
static struct report *report;
static char eth0[] = "eth0", eth1[] = "eth1", here[] = "";
static struct interface_config interfaces[] = {
	{ .name = eth0, .device = eth0, .namespace = here },
	{ .name = eth1, .device = eth1, .namespace = here },
};
static struct config config;
static struct counters counters[2 * WORKERS];
static uint64_t now_ns;

static int set_up(void **state)
{
	const struct ledger_shape_interface shapes[] = { { eth0, WORKERS }, { eth1, 1 } };
	const struct ledger_shape shape = { "s", COUNT_OF(shapes), shapes };
	CLEANUP(close_at) int fd = -1;
	int r;

	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/fancap-report-XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	fd = open(directory, O_DIRECTORY | O_CLOEXEC);
	r = ledger_create(&ledger, fd, &shape);
	(void)unlinkat(fd, "ledger", 0);
	(void)rmdir(directory);
	if (r < 0)
		return r;
	config = (struct config) {
		.interfaces = interfaces,
		.interface_count = 1,
		.fanout = { .mode = FANOUT_HASH },
	};
	memset(counters, 0, sizeof(counters));
	told_count = 0;
	device_index = 0;
	device_lost = 0;
	now_ns = 1000 * NSEC_PER_SEC;
	report = report_new(&config, NULL, ledger, now_ns);
	return report ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	report_free(report);
	ledger_close(TAKE(ledger));
	return 0;
}

/* A worker has seen so many more, of which it dropped some and has written the others. */
static void count(size_t slot, uint64_t seen, uint64_t dropped)
{
	struct ledger_commit commit = { 0 };

	counters[slot].value[COUNTER_SEEN] += seen;
	counters[slot].value[COUNTER_DROPPED] += dropped;
	counters[slot].value[COUNTER_WRITTEN] += seen - dropped;
	counters[slot].value[COUNTER_WRITTEN_BYTES] += 100 * (seen - dropped);
	commit.counters = counters[slot];
	ledger_commit_write(ledger_worker(ledger, slot), &commit);
}

static void pass(uint64_t seconds)
{
	now_ns += seconds * NSEC_PER_SEC;
	report_tick(report, now_ns);
}

/* So many periods of ten seconds, in each of which each worker gets its share of 10,000 packets. */
static void live(unsigned int periods, const uint64_t share[WORKERS])
{
	while (periods-- > 0) {
		for (size_t i = 0; i < WORKERS; i++)
			count(i, 100 * share[i], 0);
		pass(10);
	}
}

/* ---- drops ------------------------------------------------------------------------------- */

static void drops_are_told_once_for_a_worker_and_interval(void **state)
{
	(void)state;
	for (size_t i = 0; i < WORKERS; i++)
		count(i, 1000, i == 1 ? 10 : i == 3 ? 30 : 0);
	pass(10);
	assert_int_equal(told_count, 2);
	assert_int_equal(told[0].event, EVENT_DROPS);
	assert_int_equal(told[0].worker, 1);
	assert_int_equal(told[0].drops, 10);
	assert_int_equal(told[0].packets, 1000);
	assert_string_equal(told[0].interface, "eth0");
	assert_int_equal(told[1].worker, 3);
	assert_int_equal(told[1].drops, 30);
	pass(10);
	assert_int_equal(told_count, 2);
	count(3, 100, 7);
	pass(10);
	assert_int_equal(told_count, 3);
	assert_int_equal(told[2].worker, 3);
	assert_int_equal(told[2].drops, 7);
	assert_int_equal(told[2].packets, 100);
	assert_int_equal(told[2].drops_total, 37);
}

static void where_there_were_none_nothing_is_told(void **state)
{
	(void)state;
	pass(10);
	live(20, (uint64_t[]) { 25, 25, 25, 25 });
	assert_int_equal(told_count, 0);
}

static void discards_alone_are_told_by_what_made_them(void **state)
{
	(void)state;
	counters[2].value[COUNTER_DISCARDED] = 5;
	count(2, 5, 0);
	pass(10);
	assert_int_equal(told_count, 0);
	counters[2].value[COUNTER_DISCARDED] = 8;
	count(2, 10, 2);
	pass(10);
	assert_int_equal(told_count, 1);
	assert_int_equal(told[0].discards, 3);
}

static void counters_that_cannot_be_read_are_as_they_were(void **state)
{
	struct ledger_worker *worker = ledger_worker(ledger, 0);

	(void)state;
	count(0, 1000, 10);
	pass(10);
	assert_int_equal(told_count, 1);
	/* As a writer leaves them that is killed in the middle, before there are two. */
	worker->copies[0].sequence = worker->copies[1].sequence = 0;
	pass(10);
	assert_int_equal(told_count, 1);
	count(0, 0, 0);
	pass(10);
	assert_int_equal(told_count, 1);
}

/* ---- what the device lost ---------------------------------------------------------------- */

static void drops_of_the_device_are_told_from_the_start_on(void **state)
{
	(void)state;
	pass(10); /* no such device yet */
	device_index = 5;
	device_lost = 1000; /* before the sensor saw it */
	pass(10);
	pass(10);
	assert_int_equal(told_count, 0);
	device_lost = 1007;
	pass(10);
	assert_int_equal(told_count, 1);
	assert_int_equal(told[0].event, EVENT_DEVICE_DROPS);
	assert_int_equal(told[0].drops, 7);
	assert_int_equal(told[0].drops_total, 7);
	assert_int_equal(told[0].worker, UINT32_MAX);
	assert_int_equal(ledger_interface(ledger, 0)->nic_dropped, 7);
	assert_non_null(strstr(notified, "the device lost 7"));
	pass(10);
	assert_int_equal(told_count, 1);
	assert_non_null(strstr(notified, "the device lost 7"));
}

static void a_device_that_is_made_again_counts_from_nothing(void **state)
{
	(void)state;
	device_index = 5;
	device_lost = 1000;
	pass(10);
	device_index = 0;
	pass(10);
	device_index = 6;
	device_lost = 3;
	pass(10);
	assert_int_equal(told_count, 1);
	assert_int_equal(told[0].drops, 3);
	device_lost = 2; /* set back by its driver */
	pass(10);
	assert_int_equal(ledger_interface(ledger, 0)->nic_dropped, 5);
}

/* ---- one-sided --------------------------------------------------------------------------- */

static const uint64_t one_sided[WORKERS] = { 14, 15, 51, 20 };

static void a_worker_with_twice_its_share_for_a_minute_is_told_of(void **state)
{
	(void)state;
	live(6, one_sided);
	assert_int_equal(told_count, 0);
	live(1, one_sided);
	assert_int_equal(told_count, 1);
	assert_int_equal(told[0].event, EVENT_ONE_SIDED);
	assert_int_equal(told[0].worker, 2);
	assert_string_equal(told[0].interface, "eth0");
	assert_non_null(strstr(told[0].text, "51%"));
	assert_non_null(strstr(told[0].text, "tunnel"));
}

static void it_is_told_once_until_it_was_over(void **state)
{
	(void)state;
	live(30, one_sided);
	assert_int_equal(told_count, 1);
	live(1, (uint64_t[]) { 25, 25, 25, 25 });
	live(6, one_sided);
	assert_int_equal(told_count, 1);
	live(1, one_sided);
	assert_int_equal(told_count, 2);
}

static void twice_the_share_is_enough_and_less_is_not(void **state)
{
	(void)state;
	live(20, (uint64_t[]) { 10, 20, 49, 21 });
	assert_int_equal(told_count, 0);
	live(7, (uint64_t[]) { 10, 20, 50, 20 });
	assert_int_equal(told_count, 1);
}

static void one_flow_on_a_quiet_link_is_nothing(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		count(1, 999, 0);
		pass(10);
	}
	assert_int_equal(told_count, 0);
	for (int i = 0; i < 7; i++) {
		count(1, 1000, 0);
		pass(10);
	}
	assert_int_equal(told_count, 1);
}

static void a_moment_of_it_is_nothing(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++) {
		live(6, one_sided);
		live(1, (uint64_t[]) { 25, 25, 25, 25 });
	}
	/* Nor is rest. */
	live(20, (uint64_t[]) { 0, 0, 0, 0 });
	assert_int_equal(told_count, 0);
}

static void the_cause_goes_by_the_mode(void **state)
{
	(void)state;
	config.fanout.mode = FANOUT_QUEUE;
	live(7, one_sided);
	assert_int_equal(told_count, 1);
	assert_non_null(strstr(told[0].text, "queue"));
	assert_null(strstr(told[0].text, "hash"));
}

static void what_fills_one_ring_after_the_other_is_meant_to(void **state)
{
	(void)state;
	config.fanout.mode = FANOUT_ROLLOVER;
	live(20, one_sided);
	assert_int_equal(told_count, 0);
}

/* ---- STATUS= ----------------------------------------------------------------------------- */

static void status_has_rates_of_the_interval_and_counts_since_the_start(void **state)
{
	(void)state;
	atomic_store(&ledger_interface(ledger, 0)->state, STATE_RUNNING);
	pass(10);
	assert_string_equal(
	    notified, "STATUS=4 workers on eth0: 0 pkt/s, 0 B/s, dropped 0 of 0 (0.000%)");
	count(0, 12000000, 100000);
	count(1, 100000, 0);
	pass(10);
	assert_string_equal(notified,
	    "STATUS=4 workers on eth0: 1.21 Mpkt/s, 120 MB/s, dropped 100000 of 12100000 "
	    "(0.826%)");
	assert_int_equal(ledger_slot(ledger, 1)->packets_per_second, 10000);
	pass(1);
	assert_string_equal(notified,
	    "STATUS=4 workers on eth0: 0 pkt/s, 0 B/s, dropped 100000 of 12100000 (0.826%)");
}

static void status_names_each_interface_and_what_it_waits_for(void **state)
{
	(void)state;
	config.interface_count = 2;
	atomic_store(&ledger_interface(ledger, 0)->state, STATE_RUNNING);
	atomic_store(&ledger_interface(ledger, 1)->state, STATE_WAITING);
	count(WORKERS, 999, 0);
	pass(1);
	assert_string_equal(notified,
	    "STATUS=4 workers on eth0: 0 pkt/s, 0 B/s, dropped 0 of 0 (0.000%); "
	    "1 worker on eth1 (waiting for it): 999 pkt/s, 99.9 kB/s, dropped 0 of 999 (0.000%)");
}

#define REPORT_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* A worker has written so many more, of which the device has stamped some. */
static void write_stamped(size_t slot, uint64_t written, uint64_t stamped)
{
	counters[slot].value[COUNTER_STAMPED_HARDWARE] += stamped;
	count(slot, written, 0);
}

static void packets_without_the_stamp_asked_for_are_told_once(void **state)
{
	(void)state;
	write_stamped(0, 10, 0);
	pass(10);
	assert_int_equal(told_count, 0);
	config.capture.timestamp = TIMESTAMP_HARDWARE;
	write_stamped(0, 50, 50);
	write_stamped(1, 50, 50);
	pass(10);
	assert_int_equal(told_count, 0);
	write_stamped(0, 50, 50);
	write_stamped(1, 50, 47);
	pass(10);
	assert_int_equal(told_count, 1);
	assert_int_equal(told[0].event, EVENT_UNSTAMPED);
	assert_int_equal(told[0].packets, 3);
	assert_non_null(strstr(told[0].text, "eth0: 3 of 100 packets came without"));
	write_stamped(1, 50, 0);
	pass(10);
	assert_int_equal(told_count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		REPORT_TEST(drops_are_told_once_for_a_worker_and_interval),
		REPORT_TEST(where_there_were_none_nothing_is_told),
		REPORT_TEST(discards_alone_are_told_by_what_made_them),
		REPORT_TEST(drops_of_the_device_are_told_from_the_start_on),
		REPORT_TEST(a_device_that_is_made_again_counts_from_nothing),
		REPORT_TEST(counters_that_cannot_be_read_are_as_they_were),
		REPORT_TEST(a_worker_with_twice_its_share_for_a_minute_is_told_of),
		REPORT_TEST(it_is_told_once_until_it_was_over),
		REPORT_TEST(twice_the_share_is_enough_and_less_is_not),
		REPORT_TEST(one_flow_on_a_quiet_link_is_nothing),
		REPORT_TEST(a_moment_of_it_is_nothing),
		REPORT_TEST(the_cause_goes_by_the_mode),
		REPORT_TEST(what_fills_one_ring_after_the_other_is_meant_to),
		REPORT_TEST(status_has_rates_of_the_interval_and_counts_since_the_start),
		REPORT_TEST(status_names_each_interface_and_what_it_waits_for),
		REPORT_TEST(packets_without_the_stamp_asked_for_are_told_once),
	};

	return RUN_TESTS(tests);
}
