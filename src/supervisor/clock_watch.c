/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/clock_watch.h"

#include "base/clock.h"
#include "supervisor/journal.h"

/* A process that lost its CPU between two readings takes the next chance. */
static const uint64_t reading_ns = NSEC_PER_MSEC;
/* What time servers correct without a step is below it, by far. */
static const int64_t step_least_ns = 10 * (int64_t)NSEC_PER_MSEC;

/* A clock that was set once may be set again, until it is right. */
static const uint64_t unsure_ns = 3600 * NSEC_PER_SEC;

int64_t clock_watch_step(
    struct clock_watch *watch, uint64_t before_ns, uint64_t utc_ns, uint64_t after_ns)
{
	int64_t ahead_ns = (int64_t)(utc_ns - after_ns), step_ns = ahead_ns - watch->ahead_ns;

	if (after_ns - before_ns > reading_ns)
		return 0;
	if (!watch->has_begun)
		step_ns = 0;
	watch->has_begun = true;
	watch->ahead_ns = ahead_ns;
	return step_ns >= step_least_ns || step_ns <= -step_least_ns ? step_ns : 0;
}

void clock_watch_look(struct clock_watch *watch)
{
	uint64_t before_ns = clock_monotonic_ns(), utc_ns = clock_utc_ns();
	int64_t step_ns = clock_watch_step(watch, before_ns, utc_ns, clock_monotonic_ns());
	char from[CLOCK_TEXT_LENGTH], until[CLOCK_TEXT_LENGTH];
	const struct journal_about about = {
		.from = from,
		.until = until,
		.cause = "clock_step",
	};

	if (watch->stepped_ns == 0 || step_ns != 0)
		watch->stepped_ns = before_ns;
	if (step_ns == 0)
		return;
	clock_text(from, utc_ns - (uint64_t)step_ns);
	clock_text(until, utc_ns);
	journal_event(EVENT_CLOCK_STEP, &about,
	    "the system's clock was set from %s to %s; stamps and file names follow it", from,
	    until);
}

bool clock_watch_is_sure(const struct clock_watch *watch)
{
	return clock_is_synchronised() && watch->stepped_ns > 0 &&
	       clock_monotonic_ns() - watch->stepped_ns >= clock_doubt_as_set(unsure_ns);
}
