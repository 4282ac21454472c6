/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdint.h>

/*
 * What supervisor and worker say to each other: plain data of fixed size, one message a datagram.
 */
enum message_kind {
	/* To a worker. */
	MESSAGE_JOIN,     /* value: the fanout group to join, -1 to begin one */
	MESSAGE_RUN,      /* the real filter is in place: from here on packets count */
	MESSAGE_MTU,      /* value: the interface's from now on */
	MESSAGE_SETTINGS, /* settings, in text output.name and in file.name capture.filter, unless
			   * that is too long, from now on; value: 1 where the next file begins
			   * with them */
	MESSAGE_ROTATE,   /* finish the file, begin another with the next packet */
	MESSAGE_STOP,     /* nothing new arrives: drain, finish, leave */

	MESSAGE_ENTERED, /* the file that was told of is in the catalog */
	MESSAGE_CURATE,  /* retain, and in number the bytes of files that are open; value: 1 where
			  * the clock is to be trusted */

	/* From a worker. */
	MESSAGE_MAPPED,    /* the ring is there */
	MESSAGE_JOINED,    /* value: the group; the socket still refuses everything */
	MESSAGE_TOOK_OVER, /* number: the next block, value: so many wait; error: -ESTALE where the
			    * ledger did not know its place in the ring */
	MESSAGE_LOST,      /* error, text: the ring that was there cannot be taken over */
	MESSAGE_FAILED,    /* error, text: a step of the opening, with cause and remedy */
	MESSAGE_FINISHED,  /* a file has its final name, and stands in the record; file: after an
			    * earlier life, where its catalog lacks it; no inode: not for ours */
	MESSAGE_REFUSED,   /* error, text: the storage refuses data since now */
	MESSAGE_WORKS,     /* the storage takes data again */
	MESSAGE_DAMAGED,   /* value: packets that a block should hold, and does not */
	MESSAGE_SET_ASIDE, /* number: a block that two have died of; value: packets that it held;
			    * file.name: where its bytes are; error: why they are nowhere */
	MESSAGE_REPAIRED,  /* file: has its final name, after an earlier life; text: what was done;
			    * value: its worker's number; no inode: not for the catalog */
	MESSAGE_REMOVED,   /* file.name: had no packet; text: what it was */
	MESSAGE_LEFT,      /* file.name, text: cannot be finished, and why */
	MESSAGE_HEARD,     /* what it was told to curate by */
	MESSAGE_EXPIRED,   /* file.name, file.bytes: removed by retention; text: by which bound */
	MESSAGE_SHORT,     /* text: a bound of retention cannot be kept, and why */
	MESSAGE_ENOUGH,    /* they are kept again */
	MESSAGE_STOPPED,   /* drained; the process ends after this */
	MESSAGE_COUNT_,
};

enum {
	MESSAGE_NAME_LENGTH = 512,
	MESSAGE_TEXT_LENGTH = 512,
	MESSAGE_INTERFACE_LENGTH = 64,
};

/* A finished file, as the catalog wants it. */
struct message_file {
	char name[MESSAGE_NAME_LENGTH]; /* relative to the output directory */
	char cause[16];
	char interface[MESSAGE_INTERFACE_LENGTH]; /* where an earlier life left it; else empty */
	uint64_t inode;
	uint64_t packets, bytes; /* bytes: the file's size */
	uint64_t first_ns, last_ns, closed_ns;
	uint64_t dropped, discarded; /* while it was open */
};

/* What of a configuration a worker goes by, and a reload may change. */
struct message_settings {
	uint64_t rotate_size, rotate_interval, rotate_packets;
	uint32_t snaplen, resolution, sync, format, compression, level;
};

/* What retention goes by: output.retain, and what the files that are open may come to. */
struct message_retain {
	uint64_t size, age, files, free;
	uint64_t open_files, rotate_size;
	uint64_t after_close; /* 1: what output.on_close is not done with stays */
	uint64_t finished;    /* files so far: with another there is something to do */
};

struct message {
	uint32_t kind; /* enum message_kind */
	uint32_t value;
	int32_t error; /* negative errno */
	uint64_t number;
	char text[MESSAGE_TEXT_LENGTH];
	struct message_settings settings;
	struct message_retain retain;
	struct message_file file;
};

/* The kind's name for a log line, "unknown" for what is none. */
const char *message_name(uint32_t kind);
