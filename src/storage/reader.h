/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "packet.h"
#include "storage/source.h"

/*
 * The packets of a capture file: pcap with microseconds or nanoseconds and pcapng, each in both
 * byte orders, as it is or compressed by lz4 or zstd, from a file or from a pipe.  Whatever is
 * wrong with the bytes ends the reading with a fault that names the place, after all packets that
 * stand before it.  Logs nothing.
 */
struct reader;

/* A packet, and what its file says of it. */
struct reader_record {
	struct packet packet; /* its bytes are lent until the next call */
	uint32_t link_type;   /* LINKTYPE_, without what else stands in that word of the file */
	bool has_time;        /* pcapng has packets without a stamp; their time_ns is 0 */
};

/* Read from a descriptor, which stays the caller's.  Returns 0 or -ENOMEM. */
int reader_open(struct reader **ret_reader, int fd);

/* Have a function called before each read that may block. */
void reader_on_wait(struct reader *reader, source_wait *wait, void *context);

/*
 * The next packet: 1, 0 at the end, -EBADMSG where the file is damaged or none that is known, or
 * the negative errno of what failed to be read.  What is not 1 stays so.
 */
int reader_next(struct reader *reader, struct reader_record *ret_record);

/* What is wrong, after -EBADMSG: such as "ends within a packet". */
const char *reader_fault(const struct reader *reader);

/*
 * Where in the file, or in what a compressed one holds, the first byte lies that is not in any
 * packet returned, nor a header.
 */
uint64_t reader_offset(const struct reader *reader);

/* NULL is allowed. */
void reader_close(struct reader *reader);
