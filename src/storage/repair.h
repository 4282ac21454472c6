/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * An unfinished file becomes a finished one: what stands behind its last whole packet is cut off,
 * and it is given its name.  Of a compressed file what stands behind the last whole frame is cut;
 * what packets can be read of that are put into a frame of their own in its place.  No whole packet
 * is ever cut, no file overwritten, and none touched
 * that somebody has open.  Logs nothing.
 */

/* What became of a file, or would. */
enum repair_verdict {
	REPAIR_DONE,      /* it has its final name */
	REPAIR_NO_PACKET, /* there is no whole packet in it, nor anything else; left unless wished
			   */
	REPAIR_DAMAGED,   /* left: packets go on behind a damaged place */
	REPAIR_FOREIGN,   /* left: it does not begin as a capture file does */
	REPAIR_HELD,      /* left: its writer has it, or will go on with it */
	REPAIR_VERDICT_COUNT_,
};

struct repair_report {
	enum repair_verdict verdict;
	const char *fault;          /* what ends the packets; "" where the file ends with one */
	uint64_t size, whole;       /* bytes found, and up to the end of the last whole packet; of a
				       compressed file, of the last whole frame */
	uint64_t added;             /* bytes of a frame that is put there, of packets that can be
				       read of one that is not whole */
	uint64_t next;              /* where packets go on behind that, 0: nowhere */
	uint64_t packets;           /* whole ones, in front of that, and in what is added */
	uint64_t moved;             /* of these, in what is added */
	uint64_t first_ns, last_ns; /* the least and greatest stamp of them */
	uint64_t inode;
	uint32_t number; /* of the -N that its name got, where others have the plain one; 0: none */
};

struct repair_wish {
	bool removes_empty; /* a file without a packet goes */
	bool dry_run;       /* only say what would be done; the file is opened for reading alone */
	/* Whether somebody will go on with a file that nobody has open; NULL: nobody. */
	bool (*is_claimed)(void *user, uint64_t inode);
	void *user;
};

/*
 * Repair NAME.part in a directory, NAME being without a folder and ending as a capture file.  Reads
 * all of it, so that it may block for long.  Returns 0 with a report, -EINVAL for another name, or
 * the negative errno of what failed: -ENOENT, -ELOOP for a link, -EMEDIUMTYPE for no regular file.
 */
int repair_file(int directory, const char *name, const struct repair_wish *wish,
    struct repair_report *ret_report);

/* The verdict's name, such as "no_packet". */
const char *repair_verdict_name(enum repair_verdict verdict);
