/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "storage/append.h"
#include "storage/losses.h"
#include "storage/seat.h"

/*
 * Carries blocks of packets into capture files, each exactly once: records go into the stage, a
 * commit record says so, the stage goes to the file (DESIGN section 4).  What an earlier life of
 * the same worker left in stage and ledger is gone on with.
 */
struct writer;

/* Open, and go on where the record says that an earlier life stopped.  Returns 0 or an error. */
int writer_open(struct writer **ret_writer, const struct writer_seat *seat);
void writer_close(struct writer *writer);

/* Blocks come from this ring from now on, of which block `done` was the last. */
void writer_ring(struct writer *writer, uint64_t cookie, uint64_t done);

/* The ring that the record speaks of, and the number of the last block of it that is done. */
uint64_t writer_last_block(const struct writer *writer, uint64_t *ret_cookie);

/* What seat.longest is from the next block on. */
void writer_set_longest(struct writer *writer, uint32_t longest);

/*
 * What seat.snaplen is from the next file on.  As with what seat.output says of the next, the file
 * that was begun by another must be finished first.
 */
void writer_set_snaplen(struct writer *writer, uint32_t snaplen);

/* What seat.filter is from the next file on; stays the caller's. */
void writer_set_filter(struct writer *writer, const char *filter);

/* Whether packets are put as pcapng has them. */
bool writer_makes_pcapng(const struct writer *writer);

/* To be told in a pcapng, in front of the next block. */
void writer_note(struct writer *writer, enum losses_event event);

/*
 * Begin a block of at most `bytes` in the file and exactly `packets`, of which the first has the
 * stamp; a file that it would fill is finished before.  May block on the disk.
 */
void writer_begin_block(struct writer *writer, struct append *ret_append, uint64_t bytes,
    uint64_t packets, uint64_t first_ns, uint64_t utc_ns);

/*
 * All of the block's packets are put: it becomes what it is in the file, where it is compressed.
 * How large that is is known only now, so that a file that it would fill may be finished here, too.
 * May block on the disk then.
 */
void writer_seal_block(struct writer *writer, struct append *append);

/* Whether a block of at most `bytes` may pass the file's size, so that its size must be exact. */
bool writer_wants_exact(const struct writer *writer, uint64_t bytes);

/* Where the kernel's statistics go, between the beginning and the commit of a block. */
struct ledger_statistics *writer_statistics_slot(struct writer *writer);

/*
 * Commit a block that is sealed, with the statistics; NULL for one without packets.  Its ring block
 * may be given back after this.  May block on the disk where the stage is half full.
 */
void writer_commit_block(
    struct writer *writer, const struct append *append, uint64_t number, uint64_t now_ns);

/* Commit the statistics alone. */
void writer_commit_idle(struct writer *writer);

/* What the clock asks for: the interval's rotation, and the tail of quiet traffic to the disk. */
void writer_tick(struct writer *writer, uint64_t now_ns, uint64_t utc_ns);

/* When writer_tick() is wanted next, on the monotonic clock, if no clock is set meanwhile. */
uint64_t writer_deadline(const struct writer *writer, uint64_t now_ns, uint64_t utc_ns);

/* Everything to the disk, and the file finished; the next packet begins another. */
void writer_finish(struct writer *writer, enum ledger_cause cause);

/* The memory of its stage. */
const void *writer_stage(const struct writer *writer, size_t *ret_size);

const struct counters *writer_counters(const struct writer *writer);
