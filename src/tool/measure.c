/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tool/measure.h"

#include "base/array.h"
#include "base/clock.h"
#include "base/log.h"
#include "tool/comparison.h"

#include <errno.h>
#include <sched.h>
#include <sysexits.h>
#include <unistd.h>

enum {
	MTU_LEAST = 1500,
	LINK_HEADER = 14,
	/* What a passage takes besides: rings made and freed. */
	BESIDES_MS = 100,
	PASSAGE_MS_LEAST = 50,
	PASSAGE_COUNT = 2 * COMPARISON_ROW_COUNT,
};

/*
 * What does not change while one end is compared: a receiving end that sees each packet at once,
 * and a sending end that does all of its work in the call.
 */
enum { RECEIVE_WITH = 2, TRANSMIT_WITH = 0 };

struct measure {
	const struct measure_plan *plan;
	struct comparison comparison;
	struct cable cable;
	uint64_t started;
	unsigned int done; /* passages */
};

static int status_of(int error)
{
	switch (error) {
	case -EPERM:
	case -EACCES:
		return EX_NOPERM;
	case -EOPNOTSUPP:
		return EX_UNAVAILABLE;
	default:
		return EX_OSERR;
	}
}

/* The first two of the CPUs that may be used; on a single one nothing is pinned. */
static void choose_cpus(struct comparison *comparison)
{
	int *const wanted[] = { &comparison->transmit_cpu, &comparison->receive_cpu };
	cpu_set_t set;
	size_t found = 0;

	comparison->transmit_cpu = comparison->receive_cpu = -1;
	if (sched_getaffinity(0, sizeof(set), &set) < 0 || CPU_COUNT(&set) < (int)COUNT_OF(wanted))
		return;
	for (int cpu = 0; cpu < CPU_SETSIZE && found < COUNT_OF(wanted); cpu++)
		if (CPU_ISSET((size_t)cpu, &set))
			*wanted[found++] = cpu;
}

/*
 * What is left of the time, shared among the passages that are left.  Two of them all wait for a
 * block of V3.
 */
static uint64_t duration_of(const struct measure *measure)
{
	const uint64_t besides_ms =
	    BESIDES_MS + 2 * measure->plan->geometry.retire_timeout_ms / PASSAGE_COUNT;
	const uint64_t used_ms = (clock_monotonic_ns() - measure->started) / NSEC_PER_MSEC;
	const uint64_t total_ms = measure->plan->seconds * 1000;
	const uint64_t left_ms = total_ms > used_ms ? total_ms - used_ms : 0;
	const uint64_t each_ms = left_ms / (PASSAGE_COUNT - measure->done);

	if (each_ms < besides_ms + PASSAGE_MS_LEAST)
		return PASSAGE_MS_LEAST * NSEC_PER_MSEC;
	return (each_ms - besides_ms) * NSEC_PER_MSEC;
}

static void show_progress(const struct measure *measure, const struct comparison_row *row)
{
	if (!isatty(STDERR_FILENO))
		return;
	if (measure->done == PASSAGE_COUNT)
		dprintf(STDERR_FILENO, "\r\033[K");
	else
		dprintf(STDERR_FILENO, "\r\033[K%u of %u: %s, ring version %u ", measure->done + 1,
		    (unsigned int)PASSAGE_COUNT, row->is_transmit ? "transmit" : "receive",
		    row->version);
}

static int try(struct measure *measure, const struct comparison_row *row, uint64_t rate,
    struct passage_result *ret_result)
{
	const struct measure_plan *plan = measure->plan;
	const struct passage_plan passage = {
		.cable = measure->cable,
		.transmit = row->is_transmit ? row->version : TRANSMIT_WITH,
		.receive = row->is_transmit ? RECEIVE_WITH : row->version,
		.geometry = plan->geometry,
		.packet_size = plan->packet_size,
		.longest = MOST(plan->packet_size, (uint32_t)MTU_LEAST + LINK_HEADER),
		.rate = rate,
		.duration_ns = duration_of(measure),
		.transmit_cpu = measure->comparison.transmit_cpu,
		.receive_cpu = measure->comparison.receive_cpu,
	};
	int r;

	show_progress(measure, row);
	r = passage_run(&passage, ret_result);
	measure->done++;
	return r;
}

static int try_all(struct measure *measure)
{
	struct comparison *comparison = &measure->comparison;
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < COMPARISON_ROW_COUNT; i++) {
		struct comparison_row *row = &comparison->rows[i];

		row->is_transmit = i >= COMPARISON_ROW_COUNT / 2;
		row->version = i % (COMPARISON_ROW_COUNT / 2);
		r = try(measure, row, 0, &row->fast);
		if (r == 0)
			r = try(measure, row, measure->plan->rate, &row->paced);
	}
	show_progress(measure, NULL);
	return r;
}

int measure_run(const struct measure_plan *plan)
{
	struct measure measure = {
		.plan = plan,
		.comparison = {
			.geometry = plan->geometry,
			.packet_size = plan->packet_size,
			.rate = plan->rate,
		},
		.started = clock_monotonic_ns(),
	};
	int r =
	    cable_lay(&measure.cable, MOST(plan->packet_size - LINK_HEADER, (uint32_t)MTU_LEAST));

	choose_cpus(&measure.comparison);
	if (r == 0)
		r = try_all(&measure);
	if (r < 0)
		return status_of(r);
	measure.comparison.took_ns = clock_monotonic_ns() - measure.started;
	if (plan->json)
		comparison_print_json(stdout, &measure.comparison);
	else
		comparison_print(stdout, &measure.comparison);
	return fflush(stdout) == 0 ? 0 : EX_IOERR;
}
