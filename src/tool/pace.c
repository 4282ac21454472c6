/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tool/pace.h"

#include "base/array.h"
#include "base/clock.h"

#define MILLION UINT64_C(1000000)

__extension__ typedef unsigned __int128 wide;

/* start + count * unit / divisor, which no sum of rounded gaps can drift from. */
static uint64_t after(uint64_t start, uint64_t count, uint64_t unit, uint64_t divisor)
{
	wide time = start + (wide)count * unit / divisor;

	return time > UINT64_MAX ? UINT64_MAX : (uint64_t)time;
}

void pace_begin(struct pace *pace, const struct pace_plan *plan, uint64_t now_ns)
{
	*pace = (struct pace) { .plan = *plan, .start = now_ns, .last = now_ns };
}

void pace_follow(struct pace *pace, uint64_t now_ns)
{
	pace->has_recorded = false;
	if (pace->plan.mode == PACE_RECORDED)
		pace->last = MOST(pace->last, now_ns);
}

static uint64_t due_as_recorded(struct pace *pace, const struct packet *packet, bool has_time)
{
	if (!has_time)
		return pace->last;
	if (!pace->has_recorded) {
		pace->has_recorded = true;
		pace->origin = pace->last;
		pace->recorded = packet->time_ns;
	}
	if (packet->time_ns < pace->recorded)
		return pace->last;
	return after(pace->origin, packet->time_ns - pace->recorded, MILLION, pace->plan.value);
}

uint64_t pace_due(struct pace *pace, const struct packet *packet, bool has_time)
{
	uint64_t due = 0;

	switch (pace->plan.mode) {
	case PACE_RECORDED:
		due = due_as_recorded(pace, packet, has_time);
		break;
	case PACE_RATE:
		due = after(pace->start, pace->packets, NSEC_PER_SEC * MILLION, pace->plan.value);
		break;
	case PACE_BANDWIDTH:
		due = after(pace->start, pace->bytes, 8 * NSEC_PER_SEC, pace->plan.value);
		break;
	case PACE_FAST:
		return 0;
	}
	pace->packets++;
	pace->bytes += packet->captured_length;
	pace->last = MOST(due, pace->last);
	return pace->last;
}
