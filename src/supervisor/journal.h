/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdint.h>

/*
 * The events that SPEC section 6 lists: each with its priority and its MESSAGE_ID, in one table.
 */
enum event {
	EVENT_STARTED,
	EVENT_STOPPING,
	EVENT_STOPPED,
	EVENT_DROPS,
	EVENT_LINK,
	EVENT_DEVICE,
	EVENT_DEVICE_DROPS,
	EVENT_DEVICE_CLOCK,
	EVENT_UNSTAMPED,
	EVENT_STORAGE_REFUSED,
	EVENT_STORAGE_WORKS,
	EVENT_WORKER_DIED,
	EVENT_TOOK_OVER,
	EVENT_WORKER_STARTED_AGAIN,
	EVENT_INTERFACE_WAITING,
	EVENT_INTERFACE_DOWN,
	EVENT_INTERFACE_GONE,
	EVENT_INTERFACE_BACK,
	EVENT_FILE_FINISHED,
	EVENT_RELOADED,
	EVENT_RELOAD_REFUSED,
	EVENT_LAST_GOOD,
	EVENT_IMBALANCE,
	EVENT_ONE_SIDED,
	EVENT_BLOCK_DAMAGED,
	EVENT_BLOCK_SET_ASIDE,
	EVENT_WORKER_FROZEN,
	EVENT_PATIENCE,
	EVENT_FILE_REPAIRED,
	EVENT_FILE_LEFT,
	EVENT_FILE_EXPIRED,
	EVENT_RETENTION_SHORT,
	EVENT_GAP,
	EVENT_CLOCK_STEP,
	EVENT_COUNT_,
};

/* What an entry is about, as its FANCAP_ fields; what is NULL does not apply. */
struct journal_about {
	const char *interface;
	const uint32_t *worker;
	const char *file;
	const char *cause;
	const char *from, *until; /* of a gap or a step, as clock_text() has them */
	const uint64_t *packets, *bytes, *drops, *drops_total, *discards, *freezes;
	const uint64_t *block, *waiting; /* a ring block's number; blocks that wait */
};

/* Write one entry.  Logs. */
void journal_event(enum event event, const struct journal_about *about, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* FANCAP_CAUSE for an error of the storage: "enospc", "erofs", else "eio". */
const char *journal_storage_cause(int error);
