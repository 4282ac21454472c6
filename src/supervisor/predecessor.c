/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/predecessor.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "ledger/roster.h"
#include "supervisor/crew.h"
#include "supervisor/inheritance.h"
#include "supervisor/premises.h"
#include "supervisor/report.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const uint64_t check_interval_us = 500000;
/* Of the 90 s that the unit gives a start. */
static const uint64_t patience_ns = 60 * NSEC_PER_SEC;

struct predecessor {
	const struct predecessor_seat *seat;
	struct ledger *left; /* as it was found, for reading */
	struct config config;
	struct interface_config *interfaces;
	struct premises premises;
	struct crew crew;
	sd_event *event;
	uint64_t deadline_ns;
	bool is_drained;
};

/* ---- whose it was ------------------------------------------------------------------------ */

/* Of the life before, with rings that came back, and not of the configuration that is now. */
static bool is_there(struct predecessor *predecessor)
{
	const struct predecessor_seat *seat = predecessor->seat;
	CLEANUP(close_at) int runtime = open(seat->runtime_directory, O_DIRECTORY | O_CLOEXEC);
	const struct ledger_header *header;

	if (runtime < 0 || keeper_count(seat->keeper) == 0 ||
	    ledger_open(&predecessor->left, runtime) < 0)
		return false;
	header = ledger_header(predecessor->left);
	return strcmp(header->sensor, seat->config->sensor) == 0 &&
	       atomic_load(&header->state) != STATE_GONE &&
	       /* A damaged one is for the start to set aside, which tells of the gap. */
	       premises_are_sound(predecessor->left) &&
	       !premises_fit(predecessor->left, seat->config);
}

/* As it was configured, as far as a drain goes by that. */
static int recall(struct predecessor *predecessor)
{
	static char own[] = "";
	struct config *config = &predecessor->config;
	struct ledger_header *header = ledger_header(predecessor->left);

	*config = *predecessor->seat->config;
	premises_recall(config, predecessor->left);
	config->output.directory = header->output;
	config->interface_count = 0;
	config->interfaces = predecessor->interfaces =
	    calloc(header->interface_count, sizeof(*predecessor->interfaces));
	if (!config->interfaces)
		return log_failure(-ENOMEM, "cannot plan to drain the rings of before");
	for (size_t i = 0; i < header->interface_count; i++) {
		struct ledger_interface *record = ledger_interface(predecessor->left, i);
		char *at = strchr(record->name, '@');

		if (!roster_has(record))
			continue;
		/* No socket is made any more, so that it does not matter where it is. */
		config->interfaces[config->interface_count++] =
		    (struct interface_config) { .name = record->name,
			    .device = at ? at + 1 : record->name,
			    .namespace = own,
			    .workers = ledger_last_run(record)->count };
	}
	return 0;
}

/* ---- draining ---------------------------------------------------------------------------- */

static void on_runs(void *user, const struct group *group)
{
	(void)user;
	(void)group;
}

/* It is tried again, until it ends. */
static void on_failed(void *user, const struct group *group, int error)
{
	(void)user;
	(void)group;
	(void)error;
}

static void on_ended(void *user)
{
	struct predecessor *predecessor = user;

	for (size_t i = 0; i < predecessor->config.interface_count; i++) {
		const struct group *group = predecessor->crew.groups[i];

		if (!group_has_ended(group) || (group->before && !group_has_ended(group->before)))
			return;
	}
	predecessor->is_drained = true;
	(void)sd_event_exit(predecessor->event, 0);
}

static int on_check(sd_event_source *source, uint64_t usec, void *user)
{
	struct predecessor *predecessor = user;
	uint64_t now_ns = clock_monotonic_ns();
	int r;

	(void)usec;
	if (now_ns >= predecessor->deadline_ns)
		return sd_event_exit(predecessor->event, 0);
	crew_check(&predecessor->crew, now_ns);
	r = sd_event_source_set_time_relative(source, check_interval_us);
	return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int open_loop(struct predecessor *predecessor)
{
	sigset_t mask;
	int r;

	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
		return -errno;
	r = sd_event_new(&predecessor->event);
	if (r < 0)
		return r;
	return sd_event_add_time_relative(
	    predecessor->event, NULL, CLOCK_MONOTONIC, check_interval_us, 0, on_check, predecessor);
}

static int open_groups(struct predecessor *predecessor)
{
	struct crew *crew = &predecessor->crew;
	int r;

	*crew = (struct crew) {
		.config = &predecessor->config,
		.premises = &predecessor->premises,
		.keeper = predecessor->seat->keeper,
		.event = predecessor->event,
		.run = predecessor->seat->run,
		.owner = { on_runs, on_failed, on_ended, predecessor },
	};
	r = crew_open(crew);
	/* How long its frames are, where it is still there. */
	for (size_t i = 0; r >= 0 && i < predecessor->config.interface_count; i++) {
		struct place place = { PLACE_HERE, "", predecessor->interfaces[i].device };

		(void)socket_interface(&place, &crew->groups[i]->link);
	}
	return r;
}

static void take_over(struct group *group)
{
	struct socket_seat seat;

	if (!group)
		return;
	(void)inheritance_enter(group, &seat);
	group->has_begun = group->runs = true;
}

/* Whoever has a ring takes it over, and is stopped at once. */
static void stop_all(struct predecessor *predecessor)
{
	const size_t count = predecessor->config.interface_count;
	struct group **groups = predecessor->crew.groups;

	for (size_t i = 0; i < count; i++) {
		take_over(groups[i]);
		take_over(groups[i]->before);
	}
	for (size_t i = 0; i < count; i++) {
		group_stop(groups[i]);
		if (groups[i]->before)
			group_stop(groups[i]->before);
	}
}

/* The next ledger begins with nothing; the gap is since the rings took no more in. */
static void end_ledger(const struct predecessor *predecessor, uint64_t refused_ns)
{
	struct ledger *ledger = predecessor->premises.ledger;
	struct ledger_header *header = ledger_header(ledger);
	struct counters total;

	for (uint32_t i = 0; i < header->worker_count; i++)
		atomic_store(&ledger_worker(ledger, i)->heartbeat_ns, refused_ns);
	atomic_store(&header->pid, (uint32_t)getpid());
	if (!predecessor->is_drained) {
		log_line(LOG_ERR, "another configuration: the rings of the one before are not "
				  "drained in time; what they still hold is lost");
		return;
	}
	atomic_store(&header->state, STATE_GONE);
	report_total(ledger, &total);
	log_line(LOG_NOTICE,
	    "another configuration: the rings of the one before are drained: seen %" PRIu64
	    " packets, dropped %" PRIu64 ", written %" PRIu64 ", discarded %" PRIu64,
	    total.value[COUNTER_SEEN], total.value[COUNTER_DROPPED], total.value[COUNTER_WRITTEN],
	    total.value[COUNTER_DISCARDED]);
}

static int drain(struct predecessor *predecessor)
{
	enum exit_step step;
	uint64_t now_ns;
	int r = recall(predecessor);

	if (r >= 0)
		r = premises_open(&predecessor->premises, &predecessor->config,
		    predecessor->seat->runtime_directory, PREMISES_ONLY_ON, &step);
	if (r < 0)
		return r;
	r = open_loop(predecessor);
	if (r >= 0)
		r = open_groups(predecessor);
	if (r < 0)
		return log_failure(r, "cannot drain the rings of before");
	now_ns = clock_monotonic_ns();
	predecessor->deadline_ns = now_ns + patience_ns;
	stop_all(predecessor);
	r = sd_event_loop(predecessor->event);
	end_ledger(predecessor, now_ns);
	return r;
}

static void close_all(struct predecessor *predecessor)
{
	/* The keeper is the next life's. */
	predecessor->crew.keeper = NULL;
	crew_close(&predecessor->crew, false);
	if (predecessor->premises.ledger)
		(void)catalog_catch_up(&predecessor->premises.catalog);
	sd_event_unref(predecessor->event);
	premises_close(&predecessor->premises);
	free(predecessor->interfaces);
	ledger_close(predecessor->left);
}

void predecessor_drain(const struct predecessor_seat *seat)
{
	struct predecessor predecessor = { .seat = seat,
		.premises = { .runtime = -1, .output = -1 } };

	if (is_there(&predecessor))
		(void)drain(&predecessor);
	close_all(&predecessor);
}
