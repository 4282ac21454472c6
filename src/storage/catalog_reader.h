/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
	CATALOG_FILE_LENGTH = 512,
	CATALOG_INTERFACE_LENGTH = 64,
	CATALOG_SENSOR_LENGTH = 64,
	CATALOG_CAUSE_LENGTH = 16,
	CATALOG_SHA256_LENGTH = 65,
};

/* One finished file, as a line of catalog.jsonl has it. */
struct catalog_line {
	char file[CATALOG_FILE_LENGTH]; /* relative to the output directory */
	char sensor[CATALOG_SENSOR_LENGTH];
	char interface[CATALOG_INTERFACE_LENGTH];
	char cause[CATALOG_CAUSE_LENGTH];
	char sha256[CATALOG_SHA256_LENGTH]; /* "": none was asked for */
	uint64_t worker, inode;
	uint64_t packets, bytes, dropped, discarded;
	uint64_t first_ns, last_ns, closed_ns; /* since the epoch */
	const char *text;                      /* the line as it stands, with its end; borrowed */
	size_t length;
};

/*
 * What a line says.  Returns 0, -EBADMSG for what is none of ours, or -ENOMEM; *ret_line is written
 * only on 0, and borrows the text.
 */
int catalog_line_read(struct catalog_line *ret_line, const char *text, size_t length);

/*
 * Reads catalog.jsonl from a place in it on.  A line that is not whole yet, as one is that is just
 * being written, is left for a later reader.
 */
struct catalog_reader {
	FILE *file;
	uint64_t inode; /* of the catalog: one that was compacted is another */
	uint64_t place; /* behind the last line that was read, or passed over */
	char *text;     /* of the last line */
	size_t room;
	uint64_t bad; /* lines that are none of ours, and were passed over */
};

/* Begin at a place.  Returns 0, -ENOENT where there is no catalog, or another negative errno. */
int catalog_reader_open(struct catalog_reader *ret_reader, int directory, uint64_t place);

/* Step to the next line.  Returns 1, 0 at the end, or a negative errno. */
int catalog_reader_next(struct catalog_reader *reader, struct catalog_line *ret_line);

void catalog_reader_close(struct catalog_reader *reader);
