/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "packet.h"

#include <stdbool.h>

/*
 * When each packet of a replay is due.  The times are absolute, each counted from the beginning and
 * none from the packet before, so that what is late once does not make the rest late.  Pure.
 */
enum pace_mode {
	PACE_RECORDED,  /* the gaps of the recording, divided by the factor */
	PACE_RATE,      /* so many packets a second */
	PACE_BANDWIDTH, /* so many bits a second, of the frames as they are sent */
	PACE_FAST,      /* at once */
};

struct pace_plan {
	enum pace_mode mode;
	uint64_t value; /* factor and rate: in millionths; bandwidth: bits; never 0 */
};

struct pace {
	struct pace_plan plan;
	uint64_t start;    /* of all, on the clock of whoever asks */
	uint64_t last;     /* when the packet before was due */
	uint64_t origin;   /* when the first packet of this recording was due */
	uint64_t recorded; /* and its stamp */
	bool has_recorded;
	uint64_t packets, bytes; /* before this one */
};

void pace_begin(struct pace *pace, const struct pace_plan *plan, uint64_t now_ns);

/*
 * Another recording, or the same once more, follows: as recorded, it begins where the one before
 * ended, or now, where opening it took longer than that.
 */
void pace_follow(struct pace *pace, uint64_t now_ns);

/*
 * When a packet is due, never before the one that came before it; 0 for at once.  A packet without
 * a stamp is due with the one before.
 */
uint64_t pace_due(struct pace *pace, const struct packet *packet, bool has_time);
