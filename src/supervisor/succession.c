/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/succession.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "supervisor/journal.h"
#include "supervisor/joining.h"
#include "supervisor/legacy.h"
#include "supervisor/membership.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

/* A life as long as this came to work, also without a packet. */
static const uint64_t health_ns = 2 * NSEC_PER_SEC;
static const uint64_t look_again_ns = 5 * NSEC_PER_MSEC;
/* Two that die at a block, and one that sets it aside: more drain nothing either. */
enum { TAKEOVERS_IN_STOP = 3 };

static bool stops(const struct group *group)
{
	return group->is_stopping || group->is_gone;
}

/* ---- what a dead worker leaves ----------------------------------------------------------- */

/* Nobody takes its ring over: what is in it is counted here, by the last holder of its socket. */
static uint64_t settle(struct child *child)
{
	struct ledger_worker *record = child->heritage.record;
	/* First what it had read and not committed, since the next read goes to the same place. */
	uint64_t discards = ledger_settle(record);

	if (child->socket >= 0) {
		(void)filter_attach(child->socket, &filter_refuse_all);
		(void)socket_statistics(child->socket, ledger_statistics_free_slot(record));
		discards += ledger_settle(record);
	}
	child->captures = false;
	return discards;
}

static const char *find_damage(const struct child *child)
{
	struct ledger_commit commit;
	struct stat status;

	if (ledger_commit_read(child->heritage.record, &commit) == -EBADMSG)
		return "what the ledger says of it is damaged";
	if (fstat(child->heritage.stage, &status) < 0 ||
	    status.st_size != (off_t)child->heritage.config->output.stage)
		return "its stage has another size";
	return NULL;
}

/* As it was made; where that cannot be, its next life tells so. */
static void restore_stage(int fd, uint64_t size)
{
	if (ftruncate(fd, (off_t)size) == 0)
		(void)posix_fallocate(fd, 0, (off_t)size);
}

bool succession_renew(struct group *group, struct child *child)
{
	const char *damage = find_damage(child);

	if (!damage)
		return false;
	log_line(LOG_ERR,
	    "%s: worker %u begins anew, since %s; what stands in its file is repaired by reading",
	    group->interface->name, child->heritage.worker, damage);
	restore_stage(child->heritage.stage, child->heritage.config->output.stage);
	ledger_begin_anew(child->heritage.record);
	legacy_again(group->premises->legacy);
	return true;
}

static void tell_death(struct group *group, struct child *child, const siginfo_t *how)
{
	char sentence[128];
	uint64_t discards;
	struct journal_about about = {
		.interface = group->interface->name,
		.worker = &child->heritage.worker,
		.cause = "worker_died",
	};

	child_describe_end(how, sentence, sizeof(sentence));
	if (child->captures) {
		journal_event(EVENT_WORKER_DIED, &about,
		    "%s: worker %u %s; its ring waits for the next", group->interface->name,
		    child->heritage.worker, sentence);
		return;
	}
	membership_lose(group, child);
	discards = settle(child);
	about.discards = &discards;
	journal_event(EVENT_WORKER_DIED, &about,
	    "%s: worker %u %s; %" PRIu64 " packets in its ring are discarded",
	    group->interface->name, child->heritage.worker, sentence, discards);
}

/* What was to take its ring over cannot even be forked. */
static void give_up(struct child *child)
{
	(void)settle(child);
	child_set_state(child, STATE_GONE);
}

/* ---- the next life ----------------------------------------------------------------------- */

static void plan(struct group *group, struct child *child, bool had_worked);

static int start(struct group *group, struct child *child)
{
	const char *purpose = "";
	int r;

	/* A group of one has ended with its socket: its id may be another's by now. */
	if (group->count == 1 && child->heritage.life == LIFE_BEGINS && group_is_alone(group))
		group->fanout = -1;
	child->place = interfaces_place(group->interfaces, group->interface);
	child->heritage.ifindex = group->link.ifindex;
	child->heritage.mtu = group->link.mtu;
	child->heritage.link_type = atomic_load(&group->record->link_type);
	r = child_start(child, &purpose);
	if (r < 0)
		return log_failure(r, "%s: cannot %s for worker %u", group->interface->name,
		    purpose, child->heritage.worker);
	return 0;
}

static void tell_start(const struct group *group, struct child *child)
{
	static const char *const purposes[] = {
		[LIFE_BEGINS] = "",
		[LIFE_FINISHES] = ", to finish its file",
	};
	const struct journal_about about = {
		.interface = group->interface->name,
		.worker = &child->heritage.worker,
	};

	atomic_fetch_add(&child->slot->restarts, 1);
	/* One that takes over tells so itself, once it has. */
	if (child->heritage.life == LIFE_TAKES_OVER)
		return;
	atomic_fetch_add(&child->slot->generation, 1);
	journal_event(EVENT_WORKER_STARTED_AGAIN, &about, "%s: worker %u started again%s",
	    group->interface->name, child->heritage.worker, purposes[child->heritage.life]);
}

static int on_due(sd_event_source *source, uint64_t now, void *user)
{
	struct child *child = user;
	struct group *group = child->owner.user;

	(void)source;
	(void)now;
	child->restart_source = sd_event_source_disable_unref(child->restart_source);
	if (start(group, child) < 0) {
		/* What a stop waits for is not tried for ever. */
		if (stops(group))
			give_up(child);
		else
			plan(group, child, false);
		group_look_for_end(group);
		return 0;
	}
	tell_start(group, child);
	if (stops(group) && child->heritage.life == LIFE_TAKES_OVER)
		child_stop(child);
	return 0;
}

static void wait_for(
    const struct group *group, struct child *child, uint64_t delay_ns, sd_event_time_handler_t then)
{
	int r = sd_event_add_time_relative(child->event, &child->restart_source, CLOCK_MONOTONIC,
	    delay_ns / NSEC_PER_USEC, 1, then, child);

	if (r < 0)
		(void)log_failure(r, "%s: cannot plan to start worker %u again",
		    group->interface->name, child->heritage.worker);
}

/* Others get its share at once, however long it takes until there is another in its place. */
static int on_lost(sd_event_source *source, uint64_t usec, void *user)
{
	struct child *child = user;
	struct group *group = child->owner.user;
	uint64_t now_ns = 0;

	(void)source;
	(void)usec;
	child->restart_source = sd_event_source_disable_unref(child->restart_source);
	if (!membership_leave(group, child)) {
		wait_for(group, child, look_again_ns, on_lost);
		return 0;
	}
	/* What is waited for is counted from when the loop woke: a socket takes some to close. */
	(void)sd_event_now(child->event, CLOCK_MONOTONIC, &now_ns);
	now_ns *= NSEC_PER_USEC;
	wait_for(group, child, child->due_ns > now_ns ? child->due_ns - now_ns : 0, on_due);
	joining_advance(group);
	return 0;
}

static void plan(struct group *group, struct child *child, bool had_worked)
{
	uint64_t delay = restart_next(&child->restart, had_worked);
	bool is_lost = child->heritage.life == LIFE_BEGINS && child->socket >= 0;

	child_set_state(child, STATE_WAITING);
	child->due_ns = clock_monotonic_ns() + delay;
	wait_for(group, child, is_lost ? 0 : delay, is_lost ? on_lost : on_due);
}

static bool had_worked(const struct child *child)
{
	return atomic_load(&child->heritage.record->blocks) > 0 ||
	       clock_monotonic_ns() - child->started_ns >= health_ns;
}

int succession_begin(struct group *group, struct child *child)
{
	int r;

	child->heritage.life = LIFE_BEGINS;
	child->ends_in_stop = 0;
	r = start(group, child);
	if (r < 0)
		plan(group, child, false);
	return r;
}

int succession_inherit(struct group *group, struct child *child, int fd)
{
	int r;

	child->socket = fd;
	child->is_kept = child->has_joined = child->captures = true;
	child->gap_since_ns = 0;
	child->heritage.life = LIFE_TAKES_OVER;
	child->ends_in_stop = 0;
	r = start(group, child);
	if (r < 0)
		plan(group, child, false);
	return r;
}

void succession_follow(struct group *group, struct child *child, const siginfo_t *how)
{
	enum life last = child->heritage.life;

	FAULT(REAPED);
	if (stops(group) && child->captures && ++child->ends_in_stop > TAKEOVERS_IN_STOP)
		child->captures = false;
	child->heritage.poison =
	    suspicion_weigh(&child->suspicion, how, atomic_load(&child->heritage.record->leased));
	/* Nobody could say where in its ring it stood. */
	if (succession_renew(group, child))
		child->captures = false;
	tell_death(group, child, how);
	if (child->captures)
		child->heritage.life = LIFE_TAKES_OVER;
	else
		child->heritage.life = stops(group) ? LIFE_FINISHES : LIFE_BEGINS;
	/* What a stage holds is tried to be written once, and not for ever. */
	if (stops(group) && last == LIFE_FINISHES)
		child_set_state(child, STATE_GONE);
	else
		plan(group, child, had_worked(child));
}

static bool has_a_file(const struct child *child)
{
	struct ledger_commit commit;

	return ledger_commit_read(child->heritage.record, &commit) == 0 &&
	       (commit.open.name[0] || commit.closing.name[0]);
}

void succession_stop(struct group *group, struct child *child)
{
	child->restart_source = sd_event_source_disable_unref(child->restart_source);
	child_set_state(child, STATE_GONE);
	if (child->captures)
		child->heritage.life = LIFE_TAKES_OVER;
	else if (has_a_file(child))
		child->heritage.life = LIFE_FINISHES;
	else
		return;
	child->restart = (struct restart) { .most_ns = child->restart.most_ns };
	plan(group, child, true);
}
