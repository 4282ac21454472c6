/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * The two clocks that are used, in nanoseconds.  Whatever decides by time takes it as an argument,
 * so that it can be tested without waiting; only the edges ask here.
 */
#define NSEC_PER_USEC UINT64_C(1000)
#define NSEC_PER_MSEC UINT64_C(1000000)
#define NSEC_PER_SEC UINT64_C(1000000000)

/* CLOCK_MONOTONIC: for intervals, deadlines, heartbeats.  The same in every process. */
uint64_t clock_monotonic_ns(void);

/* CLOCK_REALTIME, since the epoch: for names of files, and what people read. */
uint64_t clock_utc_ns(void);

/*
 * Whether somebody keeps the system's clock right: adjtimex(2) says so.  Where it may not be asked,
 * nobody does.
 */
bool clock_is_synchronised(void);

#ifdef WITH_FAULT_POINTS
/* As a test has set it, for its own daemon alone (tests/support/set_clock.c). */
uint64_t clock_as_set(uint64_t utc_ns);
bool clock_as_kept(bool is_kept);
uint64_t clock_doubt_as_set(uint64_t ns);
#else
#define clock_doubt_as_set(ns) (ns)
#define clock_as_kept(is_kept) (is_kept)
#define clock_as_set(utc_ns) (utc_ns)
#endif

enum { CLOCK_TEXT_LENGTH = 48 };

/* A time of clock_utc_ns() as ISO 8601 in UTC, with nanoseconds. */
void clock_text(char text[CLOCK_TEXT_LENGTH], uint64_t utc_ns);
