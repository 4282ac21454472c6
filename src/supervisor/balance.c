/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/balance.h"

#include "supervisor/journal.h"

#include <inttypes.h>

bool balance_check(struct ledger *ledger)
{
	bool balances = true;

	for (size_t i = 0; i < ledger_header(ledger)->slot_count; i++) {
		const struct ledger_slot *slot = ledger_slot(ledger, i);
		const char *interface = ledger_interface(ledger, slot->interface)->name;
		const struct journal_about about = {
			.interface = interface, .worker = &slot->worker, .cause = "imbalance"
		};
		struct ledger_commit commit;

		if (ledger_commit_read(ledger_worker(ledger, i), &commit) < 0 ||
		    counters_are_settled(&commit.counters))
			continue;
		atomic_store(&ledger_header(ledger)->imbalance, 1);
		balances = false;
		journal_event(EVENT_IMBALANCE, &about,
		    "%s: the books of worker %u do not balance: seen %" PRIu64 ", dropped %" PRIu64
		    ", written %" PRIu64 ", discarded %" PRIu64 ", staged %" PRIu64,
		    interface, slot->worker, commit.counters.value[COUNTER_SEEN],
		    commit.counters.value[COUNTER_DROPPED], commit.counters.value[COUNTER_WRITTEN],
		    commit.counters.value[COUNTER_DISCARDED],
		    commit.counters.value[COUNTER_STAGED]);
	}
	return balances;
}
