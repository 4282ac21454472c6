/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A pcap or pcapng file, mapped: a reader of the tests' own, so that what the daemon writes is not
 * judged by the daemon's code.
 */
struct pcap_file {
	const uint8_t *bytes;
	size_t size;
	size_t offset; /* of the next record */
	bool swapped;
	bool nanoseconds;
	bool is_pcapng;     /* of one section and one interface, as ours are */
	uint32_t link_type; /* the whole word, with what stands above the low 16 bits */
};

struct pcap_record {
	const uint8_t *bytes; /* in the mapping */
	uint32_t captured;
	uint32_t length;
	uint64_t time_ns;
};

/* Map a file and read its header.  -EBADMSG where that is none.  The mapping is kept for good. */
int pcap_file_open(const char *path, struct pcap_file *ret_file);

/* 1 with the next record, 0 at the end, -EBADMSG where what follows is no whole record. */
int pcap_file_next(struct pcap_file *file, struct pcap_record *ret_record);
