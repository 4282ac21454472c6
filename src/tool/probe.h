/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "packet.h"

#include <stdbool.h>

/*
 * A frame that measures its way: it carries its number and when it was sent.  Pure.
 */
struct probe {
	uint64_t number;  /* from 0 */
	uint64_t sent_ns; /* on the monotonic clock; 0: not asked */
};

enum { PROBE_SIZE_LEAST = 60, PROBE_SIZE_MOST = 9014 };

/* Fill all of a frame but what probe_write() does. */
void probe_begin(uint8_t *frame, uint32_t size);

void probe_write(uint8_t *frame, const struct probe *probe);

/* Whether a packet is one of ours; *ret_probe is written only then. */
bool probe_read(const struct packet *packet, struct probe *ret_probe);

/*
 * What has come of a sequence of probes.  A single sender's come in order, so that one that is
 * behind the others was not kept whole on its way.
 */
struct probe_tally {
	uint64_t received;
	uint64_t next;       /* the least number that is still to come */
	uint64_t disordered; /* of those received */
};

void probe_count(struct probe_tally *tally, const struct probe *probe);
