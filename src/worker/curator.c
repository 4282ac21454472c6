/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "worker/curator.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "config/config.h"
#include "control/channel.h"
#include "storage/compaction.h"
#include "storage/cull.h"
#include "worker/confine.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>

enum {
	LOOK_MS = 1000,
	COMPACT_LEAST = 1000, /* lines of files that are no more, before it is worth it */
};
static const uint64_t compact_again_ns = 60 * NSEC_PER_SEC;

struct curator {
	const struct heritage *heritage;
	struct cull cull;
	bool has_plan;
	bool is_short;  /* told */
	bool is_failed; /* told, too */
	uint64_t compacted_ns;
	int watch; /* inotify: the catalog has grown; -1: cannot be had, and each second will do */
};

static void say(const struct curator *curator, const struct message *message)
{
	(void)channel_send(curator->heritage->channel, message);
}

/* ---- what it goes by --------------------------------------------------------------------- */

static void take_plan(struct curator *curator, const struct message *message)
{
	const struct message_retain *plan = &message->retain;
	struct cull *cull = &curator->cull;

	cull->retain = (struct retain_config) {
		.size = plan->size,
		.age = plan->age,
		.files = plan->files,
		.free = plan->free,
		.after_close = plan->after_close != 0,
	};
	cull->rotate_size = plan->rotate_size;
	cull->facts.open_files = plan->open_files;
	cull->facts.open_now = message->number;
	cull->facts.knows_time = message->value != 0;
	curator->has_plan = true;
}

/* Returns -EPIPE where the supervisor is gone. */
static int hear(struct curator *curator)
{
	struct message message;
	int r;

	while ((r = channel_receive(curator->heritage->channel, &message)) > 0) {
		if (message.kind != MESSAGE_CURATE)
			continue;
		take_plan(curator, &message);
		say(curator, &(const struct message) { .kind = MESSAGE_HEARD });
	}
	return r;
}

/* ---- removing ---------------------------------------------------------------------------- */

static void tell_removed(const struct curator *curator, const struct cull_outcome *outcome)
{
	struct message message = { .kind = MESSAGE_EXPIRED };

	snprintf(message.file.name, sizeof(message.file.name), "%s", outcome->file->file);
	snprintf(message.text, sizeof(message.text), "%s", retention_name(outcome->bound));
	message.file.bytes = outcome->file->bytes;
	say(curator, &message);
}

static void tell_short(struct curator *curator, const struct cull_outcome *outcome)
{
	struct message message = { .kind = MESSAGE_SHORT };

	if (outcome->is_out_of_reach && outcome->waiting > 0)
		snprintf(message.text, sizeof(message.text),
		    "output.retain.free cannot be kept: %" PRIu64
		    " finished files wait for output.on_close, as output.retain.after_close says "
		    "(`fancap on-close --pending`)",
		    outcome->waiting);
	else if (outcome->is_out_of_reach)
		snprintf(message.text, sizeof(message.text),
		    "output.retain.free cannot be kept: others fill the disk, and all finished "
		    "files of this sensor that are not held are not enough");
	else
		snprintf(message.text, sizeof(message.text), "output.retain.%s is not kept, and %s",
		    retention_name(outcome->bound),
		    outcome->is_unsure
			? "one of the holds in the output directory cannot be read, so that every "
			  "file is held (`fancap holds`)"
		    : outcome->waiting > 0
			? "the files that are left wait for output.on_close, as "
			  "output.retain.after_close says (`fancap on-close --pending`)"
		    : outcome->is_held ? "all files that are left are held (`fancap holds`)"
				       : "no finished file is left to remove");
	say(curator, &message);
}

static void tell_failed(const struct curator *curator, const char *what, int error)
{
	struct message message = { .kind = MESSAGE_FAILED, .error = error };

	snprintf(message.text, sizeof(message.text), "%.400s: %s", what, strerror(-error));
	say(curator, &message);
}

/* Once for as long as it lasts. */
static void tell_state(struct curator *curator, const struct cull_outcome *outcome)
{
	bool is_short = outcome->is_out_of_reach || outcome->bound != RETENTION_KEPT;

	if (is_short && !curator->is_short)
		tell_short(curator, outcome);
	else if (!is_short && curator->is_short)
		say(curator, &(const struct message) { .kind = MESSAGE_ENOUGH });
	curator->is_short = is_short;
}

/* Returns 0 or a negative errno. */
static int remove_what_is_old(struct curator *curator)
{
	struct cull_outcome outcome;
	int r;

	while ((r = cull_step(&curator->cull, &outcome)) > 0) {
		if (outcome.was_removed)
			tell_removed(curator, &outcome);
		else if (outcome.error < 0)
			tell_failed(curator, outcome.file->file, outcome.error);
		/* There may be many, and the supervisor takes one that is silent for hung. */
		(void)hear(curator);
	}
	if (r == 0)
		tell_state(curator, &outcome);
	return r;
}

static void compact(struct curator *curator)
{
	uint64_t now = clock_monotonic_ns();

	if (curator->cull.stock.lines < 2 * curator->cull.stock.there + COMPACT_LEAST ||
	    (curator->compacted_ns > 0 && now - curator->compacted_ns < compact_again_ns))
		return;
	curator->compacted_ns = now;
	/* One that cannot be compacted grows, and is tried again. */
	(void)compaction_run(curator->heritage->directory);
}

static void tidy(struct curator *curator)
{
	int r = cull_look(&curator->cull);

	if (r == 0)
		r = remove_what_is_old(curator);
	if (r == 0)
		compact(curator);
	if (r < 0 && !curator->is_failed)
		tell_failed(curator, "the output directory, and what is in it", r);
	curator->is_failed = r < 0;
}

/* ---- life -------------------------------------------------------------------------------- */

static int confine_it(const struct curator *curator)
{
	const char *purpose = "";
	int r = confine(curator->heritage, &purpose);

	if (r < 0)
		tell_failed(curator, purpose, r);
	return r;
}

/* Until there is something new to look at. */
static void wait_for_news(const struct curator *curator)
{
	struct pollfd both[] = {
		{ .fd = curator->heritage->channel, .events = POLLIN },
		{ .fd = curator->watch, .events = POLLIN },
	};
	char events[1024] __attribute__((aligned(__alignof__(struct inotify_event))));

	(void)poll(both, COUNT_OF(both), LOOK_MS);
	if (both[1].revents)
		(void)!read(curator->watch, events, sizeof(events));
}

/* A catalog that was compacted is another file; that it is watched already does no harm. */
static void watch_catalog(const struct curator *curator)
{
	char name[64];

	snprintf(
	    name, sizeof(name), "/proc/self/fd/%d/catalog.jsonl", curator->heritage->directory);
	if (curator->watch >= 0)
		(void)inotify_add_watch(curator->watch, name, IN_MODIFY);
}

int curator_run(const struct heritage *heritage)
{
	struct curator curator = { .heritage = heritage };

	if (confine_it(&curator) < 0)
		return EXIT_FAILURE;
	curator.watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	cull_begin(&curator.cull, heritage->directory, heritage->config->sensor);
	while (hear(&curator) >= 0) {
		watch_catalog(&curator);
		if (curator.has_plan)
			tidy(&curator);
		wait_for_news(&curator);
	}
	close_at(&curator.watch);
	cull_end(&curator.cull);
	return EXIT_SUCCESS;
}
