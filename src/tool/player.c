/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tool/player.h"

#include "base/array.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <time.h>

enum {
	/* One call for so many frames: more make it no cheaper, and the ring has room for several.
	 */
	BATCH = 64,
	/* A person who asked it to stop does not wait longer for it to look. */
	LOOK_MS = 100,
	POLL_FULL_MS = 100,
};

#define LATE_NS NSEC_PER_MSEC
#define SHOW_NS NSEC_PER_SEC
#define LOOK_NS (LOOK_MS * NSEC_PER_MSEC)
#define RETRY_NS (20 * NSEC_PER_USEC)
#define RETRY_MOST_NS (640 * NSEC_PER_USEC)
#define DRAIN_NS NSEC_PER_SEC
/* So long others' packets may fill a queue; and what was refused before is so again. */
#define PATIENCE_NS NSEC_PER_SEC
#define PATIENCE_LEAST_NS NSEC_PER_MSEC
/* So much of a wait is spent awake, at least and at most: see sleep_early(). */
#define AWAKE_LEAST_NS (20 * NSEC_PER_USEC)
#define AWAKE_MOST_NS (400 * NSEC_PER_USEC)

void player_begin(struct player *player, const struct player_plan *plan)
{
	*player = (struct player) { .plan = *plan };
	player->now = player->started = player->shown = clock_monotonic_ns();
	player->awake = AWAKE_LEAST_NS;
	/* The default of 50 us would be on top of each wait. */
	(void)prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
}

/* ---- time and the user ------------------------------------------------------------------- */

static void sleep_until(uint64_t instant_ns)
{
	const struct timespec instant = {
		.tv_sec = (time_t)(instant_ns / NSEC_PER_SEC),
		.tv_nsec = (long)(instant_ns % NSEC_PER_SEC),
	};

	(void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &instant, NULL);
}

/*
 * What wakes from a sleep wakes late, by the time that the CPU takes to leave its idle state, and
 * finds its caches cold.  So the end of a wait is spent awake, for as long as the sleeps of late
 * were too long: longer at once where one was, and a sixteenth less after each that was not.
 */
static void sleep_early(struct player *player, uint64_t due)
{
	const uint64_t until = due - LEAST(player->awake, due);
	uint64_t late;

	if (until <= player->now)
		return;
	sleep_until(until);
	late = clock_monotonic_ns() - until;
	player->awake = MOST(late + AWAKE_LEAST_NS, player->awake - player->awake / 16);
	player->awake = LEAST(player->awake, AWAKE_MOST_NS);
}

static void show_progress(struct player *player)
{
	const struct transmit *transmit = player->plan.transmit;
	uint64_t sent = transmit ? transmit_counts(transmit)->sent : player->accepted;
	double seconds = (double)(player->now - player->started) / (double)NSEC_PER_SEC;

	if (!player->plan.has_progress || player->now - player->shown < SHOW_NS)
		return;
	player->shown = player->now;
	fprintf(stderr, "\r\033[K%.0f s: %" PRIu64 " packets, %.0f/s, %" PRIu64 " late ", seconds,
	    sent, seconds > 0 ? (double)sent / seconds : 0.0, player->counts.late);
}

/* Look at the clock, and now and then at what the user wants. */
static void tick(struct player *player)
{
	struct pollfd stop = { .fd = player->plan.stop_fd, .events = POLLIN };

	player->now = clock_monotonic_ns();
	if (player->now - player->looked < LOOK_NS)
		return;
	player->looked = player->now;
	if (poll(&stop, 1, 0) > 0)
		player->is_stopped = true;
	show_progress(player);
}

/* ---- the ring ---------------------------------------------------------------------------- */

/* Wait for the device to let go of a frame, each time for longer. */
static void wait_for_room(struct player *player, uint64_t *nap)
{
	struct pollfd both[] = {
		{ .fd = player->plan.fd, .events = POLLOUT },
		{ .fd = player->plan.stop_fd, .events = POLLIN },
	};

	/* The socket may be writable with a frame left, which the device had no room for. */
	sleep_until(clock_monotonic_ns() + *nap);
	*nap = LEAST(2 * *nap, RETRY_MOST_NS);
	(void)poll(both, COUNT_OF(both), POLL_FULL_MS);
	tick(player);
}

static void give_up(struct player *player)
{
	const char *interface = player->plan.interface;

	if (!player->has_given_up)
		log_line(LOG_WARNING,
		    "%s: takes nothing, though nothing of ours is on its way: %s %s) refuses "
		    "packets, which are counted as refused by the kernel%s",
		    interface,
		    player->plan.bypass
			? "the device (ip -s link show"
			: "its queueing discipline or a filter (tc -s qdisc show dev",
		    interface, player->plan.bypass ? "" : "; --bypass goes around it");
	player->has_given_up = true;
	player->sent_before = transmit_counts(player->plan.transmit)->sent;
	transmit_refuse(player->plan.transmit);
}

/*
 * What a queue refuses that holds nothing of ours, it may refuse for ever.  The kernel says the
 * same of one that is full for a moment, so it is given some time, and none where nothing went out
 * since the last refusal.
 */
static bool is_refused(struct player *player)
{
	const struct transmit *transmit = player->plan.transmit;
	const uint64_t sent = transmit_counts(transmit)->sent;
	uint64_t patience = PATIENCE_NS;

	if (transmit_is_under_way(transmit) || player->stuck_at != sent)
		player->stuck_since = 0;
	player->stuck_at = sent;
	if (transmit_is_under_way(transmit))
		return false;
	if (player->stuck_since == 0)
		player->stuck_since = clock_monotonic_ns();
	if (player->has_given_up)
		patience = sent == player->sent_before ? 0 : PATIENCE_LEAST_NS;
	return clock_monotonic_ns() - player->stuck_since >= patience;
}

/* As transmit_flush(), but for what is refused for ever, which it goes past. */
static int flush(struct player *player)
{
	int r;

	while ((r = transmit_flush(player->plan.transmit)) > 0 && is_refused(player))
		give_up(player);
	return r;
}

/* Hand over all that is queued.  Returns 0, -EINTR where it is to end, or the kernel's error. */
static int hand_over(struct player *player)
{
	uint64_t nap = RETRY_NS;
	int r;

	while ((r = flush(player)) > 0) {
		wait_for_room(player, &nap);
		if (player->is_stopped)
			return -EINTR;
	}
	return r;
}

/*
 * Have the device let go of frames of a full ring: of a quarter, so that one that is slow is not
 * asked for each, but of one, where it takes its time.
 */
static int make_room(struct player *player)
{
	struct transmit *transmit = player->plan.transmit;
	uint64_t nap = RETRY_NS;

	for (;;) {
		const uint32_t wanted = nap < RETRY_MOST_NS ? transmit_room(transmit) / 4 : 1;
		int r = flush(player);

		if (r < 0)
			return r;
		if (r == 0 && transmit_has_room(transmit, wanted))
			return 0;
		wait_for_room(player, &nap);
		if (player->is_stopped)
			return -EINTR;
	}
}

static int put(struct player *player, const struct packet *packet)
{
	struct transmit *transmit = player->plan.transmit;
	int r;

	while (!transmit_put(transmit, packet->bytes, packet->captured_length)) {
		r = make_room(player);
		if (r < 0)
			return r;
	}
	if (transmit_queued(transmit) < BATCH)
		return 0;
	r = flush(player);
	tick(player);
	return LEAST(r, 0);
}

/* What the device still holds belongs to the time it took; one that never lets go does not. */
static void drain(struct player *player)
{
	uint64_t deadline = clock_monotonic_ns() + DRAIN_NS;

	while (transmit_is_under_way(player->plan.transmit) && !player->is_stopped &&
	       player->now < deadline) {
		sleep_until(clock_monotonic_ns() + RETRY_NS);
		tick(player);
	}
}

/* ---- packets ----------------------------------------------------------------------------- */

/* Until a packet is due, what was due before must be on its way. */
static int wait_until_due(struct player *player, uint64_t due)
{
	int r;

	if (player->now < due)
		tick(player);
	if (player->now >= due)
		return 0;
	r = hand_over(player);
	while (r == 0 && player->now < due) {
		sleep_early(player, LEAST(due, player->now + LOOK_NS));
		tick(player);
		if (player->is_stopped)
			r = -EINTR;
	}
	return r;
}

static void warn_of_link(struct player *player, const struct playlist_entry *entry)
{
	const char *theirs = refusal_link_name(entry->record.link_type);
	const char *ours = refusal_link_name(player->plan.limits.link_type);

	if (entry->round > 0 || player->warned == entry->path)
		return;
	player->warned = entry->path;
	log_line(LOG_WARNING,
	    "%s: has packets of link type %" PRIu32 " (%s), which %s cannot send: it is %s",
	    entry->path, entry->record.link_type, theirs ? theirs : "not one of the usual",
	    player->plan.interface, ours ? ours : "of another");
}

static int send_one(struct player *player, const struct playlist_entry *entry)
{
	const struct packet *packet = &entry->record.packet;
	uint64_t due;
	int r;

	if (!player->has_begun) {
		player->has_begun = true;
		player->now = player->started = player->shown = clock_monotonic_ns();
		pace_begin(&player->pace, &player->plan.pace, player->now);
	}
	player->accepted++;
	due = pace_due(&player->pace, packet, entry->record.has_time);
	r = wait_until_due(player, due);
	if (r < 0)
		return r;
	if (due > 0 && player->now - due >= LATE_NS)
		player->counts.late++;
	return put(player, packet);
}

/* Returns 1 where it has its fill. */
static int play_one(struct player *player, const struct playlist_entry *entry)
{
	enum refusal refusal = refusal_of(&player->plan.limits, &entry->record);
	int r = 0;

	/* Of a recording whose first packet is refused, too. */
	if (entry->is_first)
		pace_follow(&player->pace, clock_monotonic_ns());
	player->counts.read++;
	if (refusal != REFUSAL_NONE) {
		player->counts.refused[refusal]++;
		if (refusal == REFUSAL_LINK_TYPE)
			warn_of_link(player, entry);
		tick(player);
		return player->is_stopped ? -EINTR : 0;
	}
	if (player->plan.transmit) {
		r = send_one(player, entry);
	} else {
		tick(player);
		player->accepted++;
		player->counts.bytes += entry->record.packet.captured_length;
	}
	if (r == 0 && player->accepted == player->plan.limit)
		return 1;
	return r == 0 && player->is_stopped ? -EINTR : r;
}

static void settle(struct player *player)
{
	const struct transmit_counts *counts;

	if (player->has_begun)
		player->counts.took_ns = clock_monotonic_ns() - player->started;
	if (player->plan.has_progress)
		fputs("\r\033[K", stderr);
	player->counts.sent = player->accepted;
	if (!player->plan.transmit)
		return;
	counts = transmit_counts(player->plan.transmit);
	player->counts.sent = counts->sent;
	player->counts.bytes = counts->sent_bytes;
	player->counts.refused[REFUSAL_KERNEL] = counts->refused;
	player->counts.unsent = player->accepted - counts->sent - counts->refused;
}

/* A round of which nothing could be sent would be followed by others for ever. */
static bool is_in_vain(struct player *player, const struct playlist_entry *entry)
{
	bool was_in_vain = player->accepted == player->accepted_before;

	if (entry->round == player->round)
		return false;
	player->round = entry->round;
	player->accepted_before = player->accepted;
	return was_in_vain;
}

/* The first counts: what is seen later follows from it. */
static void note(struct player *player, int result)
{
	if (result < 0 && result != -EINTR && player->failure == 0)
		player->failure = result;
}

int player_run(struct player *player, struct playlist *playlist)
{
	struct playlist_entry entry;
	int r;

	while ((r = playlist_next(playlist, &entry)) > 0) {
		r = is_in_vain(player, &entry) ? 1 : play_one(player, &entry);
		if (r != 0) {
			note(player, r);
			break;
		}
	}
	if (player->plan.transmit) {
		note(player, hand_over(player));
		drain(player);
	}
	settle(player);
	if (player->failure < 0)
		return player->failure;
	return r == -EINTR ? 0 : LEAST(r, 0);
}

int player_is_stopped(void *context)
{
	struct player *player = context;

	tick(player);
	return player->is_stopped ? -EINTR : 0;
}

int player_wait_for(void *context, int fd)
{
	struct player *player = context;
	struct pollfd both[] = {
		{ .fd = fd, .events = POLLIN },
		{ .fd = player->plan.stop_fd, .events = POLLIN },
	};
	int r = player->plan.transmit ? hand_over(player) : 0;

	note(player, r);
	if (r < 0)
		return -EINTR;
	(void)poll(both, COUNT_OF(both), -1);
	player->is_stopped |= both[1].revents != 0;
	return player->is_stopped ? -EINTR : 0;
}
