/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "capture/socket.h"
#include "supervisor/deadlines.h"
#include "supervisor/group.h"
#include "support/fake_worker.h"
#include "support/own_namespace.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * The state machine of a group, with workers that are functions of a test, forked as real ones are.
 */
enum { STAGE = 65536 };

static char directory[] = "/tmp/fancap-supervisor-XXXXXX";
static struct premises premises;
static struct interface_config interface;
static struct config config;
static sd_event *event;
static struct group group;
static unsigned int times_run, times_ended;
static int failure;
static size_t workers = WORKERS;
static enum message_kind nonsense; /* what worker 1 says out of turn */

static const struct group_limits limits = {
	.opening = 300 * NSEC_PER_MSEC,
	.heartbeat = 300 * NSEC_PER_MSEC,
	.storage = 900 * NSEC_PER_MSEC,
	.stopping = 300 * NSEC_PER_MSEC,
};

/* ---- the stage --------------------------------------------------------------------------- */

static void on_runs(void *user, const struct group *which)
{
	(void)user;
	assert_ptr_equal(which, &group);
	times_run++;
}

static void on_failed(void *user, int error)
{
	(void)user;
	failure = error;
}

static void on_ended(void *user)
{
	(void)user;
	times_ended++;
}

static void open_group(worker_main *run)
{
	const struct ledger_shape_interface shape_interface = { OWN_NEAR, workers };
	const struct ledger_shape shape = { "s", 1, &shape_interface };

	*play = (struct play) { .nonsense = nonsense };
	times_run = times_ended = 0;
	failure = 0;
	assert_int_equal(ledger_create(&premises.ledger, premises.runtime, &shape), 0);
	group = (struct group) {
		.config = &config,
		.interface = &interface,
		.premises = &premises,
		.limits = &limits,
		.owner = { on_runs, on_failed, on_ended, NULL },
	};
	assert_int_equal(group_open(&group, event, run, 0), 0);
}

static void begin(worker_main *run)
{
	open_group(run);
	assert_int_equal(group_begin(&group), 1);
}

static size_t count_descriptors(void)
{
	DIR *all = opendir("/proc/self/fd");
	size_t count = 0;

	while (readdir(all))
		count++;
	closedir(all);
	return count;
}

static size_t descriptors;

static int set_up(void **state)
{
	(void)state;
	descriptors = count_descriptors();
	return sd_event_new(&event);
}

static int tear_down(void **state)
{
	(void)state;
	if (group.config)
		group_close(&group);
	ledger_close(TAKE(premises.ledger));
	event = sd_event_unref(event);
	/* Nothing is left: no child, no descriptor. */
	if (waitpid(-1, NULL, WNOHANG) >= 0 || errno != ECHILD)
		return -1;
	return count_descriptors() == descriptors ? 0 : -1;
}

static bool all_run(void)
{
	for (size_t i = 0; i < group.count; i++)
		if (child_state(&group.children[i]) != STATE_RUNNING ||
		    !child_lives(&group.children[i]))
			return false;
	return group.runs;
}

static bool second_life_runs(void)
{
	return all_run() && atomic_load(&play->lives[1]) >= 2;
}

static bool has_ended(void)
{
	return times_ended > 0;
}

static bool has_failed(void)
{
	return failure != 0;
}

/* Turn the loop until something is true; false once that took too long. */
static bool turn_until(bool (*is_true)(void), unsigned int ms)
{
	uint64_t deadline = clock_monotonic_ns() + ms * NSEC_PER_MSEC;

	while (!is_true()) {
		if (clock_monotonic_ns() > deadline)
			return false;
		assert_true(sd_event_run(event, 10000) >= 0);
		deadlines_check(&group, clock_monotonic_ns());
	}
	return true;
}

static bool never(void)
{
	return false;
}

/* What the kernel has attached is the refusing filter, of one instruction. */
static bool refuses(const struct child *child)
{
	struct sock_filter filter[512] = { 0 };
	socklen_t count = COUNT_OF(filter);

	assert_int_equal(getsockopt(child->socket, SOL_SOCKET, SO_GET_FILTER, filter, &count), 0);
	return count == 1 && filter[0].k == 0;
}

static void stop_in_order(void)
{
	group_stop(&group);
	assert_true(turn_until(has_ended, 3000));
	assert_int_equal(times_ended, 1);
	for (size_t i = 0; i < group.count; i++)
		assert_int_equal(child_state(&group.children[i]), STATE_GONE);
}

/* ---- the tests --------------------------------------------------------------------------- */

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

static void one_that_had_worked_is_started_at_once(void **state)
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

static void one_that_was_alone_begins_a_new_group(void **state)
{
	(void)state;
	workers = 1;
	begin(fake_good);
	workers = WORKERS;
	assert_true(turn_until(all_run, 3000));
	assert_int_equal(play->asked[0][0], -1);
	child_kill(&group.children[0]);
	assert_true(turn_until(killed_one_is_back, 3000));
	assert_int_equal(play->asked[0][1], -1);
	stop_in_order();
}

static void one_of_several_joins_the_group_of_the_others(void **state)
{
	(void)state;
	begin(fake_good);
	assert_true(turn_until(all_run, 3000));
	assert_int_equal(play->asked[0][0], -1);
	assert_int_equal(play->asked[1][0], FAKE_GROUP);
	child_kill(&group.children[0]);
	assert_true(turn_until(killed_one_is_back, 3000));
	assert_int_equal(play->asked[0][1], FAKE_GROUP);
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

static void one_that_speaks_nonsense_is_killed(void **state)
{
	/* COUNT_ stands for a message of the wrong size. */
	const enum message_kind all[] = { MESSAGE_JOIN, MESSAGE_RUN, MESSAGE_STOP, MESSAGE_MAPPED,
		MESSAGE_JOINED, MESSAGE_STOPPED, MESSAGE_COUNT_ };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(all); i++) {
		nonsense = all[i];
		begin(fake_speaks_nonsense);
		assert_true(turn_until(second_life_runs, 3000));
		stop_in_order();
		group_close(&group);
		ledger_close(TAKE(premises.ledger));
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

static bool first_of_one_is_dead(void)
{
	return !child_lives(&group.children[1]);
}

static void one_that_dies_while_stopping_has_one_more_life(void **state)
{
	(void)state;
	begin(fake_dies_while_stopping);
	assert_true(turn_until(all_run, 3000));
	group_stop(&group);
	assert_false(turn_until(never, 50));
	child_kill(&group.children[1]);
	assert_true(turn_until(has_ended, 3000));
	assert_int_equal(play->lives[1], 2);
	assert_false(play->had_socket[1][1]);
	assert_int_equal(play->lives[0], 1);
}

/* An open file in the books stands for what the stage holds of it. */
static void leave_a_file_open(struct child *child)
{
	struct ledger_commit commit = { .open = { .name = "open.pcap", .inode = 1 } };

	ledger_commit_write(child->heritage.record, &commit);
}

static void one_that_is_dead_when_the_stop_comes_has_one_more_life(void **state)
{
	(void)state;
	begin(fake_good);
	assert_true(turn_until(all_run, 3000));
	leave_a_file_open(&group.children[1]);
	child_kill(&group.children[1]);
	assert_true(turn_until(first_of_one_is_dead, 1000));
	stop_in_order();
	assert_int_equal(play->lives[1], 2);
	assert_false(play->had_socket[1][1]);
}

static void one_that_is_dead_with_nothing_to_finish_has_none(void **state)
{
	(void)state;
	begin(fake_good);
	assert_true(turn_until(all_run, 3000));
	child_kill(&group.children[1]);
	assert_true(turn_until(first_of_one_is_dead, 1000));
	stop_in_order();
	assert_int_equal(play->lives[1], 1);
}

static void one_that_never_stops_is_killed(void **state)
{
	(void)state;
	begin(fake_never_stops);
	assert_true(turn_until(all_run, 3000));
	stop_in_order();
	assert_int_equal(play->lives[0], 2);
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

/* What is told again by a second life is known by its number, since a name and inode may recur. */
static void each_finished_file_is_entered_once(void **state)
{
	(void)state;
	begin(fake_finishes_files);
	assert_true(turn_until(second_life_runs, 3000));
	stop_in_order();
	assert_int_equal(count_catalog_lines(), 2);
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

static bool zero_is_dead(void)
{
	return !child_lives(&group.children[0]);
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

static bool can_open_sockets(void)
{
	int fd = socket_open(PLACE_OF(OWN_NEAR));

	if (fd >= 0)
		close(fd);
	else
		printf("skipped: cannot make packet sockets: %s\n", strerror(-fd));
	return fd >= 0;
}

static int prepare(void)
{
	static char sensor[] = "s", name[] = OWN_NEAR, nothing[] = "", output[] = "out";
	sigset_t mask;

	interface = (struct interface_config) { .name = name,
		.device = name,
		.workers = WORKERS,
		.namespace = nothing,
		.missing = MISSING_WAIT };
	config = (struct config) {
		.sensor = sensor,
		.interfaces = &interface,
		.interface_count = 1,
		/* No program: what these workers have is in no group. */
		.fanout = { .mode = FANOUT_HASH },
		.ring = { .memory = 1 << 20, .block_size = 1 << 17, .retire_timeout = 500000000 },
		.capture = { .filter = nothing, .snaplen = SNAPLEN_MOST },
		.output = { .directory = output, .stage = STAGE },
	};
	if (!play_open() || !mkdtemp(directory))
		return -errno;
	premises.runtime = open(directory, O_DIRECTORY | O_CLOEXEC);
	premises.output = open(directory, O_DIRECTORY | O_CLOEXEC);
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	return sigprocmask(SIG_BLOCK, &mask, NULL);
}

#define GROUP_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		GROUP_TEST(workers_join_strictly_in_order),
		GROUP_TEST(one_that_exits_at_once_waits_twice_as_long_each_time),
		GROUP_TEST(one_that_had_worked_is_started_at_once),
		GROUP_TEST(one_that_was_alone_begins_a_new_group),
		GROUP_TEST(one_of_several_joins_the_group_of_the_others),
		GROUP_TEST(one_that_hangs_is_killed),
		GROUP_TEST(one_that_never_comes_up_is_killed),
		GROUP_TEST(one_that_speaks_nonsense_is_killed),
		GROUP_TEST(one_that_joins_unasked_is_killed),
		GROUP_TEST(a_failure_at_the_first_start_is_told),
		GROUP_TEST(one_that_dies_while_stopping_has_one_more_life),
		GROUP_TEST(one_that_is_dead_when_the_stop_comes_has_one_more_life),
		GROUP_TEST(one_that_is_dead_with_nothing_to_finish_has_none),
		GROUP_TEST(one_that_never_stops_is_killed),
		GROUP_TEST(each_finished_file_is_entered_once),
		GROUP_TEST(a_filter_is_never_attached_behind_a_stop),
		GROUP_TEST(a_filter_is_attached_only_once_all_have_joined),
		GROUP_TEST(a_device_that_goes_is_waited_for),
		GROUP_TEST(a_link_that_is_down_when_the_last_joins_is_waited_for),
		GROUP_TEST(a_life_that_cannot_begin_is_tried_again),
	};
	int r;

	if (own_namespace_enter() < 0 || !can_open_sockets())
		return 77;
	if (prepare() < 0)
		return 99;
	r = RUN_TESTS(tests);
	(void)unlinkat(premises.runtime, "ledger", 0);
	(void)rmdir(directory);
	return r;
}
