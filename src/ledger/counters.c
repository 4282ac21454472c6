/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ledger/counters.h"

#include <stddef.h>

static const char *const names[COUNTER_COUNT_] = {
	[COUNTER_SEEN] = "seen",
	[COUNTER_DROPPED] = "dropped",
	[COUNTER_FROZEN] = "frozen",
	[COUNTER_STAGED] = "staged",
	[COUNTER_WRITTEN] = "written",
	[COUNTER_DISCARDED] = "discarded",
	[COUNTER_TRUNCATED_SNAPLEN] = "truncated_snaplen",
	[COUNTER_TRUNCATED_BLOCK] = "truncated_block",
	[COUNTER_WRITTEN_BYTES] = "written_bytes",
	[COUNTER_DISCARDED_BYTES] = "discarded_bytes",
	[COUNTER_FILES] = "files",
	[COUNTER_LOSING] = "losing",
	[COUNTER_CHECKSUM_PENDING] = "checksum_pending",
	[COUNTER_CHECKSUM_VALID] = "checksum_valid",
	[COUNTER_GSO] = "gso",
	[COUNTER_STAMPED_SOFTWARE] = "stamped_software",
	[COUNTER_STAMPED_HARDWARE] = "stamped_hardware",
};

const char *counter_name(enum counter counter)
{
	return names[counter];
}

void counters_add(struct counters *sum, const struct counters *more)
{
	for (size_t i = 0; i < COUNTER_COUNT_; i++)
		sum->value[i] += more->value[i];
}

int64_t counters_waiting(const struct counters *counters)
{
	const uint64_t *value = counters->value;

	return (int64_t)(value[COUNTER_SEEN] - value[COUNTER_DROPPED] - value[COUNTER_WRITTEN] -
			 value[COUNTER_DISCARDED] - value[COUNTER_STAGED]);
}

bool counters_are_settled(const struct counters *counters)
{
	return counters->value[COUNTER_STAGED] == 0 && counters_waiting(counters) == 0;
}
