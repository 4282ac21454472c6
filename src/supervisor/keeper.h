/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "ledger/ledger.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The service manager's descriptor store: where a ring socket outlives the supervisor.  Every call
 * does nothing where there is no service manager.  Source: sd_notify(3), FDSTORE and below.
 */

/* Which ring a descriptor is. */
struct keeper_ring {
	char interface[LEDGER_INTERFACE_LENGTH];
	uint32_t generation, worker;
};

enum { KEEPER_NAME_SIZE = 256 };

/* The name in the store: ring.INTERFACE.GENERATION.WORKER. */
void keeper_name(char name[KEEPER_NAME_SIZE], const struct keeper_ring *ring);

/*
 * Read a name from the right, since an interface's may have dots.  Returns 0, or -EINVAL for a name
 * that is none of ours.
 */
int keeper_parse(const char *name, struct keeper_ring *ret_ring);

/* What came back from the store. */
struct keeper;

/* Whether this process was started with any ring of ours.  To be asked before keeper_open(). */
bool keeper_finds_rings(void);

/*
 * Take over the descriptors that this process was started with; once in a life.  What is none of
 * ours is closed and taken out of the store.  Logs.  Returns 0 or a negative errno.
 */
int keeper_open(struct keeper **ret_keeper);

/* How many descriptors came back and were not claimed; NULL is none. */
size_t keeper_count(const struct keeper *keeper);

/* The descriptor of a ring, which is the caller's from here on; -1 where it is not there. */
int keeper_claim(struct keeper *keeper, const struct keeper_ring *ring);

/* Close what nobody claimed, and take it out of the store, with a word for each; free.  Logs. */
void keeper_drop(struct keeper *keeper);

/* Close what nobody claimed, and leave it in the store; NULL is allowed. */
void keeper_free(struct keeper *keeper);

/*
 * Put a descriptor into the store, whatever becomes of its link (FDPOLL=0), or take it out again.
 * Neither waits; keeper_settle() does.
 */
void keeper_store(const struct keeper_ring *ring, int fd);
void keeper_remove(const struct keeper_ring *ring);

/*
 * Whether a store of so many descriptors holds those of so many workers, and of others that take
 * over from them before they are gone.  Logs where it does not.
 */
bool keeper_holds(uint32_t size, uint64_t workers);

/* Whether there is room in it for those that come beside those that are kept.  Logs where not. */
bool keeper_has_room(uint32_t size, uint64_t kept, uint64_t coming);

/*
 * Wait until the service manager has taken in what was sent to it, for five seconds at most.
 * Returns 0 or a negative errno.
 */
int keeper_settle(void);
