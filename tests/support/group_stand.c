/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/group_stand.h"

#include "support/cmocka.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "capture/socket.h"
#include "support/own_namespace.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STAGE = 65536 };

static char directory[64];
struct premises premises;
static size_t descriptors;
static struct interface_config interface;
static struct config config;
sd_event *event;
struct group group;
unsigned int times_run, times_ended;
int failure;
size_t workers = WORKERS;
enum message_kind nonsense;

const struct group_limits limits = {
	.opening = 300 * NSEC_PER_MSEC,
	.heartbeat = 300 * NSEC_PER_MSEC,
	.storage = 900 * NSEC_PER_MSEC,
	.stopping = 300 * NSEC_PER_MSEC,
	.reaping = 200 * NSEC_PER_MSEC,
};

static void on_runs(void *user, const struct group *which)
{
	(void)user;
	assert_ptr_equal(which, &group);
	times_run++;
}

static void on_failed(void *user, const struct group *which, int error)
{
	(void)user;
	assert_ptr_equal(which, &group);
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
		.run = ledger_interface(premises.ledger, 0)->serving,
		.ring = config.ring,
		.owner = { on_runs, on_failed, on_ended, NULL },
	};
	assert_int_equal(group_open(&group, event, run, 0), 0);
}

void begin(worker_main *run)
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

int stand_set_up(void **state)
{
	(void)state;
	descriptors = count_descriptors();
	return sd_event_new(&event);
}

void close_group(void)
{
	if (group.config)
		group_close(&group);
	ledger_close(TAKE(premises.ledger));
}

int stand_tear_down(void **state)
{
	(void)state;
	close_group();
	event = sd_event_unref(event);
	/* Nothing is left: no child, no descriptor. */
	if (waitpid(-1, NULL, WNOHANG) >= 0 || errno != ECHILD)
		return -1;
	return count_descriptors() == descriptors ? 0 : -1;
}

bool all_run(void)
{
	for (size_t i = 0; i < group.count; i++)
		if (child_state(&group.children[i]) != STATE_RUNNING ||
		    !child_lives(&group.children[i]))
			return false;
	return group.runs;
}

bool has_ended(void)
{
	return times_ended > 0;
}

bool turn_until(bool (*is_true)(void), unsigned int ms)
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

bool never(void)
{
	return false;
}

bool refuses(const struct child *child)
{
	struct sock_filter filter[512] = { 0 };
	socklen_t count = COUNT_OF(filter);

	assert_int_equal(getsockopt(child->socket, SOL_SOCKET, SO_GET_FILTER, filter, &count), 0);
	return count == 1 && filter[0].k == 0;
}

void stop_in_order(void)
{
	group_stop(&group);
	assert_true(turn_until(has_ended, 6000));
	assert_int_equal(times_ended, 1);
	for (size_t i = 0; i < group.count; i++)
		assert_int_equal(child_state(&group.children[i]), STATE_GONE);
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
	/* In memory where that can be, as in a real one: a disk that others keep busy may let a
	 * heartbeat wait for longer than these limits. */
	snprintf(directory, sizeof(directory), "%s/fancap-supervisor-XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (!play_open() || !mkdtemp(directory))
		return -errno;
	premises.runtime = open(directory, O_DIRECTORY | O_CLOEXEC);
	premises.output = open(directory, O_DIRECTORY | O_CLOEXEC);
	premises.catalog.directory = premises.output;
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	return sigprocmask(SIG_BLOCK, &mask, NULL);
}

int stand_open(void)
{
	if (own_namespace_enter() < 0 || !can_open_sockets())
		return 77;
	return prepare() < 0 ? 99 : 0;
}

void stand_close(void)
{
	(void)unlinkat(premises.runtime, "ledger", 0);
	(void)rmdir(directory);
}
