/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "tool/passage.h"

#include <stdio.h>

/*
 * What `fancap ring --measure` found, for people and for machines.  Pure but for the output.
 */
enum { COMPARISON_ROW_COUNT = 8 };

struct comparison_row {
	bool is_transmit;     /* else it is the receiving end that is compared */
	unsigned int version; /* of the ring; 0: none */
	struct passage_result fast, paced;
};

struct comparison {
	struct geometry geometry;
	uint32_t packet_size;
	uint64_t rate; /* of the paced passages, packets a second */
	uint64_t took_ns;
	int transmit_cpu, receive_cpu; /* -1: not pinned */
	struct comparison_row rows[COMPARISON_ROW_COUNT];
};

/* The table, with what it was measured on and what its columns mean. */
void comparison_print(FILE *to, const struct comparison *comparison);

/* The same in one line of JSON; a number for a packet is null where there was none. */
void comparison_print_json(FILE *to, const struct comparison *comparison);
