/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * What is counted for a worker, in packets unless the name says bytes.  All but `staged` only grow.
 * Pure.
 */
enum counter {
	COUNTER_SEEN,              /* tp_packets: offered to the socket after the filter */
	COUNTER_DROPPED,           /* tp_drops: the ring had no room */
	COUNTER_FROZEN,            /* tp_freeze_q_cnt: how often the ring was full */
	COUNTER_STAGED,            /* committed to the stage, not yet in the file */
	COUNTER_WRITTEN,           /* in the file */
	COUNTER_DISCARDED,         /* read from the ring, then refused by the storage */
	COUNTER_TRUNCATED_SNAPLEN, /* written, but cut by snaplen */
	COUNTER_TRUNCATED_BLOCK,   /* written, but cut by the size of a ring block */
	COUNTER_WRITTEN_BYTES,     /* captured bytes of the packets written */
	COUNTER_DISCARDED_BYTES,
	COUNTER_FILES, /* finished files */

	/* What the kernel said of packets read from the ring, written or not. */
	COUNTER_SAID,
	COUNTER_LOSING = COUNTER_SAID, /* packets had been dropped shortly before */
	COUNTER_CHECKSUM_PENDING,      /* not filled in yet: sent by this machine */
	COUNTER_CHECKSUM_VALID,        /* checked on the way here */
	COUNTER_GSO,                   /* several segments in one */
	COUNTER_STAMPED_SOFTWARE,      /* by the stack on arrival; else at the copy into the ring */
	COUNTER_STAMPED_HARDWARE,
	COUNTER_COUNT_,
	COUNTER_SAID_COUNT = COUNTER_COUNT_ - COUNTER_SAID,
};

struct counters {
	uint64_t value[COUNTER_COUNT_];
};

/* The name as SPEC section 7 spells it, such as "truncated_snaplen"; never NULL below COUNT_. */
const char *counter_name(enum counter counter);

/* Add every counter of `more` to `sum`. */
void counters_add(struct counters *sum, const struct counters *more);

/* Seen, and still in the ring: what the others leave; negative only where the books are wrong. */
int64_t counters_waiting(const struct counters *counters);

/* Whether the books of a drained worker balance: nothing staged, nothing waiting. */
bool counters_are_settled(const struct counters *counters);
