/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Frames that are known by their number: all bytes of frame n follow from n and from the plan, so
 * that who finds a frame in a file can build it again and compare.
 *
 * IPv4 or IPv6 with UDP, whose payload begins with a magic and the number.  Sender and checker must
 * be given the same plan.  Pure, but for the message about a wrong option.
 */

enum {
	NUMBERED_TAGS_MAX = 2,
	/* The longest IP packet, link header and tags. */
	NUMBERED_LENGTH_MAX = 65535 + 14 + 4 * NUMBERED_TAGS_MAX,
};

struct numbered_tag {
	uint16_t tpid;
	uint16_t tci; /* with priority and drop eligibility */
};

struct numbered_plan {
	uint64_t first;
	uint64_t count;
	uint32_t size; /* of a frame without its tags; 0 is IMIX: 60, 590, 1514 as 7:4:1 */
	uint32_t flows;
	bool both_directions;
	bool ipv6;
	unsigned int tag_count;
	struct numbered_tag tags[NUMBERED_TAGS_MAX]; /* the outer one first */
};

#define NUMBERED_PLAN_DEFAULT ((struct numbered_plan) { .count = 1000, .size = 60, .flows = 1 })

/* Rows for getopt_long(): their values are from 'A' on, those of a program's own below it. */
#define NUMBERED_OPTIONS                                                                           \
	{ "first", required_argument, NULL, 'A' }, { "count", required_argument, NULL, 'B' },      \
	    { "size", required_argument, NULL, 'C' }, { "flows", required_argument, NULL, 'D' },   \
	    { "both-directions", no_argument, NULL, 'E' }, { "ipv6", no_argument, NULL, 'F' },     \
	{                                                                                          \
		"tag", required_argument, NULL, 'G'                                                \
	}

#define NUMBERED_OPTIONS_HELP                                                                      \
	"[--first=N] [--count=N] [--size=BYTES|imix] [--flows=N] [--both-directions] [--ipv6]\n"   \
	"  [--tag=TPID:TCI (hexadecimal, twice for two)]"

/* Take one of NUMBERED_OPTIONS into the plan.  0, or -EINVAL for any other or a wrong value. */
int numbered_option(struct numbered_plan *plan, int option, const char *value);

/* The length of a frame, with its tags. */
size_t numbered_length(const struct numbered_plan *plan, uint64_t number);

/* The flow of a frame, 0 to flows - 1; flow f's addresses end in the bits of f. */
uint32_t numbered_flow(const struct numbered_plan *plan, uint64_t number);

/* Build a frame where there is room for NUMBERED_LENGTH_MAX; returns its length. */
size_t numbered_build(const struct numbered_plan *plan, uint64_t number, uint8_t *frame);

/* Offset of the UDP header in each frame of the plan. */
size_t numbered_udp_offset(const struct numbered_plan *plan);

/* Find the number in a frame, which may be cut behind it.  1 with it, 0 where there is none. */
int numbered_find(
    const struct numbered_plan *plan, const uint8_t *frame, size_t length, uint64_t *ret_number);

/* A whole number in a string, decimal or with 0x.  0 or -EINVAL. */
int numbered_parse(const char *text, uint64_t *ret_value);
