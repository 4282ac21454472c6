/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/deadlines.h"

#include "base/clock.h"
#include "base/log.h"
#include "supervisor/news.h"

#include <inttypes.h>

const struct group_limits group_limits = {
	/* A ring of 512 MiB took up to 1.6 s on an idle machine (KERNEL.md, Memory). */
	.opening = 60 * NSEC_PER_SEC,
	.heartbeat = 2 * NSEC_PER_SEC,
	.storage = 60 * NSEC_PER_SEC,
	.stopping = 60 * NSEC_PER_SEC,
	.reaping = 5 * NSEC_PER_SEC,
	.looking = 500 * NSEC_PER_MSEC,
};

static uint64_t settled_by(const struct ledger_worker *record)
{
	struct ledger_commit commit;

	if (ledger_commit_read(record, &commit) < 0)
		return 0;
	return commit.counters.value[COUNTER_WRITTEN] + commit.counters.value[COUNTER_DISCARDED];
}

/* What a worker is late with, as the middle of a sentence; NULL where it is not late. */
static const char *lateness(
    const struct group_limits *limits, struct child *child, uint64_t now_ns, uint64_t *ret_since)
{
	struct ledger_worker *record = child->heritage.record;
	bool in_storage = atomic_load(&record->in_storage) != 0;
	enum ledger_state state = child_state(child);
	/* One that takes over has its ring, and beats from its first step on. */
	bool is_opening = !child->is_mapped && (state == STATE_STARTING || state == STATE_STOPPING);
	uint64_t settled;

	/* While it opens, it beats only as it leaves the storage: what that takes is not its own.
	 */
	*ret_since = atomic_load(&record->heartbeat_ns);
	if (in_storage && now_ns >= *ret_since + limits->storage)
		return "has hung in the storage";
	if (!in_storage && is_opening && now_ns >= *ret_since + limits->opening)
		return "has not come up";
	if (!in_storage && !is_opening && now_ns >= *ret_since + limits->heartbeat)
		return "has hung";
	if (state != STATE_STOPPING)
		return NULL;
	settled = settled_by(record);
	if (settled != child->settled)
		child->stopping_ns = now_ns;
	child->settled = settled;
	*ret_since = child->stopping_ns;
	return now_ns >= *ret_since + limits->stopping ? "has not stopped" : NULL;
}

/* Nothing more can be done to it; two workers never write one file. */
static void look_whether_frozen(const struct group *group, struct child *child, uint64_t now_ns)
{
	child_look_for_end(child);
	if (child->is_frozen || now_ns < child->killed_ns + group->limits->reaping)
		return;
	child->is_frozen = true;
	child_set_state(child, STATE_FROZEN);
	news_frozen(group, child);
}

void deadlines_check(struct group *group, uint64_t now_ns)
{
	for (size_t i = 0; i < group->count; i++) {
		struct child *child = &group->children[i];
		const char *late;
		uint64_t since;

		if (!child_lives(child))
			continue;
		if (child->killed_ns > 0) {
			look_whether_frozen(group, child, now_ns);
			continue;
		}
		late = lateness(group->limits, child, now_ns, &since);
		if (!late)
			continue;
		log_line(LOG_ERR, "%s: worker %u %s for %" PRIu64 " s and is killed",
		    group->interface->name, child->heritage.worker, late,
		    (now_ns - since) / NSEC_PER_SEC);
		child_kill(child);
	}
}
