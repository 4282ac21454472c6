/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "ledger/ledger.h"
#include "storage/pcapng.h"

/*
 * What a pcapng tells of losses, and where.  Drops are known when the kernel's counters are read,
 * which is when the first of the blocks that had filled the ring is carried; they were lost behind
 * the last of these.  So they are told in front of the first block that begins later than that
 * reading.  All else is told at once.  Not kept for a successor, which tells all anew.  Pure.
 */
enum losses_event {
	LOSSES_TAKEOVER = 1 << 0, /* by a successor of the worker */
	LOSSES_GAP = 1 << 1,      /* of a ring that was lost with what was in it */
};

enum { LOSSES_SEEN_MOST = 8 };

struct losses {
	uint64_t dropped, discarded; /* as they are told, as the ledger counts them */
	unsigned int events;         /* to be told */
	/* When more drops were seen, and how many there were then: not told yet.  Where there is
	 * no room for more of these, the next are seen later. */
	struct losses_seen {
		uint64_t at_ns, dropped;
	} seen[LOSSES_SEEN_MOST];
	size_t seen_count;
};

/* Of which file, by which counters. */
struct losses_place {
	const struct ledger_segment *segment;
	const struct counters *counters;
	uint64_t first_ns; /* of the block that follows, or the time of the file's end */
	enum file_resolution resolution;
};

/* Go on from here: these are told, or need not be. */
void losses_begin(struct losses *losses, uint64_t dropped, uint64_t discarded);

/* So many have been dropped, as the kernel's counters say that were read just now. */
void losses_see(struct losses *losses, uint64_t dropped, uint64_t utc_ns);

/*
 * Whether statistics are due in front of a block whose first packet has the stamp; then
 * losses_put() follows.
 */
bool losses_look(
    struct losses *losses, const struct counters *counters, uint64_t first_ns, uint64_t utc_ns);

/*
 * Write the statistics that are due, and hold them for told.  Returns their size; there is room for
 * PCAPNG_STATISTICS_MOST.
 */
size_t losses_put(struct losses *losses, uint8_t *to, const struct losses_place *place);

/* The same at the end of a file, with all that is known by then. */
size_t losses_put_all(struct losses *losses, uint8_t *to, const struct losses_place *place);
