/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "ledger/counters.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The ledger: a file of fixed layout in the runtime directory, mapped by the daemon and by the
 * tools.  What must outlive a worker is here and in the stage.
 *
 * A header; one record for each interface and one for each slot, written by the supervisor; one
 * record for each slot's worker, written by that worker alone, but for `entered` (by the supervisor
 * once the worker is reaped).  Fields that stand alone are read and written as atomics; what
 * belongs together is in the commit record, kept twice.
 *
 * A program that finds a ledger of another version cannot go on with it, but finishes the files
 * that it names (ledger/salvage.h).  So what is marked "fixed" below keeps its place and meaning in
 * every version from 2 on; what is new goes behind it, and raises LEDGER_VERSION.
 */

enum {
	LEDGER_VERSION = 6,
	LEDGER_NAME_LENGTH = 512, /* of a file, relative to the output directory, with its NUL */
	LEDGER_PATH_LENGTH = 1024,
	LEDGER_STAGE_LENGTH = 128,
	LEDGER_INTERFACE_LENGTH = 64,
	LEDGER_MARKS = 64,
	LEDGER_FINISHED = 16,
};

/* As SPEC section 7 names them. */
enum ledger_state {
	STATE_WAITING,
	STATE_STARTING,
	STATE_ARMED,
	STATE_RUNNING,
	STATE_STOPPING,
	STATE_GONE,
	STATE_FROZEN, /* killed, but does not end */
	STATE_COUNT_,
};

/* What sockets and stages are made by for ever: who goes on with them agrees in all. */
struct ledger_terms {
	uint64_t stage_size;                   /* of one stage */
	uint64_t link, timestamp, promiscuous; /* of a socket */
	uint64_t fanout, rollover;             /* of a group: what cannot be changed */
};

/* What one ring is made by. */
struct ledger_ring {
	uint64_t memory, block_size, retire_timeout_ns;
};

/* The slots of one generation of an interface's workers, in worker order. */
struct ledger_run {
	uint32_t first, count;
};

/*
 * How far a change of an interface's workers is (supervisor/change.h).  Until it is CHANGE_MOVES,
 * whoever finds it undoes it; from there on, goes on with it.
 */
enum ledger_change {
	CHANGE_NONE,
	CHANGE_OPENS,   /* the next generation joins, and is sent nothing */
	CHANGE_MOVES,   /* all is sent to the next, and the one that serves gives way */
	CHANGE_SETTLES, /* that one is gone; the next is about to be the one that serves */
};

/* Fixed, down to `output`. */
struct ledger_header {
	char magic[8]; /* "fancapL" */
	uint32_t version;
	uint32_t header_size; /* each record lies at a multiple of its size behind its first */
	uint32_t interface_count, interface_size;
	uint32_t slot_count, slot_size;
	uint32_t worker_count, worker_size; /* as many as slots */
	uint64_t interfaces_at, slots_at, workers_at;
	uint64_t size;                   /* of the whole file */
	char sensor[40];                 /* NUL-terminated */
	uint32_t copies_at;              /* of the commit record in a worker's record */
	uint32_t copy_size;              /* from the first copy to the second */
	char output[LEDGER_PATH_LENGTH]; /* the output directory, which names of files begin in */
	_Atomic uint32_t pid;            /* of the supervisor; 0 once it has ended in order */
	_Atomic uint32_t state;          /* enum ledger_state of the sensor */
	_Atomic uint64_t started_utc_ns;
	_Atomic uint32_t imbalance;    /* 1 once books did not balance */
	_Atomic uint32_t refuses_file; /* 1 while the configuration file, as it was read last, is
					  not what is in force */
	struct ledger_terms terms;
};

struct ledger_interface {
	char name[LEDGER_INTERFACE_LENGTH];
	uint32_t first_slot, slot_count; /* all that may ever be its own */
	_Atomic uint32_t state;
	_Atomic uint64_t nic_dropped;
	_Atomic uint32_t link_type; /* LINKTYPE_ of its files, as its workers were started */
	_Atomic uint32_t change;    /* enum ledger_change */
	_Atomic uint32_t front;     /* slot of the member that the kernel has as number 0, + 1;
				       0: not known */
	struct ledger_run serving;  /* written only where change says that it may be torn */
	struct ledger_run next;     /* of a change */
	_Atomic uint32_t is_used;   /* 0: not of the sensor, or not any more, but what it counted is
				       in the sums (ledger/roster.h) */
};

struct ledger_slot {
	uint32_t interface; /* which record above */
	uint32_t worker;    /* number within the interface */
	_Atomic uint32_t pid;
	_Atomic uint32_t state;
	_Atomic uint32_t generation;
	_Atomic uint64_t born_ns; /* its socket, on the monotonic clock */
	_Atomic uint32_t is_used; /* 0: of no worker, but its counters are in the sums */
	_Atomic uint64_t takeovers;
	_Atomic uint64_t gaps;
	_Atomic uint64_t restarts;
	_Atomic uint64_t told_drops;         /* how many of them the journal has */
	_Atomic uint64_t packets_per_second; /* over the last report interval, offered */
	_Atomic uint64_t bytes_per_second;   /* over the last report interval, written */
	struct ledger_ring ring;             /* that its worker was given */
	_Atomic uint32_t member; /* of the fanout group: its number there, + 1 (ledger/members.h);
				    0: it is none */
};

/* The kernel's answer to PACKET_STATISTICS, which goes straight here (capture/ring.h). */
struct ledger_statistics {
	uint32_t packets, drops, freezes;
};

/* Where packets end in the stage; all counts are of this mark alone. */
struct ledger_mark {
	uint64_t end; /* stream offset behind its last byte */
	uint64_t packets;
	uint64_t bytes; /* captured */
	uint64_t truncated_snaplen;
	uint64_t truncated_block;
};

/* Why a file is finished; written in the catalog as ledger_cause_name() spells it. */
enum ledger_cause {
	CAUSE_ROTATED,
	CAUSE_STOPPED,
	CAUSE_REPAIRED,
	CAUSE_COUNT_,
};

/* A file on its way; name[0] is 0 where there is none.  Fixed. */
struct ledger_segment {
	char name[LEDGER_NAME_LENGTH]; /* relative; the file has .part behind it */
	uint32_t number;               /* N of the -N that the name ends with; 0: none */
	uint32_t final_number;         /* of the name that it gets, where others took this one */
	uint32_t cause;                /* enum ledger_cause, once closing */
	uint64_t inode;                /* 0: the name is meant, the file not yet made */
	uint64_t start;                /* stream offset of its first byte */
	uint64_t end;                  /* stream offset behind its last byte, once closing */
	uint64_t packets;              /* committed to it */
	uint64_t first_ns, last_ns;    /* least and greatest stamp */
	uint64_t begun_utc_ns;         /* for the rotation's interval */
	uint64_t dropped_before, discarded_before; /* the counters when it was begun */
};

/* The commit record: see DESIGN, "Exactly once".  Fixed, down to `closing`. */
struct ledger_commit {
	uint64_t flushed; /* stream offsets: flushed <= filled <= flushed + size */
	uint64_t filled;
	uint64_t whole; /* end of the last mark that is wholly flushed, where a file may be cut */
	struct ledger_segment open, closing;
	uint64_t ring_cookie;     /* SO_COOKIE; block numbers are valid only with it */
	uint64_t block_number;    /* seq_num of the last ring block done */
	uint32_t statistics_slot; /* the one whose content is in the counters */
	uint32_t mark_count;
	struct counters counters;
	struct ledger_mark marks[LEDGER_MARKS];
};

/* Fixed, and where the commit begins. */
struct ledger_copy {
	_Atomic uint64_t sequence; /* 0: not valid */
	uint64_t length;           /* of the commit that the sum is of: most marks are empty */
	uint64_t sum;              /* see commit.c */
	struct ledger_commit commit;
};

/* Whose stage lies where, written by the supervisor; file[0] is 0 where there is none.  Fixed. */
struct ledger_stage {
	char file[LEDGER_STAGE_LENGTH]; /* in the ledger's own directory */
	char interface[LEDGER_INTERFACE_LENGTH];
	uint64_t size;
	uint32_t worker;
	uint32_t unused;
};

/* A file that has its final name, on its way to the catalog (ledger/finished.h). */
struct ledger_finished {
	uint64_t sum;    /* as that of a commit, of all that follows */
	uint64_t number; /* of the worker's finished files, from 1 */
	char name[LEDGER_NAME_LENGTH];
	uint64_t inode, packets, bytes; /* bytes: the file's size */
	uint64_t first_ns, last_ns, closed_ns;
	uint64_t dropped, discarded; /* while it was open */
	uint64_t cause;              /* enum ledger_cause */
};

struct ledger_worker {
	struct ledger_stage stage;     /* fixed */
	_Atomic uint64_t heartbeat_ns; /* CLOCK_MONOTONIC */
	_Atomic uint32_t in_storage;   /* 1 before a storage call that may block, 0 after */
	_Atomic uint32_t refused;      /* 1 once it is told that the storage refuses, 0 once it is
					  told that it works again, perhaps by a later life */
	_Atomic uint32_t leased;       /* low half of the number of the block in hand; 0: none */
	_Atomic uint32_t file_terms;   /* that the open file was begun by: twice the snaplen, and 1
					  more for microseconds; 0: not known */
	_Atomic uint64_t blocks;       /* committed since the process started */
	struct ledger_statistics statistics[2];
	_Atomic uint64_t entered; /* the supervisor's word: up to this number files are in the
				     catalog */
	struct ledger_finished finished[LEDGER_FINISHED]; /* each at its number modulo this */
	struct ledger_copy copies[2];
};

struct ledger;

/* What a new ledger is for. */
struct ledger_shape {
	const char *sensor;
	size_t interface_count;
	const struct ledger_shape_interface {
		const char *name;
		size_t workers;
		size_t spare; /* slots that others may take later */
	} * interfaces;
	const char *output; /* the output directory; NULL: not said */
	struct ledger_ring ring;
	bool is_fixed; /* workers and rings are as they are, for as long as the sensor lives */
	struct ledger_terms terms;
	size_t spare_interfaces; /* records that others may take later */
	size_t spare_slots;      /* of each of these */
};

/*
 * Make a ledger as `ledger` in the directory, in place of one that is there, mode 0640, its space
 * taken with posix_fallocate, mapped shared and prefaulted.  Every process forked later shares it.
 * Returns 0, or the failed call's negative errno.
 */
int ledger_create(struct ledger **ret_ledger, int directory, const struct ledger_shape *shape);

/*
 * Map the ledger that is there, for reading.  Returns 0, -ENOENT where there is none, -EBADMSG for
 * one that does not hold together (every offset and count is checked against the file's size).
 */
int ledger_open(struct ledger **ret_ledger, int directory);

/*
 * Map the ledger that an earlier life of the daemon left, to go on with it: shared with every
 * process forked later, as a new one is.  Workers and rings may be others than those of the shape,
 * where that does not say that they are fixed.  Returns 0, -ENOENT where there is none, -EBADMSG
 * for one that does not hold together, is not sound or is not this user's own, -ESTALE for one of
 * another shape.
 */
int ledger_adopt(struct ledger **ret_ledger, int directory, const struct ledger_shape *shape);

/*
 * Whether what its records say of interfaces and slots can be gone on with: they have no sum, and a
 * life that goes by damaged ones fails, and so does each that follows it.
 */
bool ledger_is_sound(const struct ledger *ledger);

/*
 * Whether a start goes on with one that is sound: its terms are the shape's, and so are its workers
 * and rings, or they may be changed to these, and there is room for that, and for interfaces that
 * it has not.  Those that the shape has not are in no one's way.
 */
bool ledger_is_of_shape(const struct ledger *ledger, const struct ledger_shape *shape);

/*
 * Keep it out of the swap.  The kernel clears its statistics as it copies them here: a copy that
 * had to wait for the swap, and was ended there by SIGKILL, would have lost them.  One lock, the
 * supervisor's, holds the pages for every process that maps them.  Returns 0, or the negative errno
 * of mlock(2), mostly for RLIMIT_MEMLOCK.
 */
int ledger_lock(const struct ledger *ledger);

/*
 * Unmap all but one record, in the process that writes that one: it cannot spoil another's books.
 * Nothing else of the ledger may be asked for from then on.  Returns 0 or a negative errno.
 */
int ledger_keep_only(const struct ledger *ledger, const struct ledger_worker *worker);

/*
 * Map the ledger that is there, to finish what it names, whatever its shape.  Returns 0, -ENOENT,
 * -EBADMSG for one of another version or that does not hold together, or -EPERM for one that is
 * not this user's own.
 */
int ledger_take(struct ledger **ret_ledger, int directory);

/* Unmap; NULL is allowed. */
void ledger_close(struct ledger *ledger);

struct ledger_header *ledger_header(const struct ledger *ledger);
struct ledger_interface *ledger_interface(const struct ledger *ledger, size_t index);
struct ledger_slot *ledger_slot(const struct ledger *ledger, size_t index);
struct ledger_worker *ledger_worker(const struct ledger *ledger, size_t slot);

/*
 * Slots of an interface, side by side, that no worker uses.  Returns 0, or -ENOSPC where there are
 * not so many.
 */
int ledger_find_run(const struct ledger *ledger, const struct ledger_interface *interface,
    size_t count, struct ledger_run *ret_run);

/* The workers that all is sent to, also in the middle of a change. */
const struct ledger_run *ledger_last_run(const struct ledger_interface *interface);

/* Give them to workers 0 and up, or to none. */
void ledger_take_run(
    const struct ledger *ledger, const struct ledger_run *run, const struct ledger_ring *ring);
void ledger_free_run(const struct ledger *ledger, const struct ledger_run *run);

/*
 * Give each the generation behind the last that the interface has: it is in a socket's name in the
 * descriptor store, and no two of a worker's number may be the same.
 */
void ledger_number_run(const struct ledger *ledger, const struct ledger_interface *interface,
    const struct ledger_run *run);

/* Store a commit over the older copy; one writer at a time.  Does not block. */
void ledger_commit_write(struct ledger_worker *worker, const struct ledger_commit *commit);

/*
 * Copy the newest commit out, without a lock, from any process.  Returns 0, -ENODATA where there
 * is none yet, -EBADMSG where its bytes are not what was written, or -EAGAIN after many tries
 * against a writer that kept changing it.
 */
int ledger_commit_read(const struct ledger_worker *worker, struct ledger_commit *ret_commit);

/*
 * Whether one of both copies of a worker that does not run is neither what was written nor one that
 * a kill met halfway.
 */
bool ledger_commit_is_damaged(const struct ledger_worker *worker);

/*
 * Begin the record of a worker anew that was reaped, and whose newest commit is damaged or cannot
 * be gone on with: no file, nothing staged.  It counts on from what is whole; what that had staged
 * is discarded.
 */
void ledger_begin_anew(struct ledger_worker *worker);

/* What stands as `sum` in a copy of this number, for so many bytes of its commit.  Pure. */
uint64_t ledger_commit_sum(uint64_t number, const void *bytes, size_t length);

/* The slot for the kernel's next answer to PACKET_STATISTICS: zeroed, and not in the counters. */
struct ledger_statistics *ledger_statistics_free_slot(struct ledger_worker *worker);

/*
 * Take what a slot holds into the counters of a commit, and name the slot in it.  The caller writes
 * the commit, then calls ledger_statistics_clear(): so a kill between any two steps counts it once.
 */
void ledger_statistics_add(const struct ledger_worker *worker, struct ledger_commit *commit);
void ledger_statistics_clear(struct ledger_worker *worker, const struct ledger_commit *commit);

/*
 * Close the books of a worker that was reaped: what it had read of the statistics is counted, and
 * what then still is in its ring is discarded.  Returns how many packets that were.
 */
uint64_t ledger_settle(struct ledger_worker *worker);

/* The cause's name, such as "rotated". */
const char *ledger_cause_name(enum ledger_cause cause);

/* The state's name, such as "running". */
const char *ledger_state_name(enum ledger_state state);
