/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "capture/receive.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * What the rings of TPACKET_V1 and V2 have in common: frames of one size, one for each packet, each
 * big enough for the longest.  They differ in the frame's header, which is theirs.
 */
struct frames {
	int fd;
	uint8_t *bytes;
	size_t size;
	uint32_t frame_size, frame_count;
	uint32_t next; /* index of the frame that will be filled next */
	bool is_lent;  /* it, to the caller */
};

/*
 * Make and map a ring of a version whose header is so long, and bind.  Leaves what it made in
 * *ret_frames, also where it fails.
 */
int frames_open(void **ret_frames, int fd, int version, size_t header,
    const struct receive_plan *plan, struct ring_fault *ret_fault);

void *frames_current(const struct frames *frames);

/* Go on to the next frame; the one before was given back. */
void frames_step(struct frames *frames);

void frames_close(void *frames);
