/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/clock.h"

#include <stdio.h>
#include <sys/timex.h>
#include <time.h>

static uint64_t read_clock(clockid_t id)
{
	struct timespec now;

	/* Cannot fail for these two clocks: both are in every kernel. */
	(void)clock_gettime(id, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

uint64_t clock_monotonic_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t clock_utc_ns(void)
{
	return clock_as_set(read_clock(CLOCK_REALTIME));
}

bool clock_is_synchronised(void)
{
	struct timex state = { .modes = 0 };
	int r = adjtimex(&state);

	return clock_as_kept(r >= 0 && r != TIME_ERROR && (state.status & STA_UNSYNC) == 0);
}

void clock_text(char text[CLOCK_TEXT_LENGTH], uint64_t utc_ns)
{
	time_t seconds = (time_t)(utc_ns / NSEC_PER_SEC);
	struct tm utc = { 0 };
	char date[24];

	(void)gmtime_r(&seconds, &utc);
	(void)strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(text, CLOCK_TEXT_LENGTH, "%s.%09uZ", date, (unsigned int)(utc_ns % NSEC_PER_SEC));
}
