/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Whether the system's clock was set.  One that is slewed or smeared takes the monotonic clock
 * along, so that both stay as far apart as they were; one that is set does not, nor does a machine
 * that slept.
 */
struct clock_watch {
	int64_t ahead_ns; /* of the monotonic clock, at the last look */
	bool has_begun;
	uint64_t stepped_ns; /* monotonic, of the last step, or of the first look */
};

/*
 * By how much the clock was set since the last look, where that is more than readings differ; else
 * 0.  `utc_ns` was read between the other two, which are of the monotonic clock: where these are
 * far apart it says nothing.  Pure.
 */
int64_t clock_watch_step(
    struct clock_watch *watch, uint64_t before_ns, uint64_t utc_ns, uint64_t after_ns);

/* Look now, and tell of a step.  Logs. */
void clock_watch_look(struct clock_watch *watch);

/*
 * Whether files may be judged by their age: the clock is kept right by somebody, and was not set
 * within an hour.  For as long nothing is known after the first look: an earlier life may have seen
 * it set, or nobody.
 */
bool clock_watch_is_sure(const struct clock_watch *watch);
