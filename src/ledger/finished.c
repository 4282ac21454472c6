/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ledger/finished.h"

#include "base/array.h"

#include <string.h>

static uint64_t sum_of(const struct ledger_finished *file)
{
	const size_t skip = sizeof(file->sum);

	/* Its number is among the bytes: a bit that is flipped in both might make no difference. */
	return ledger_commit_sum(0, (const uint8_t *)file + skip, sizeof(*file) - skip);
}

/* False for one that was never written, or that a kill has met halfway. */
static bool read_whole(const struct ledger_finished *from, struct ledger_finished *ret_file)
{
	*ret_file = *from;
	if (ret_file->number == 0 || ret_file->sum != sum_of(ret_file))
		return false;
	ret_file->name[sizeof(ret_file->name) - 1] = 0;
	return true;
}

bool ledger_finished_has_room(const struct ledger_worker *worker, uint64_t number)
{
	/* A distance that cannot be is a damaged ledger's: for that nobody waits for ever. */
	return number - atomic_load(&worker->entered) != LEDGER_FINISHED + 1;
}

void ledger_finished_write(struct ledger_worker *worker, const struct ledger_finished *file)
{
	struct ledger_finished *place = &worker->finished[file->number % LEDGER_FINISHED];
	struct ledger_finished whole = *file;
	uint64_t entered = atomic_load(&worker->entered);

	if (entered > file->number || file->number - entered > LEDGER_FINISHED)
		atomic_store(&worker->entered, file->number - 1);
	whole.sum = sum_of(&whole);
	memcpy(place, &whole, sizeof(whole));
	atomic_thread_fence(memory_order_release);
}

int ledger_finished_next(const struct ledger_worker *worker, struct ledger_finished *ret_file)
{
	uint64_t entered = atomic_load(&worker->entered);
	struct ledger_finished file;
	bool found = false;

	for (size_t i = 0; i < LEDGER_FINISHED; i++) {
		if (!read_whole(&worker->finished[i], &file) || file.number <= entered ||
		    (found && file.number > ret_file->number))
			continue;
		*ret_file = file;
		found = true;
	}
	return found;
}

uint64_t ledger_finished_last(const struct ledger_worker *worker)
{
	uint64_t last = atomic_load(&worker->entered);
	struct ledger_finished file;

	for (size_t i = 0; i < LEDGER_FINISHED; i++)
		if (read_whole(&worker->finished[i], &file))
			last = MOST(last, file.number);
	return last;
}
