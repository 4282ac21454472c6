/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ledger/ledger.h"

#include <errno.h>
#include <string.h>

/* A reader that meets a writer this often in a row gives up: the writer commits once a block. */
enum { READ_TRIES = 1000 };

/* How much of a record is used: marks are its end, and most are empty. */
static size_t used_size(const struct ledger_commit *commit)
{
	uint32_t marks = commit->mark_count < LEDGER_MARKS ? commit->mark_count : LEDGER_MARKS;

	return offsetof(struct ledger_commit, marks) + marks * sizeof(commit->marks[0]);
}

void ledger_commit_write(struct ledger_worker *worker, const struct ledger_commit *commit)
{
	uint64_t first = atomic_load_explicit(&worker->copies[0].sequence, memory_order_relaxed);
	uint64_t second = atomic_load_explicit(&worker->copies[1].sequence, memory_order_relaxed);
	struct ledger_copy *older = &worker->copies[first <= second ? 0 : 1];
	uint64_t next = (first > second ? first : second) + 1;

	/* Invalid while it is written, also for whoever finds it after a kill. */
	atomic_store_explicit(&older->sequence, 0, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	memcpy(&older->commit, commit, used_size(commit));
	atomic_store_explicit(&older->sequence, next, memory_order_release);
}

int ledger_commit_read(const struct ledger_worker *worker, struct ledger_commit *ret_commit)
{
	for (int i = 0; i < READ_TRIES; i++) {
		uint64_t first =
		    atomic_load_explicit(&worker->copies[0].sequence, memory_order_acquire);
		uint64_t second =
		    atomic_load_explicit(&worker->copies[1].sequence, memory_order_acquire);
		const struct ledger_copy *newer = &worker->copies[first >= second ? 0 : 1];
		uint64_t number = first >= second ? first : second;

		if (number == 0)
			return -ENODATA;
		memcpy(ret_commit, &newer->commit, sizeof(*ret_commit));
		atomic_thread_fence(memory_order_acquire);
		if (atomic_load_explicit(&newer->sequence, memory_order_relaxed) == number) {
			/* A damaged file must not lead a reader beyond the arrays. */
			ret_commit->open.name[LEDGER_NAME_LENGTH - 1] = 0;
			ret_commit->closing.name[LEDGER_NAME_LENGTH - 1] = 0;
			ret_commit->statistics_slot &= 1;
			if (ret_commit->mark_count > LEDGER_MARKS)
				ret_commit->mark_count = LEDGER_MARKS;
			return 0;
		}
	}
	return -EAGAIN;
}

static uint32_t named_slot(const struct ledger_worker *worker)
{
	struct ledger_commit commit;

	return ledger_commit_read(worker, &commit) == 0 ? commit.statistics_slot : 0;
}

struct ledger_statistics *ledger_statistics_free_slot(struct ledger_worker *worker)
{
	return &worker->statistics[1 - named_slot(worker)];
}

void ledger_statistics_add(const struct ledger_worker *worker, struct ledger_commit *commit)
{
	const struct ledger_statistics *slot = &worker->statistics[1 - commit->statistics_slot];

	commit->counters.value[COUNTER_SEEN] += slot->packets;
	commit->counters.value[COUNTER_DROPPED] += slot->drops;
	commit->counters.value[COUNTER_FROZEN] += slot->freezes;
	commit->statistics_slot = 1 - commit->statistics_slot;
}

void ledger_statistics_clear(struct ledger_worker *worker, const struct ledger_commit *commit)
{
	worker->statistics[commit->statistics_slot] = (struct ledger_statistics) { 0 };
	/* Cleared before the next commit names the other slot, also as another process sees it. */
	atomic_thread_fence(memory_order_release);
}

uint64_t ledger_settle(struct ledger_worker *worker)
{
	struct ledger_commit commit;
	int64_t waiting;

	if (ledger_commit_read(worker, &commit) < 0)
		memset(&commit, 0, sizeof(commit));
	/* What a commit named was counted by it, whether or not there was time to clear it. */
	ledger_statistics_clear(worker, &commit);
	ledger_statistics_add(worker, &commit);
	waiting = counters_waiting(&commit.counters);
	if (waiting > 0)
		commit.counters.value[COUNTER_DISCARDED] += (uint64_t)waiting;
	ledger_commit_write(worker, &commit);
	ledger_statistics_clear(worker, &commit);
	return waiting > 0 ? (uint64_t)waiting : 0;
}
