/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "storage/writer.h"

/*
 * A writer without a worker: an output directory, a stage and a record of its own, and blocks whose
 * packets hold their numbers.  Record, stage and `shared` outlive a process that is forked and
 * killed.
 */
enum {
	STAND_STAGE = 64 * 1024,
	STAND_PACKET = 100,      /* bytes of a packet */
	STAND_BLOCK_MOST = 1000, /* packets of a block */
	STAND_FILES = 512,
	STAND_START = 1700000000, /* seconds since the epoch, of every packet */
};

struct stand_file {
	char name[LEDGER_NAME_LENGTH];
	uint64_t number, inode, packets, bytes;
};

struct stand_shared {
	uint64_t kernel_counts;         /* what the kernel would answer to PACKET_STATISTICS */
	uint64_t arrived;               /* greatest block number whose packets it has counted */
	_Atomic unsigned int in_kernel; /* what the kernel does in one step is under way */
	unsigned int finished, refused, works;
	int error;                            /* with which it was refused last */
	char what[80];                        /* and what that was */
	struct stand_file files[STAND_FILES]; /* as they were told */
};

struct stand {
	char directory[128];
	struct output_config output;
	struct writer_seat seat;
	struct stand_shared *shared;
};

/* In a directory of its own below `above`. */
int stand_open(struct stand *stand, const char *above);
void stand_close(struct stand *stand);

/* Forget everything: no files, no record, nothing staged. */
void stand_clear(struct stand *stand);

/* A block with so many packets, as a worker would store it. */
void stand_store(struct stand *stand, struct writer *writer, uint64_t number, unsigned int count);

/* The number in the packets of a block. */
static inline uint64_t stand_value(uint64_t number, unsigned int packet)
{
	return number * STAND_BLOCK_MOST + packet;
}

/*
 * A capture file for reading; of one that is compressed, what it holds, of which each frame must be
 * whole.  Returns a descriptor, or -1.
 */
int stand_open_file(const struct stand *stand, const char *name);

/*
 * Read a capture file to its end.  Returns how many packets it has, or -1 where it is none or is
 * cut; each number is given to `take`, which may be NULL.
 */
int64_t stand_read(const struct stand *stand, const char *name,
    void (*take)(void *user, uint64_t value), void *user);
