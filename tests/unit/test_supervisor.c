/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "base/array.h"
#include "base/clock.h"
#include "ledger/finished.h"
#include "supervisor/news.h"
#include "support/group_stand.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

/*
 * The state machine of a group, with workers that are functions of a test, forked as real ones are.
 */
static bool second_life_runs(void)
{
	return all_run() && atomic_load(&play->lives[1]) >= 2;
}

static bool has_failed(void)
{
	return failure != 0;
}

static void workers_join_strictly_in_order(void **state)
{
	char joined[WORKERS + 1] = { 0 };
	size_t count = 0;

	(void)state;
	begin(fake_good);
	assert_true(turn_until(all_run, 3000));
	assert_int_equal(times_run, 1);
	for (size_t i = 0; i < STEPS; i++)
		if (play->said[i] >= 'A' && play->said[i] < 'A' + WORKERS && count < WORKERS)
			joined[count++] = play->said[i];
	assert_string_equal(joined, "ABC");
	/* Mapped the other way round, so that the order is not chance. */
	assert_int_equal(play->said[0], 'c');
	stop_in_order();
}

static void one_that_hangs_is_killed(void **state)
{
	uint64_t taken;

	(void)state;
	begin(fake_hangs);
	assert_true(turn_until(second_life_runs, 5000));
	taken = play->born_ns[1][1] - play->born_ns[1][0];
	assert_true(taken >= limits.heartbeat);
	assert_true(taken < limits.heartbeat + 400 * NSEC_PER_MSEC);
	stop_in_order();
}

static void one_that_never_comes_up_is_killed(void **state)
{
	(void)state;
	begin(fake_never_comes_up);
	assert_true(turn_until(second_life_runs, 5000));
	assert_true(play->born_ns[1][1] - play->born_ns[1][0] >= limits.opening);
	stop_in_order();
}

static void one_that_opens_on_a_slow_disk_is_waited_for(void **state)
{
	(void)state;
	begin(fake_opens_on_a_slow_disk);
	assert_true(turn_until(all_run, 5000));
	assert_int_equal(play->lives[1], 1);
	stop_in_order();
}

static void one_that_opens_on_a_stuck_disk_is_killed(void **state)
{
	(void)state;
	begin(fake_opens_on_a_stuck_disk);
	assert_true(turn_until(second_life_runs, 5000));
	assert_true(play->born_ns[1][1] - play->born_ns[1][0] >= limits.storage);
	stop_in_order();
}

static void one_that_speaks_nonsense_is_killed(void **state)
{
	/* COUNT_ stands for a message of the wrong size. */
	const enum message_kind all[] = { MESSAGE_JOIN, MESSAGE_RUN, MESSAGE_STOP, MESSAGE_MAPPED,
		MESSAGE_JOINED, MESSAGE_TOOK_OVER, MESSAGE_LOST, MESSAGE_STOPPED, MESSAGE_COUNT_ };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(all); i++) {
		nonsense = all[i];
		begin(fake_speaks_nonsense);
		assert_true(turn_until(second_life_runs, 3000));
		stop_in_order();
		close_group();
	}
}

static void one_that_joins_unasked_is_killed(void **state)
{
	(void)state;
	begin(fake_joins_unasked);
	assert_true(turn_until(second_life_runs, 3000));
	stop_in_order();
}

static void a_failure_at_the_first_start_is_told(void **state)
{
	(void)state;
	begin(fake_fails);
	assert_true(turn_until(has_failed, 2000));
	assert_int_equal(failure, -EBUSY);
	assert_int_equal(times_run, 0);
}

static unsigned int count_catalog_lines(void)
{
	int fd = openat(premises.output, "catalog.jsonl", O_RDONLY | O_CLOEXEC);
	FILE *file = fdopen(fd, "r");
	unsigned int lines = 0;
	int byte;

	assert_non_null(file);
	while ((byte = fgetc(file)) != EOF)
		lines += byte == '\n';
	fclose(file);
	(void)unlinkat(premises.output, "catalog.jsonl", 0);
	return lines;
}

/* What is written again by a second life is known by its number, since a name and inode may recur.
 */
static void each_finished_file_is_entered_once(void **state)
{
	(void)state;
	begin(fake_finishes_files);
	assert_true(turn_until(second_life_runs, 3000));
	stop_in_order();
	assert_int_equal(count_catalog_lines(), 2);
}

static void finish(size_t worker, uint64_t number, const char *name)
{
	struct ledger_finished file = { .number = number, .inode = number };

	snprintf(file.name, sizeof(file.name), "%s", name);
	ledger_finished_write(ledger_worker(premises.ledger, worker), &file);
}

static void enter(const char *name, uint64_t inode)
{
	const struct catalog_entry entry = {
		.file = name, .inode = inode, .sensor = "s", .interface = "i", .cause = "rotated"
	};

	assert_int_equal(catalog_append(&premises.catalog, &entry), 0);
}

/* As a killed supervisor leaves it: the first may have its line already, the others have none. */
static void what_an_earlier_life_has_not_entered_is_entered(void **state)
{
	(void)state;
	begin(fake_good);
	enter("a.pcap", 1);
	finish(0, 1, "a.pcap");
	finish(0, 2, "b.pcap");
	finish(2, 7, "c.pcap");
	for (size_t i = 0; i < group.count; i++)
		news_inherited(&group, &group.children[i]);
	assert_int_equal(atomic_load(&ledger_worker(premises.ledger, 0)->entered), 2);
	assert_int_equal(atomic_load(&ledger_worker(premises.ledger, 2)->entered), 7);
	assert_true(turn_until(all_run, 3000));
	stop_in_order();
	assert_int_equal(count_catalog_lines(), 3);
}

static bool first_is_asked(void)
{
	return group.children[0].was_asked;
}

static void a_filter_is_never_attached_behind_a_stop(void **state)
{
	(void)state;
	begin(fake_joins_into_the_stop);
	assert_true(turn_until(first_is_asked, 3000));
	stop_in_order();
	assert_int_equal(times_run, 0);
	for (size_t i = 0; i < group.count; i++)
		assert_true(refuses(&group.children[i]));
}

static void a_filter_is_attached_only_once_all_have_joined(void **state)
{
	(void)state;
	begin(fake_hangs);
	while (!group.runs) {
		for (size_t i = 0; i < group.count; i++)
			assert_int_not_equal(child_state(&group.children[i]), STATE_RUNNING);
		assert_true(sd_event_run(event, 10000) >= 0);
	}
	assert_true(all_run());
}

static void a_device_that_goes_is_waited_for(void **state)
{
	int ifindex;

	(void)state;
	begin(fake_good);
	ifindex = group.link.ifindex;
	assert_true(turn_until(all_run, 3000));
	/* Another's end is none of ours. */
	group_link(&group, ifindex + 1, LINK_IS_GONE);
	assert_false(group.is_gone);
	group_link(&group, ifindex, LINK_IS_GONE);
	assert_true(group.is_gone);
	/* It is there still, so that the workers begin anew as soon as the last has drained. */
	assert_true(turn_until(second_life_runs, 3000));
	assert_int_equal(times_run, 2);
	assert_int_equal(times_ended, 0);
	stop_in_order();
}

static void a_link_that_is_down_when_the_last_joins_is_waited_for(void **state)
{
	(void)state;
	begin(fake_good);
	group_link(&group, group.link.ifindex, LINK_IS_DOWN);
	assert_true(turn_until(all_run, 3000));
	assert_int_equal(group.record->state, STATE_WAITING);
	group_link(&group, group.link.ifindex, LINK_IS_UP);
	assert_int_equal(group.record->state, STATE_RUNNING);
	stop_in_order();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		GROUP_TEST(workers_join_strictly_in_order),
		GROUP_TEST(one_that_hangs_is_killed),
		GROUP_TEST(one_that_never_comes_up_is_killed),
		GROUP_TEST(one_that_opens_on_a_slow_disk_is_waited_for),
		GROUP_TEST(one_that_opens_on_a_stuck_disk_is_killed),
		GROUP_TEST(one_that_speaks_nonsense_is_killed),
		GROUP_TEST(one_that_joins_unasked_is_killed),
		GROUP_TEST(a_failure_at_the_first_start_is_told),
		GROUP_TEST(each_finished_file_is_entered_once),
		GROUP_TEST(what_an_earlier_life_has_not_entered_is_entered),
		GROUP_TEST(a_filter_is_never_attached_behind_a_stop),
		GROUP_TEST(a_filter_is_attached_only_once_all_have_joined),
		GROUP_TEST(a_device_that_goes_is_waited_for),
		GROUP_TEST(a_link_that_is_down_when_the_last_joins_is_waited_for),
	};
	int r = stand_open();

	if (r != 0)
		return r;
	r = RUN_TESTS(tests);
	stand_close();
	return r;
}
