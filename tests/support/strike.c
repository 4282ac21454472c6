/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sends signals to workers of a sensor that is told by its ledger: to random ones, at random
 * moments, the same again for the same seed.  After each it waits for the first block of the
 * successor.  One object of JSON on stdout; exit 1 where a successor does not come.
 */
#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "ledger/ledger.h"
#include "support/numbered.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { STRIKES_MOST = 10000, STOPS_MOST = 1000 };

struct options {
	const char *directory;
	uint64_t count, seed, number; /* of the signal */
	uint64_t pause_ms;            /* at most, between a first block and the next strike */
	uint64_t wait_ms;             /* for a first block */
	bool is_impatient;            /* strike again whatever the successor does */
};

struct strikes {
	struct ledger *ledger;
	uint64_t random;
	uint64_t took_ns[STRIKES_MOST];
	size_t count;
	uint64_t late;
};

static int usage(void)
{
	fprintf(stderr,
	    "usage: strike --ledger=DIRECTORY [--count=N] [--seed=N] [--signal=NUMBER]\n"
	    "  [--pause=MS] [--wait=MS] [--impatient]\n");
	return 64;
}

static int take(struct options *options, int option)
{
	switch (option) {
	case 'l':
		options->directory = optarg;
		return 0;
	case 'c':
		return numbered_parse(optarg, &options->count);
	case 's':
		return numbered_parse(optarg, &options->seed);
	case 'n':
		return numbered_parse(optarg, &options->number);
	case 'p':
		return numbered_parse(optarg, &options->pause_ms);
	case 'w':
		return numbered_parse(optarg, &options->wait_ms);
	case 'i':
		options->is_impatient = true;
		return 0;
	default:
		return -EINVAL;
	}
}

static int parse(int argc, char **argv, struct options *options)
{
	static const struct option rows[] = {
		{ "ledger", required_argument, NULL, 'l' },
		{ "count", required_argument, NULL, 'c' },
		{ "seed", required_argument, NULL, 's' },
		{ "signal", required_argument, NULL, 'n' },
		{ "pause", required_argument, NULL, 'p' },
		{ "wait", required_argument, NULL, 'w' },
		{ "impatient", no_argument, NULL, 'i' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", rows, NULL)) != -1)
		if (take(options, option) < 0)
			return -EINVAL;
	return options->directory && options->count <= STRIKES_MOST ? 0 : -EINVAL;
}

/* splitmix64: of any seed, and the same on every machine. */
static uint64_t draw(struct strikes *strikes, uint64_t below)
{
	uint64_t z = strikes->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (z ^ (z >> 31)) % below;
}

/* One of those that have a worker, perhaps a dead one. */
static size_t draw_slot(struct strikes *strikes)
{
	const size_t count = ledger_header(strikes->ledger)->slot_count;
	uint64_t used = 0, drawn;

	for (size_t i = 0; i < count; i++)
		used += atomic_load(&ledger_slot(strikes->ledger, i)->is_used) != 0;
	drawn = used > 0 ? draw(strikes, used) : 0;
	for (size_t i = 0; i < count; i++)
		if (atomic_load(&ledger_slot(strikes->ledger, i)->is_used) && drawn-- == 0)
			return i;
	return 0;
}

static void doze(uint64_t ns)
{
	const struct timespec time = { (time_t)(ns / NSEC_PER_SEC), (long)(ns % NSEC_PER_SEC) };

	nanosleep(&time, NULL);
}

static bool works(const struct strikes *strikes, size_t slot)
{
	return atomic_load(&ledger_slot(strikes->ledger, slot)->pid) > 1 &&
	       atomic_load(&ledger_worker(strikes->ledger, slot)->blocks) > 0;
}

/* Whether it was true in time. */
static bool await(const struct strikes *strikes, size_t slot, uint32_t old, uint64_t wait_ms)
{
	const uint64_t deadline = clock_monotonic_ns() + wait_ms * NSEC_PER_MSEC;

	while (
	    atomic_load(&ledger_slot(strikes->ledger, slot)->pid) == old || !works(strikes, slot)) {
		if (clock_monotonic_ns() > deadline)
			return false;
		doze(NSEC_PER_MSEC / 5);
	}
	return true;
}

/*
 * In a call of the storage a worker is given a minute, in which no ring of a test lasts: one that
 * is stopped there goes on, and is stopped at another moment.
 */
static int stop_outside_storage(const struct strikes *strikes, size_t slot, pid_t pid)
{
	const struct ledger_worker *record = ledger_worker(strikes->ledger, slot);

	for (int i = 0; i < STOPS_MOST; i++) {
		if (kill(pid, SIGSTOP) < 0)
			return -errno;
		/* Until it stands still, also on a busy machine. */
		doze(20 * NSEC_PER_MSEC);
		if (atomic_load(&record->in_storage) == 0)
			return 0;
		if (kill(pid, SIGCONT) < 0)
			return -errno;
		doze(NSEC_PER_MSEC);
	}
	return -EAGAIN;
}

static int hit(
    const struct strikes *strikes, const struct options *options, size_t slot, uint32_t pid)
{
	/* 0 and -1 would be everybody. */
	if (pid <= 1)
		return -ESRCH;
	if (options->number == SIGSTOP)
		return stop_outside_storage(strikes, slot, (pid_t)pid);
	return kill((pid_t)pid, (int)options->number) < 0 ? -errno : 0;
}

static void strike(struct strikes *strikes, const struct options *options)
{
	size_t slot = draw_slot(strikes);
	uint64_t begin;
	uint32_t pid;

	doze(draw(strikes, options->pause_ms * NSEC_PER_MSEC + 1));
	if (!options->is_impatient && !await(strikes, slot, 0, options->wait_ms))
		strikes->late++;
	pid = atomic_load(&ledger_slot(strikes->ledger, slot)->pid);
	begin = clock_monotonic_ns();
	if (hit(strikes, options, slot, pid) < 0)
		return;
	if (!options->is_impatient && !await(strikes, slot, pid, options->wait_ms))
		strikes->late++;
	strikes->took_ns[strikes->count++] = clock_monotonic_ns() - begin;
}

static int by_size(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return (a > b) - (a < b);
}

static double share_ms(const struct strikes *strikes, size_t hundredths)
{
	size_t index = strikes->count * hundredths / 100;

	if (strikes->count == 0)
		return 0;
	return (double)strikes->took_ns[LEAST(index, strikes->count - 1)] / (double)NSEC_PER_MSEC;
}

int main(int argc, char **argv)
{
	struct options options = {
		.count = 1, .seed = 1, .number = SIGKILL, .pause_ms = 100, .wait_ms = 10000
	};
	static struct strikes strikes;
	CLEANUP(close_at) int fd = -1;

	if (parse(argc, argv, &options) < 0)
		return usage();
	fd = open(options.directory, O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || ledger_open(&strikes.ledger, fd) < 0) {
		fprintf(stderr, "strike: %s: no ledger\n", options.directory);
		return 66;
	}
	strikes.random = options.seed;
	for (uint64_t i = 0; i < options.count; i++)
		strike(&strikes, &options);
	qsort(strikes.took_ns, strikes.count, sizeof(strikes.took_ns[0]), by_size);
	printf("{\"seed\":%" PRIu64 ",\"strikes\":%zu,\"late\":%" PRIu64
	       ",\"median_ms\":%.1f,\"p99_ms\":%.1f,\"worst_ms\":%.1f}\n",
	    options.seed, strikes.count, strikes.late, share_ms(&strikes, 50),
	    share_ms(&strikes, 99), share_ms(&strikes, 100));
	ledger_close(strikes.ledger);
	return strikes.late > 0;
}
