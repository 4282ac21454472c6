/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ledger/ledger.h"

#include "base/array.h"
#include "base/fault.h"
#include "ledger/finished.h"

#include <errno.h>
#include <string.h>

/* A reader that meets a writer this often in a row gives up: the writer commits once a block. */
enum { READ_TRIES = 1000 };

/* How much of a record is used: marks are its end, and most are empty.  A multiple of 8. */
static size_t used_size(const struct ledger_commit *commit)
{
	uint32_t marks = commit->mark_count < LEDGER_MARKS ? commit->mark_count : LEDGER_MARKS;

	return offsetof(struct ledger_commit, marks) + marks * sizeof(commit->marks[0]);
}

enum { LANES = 4, LANES_SIZE = LANES * sizeof(uint64_t) };
static const uint64_t prime = UINT64_C(0x100000001b3), basis = UINT64_C(0xcbf29ce484222325);

static inline void mix(uint64_t lanes[LANES], const uint8_t *bytes, size_t length)
{
	uint64_t words[LANES] = { 0 };

	memcpy(words, bytes, length);
#pragma GCC unroll 4
	for (int i = 0; i < LANES; i++)
		lanes[i] = (lanes[i] ^ words[i]) * prime;
}

/*
 * FNV-1a (draft-eastlake-fnv) over words in place of bytes, in several lanes that do not wait for
 * one another.  It tells a damaged file from a whole one; each single changed bit changes it.
 */
uint64_t ledger_commit_sum(uint64_t number, const void *bytes, size_t length)
{
	uint64_t lanes[LANES] = { basis, basis + 1, basis + 2, basis + 3 };
	uint64_t all = ((basis ^ number) * prime ^ length) * prime;
	size_t at = 0;

	for (; at + LANES_SIZE <= length; at += LANES_SIZE)
		mix(lanes, (const uint8_t *)bytes + at, LANES_SIZE);
	mix(lanes, (const uint8_t *)bytes + at, length - at);
	for (int i = 0; i < LANES; i++)
		all = (all ^ lanes[i]) * prime;
	return all;
}

void ledger_commit_write(struct ledger_worker *worker, const struct ledger_commit *commit)
{
	uint64_t first = atomic_load_explicit(&worker->copies[0].sequence, memory_order_relaxed);
	uint64_t second = atomic_load_explicit(&worker->copies[1].sequence, memory_order_relaxed);
	struct ledger_copy *older = &worker->copies[first <= second ? 0 : 1];
	uint64_t next = (first > second ? first : second) + 1;
	size_t length = used_size(commit);

	/* Invalid while it is written, also for whoever finds it after a kill. */
	atomic_store_explicit(&older->sequence, 0, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	memcpy(&older->commit, commit, length);
	FAULT(COMMITTING);
	older->length = length;
	older->sum = ledger_commit_sum(next, commit, length);
	atomic_store_explicit(&older->sequence, next, memory_order_release);
}

/* A damaged file must not lead a reader beyond the arrays, even where its sum is right. */
static int judge(struct ledger_commit *commit, uint64_t number, uint64_t length, uint64_t expected)
{
	if (length > sizeof(*commit) || length < offsetof(struct ledger_commit, marks) ||
	    length % sizeof(uint64_t) != 0 || ledger_commit_sum(number, commit, length) != expected)
		return -EBADMSG;
	commit->open.name[LEDGER_NAME_LENGTH - 1] = 0;
	commit->closing.name[LEDGER_NAME_LENGTH - 1] = 0;
	commit->statistics_slot &= 1;
	if (commit->mark_count > LEDGER_MARKS)
		commit->mark_count = LEDGER_MARKS;
	return 0;
}

int ledger_commit_read(const struct ledger_worker *worker, struct ledger_commit *ret_commit)
{
	for (int i = 0; i < READ_TRIES; i++) {
		uint64_t first =
		    atomic_load_explicit(&worker->copies[0].sequence, memory_order_acquire);
		uint64_t second =
		    atomic_load_explicit(&worker->copies[1].sequence, memory_order_acquire);
		const struct ledger_copy *newer = &worker->copies[first >= second ? 0 : 1];
		uint64_t number = first >= second ? first : second, length, expected;

		if (number == 0)
			return -ENODATA;
		memcpy(ret_commit, &newer->commit, sizeof(*ret_commit));
		length = newer->length;
		expected = newer->sum;
		atomic_thread_fence(memory_order_acquire);
		if (atomic_load_explicit(&newer->sequence, memory_order_relaxed) == number)
			return judge(ret_commit, number, length, expected);
	}
	return -EAGAIN;
}

bool ledger_commit_is_damaged(const struct ledger_worker *worker)
{
	for (int i = 0; i < 2; i++) {
		const struct ledger_copy *copy = &worker->copies[i];
		uint64_t number = atomic_load(&copy->sequence);

		if (number > 0 &&
		    (copy->length > sizeof(copy->commit) ||
			ledger_commit_sum(number, &copy->commit, copy->length) != copy->sum))
			return true;
	}
	return false;
}

void ledger_begin_anew(struct ledger_worker *worker)
{
	struct ledger_commit anew = { 0 }, old;
	uint64_t newest = 0;

	for (int i = 0; i < 2; i++) {
		struct ledger_copy *copy = &worker->copies[i];
		uint64_t number = atomic_load(&copy->sequence);

		old = copy->commit;
		if (number <= newest || judge(&old, number, copy->length, copy->sum) < 0)
			continue;
		newest = number;
		anew.counters = old.counters;
		anew.statistics_slot = old.statistics_slot;
	}
	anew.counters.value[COUNTER_DISCARDED] += anew.counters.value[COUNTER_STAGED];
	anew.counters.value[COUNTER_STAGED] = 0;
	/* So that the catalog's numbers go on. */
	anew.counters.value[COUNTER_FILES] = ledger_finished_last(worker);
	for (int i = 0; i < 2; i++)
		atomic_store(&worker->copies[i].sequence, 0);
	ledger_commit_write(worker, &anew);
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

	if (ledger_commit_read(worker, &commit) < 0) {
		memset(&commit, 0, sizeof(commit));
		/* So that the catalog's numbers go on. */
		commit.counters.value[COUNTER_FILES] = ledger_finished_last(worker);
	}
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
