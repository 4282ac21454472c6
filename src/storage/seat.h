/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "config/config.h"
#include "ledger/ledger.h"

/* A file that has been given its name. */
struct finished_file {
	const char *name; /* relative to the output directory */
	const struct ledger_segment *segment;
	uint64_t number;             /* of the finished files of this record, from 1 */
	uint64_t bytes;              /* its size */
	uint64_t dropped, discarded; /* while it was open */
};

/* Who hears of what becomes of files. */
struct writer_events {
	/* Perhaps twice of one file, by its number, where a life is killed while it tells. */
	void (*finished)(void *user, const struct finished_file *file);
	void (*refused)(void *user, int error, const char *what); /* once, until it works again */
	void (*works)(void *user);
	void *user;
};

/* Where a writer sits: what it is for, and what outlives it. */
struct writer_seat {
	const struct output_config *output;
	const char *sensor, *interface;
	const char *application; /* what writes the file; NULL: not said, as with the next */
	const char *filter;      /* that packets have passed, for who reads the file */
	uint32_t worker;
	uint32_t link_type; /* LINKTYPE_ */
	uint32_t snaplen;
	uint32_t longest; /* frame on the wire; a longer one is several */
	int directory;    /* the output directory; stays the caller's, as the next */
	int stage;        /* a file of output->stage bytes */
	struct ledger_worker *record;
	struct writer_events events;
};
