/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "capture/block.h"
#include "capture/filter.h"
#include "capture/ring.h"
#include "packet.h"

#include <stdint.h>

/*
 * A member of a group that counts numbered frames (support/numbered.h), opened as a worker opens
 * its ring.
 */
enum { LISTENER_NUMBERS = 4096 };

struct listener {
	int fd;
	struct ring *ring;
	block_step *next;
	uint64_t offered; /* the kernel's count, of packets and not of drops */
	uint64_t dropped;
	uint64_t walked;
	uint64_t block_number; /* of the last block; 0: none yet */
	uint64_t blocks_amiss; /* not the number after the last, or not whole */
	uint32_t times[LISTENER_NUMBERS];
	struct packet last[LISTENER_NUMBERS]; /* without bytes */
};

/* Sixteen blocks of 64 KiB that come out after 10 ms. */
extern const struct geometry listener_geometry;

/* Open and join, refusing everything.  0, or a negative errno with a line on stderr. */
int listener_open(struct listener *listener, const char *interface, const struct ring_seat *seat,
    uint16_t *ret_group);

/* The same without link headers. */
int listener_open_cooked(struct listener *listener, const char *interface,
    const struct ring_seat *seat, uint16_t *ret_group);

/* Count what a leased block holds. */
void listener_take(struct listener *listener, void *block, size_t size, uint64_t number);

/* Take everything that waits. */
void listener_read(struct listener *listener);

/*
 * Read until so many packets came to all of them, then refuse everything and read what is left
 * until the kernel's books balance.  Returns how many came, which may be fewer after five seconds.
 */
uint64_t listeners_drain(struct listener *listeners, size_t count, uint64_t expected);

/* Unmap and close. */
void listener_close(struct listener *listener);
