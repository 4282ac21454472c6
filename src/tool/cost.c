/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tool/cost.h"

#include "base/clock.h"

#include <sys/resource.h>
#include <time.h>

struct cost cost_now(void)
{
	struct rusage usage = { 0 };
	struct timespec time = { 0 };

	/* The sum of getrusage(2), but to the nanosecond. */
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	(void)getrusage(RUSAGE_SELF, &usage);
	return (struct cost) {
		.cpu_ns = (uint64_t)time.tv_sec * NSEC_PER_SEC + (uint64_t)time.tv_nsec,
		.wakeups = (uint64_t)usage.ru_nvcsw,
	};
}

struct cost cost_since(const struct cost *before)
{
	const struct cost now = cost_now();

	return (struct cost) { now.cpu_ns - before->cpu_ns, now.wakeups - before->wakeups };
}
