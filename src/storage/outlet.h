/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "storage/encoder.h"
#include "storage/losses.h"
#include "storage/seat.h"
#include "storage/segment.h"
#include "storage/stage.h"

/*
 * The way out of the stage: one capture file after the other, each begun, filled and finished so
 * that a kill between any two instructions loses and doubles nothing (DESIGN section 4).  What a
 * step is about to do is committed before it is done.  Every call may block on the disk.
 */
struct outlet {
	struct writer_seat seat;
	struct stage *stage;
	struct encoder *encoder;    /* of the open file, or of the next; NULL: no compression */
	struct segment *segment;    /* the open file, or the closing one; NULL: none */
	struct ledger_commit books; /* what the ledger will say with the next commit */
	uint8_t aside[PCAPNG_HEAD_MOST]; /* for what is compressed, and is no block of packets */
	uint64_t tailed;                 /* up to here the open file reads well */
	struct losses losses;            /* what a pcapng tells of them */
	uint64_t retry_ns; /* when refused: when to try again, on the monotonic clock */
};

/*
 * Map the stage, and go on where the record says that an earlier life stopped: its open file is
 * open again, one that it was about to finish is finished.  Returns 0 or a negative errno.
 */
int outlet_open(struct outlet *outlet, const struct writer_seat *seat);

/* How many bytes of the file so many may become. */
uint64_t outlet_bound(const struct outlet *outlet, uint64_t size);

/*
 * Bring bytes into the stage, compressed where the file is, at `filled`, where there is room for
 * the bound.  Returns how many they are there, or 0, told, where the library fails.
 */
uint64_t outlet_encode(struct outlet *outlet, const uint8_t *from, uint64_t size);

/* Leave everything as it stands, for whoever goes on. */
void outlet_close(struct outlet *outlet);

/* Write the books to the ledger; neither blocks nor fails. */
void outlet_commit(struct outlet *outlet);

/*
 * Begin a file whose first packet has this stamp, its header staged.  Returns 0, or a negative
 * errno after which packets are refused for a while.
 */
int outlet_begin(struct outlet *outlet, uint64_t first_ns, uint64_t utc_ns);

/* Whether the storage took the last that was offered, or it is time to try it again. */
bool outlet_may_try(const struct outlet *outlet, uint64_t now_ns);

/*
 * Write what is whole in units of the disk; its bytes never change again.  Returns 0, or a negative
 * errno: then what was staged is discarded, and there is no file any more.
 */
int outlet_flush(struct outlet *outlet);

/* Let the file read well up to its last packet, though that is no whole unit.  As outlet_flush().
 */
int outlet_flush_tail(struct outlet *outlet);

/* Finish the file, if there is one: the rest of the stage written, its own name given. */
void outlet_finish(struct outlet *outlet, enum ledger_cause cause);
