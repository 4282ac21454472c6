/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "ledger/finished.h"
#include "storage/segment.h"
#include "storage/writer.h"
#include "support/writer_stand.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct stand stand;
static const uint64_t start_ns = (uint64_t)STAND_START * 1000000000;

static int set_up(void **state)
{
	(void)state;
	if (stand_open(&stand, "/tmp") < 0)
		return -1;
	stand.seat.output = &stand.output;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	stand_close(&stand);
	return 0;
}

static void store(struct writer *writer, uint64_t number, unsigned int count)
{
	stand_store(&stand, writer, number, count);
}

static const char *last_name(void)
{
	return stand.shared->files[stand.shared->finished - 1].name;
}

struct expected {
	uint64_t number;
	unsigned int packet, count;
};

static void take_in_order(void *user, uint64_t value)
{
	struct expected *expected = user;

	assert_int_equal(value, stand_value(expected->number, expected->packet));
	if (++expected->packet == expected->count) {
		expected->packet = 0;
		expected->number++;
	}
}

/* Every number once, in order, in a file that holds nothing else. */
static void check_file(const char *name, uint64_t first, uint64_t blocks, unsigned int count)
{
	struct expected expected = { first, 0, count };

	assert_int_equal(stand_read(&stand, name, take_in_order, &expected), blocks * count);
}

static const uint64_t *books(struct writer *writer)
{
	return writer_counters(writer)->value;
}

static void what_is_stored_is_in_the_file_once(void **state)
{
	struct writer *writer = NULL;

	(void)state;
	assert_int_equal(writer_open(&writer, &stand.seat), 0);
	for (uint64_t number = 1; number <= 200; number++)
		store(writer, number, 50);
	writer_finish(writer, CAUSE_STOPPED);
	assert_int_equal(books(writer)[COUNTER_WRITTEN], 200 * 50);
	assert_int_equal(books(writer)[COUNTER_WRITTEN_BYTES], 200 * 50 * STAND_PACKET);
	assert_true(counters_are_settled(writer_counters(writer)));
	assert_int_equal(stand.shared->finished, 1);
	assert_string_equal(last_name(), "s-0-2023.pcap");
	check_file(last_name(), 1, 200, 50);
	writer_close(writer);
}

/* Else what is in the catalog would be entered once more. */
static void files_are_numbered_on_where_the_commit_is_lost(void **state)
{
	const struct ledger_finished file = { .number = 3, .name = "a.pcap" };
	struct writer *writer = NULL;

	(void)state;
	ledger_finished_write(stand.seat.record, &file);
	atomic_store(&stand.seat.record->entered, 3);
	assert_int_equal(writer_open(&writer, &stand.seat), 0);
	store(writer, 1, 1);
	writer_finish(writer, CAUSE_STOPPED);
	assert_int_equal(stand.shared->files[0].number, 4);
	writer_close(writer);
}

static void a_taken_name_is_left_alone(void **state)
{
	struct writer *writer = NULL;

	(void)state;
	assert_int_equal(writer_open(&writer, &stand.seat), 0);
	for (uint64_t number = 1; number <= 3; number++) {
		store(writer, number, 1);
		writer_finish(writer, CAUSE_ROTATED);
		check_file(last_name(), number, 1, 1);
	}
	assert_string_equal(last_name(), "s-0-2023-2.pcap");
	writer_close(writer);
}

static void a_file_is_never_empty_of_packets(void **state)
{
	struct writer *writer = NULL;

	(void)state;
	assert_int_equal(writer_open(&writer, &stand.seat), 0);
	writer_finish(writer, CAUSE_ROTATED);
	writer_finish(writer, CAUSE_STOPPED);
	assert_int_equal(stand.shared->finished, 0);
	writer_close(writer);
}

static void size_and_packets_rotate_between_blocks(void **state)
{
	struct writer *writer = NULL;

	(void)state;
	stand.output.rotate.packets = 10;
	assert_int_equal(writer_open(&writer, &stand.seat), 0);
	for (uint64_t number = 1; number <= 6; number++)
		store(writer, number, 4);
	writer_finish(writer, CAUSE_STOPPED);
	assert_int_equal(stand.shared->finished, 3);
	check_file("s-0-2023.pcap", 1, 2, 4);
	check_file("s-0-2023-2.pcap", 5, 2, 4);
	stand.output.rotate.packets = 0;
	stand.output.rotate.size = PCAP_HEADER_SIZE + 4 * (STAND_PACKET + PCAP_RECORD_SIZE);
	store(writer, 7, 4);
	store(writer, 8, 4);
	writer_finish(writer, CAUSE_STOPPED);
	check_file(last_name(), 8, 1, 4);
	writer_close(writer);
}

static void quiet_traffic_reads_well_after_the_tail(void **state)
{
	struct writer *writer = NULL;

	(void)state;
	assert_int_equal(writer_open(&writer, &stand.seat), 0);
	store(writer, 1, 3);
	assert_true(writer_deadline(writer, 1, start_ns) < UINT64_C(1000000000));
	writer_tick(writer, UINT64_C(2000000000), start_ns);
	check_file("s-0-2023.pcap.part", 1, 1, 3);
	/* Written, but not yet for good: the next block shares its last unit. */
	assert_int_equal(books(writer)[COUNTER_STAGED], 3);
	store(writer, 2, 3);
	writer_finish(writer, CAUSE_STOPPED);
	check_file("s-0-2023.pcap", 1, 2, 3);
	writer_close(writer);
}

static unsigned int syncs, name_syncs;

int __real_segment_sync(struct segment *segment);
int __wrap_segment_sync(struct segment *segment);
int __wrap_segment_sync(struct segment *segment)
{
	syncs++;
	return __real_segment_sync(segment);
}

int __real_segment_sync_name(const struct segment *segment);
int __wrap_segment_sync_name(const struct segment *segment);
int __wrap_segment_sync_name(const struct segment *segment)
{
	name_syncs++;
	return __real_segment_sync_name(segment);
}

static void each_write_is_synced_where_that_is_asked_for(void **state)
{
	struct writer *writer = NULL;

	(void)state;
	stand.output.sync = SYNC_BLOCK;
	syncs = name_syncs = 0;
	assert_int_equal(writer_open(&writer, &stand.seat), 0);
	store(writer, 1, 3);
	/* Or there would be no file to find the writes in. */
	assert_int_equal(name_syncs, 1);
	writer_tick(writer, UINT64_C(2000000000), start_ns);
	assert_int_equal(syncs, 1);
	store(writer, 2, STAND_STAGE / 2 / STAND_PACKET);
	assert_int_equal(syncs, 2);
	writer_finish(writer, CAUSE_STOPPED);
	writer_close(writer);
}

/* An earlier life's file was taken away: that says nothing about what the storage takes now. */
static void a_file_taken_away_costs_no_new_packet(void **state)
{
	struct writer *writer = NULL;

	(void)state;
	assert_int_equal(writer_open(&writer, &stand.seat), 0);
	store(writer, 1, 3);
	writer_close(writer);
	assert_int_equal(unlinkat(stand.seat.directory, "s-0-2023.pcap.part", 0), 0);
	assert_int_equal(writer_open(&writer, &stand.seat), 0);
	assert_int_equal(stand.shared->refused, 1);
	store(writer, 2, 3);
	writer_finish(writer, CAUSE_STOPPED);
	assert_int_equal(stand.shared->works, 1);
	assert_int_equal(books(writer)[COUNTER_DISCARDED], 3);
	check_file("s-0-2023.pcap", 2, 1, 3);
	writer_close(writer);
}

/* By hand, while it was open: nothing more is written to it, and nothing counted as if it were. */
static void a_file_named_by_others_is_not_gone_on_with(void **state)
{
	struct writer *writer = NULL;

	(void)state;
	assert_int_equal(writer_open(&writer, &stand.seat), 0);
	store(writer, 1, 3);
	writer_close(writer);
	assert_int_equal(renameat(stand.seat.directory, "s-0-2023.pcap.part", stand.seat.directory,
			     "s-0-2023.pcap"),
	    0);
	assert_int_equal(writer_open(&writer, &stand.seat), 0);
	writer_finish(writer, CAUSE_STOPPED);
	assert_int_equal(books(writer)[COUNTER_WRITTEN], 0);
	assert_int_equal(books(writer)[COUNTER_DISCARDED], 3);
	assert_int_equal(stand.shared->finished, 0);
	writer_close(writer);
}

/* Half a minute before the full minute, by UTC; also in a life that only found the file. */
static void an_interval_ends_by_the_clock_in_every_life(void **state)
{
	const uint64_t minute = UINT64_C(60000000000), half = minute / 2;
	const uint64_t begun = start_ns / minute * minute + half;
	struct writer *writer = NULL;
	struct append append;
	const struct packet packet = { .time_ns = begun, .bytes = (const uint8_t *)"ab" };

	(void)state;
	stand.output.rotate.interval = minute;
	assert_int_equal(writer_open(&writer, &stand.seat), 0);
	writer_begin_block(writer, &append, 100, 1, begun, begun);
	append_packet(&append, &packet);
	writer_commit_block(writer, &append, 1, 1);
	writer_tick(writer, UINT64_C(1000000000), begun);
	assert_int_equal(writer_deadline(writer, 5, begun), half + 5);
	writer_close(writer);

	assert_int_equal(writer_open(&writer, &stand.seat), 0);
	writer_tick(writer, UINT64_MAX / 2, begun + 10);
	assert_int_equal(writer_deadline(writer, 5, begun + 10), half - 10 + 5);
	writer_tick(writer, UINT64_MAX / 2, begun + half - 1);
	assert_int_equal(stand.shared->finished, 0);
	writer_tick(writer, UINT64_MAX / 2, begun + half);
	assert_int_equal(stand.shared->finished, 1);
	assert_int_equal(writer_deadline(writer, 5, begun + half), UINT64_MAX);
	writer_close(writer);
}

static void where_no_file_can_be_made_packets_are_counted(void **state)
{
	struct writer *writer = NULL;
	int directory;

	(void)state;
	assert_int_equal(writer_open(&writer, &stand.seat), 0);
	for (uint64_t number = 1; number <= 30; number++)
		store(writer, number, 20);
	writer_finish(writer, CAUSE_ROTATED);
	writer_close(writer);
	directory = stand.seat.directory;
	stand.seat.directory = open("/proc/self", O_DIRECTORY);
	assert_int_equal(writer_open(&writer, &stand.seat), 0);
	store(writer, 31, 20);
	/* It is not tried again with each block, though it would work. */
	assert_true(dup2(directory, stand.seat.directory) >= 0);
	store(writer, 32, 20);
	assert_int_equal(stand.shared->refused, 1);
	assert_int_equal(books(writer)[COUNTER_DISCARDED], 40);
	assert_int_equal(books(writer)[COUNTER_DISCARDED_BYTES], 40 * STAND_PACKET);
	assert_int_equal(books(writer)[COUNTER_WRITTEN], 600);
	assert_true(counters_are_settled(writer_counters(writer)));
	writer_close(writer);
	close(stand.seat.directory);
	stand.seat.directory = directory;
}

/* Whoever reads the journal has one entry for the beginning, and one for the end. */
static void what_one_life_was_refused_another_tells_to_work(void **state)
{
	struct writer *writer = NULL;
	int directory = stand.seat.directory;

	(void)state;
	stand.seat.directory = open("/proc/self", O_DIRECTORY);
	for (uint64_t number = 1; number <= 3; number++) {
		assert_int_equal(writer_open(&writer, &stand.seat), 0);
		store(writer, number, 20);
		writer_close(writer);
		assert_int_equal(stand.shared->refused, 1);
	}
	close(stand.seat.directory);
	stand.seat.directory = directory;
	for (uint64_t number = 4; number <= 5; number++) {
		assert_int_equal(writer_open(&writer, &stand.seat), 0);
		store(writer, number, 20);
		writer_finish(writer, CAUSE_ROTATED);
		writer_close(writer);
		assert_int_equal(stand.shared->works, 1);
	}
	assert_int_equal(stand.shared->refused, 1);
}

/* A life that is killed at a random moment, as often as it takes to store every block. */
static void live_until_killed(uint64_t blocks)
{
	struct writer *writer = NULL;
	struct ledger_commit commit;
	uint64_t next = 1;

	if (ledger_commit_read(stand.seat.record, &commit) == 0)
		next = commit.block_number + 1;
	if (writer_open(&writer, &stand.seat) < 0)
		_exit(2);
	for (; next <= blocks; next++)
		store(writer, next, 20);
	writer_finish(writer, CAUSE_STOPPED);
	_exit(0);
}

static void a_writer_killed_at_any_moment_is_gone_on_with(void **state)
{
	const uint64_t blocks = 3000;
	unsigned int kills = 0;
	int status = -1;

	(void)state;
	while (status != 0) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0)
			live_until_killed(blocks);
		if (kills < 200) {
			const struct timespec moment = { .tv_nsec =
							     (long)(kills * 37 % 100) * 20000 };

			nanosleep(&moment, NULL);
			kill(pid, SIGKILL);
			kills++;
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(status == 0 || WIFSIGNALED(status));
	}
	check_file("s-0-2023.pcap", 1, blocks, 20);
}

#define WRITER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* What the head of a file says holds for all that is in it. */
static void a_file_is_not_gone_on_with_by_other_terms(void **state)
{
	struct writer *writer;

	(void)state;
	for (unsigned int turn = 0; turn < 4; turn++) {
		stand.seat.snaplen = turn < 2 ? SNAPLEN_MOST : 4000;
		stand.output.resolution = turn < 3 ? RESOLUTION_NS : RESOLUTION_US;
		assert_int_equal(writer_open(&writer, &stand.seat), 0);
		/* The first of these goes on in the file of the one before, the next two do not. */
		assert_int_equal(stand.shared->finished, turn < 2 ? 0 : turn - 1);
		store(writer, turn + 1, 5);
		writer_close(writer);
	}
	stand.seat.snaplen = SNAPLEN_MOST;
	stand.output.resolution = RESOLUTION_NS;
	assert_int_equal(writer_open(&writer, &stand.seat), 0);
	writer_close(writer);
	assert_int_equal(stand.shared->finished, 3);
	assert_int_equal(stand.shared->files[0].packets, 10);
	assert_int_equal(stand.shared->files[1].packets, 5);
	assert_int_equal(stand.shared->files[2].packets, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WRITER_TEST(what_is_stored_is_in_the_file_once),
		WRITER_TEST(files_are_numbered_on_where_the_commit_is_lost),
		WRITER_TEST(a_taken_name_is_left_alone),
		WRITER_TEST(a_file_is_never_empty_of_packets),
		WRITER_TEST(size_and_packets_rotate_between_blocks),
		WRITER_TEST(quiet_traffic_reads_well_after_the_tail),
		WRITER_TEST(each_write_is_synced_where_that_is_asked_for),
		WRITER_TEST(a_file_taken_away_costs_no_new_packet),
		WRITER_TEST(a_file_named_by_others_is_not_gone_on_with),
		WRITER_TEST(an_interval_ends_by_the_clock_in_every_life),
		WRITER_TEST(where_no_file_can_be_made_packets_are_counted),
		WRITER_TEST(what_one_life_was_refused_another_tells_to_work),
		WRITER_TEST(a_writer_killed_at_any_moment_is_gone_on_with),
		WRITER_TEST(a_file_is_not_gone_on_with_by_other_terms),
	};

	return RUN_TESTS(tests);
}
