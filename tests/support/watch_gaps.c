/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Watches the workers of a sensor by its ledger until SIGTERM, and tells for how long each was
 * without a block whenever a life gave way to the next: from the last block of the one to the first
 * of the other.  One object of JSON on stdout.
 */
#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "ledger/ledger.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { GAPS_MOST = 10000, SLOTS_MOST = 256 };

static const uint64_t look_ns = NSEC_PER_MSEC / 5;

struct watch {
	struct ledger *ledger;
	struct seen {
		uint32_t pid; /* of the life that did the last block */
		uint64_t blocks;
		uint64_t last_ns;
	} slots[SLOTS_MOST];
	uint64_t gaps_ns[GAPS_MOST];
	size_t count;
};

static volatile sig_atomic_t must_end;

static void on_signal(int number)
{
	(void)number;
	must_end = 1;
}

static void look(struct watch *watch, size_t slot)
{
	struct seen *seen = &watch->slots[slot];
	uint32_t pid = atomic_load(&ledger_slot(watch->ledger, slot)->pid);
	uint64_t blocks = atomic_load(&ledger_worker(watch->ledger, slot)->blocks);
	uint64_t now_ns = clock_monotonic_ns();

	if (pid == 0 || blocks == 0 || (pid == seen->pid && blocks == seen->blocks))
		return;
	if (seen->pid != 0 && pid != seen->pid && watch->count < GAPS_MOST)
		watch->gaps_ns[watch->count++] = now_ns - seen->last_ns;
	*seen = (struct seen) { pid, blocks, now_ns };
}

static int by_size(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return (a > b) - (a < b);
}

static double share_ms(const struct watch *watch, size_t hundredths)
{
	size_t index = watch->count * hundredths / 100;

	if (watch->count == 0)
		return 0;
	return (double)watch->gaps_ns[LEAST(index, watch->count - 1)] / (double)NSEC_PER_MSEC;
}

int main(int argc, char **argv)
{
	const struct sigaction action = { .sa_handler = on_signal };
	const struct timespec pause = { .tv_nsec = (long)look_ns };
	static struct watch watch;
	CLEANUP(close_at) int fd = argc == 2 ? open(argv[1], O_DIRECTORY | O_CLOEXEC) : -1;

	if (argc != 2) {
		fprintf(stderr, "usage: watch_gaps DIRECTORY-OF-THE-LEDGER\n");
		return 64;
	}
	if (fd < 0 || ledger_open(&watch.ledger, fd) < 0 ||
	    ledger_header(watch.ledger)->slot_count > SLOTS_MOST) {
		fprintf(stderr, "watch_gaps: %s: no ledger\n", argv[1]);
		return 66;
	}
	sigaction(SIGTERM, &action, NULL);
	while (!must_end) {
		for (size_t i = 0; i < ledger_header(watch.ledger)->slot_count; i++)
			look(&watch, i);
		nanosleep(&pause, NULL);
	}
	qsort(watch.gaps_ns, watch.count, sizeof(watch.gaps_ns[0]), by_size);
	printf("{\"gaps\":%zu,\"median_ms\":%.1f,\"p99_ms\":%.1f,\"worst_ms\":%.1f}\n", watch.count,
	    share_ms(&watch, 50), share_ms(&watch, 99), share_ms(&watch, 100));
	ledger_close(watch.ledger);
	return 0;
}
