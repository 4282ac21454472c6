/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "capture/capacity.h"

#include <stdio.h>

/*
 * What `fancap ring` says of one ring, for people or for machines (SPEC section 10).
 */
struct ring_report {
	const char *sensor; /* NULL: plain numbers */
	struct ring_config ring;
	uint64_t workers;          /* in all */
	uint64_t sharers;          /* of the interface, which share its rate evenly */
	uint64_t rate;             /* bits a second of the interface; 0: not given */
	uint64_t gap_ns;           /* that a suggestion is to survive */
	struct capacity_load load; /* of one worker */
	uint64_t memory_free;      /* 0: not known */
};

/* The plan of a ring, each rule with its numbers, and what all that means. */
void ring_report_text(FILE *to, const struct ring_report *report);

/* The fields of SPEC section 10, without the brace that ends the object. */
void ring_report_json(FILE *to, const struct ring_report *report);

/* A section of YAML to paste, with what it is for in comments. */
void ring_report_yaml(FILE *to, const struct ring_report *report);
