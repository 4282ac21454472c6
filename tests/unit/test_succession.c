/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "base/array.h"
#include "base/clock.h"
#include "capture/program.h"
#include "supervisor/membership.h"
#include "support/group_stand.h"

#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Who follows a worker that ends.
 */
static bool lived_often(void)
{
	return atomic_load(&play->lives[0]) >= 5;
}

static void one_that_exits_at_once_waits_twice_as_long_each_time(void **state)
{
	uint64_t gaps_ms[4];

	(void)state;
	begin(fake_exits_at_once);
	assert_true(turn_until(lived_often, 4000));
	for (size_t i = 0; i < COUNT_OF(gaps_ms); i++)
		gaps_ms[i] = (play->born_ns[0][i + 1] - play->born_ns[0][i]) / NSEC_PER_MSEC;
	for (size_t i = 0; i < COUNT_OF(gaps_ms); i++)
		assert_true(gaps_ms[i] >= (100U << i));
	/* How much later a busy machine gets to it is not ours; what was planned is. */
	assert_true(group.children[0].restart.delay_ns >= 800 * NSEC_PER_MSEC);
	assert_true(group.children[0].restart.delay_ns <= 1600 * NSEC_PER_MSEC);
}

static bool killed_one_is_back(void)
{
	return all_run() && atomic_load(&play->lives[0]) == 2;
}

static void one_that_had_worked_is_followed_at_once(void **state)
{
	(void)state;
	begin(fake_good);
	assert_true(turn_until(all_run, 3000));
	atomic_store(&group.children[0].heritage.record->blocks, 1);
	group.children[0].restart.delay_ns = 100 * NSEC_PER_MSEC;
	child_kill(&group.children[0]);
	assert_true(turn_until(killed_one_is_back, 3000));
	assert_int_equal(group.children[0].restart.delay_ns, 0);
	assert_int_equal(times_run, 1);
	assert_int_equal(atomic_load(&group.children[0].slot->restarts), 1);
	stop_in_order();
}

static void one_that_dies_leaves_its_socket_to_the_next(void **state)
{
	(void)state;
	begin(fake_good);
	assert_true(turn_until(all_run, 3000));
	child_kill(&group.children[0]);
	assert_true(turn_until(killed_one_is_back, 3000));
	assert_int_equal(play->life[0][1], LIFE_TAKES_OVER);
	assert_int_not_equal(play->cookie[0][0], 0);
	assert_int_equal(play->cookie[0][1], play->cookie[0][0]);
	assert_false(refuses(&group.children[0]));
	assert_int_equal(atomic_load(&group.children[0].slot->takeovers), 1);
	assert_int_equal(atomic_load(&group.children[0].slot->generation), 0);
	stop_in_order();
}

static bool lost_one_is_back(void)
{
	return all_run() && atomic_load(&play->lives[0]) == 3;
}

static void lose_the_first(void)
{
	begin(fake_loses);
	assert_true(turn_until(all_run, 3000));
	child_kill(&group.children[0]);
	assert_true(turn_until(lost_one_is_back, 3000));
	assert_int_equal(play->life[0][1], LIFE_TAKES_OVER);
	assert_int_equal(play->life[0][2], LIFE_BEGINS);
	assert_int_not_equal(play->cookie[0][2], play->cookie[0][0]);
	assert_int_equal(atomic_load(&group.children[0].slot->takeovers), 0);
	assert_int_equal(atomic_load(&group.children[0].slot->generation), 1);
}

static void one_that_loses_the_ring_begins_a_new_group_where_it_was_alone(void **state)
{
	(void)state;
	workers = 1;
	lose_the_first();
	workers = WORKERS;
	assert_int_equal(play->asked[0][0], -1);
	assert_int_equal(play->asked[0][2], -1);
	stop_in_order();
}

static void one_that_loses_the_ring_joins_the_group_of_the_others(void **state)
{
	(void)state;
	lose_the_first();
	assert_int_equal(play->asked[0][0], -1);
	assert_int_equal(play->asked[1][0], FAKE_GROUP);
	assert_int_equal(play->asked[0][2], FAKE_GROUP);
	stop_in_order();
}

static bool zero_is_dead(void)
{
	return !child_lives(&group.children[0]);
}

static bool lost_its_ring(void)
{
	return !group.children[0].captures && !child_lives(&group.children[0]) &&
	       atomic_load(&play->lives[0]) == 2;
}

/* Its place in the fanout group would be another's, who is sent nothing yet. */
static void one_that_loses_the_ring_waits_until_those_who_join_are_gone(void **state)
{
	uint64_t cookie;

	(void)state;
	begin(fake_loses);
	assert_true(turn_until(all_run, 3000));
	cookie = play->cookie[0][0];
	group.is_joined = true;
	child_kill(&group.children[0]);
	assert_true(turn_until(lost_its_ring, 3000));
	assert_false(turn_until(lost_one_is_back, 400));
	assert_int_equal(socket_cookie(group.children[0].socket), cookie);
	assert_true(child_is_member(&group.children[0]));
	group.is_joined = false;
	assert_true(turn_until(lost_one_is_back, 3000));
	assert_int_not_equal(socket_cookie(group.children[0].socket), cookie);
	stop_in_order();
}

/* As it stands when it dies, where the order of the members is not known. */
static uint64_t gap_of_one_that_dies(enum life life, enum ledger_state state)
{
	struct child *child = &group.children[0];

	child->heritage.life = life;
	child_set_state(child, state);
	child->captures = false;
	child->gap_since_ns = 0;
	atomic_store(&group.record->front, 0);
	membership_lose(&group, child);
	return child->gap_since_ns;
}

/* A program has left it out. */
static void one_that_dies_before_it_captures_leaves_no_gap(void **state)
{
	(void)state;
	begin(fake_good);
	assert_true(turn_until(all_run, 3000));
	assert_int_not_equal(gap_of_one_that_dies(LIFE_BEGINS, STATE_ARMED), 0);
	assert_int_equal(program_constant(&group.intake.program, 0), 0);
	assert_int_equal(gap_of_one_that_dies(LIFE_BEGINS, STATE_STARTING), 0);
	assert_int_equal(gap_of_one_that_dies(LIFE_BEGINS, STATE_ARMED), 0);
	assert_int_not_equal(gap_of_one_that_dies(LIFE_BEGINS, STATE_RUNNING), 0);
	assert_int_not_equal(gap_of_one_that_dies(LIFE_TAKES_OVER, STATE_STARTING), 0);
	group.children[0].gap_since_ns = 0;
	stop_in_order();
}

static bool finishes(void)
{
	return play->life[0][2] == LIFE_FINISHES && child_lives(&group.children[0]);
}

/* In a change sockets are closed in an order of its own. */
static void one_that_gives_way_keeps_its_place_to_the_end(void **state)
{
	uint64_t cookie;

	(void)state;
	begin(fake_loses);
	assert_true(turn_until(all_run, 3000));
	cookie = play->cookie[0][0];
	group.children[0].keeps_place = true;
	child_kill(&group.children[0]);
	assert_true(turn_until(zero_is_dead, 1000));
	group_stop(&group);
	assert_true(turn_until(finishes, 3000));
	assert_true(turn_until(has_ended, 6000));
	assert_int_equal(socket_cookie(group.children[0].socket), cookie);
	assert_true(child_is_member(&group.children[0]));
}

static bool first_of_one_is_dead(void)
{
	return !child_lives(&group.children[1]);
}

/* Three more that take its ring over, and one that writes what the stage holds. */
static void check_lives_in_a_stop(size_t worker)
{
	const enum life lives[] = { LIFE_BEGINS, LIFE_TAKES_OVER, LIFE_TAKES_OVER, LIFE_TAKES_OVER,
		LIFE_FINISHES };

	assert_int_equal(play->lives[worker], COUNT_OF(lives));
	for (size_t i = 0; i < COUNT_OF(lives); i++) {
		assert_int_equal(play->life[worker][i], lives[i]);
		assert_int_equal(play->cookie[worker][i],
		    lives[i] == LIFE_FINISHES ? 0 : play->cookie[worker][0]);
	}
}

static void one_that_keeps_dying_while_stopping_has_some_more_lives(void **state)
{
	(void)state;
	begin(fake_dies_while_stopping);
	assert_true(turn_until(all_run, 3000));
	group_stop(&group);
	assert_false(turn_until(never, 50));
	child_kill(&group.children[1]);
	assert_true(turn_until(has_ended, 6000));
	check_lives_in_a_stop(1);
	assert_int_equal(play->lives[0], 1);
}

static void one_that_is_dead_when_the_stop_comes_has_its_ring_drained(void **state)
{
	(void)state;
	begin(fake_good);
	assert_true(turn_until(all_run, 3000));
	child_kill(&group.children[1]);
	assert_true(turn_until(first_of_one_is_dead, 1000));
	stop_in_order();
	assert_int_equal(play->lives[1], 2);
	assert_int_equal(play->life[1][1], LIFE_TAKES_OVER);
	assert_int_equal(play->cookie[1][1], play->cookie[1][0]);
	assert_true(refuses(&group.children[1]));
}

/* An open file in the books stands for what the stage holds of it. */
static void leave_a_file_open(struct child *child)
{
	struct ledger_commit commit = { .open = { .name = "open.pcap", .inode = 1 } };

	ledger_commit_write(child->heritage.record, &commit);
}

static void kill_one_that_never_captured(void)
{
	begin(fake_never_comes_up);
	assert_false(turn_until(never, 50));
	child_kill(&group.children[1]);
	assert_true(turn_until(first_of_one_is_dead, 1000));
}

static void one_that_never_captured_has_its_file_finished(void **state)
{
	(void)state;
	kill_one_that_never_captured();
	leave_a_file_open(&group.children[1]);
	stop_in_order();
	assert_int_equal(play->lives[1], 2);
	assert_int_equal(play->life[1][1], LIFE_FINISHES);
	assert_int_equal(play->cookie[1][1], 0);
}

static void one_that_never_captured_and_has_no_file_is_not_missed(void **state)
{
	(void)state;
	kill_one_that_never_captured();
	stop_in_order();
	assert_int_equal(play->lives[1], 1);
}

static void one_that_never_stops_is_killed(void **state)
{
	(void)state;
	begin(fake_never_stops);
	assert_true(turn_until(all_run, 3000));
	stop_in_order();
	check_lives_in_a_stop(0);
}

static void a_life_that_cannot_begin_is_tried_again(void **state)
{
	struct rlimit usual, none;

	(void)state;
	begin(fake_good);
	assert_true(turn_until(all_run, 3000));
	child_kill(&group.children[0]);
	assert_true(turn_until(zero_is_dead, 1000));
	/* No descriptor is left for its socket. */
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
	none = (struct rlimit) { 3, usual.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_false(turn_until(killed_one_is_back, 250));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
	assert_int_equal(play->lives[0], 1);
	assert_true(turn_until(killed_one_is_back, 3000));
	stop_in_order();
}

static bool third_life_runs(void)
{
	return all_run() && atomic_load(&play->lives[1]) == 3;
}

static void signal_one(int signal_number)
{
	(void)kill((pid_t)atomic_load(&group.children[1].slot->pid), signal_number);
}

static void a_block_that_two_have_died_of_is_set_aside_by_the_third(void **state)
{
	(void)state;
	begin(fake_dies_of_a_block);
	assert_true(turn_until(all_run, 3000));
	signal_one(SIGABRT);
	assert_true(turn_until(third_life_runs, 3000));
	assert_int_equal(play->poison[1][1], 0);
	assert_int_equal(play->poison[1][2], FAKE_BLOCK);
	assert_int_equal(play->life[1][2], LIFE_TAKES_OVER);
	/* The next one has no more to do with it. */
	signal_one(SIGKILL);
	assert_false(turn_until(never, 50));
	assert_true(turn_until(all_run, 3000));
	assert_int_equal(play->lives[1], 4);
	assert_int_equal(play->poison[1][3], 0);
	stop_in_order();
}

static void what_was_killed_did_not_die_of_its_block(void **state)
{
	(void)state;
	begin(fake_dies_of_a_block);
	assert_true(turn_until(all_run, 3000));
	child_kill(&group.children[1]);
	assert_true(turn_until(third_life_runs, 3000) || play->lives[1] == 4);
	assert_int_equal(play->poison[1][1], 0);
	assert_int_equal(play->poison[1][2], 0);
	stop_in_order();
}

/* ---- one that cannot be killed ----------------------------------------------------------- */

/* A process that is traced is not reaped before its tracer lets it go. */
static pid_t trace(pid_t pid, int ret_pipe[2])
{
	pid_t tracer;
	char byte;

	assert_int_equal(pipe(ret_pipe), 0);
	tracer = fork();
	if (tracer == 0) {
		long r = ptrace(PTRACE_SEIZE, pid, NULL, NULL);

		close(ret_pipe[0]);
		(void)!write(ret_pipe[1], r == 0 ? "y" : "n", 1);
		close(ret_pipe[1]);
		for (;;)
			(void)pause();
	}
	close(ret_pipe[1]);
	assert_int_equal(read(ret_pipe[0], &byte, 1), 1);
	close(ret_pipe[0]);
	return byte == 'y' ? tracer : -tracer;
}

static bool zero_is_frozen(void)
{
	return child_state(&group.children[0]) == STATE_FROZEN;
}

static void one_that_cannot_be_killed_is_followed_when_it_ends(void **state)
{
	pid_t pid, tracer;
	int pipe_ends[2];

	(void)state;
	begin(fake_good);
	assert_true(turn_until(all_run, 3000));
	pid = (pid_t)atomic_load(&group.children[0].slot->pid);
	tracer = trace(pid, pipe_ends);
	if (tracer > 0) {
		child_kill(&group.children[0]);
		assert_true(turn_until(zero_is_frozen, 2000));
		assert_int_equal(atomic_load(&group.children[0].slot->pid), pid);
		assert_false(turn_until(killed_one_is_back, 300));
		assert_int_equal(play->lives[0], 1);
	} else {
		printf("SKIP: nobody may be traced here\n");
	}
	(void)kill(tracer > 0 ? tracer : -tracer, SIGKILL);
	(void)waitpid(tracer > 0 ? tracer : -tracer, NULL, 0);
	if (tracer > 0) {
		assert_true(turn_until(killed_one_is_back, 3000));
		assert_int_equal(play->life[0][1], LIFE_TAKES_OVER);
	}
	stop_in_order();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		GROUP_TEST(one_that_exits_at_once_waits_twice_as_long_each_time),
		GROUP_TEST(one_that_had_worked_is_followed_at_once),
		GROUP_TEST(one_that_dies_leaves_its_socket_to_the_next),
		GROUP_TEST(one_that_loses_the_ring_begins_a_new_group_where_it_was_alone),
		GROUP_TEST(one_that_loses_the_ring_joins_the_group_of_the_others),
		GROUP_TEST(one_that_loses_the_ring_waits_until_those_who_join_are_gone),
		GROUP_TEST(one_that_dies_before_it_captures_leaves_no_gap),
		GROUP_TEST(one_that_gives_way_keeps_its_place_to_the_end),
		GROUP_TEST(one_that_keeps_dying_while_stopping_has_some_more_lives),
		GROUP_TEST(one_that_is_dead_when_the_stop_comes_has_its_ring_drained),
		GROUP_TEST(one_that_never_captured_has_its_file_finished),
		GROUP_TEST(one_that_never_captured_and_has_no_file_is_not_missed),
		GROUP_TEST(one_that_never_stops_is_killed),
		GROUP_TEST(a_life_that_cannot_begin_is_tried_again),
		GROUP_TEST(a_block_that_two_have_died_of_is_set_aside_by_the_third),
		GROUP_TEST(what_was_killed_did_not_die_of_its_block),
		GROUP_TEST(one_that_cannot_be_killed_is_followed_when_it_ends),
	};
	int r = stand_open();

	if (r != 0)
		return r;
	r = RUN_TESTS(tests);
	stand_close();
	return r;
}
