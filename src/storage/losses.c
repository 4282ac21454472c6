/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/losses.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* By a clock that was set, or stamps of another clock, drops are not kept back for longer. */
static const uint64_t patience_ns = 60 * NSEC_PER_SEC;

void losses_begin(struct losses *losses, uint64_t dropped, uint64_t discarded)
{
	losses->dropped = dropped;
	losses->discarded = discarded;
	losses->seen_count = 0;
}

void losses_see(struct losses *losses, uint64_t dropped, uint64_t utc_ns)
{
	const size_t count = losses->seen_count;

	if (dropped == (count > 0 ? losses->seen[count - 1].dropped : losses->dropped) ||
	    count == LOSSES_SEEN_MOST)
		return;
	losses->seen[losses->seen_count++] = (struct losses_seen) { utc_ns, dropped };
}

/* What was lost then was lost in front of a block that begins later. */
static bool is_reached(const struct losses_seen *seen, uint64_t first_ns, uint64_t utc_ns)
{
	return first_ns >= seen->at_ns || utc_ns < seen->at_ns ||
	       utc_ns - seen->at_ns > patience_ns;
}

bool losses_look(
    struct losses *losses, const struct counters *counters, uint64_t first_ns, uint64_t utc_ns)
{
	size_t reached = 0;

	while (reached < losses->seen_count && is_reached(&losses->seen[reached], first_ns, utc_ns))
		reached++;
	if (reached > 0) {
		losses->dropped = losses->seen[reached - 1].dropped;
		losses->seen_count -= reached;
		memmove(losses->seen, losses->seen + reached,
		    losses->seen_count * sizeof(losses->seen[0]));
	}
	return reached > 0 || losses->events != 0 ||
	       counters->value[COUNTER_DISCARDED] != losses->discarded;
}

static void comment(const struct losses *losses, uint64_t discarded, char *text, size_t size)
{
	size_t used = 0;

	text[0] = 0;
	if (losses->events & LOSSES_TAKEOVER)
		used += (size_t)snprintf(text, size, "taken over by a successor");
	if (losses->events & LOSSES_GAP)
		used += (size_t)snprintf(
		    text + used, size - used, "%sa gap, as a ring was lost", used > 0 ? "; " : "");
	if (discarded > 0)
		snprintf(text + used, size - used, "%s%" PRIu64 " packets discarded",
		    used > 0 ? "; " : "", discarded);
}

static uint64_t since(uint64_t now, uint64_t before)
{
	return now > before ? now - before : 0;
}

size_t losses_put(struct losses *losses, uint8_t *to, const struct losses_place *place)
{
	const struct ledger_segment *segment = place->segment;
	const uint64_t discarded = place->counters->value[COUNTER_DISCARDED];
	char text[PCAPNG_COMMENT_MOST];
	const struct pcapng_statistics statistics = {
		.begun_ns = segment->begun_utc_ns,
		.now_ns = place->first_ns,
		.delivered = segment->packets,
		.dropped = since(losses->dropped, segment->dropped_before),
		.discarded = since(discarded, segment->discarded_before),
		.comment = text,
	};

	comment(losses, since(discarded, losses->discarded), text, sizeof(text));
	losses->discarded = discarded;
	losses->events = 0;
	return pcapng_statistics(to, &statistics, place->resolution);
}

size_t losses_put_all(struct losses *losses, uint8_t *to, const struct losses_place *place)
{
	losses_begin(losses, place->counters->value[COUNTER_DROPPED], losses->discarded);
	return losses_put(losses, to, place);
}
