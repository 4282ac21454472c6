/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/supervisor.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/exit.h"
#include "base/log.h"
#include "capture/geometry.h"
#include "capture/link.h"
#include "config/workers.h"
#include "supervisor/balance.h"
#include "supervisor/clock_watch.h"
#include "supervisor/crew.h"
#include "supervisor/curation.h"
#include "supervisor/interfaces.h"
#include "supervisor/journal.h"
#include "supervisor/keeper.h"
#include "supervisor/manager.h"
#include "supervisor/legacy.h"
#include "supervisor/orphans.h"
#include "supervisor/predecessor.h"
#include "supervisor/premises.h"
#include "supervisor/report.h"
#include "supervisor/retry.h"
#include "supervisor/room.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* Twice a second: a worker silent for 2 s is found within half a second more. */
static const uint64_t check_interval_us = 500000;
/* What a stop may take from one sign of progress to the next: more than our own deadlines, by which
 * a worker without any is ended, and followed. */
static const uint64_t stop_extension_us = 90000000;

struct supervisor {
	const struct supervisor_seat *seat;
	struct config *config;
	sd_event *event;
	struct premises premises;
	struct crew crew;
	struct interfaces *interfaces;
	struct report *report;
	sd_event_source *report_source;
	uint64_t checked_ns; /* when the workers were last looked at */
	bool has_begun; /* every group has: before, one that runs already speaks for itself alone */
	bool is_ready;
	struct clock_watch clock;
	struct curation curation;
	uint64_t settled; /* how far a stop had come when more time was asked for */
	bool is_stopping;
	bool wants_reload; /* once it is ready, and no other is under way */
	bool takes_up;     /* and that is of the file that this life began beside */
	bool is_reloading;
	bool is_leaving; /* another life goes on where this one stands */
	int exit_status;
};

/* ---- the sensor's state ------------------------------------------------------------------ */

static void update_state(struct supervisor *supervisor)
{
	struct ledger_header *header = ledger_header(supervisor->premises.ledger);
	enum ledger_state state = STATE_RUNNING;

	for (size_t i = 0; i < supervisor->config->interface_count; i++) {
		enum ledger_state one =
		    (enum ledger_state)atomic_load(&supervisor->crew.groups[i]->record->state);

		/* The first in the enum's order of readiness speaks for all. */
		if (one < state)
			state = one;
	}
	if (supervisor->is_stopping)
		state = STATE_STOPPING;
	atomic_store(&header->state, (uint32_t)state);
}

/* Capture first: the disk may be busy with this for long. */
static void begin_legacy(struct supervisor *supervisor)
{
	const struct legacy_seat seat = {
		.config = supervisor->config,
		.runtime = supervisor->premises.runtime,
		.output = supervisor->premises.output,
		.catalog = &supervisor->premises.catalog,
		.run = supervisor->seat->run,
	};

	legacy_begin(supervisor->premises.legacy, supervisor->event, &seat);
}

static void reload(struct supervisor *supervisor);

/* An earlier life's were gone on with as they were. */
static void change_to_configured(struct supervisor *supervisor)
{
	if (room_check(&supervisor->crew, supervisor->config) >= 0)
		(void)crew_change(&supervisor->crew);
}

/* Workers and rings are as the configuration says, or will not be. */
static void on_changed(void *user, int error)
{
	struct supervisor *supervisor = user;
	bool was_reloading;

	/* What ends has nothing more to say of its configuration. */
	if (supervisor->is_stopping)
		return;
	was_reloading = supervisor->is_reloading;
	supervisor->is_reloading = false;
	if (was_reloading)
		reload_end(supervisor->seat->path, error);
	if (!supervisor->is_ready)
		return;
	if (supervisor->wants_reload)
		reload(supervisor);
	else if (!was_reloading && error >= 0)
		/* An earlier life's change was, to what its own configuration said. */
		change_to_configured(supervisor);
}

static void reload(struct supervisor *supervisor)
{
	const struct reload_seat seat = {
		.config = supervisor->config,
		.path = supervisor->seat->path,
		.load = supervisor->seat->load,
		.premises = &supervisor->premises,
		.crew = &supervisor->crew,
		.is_of_start = supervisor->takes_up,
	};
	int r;

	/* One after the other. */
	if (crew_is_changing(&supervisor->crew))
		return;
	supervisor->wants_reload = supervisor->takes_up = false;
	r = reload_begin(&seat);
	if (r >= 0) {
		(void)sd_event_source_set_time_relative(
		    supervisor->report_source, supervisor->config->report.interval / NSEC_PER_USEC);
		supervisor->is_reloading = true;
		r = crew_change(&supervisor->crew);
		if (r <= 0)
			on_changed(supervisor, r);
	}
}

static void tell_ready(struct supervisor *supervisor)
{
	update_state(supervisor);
	for (size_t i = 0; i < supervisor->config->interface_count; i++)
		if (supervisor->crew.groups[i]->has_begun && !supervisor->crew.groups[i]->runs)
			return;
	if (!supervisor->has_begun || supervisor->is_ready || supervisor->is_stopping)
		return;
	supervisor->is_ready = true;
	retry_forget(supervisor->premises.runtime);
	if (supervisor->premises.goes_on)
		last_good_keep(supervisor->premises.runtime, supervisor->config);
	report_tick(supervisor->report, clock_monotonic_ns());
	begin_legacy(supervisor);
	report_notify("READY=1");
	if (getenv("NOTIFY_SOCKET"))
		(void)room_is_kept(supervisor->config);
	if (supervisor->wants_reload)
		reload(supervisor);
	else
		change_to_configured(supervisor);
}

static void tell_started(const struct supervisor *supervisor, const struct group *group)
{
	const struct config *config = supervisor->config;
	const struct journal_about about = { .interface = group->interface->name };
	const struct geometry_rule *rule;
	struct geometry geometry;
	char ring[GEOMETRY_TEXT] = "";

	if (geometry_plan(&geometry, &group->ring, &rule) == 0)
		geometry_describe(&geometry, link_header_received(group->link.link_type), ring);
	journal_event(EVENT_STARTED, &about,
	    "%s: %zu worker%s to %s, each with a ring of its own: %s", group->interface->name,
	    group->count, group->count == 1 ? " captures" : "s capture", config->output.directory,
	    ring);
}

static void fail(struct supervisor *supervisor, int error)
{
	supervisor->exit_status = exit_status_of(STEP_CAPTURE, error);
	report_notify("ERRNO=%d", -error);
	(void)sd_event_exit(supervisor->event, 0);
}

static void on_group_runs(void *user, const struct group *group)
{
	struct supervisor *supervisor = user;

	legacy_tell_gap(
	    supervisor->premises.legacy, supervisor->premises.ledger, group->interface->name);
	/* A later one is told of by its link. */
	if (!supervisor->is_ready || group->arrives)
		tell_started(supervisor, group);
	if (group->arrives)
		crew_look_at_arrival(&supervisor->crew, group, 0);
	tell_ready(supervisor);
}

static void on_group_failed(void *user, const struct group *group, int error)
{
	struct supervisor *supervisor = user;

	/* A link that came late must not end the capture of the others: it is tried again. */
	if (!supervisor->is_ready)
		fail(supervisor, error);
	else if (group->arrives)
		crew_look_at_arrival(&supervisor->crew, group, error);
}

/* ---- stopping ---------------------------------------------------------------------------- */

static void tell_stopped(struct supervisor *supervisor)
{
	struct counters total;
	struct journal_about about = { 0 };

	report_tick(supervisor->report, clock_monotonic_ns());
	report_total(supervisor->premises.ledger, &total);
	about.packets = &total.value[COUNTER_SEEN];
	about.bytes = &total.value[COUNTER_WRITTEN_BYTES];
	about.drops_total = &total.value[COUNTER_DROPPED];
	about.discards = &total.value[COUNTER_DISCARDED];
	journal_event(EVENT_STOPPED, &about,
	    "stopped: seen %" PRIu64 " packets, dropped %" PRIu64 ", written %" PRIu64
	    ", discarded %" PRIu64,
	    *about.packets, *about.drops_total, total.value[COUNTER_WRITTEN], *about.discards);
}

static void on_group_ended(void *user)
{
	struct supervisor *supervisor = user;

	/* Who gives way ends at any time. */
	if (supervisor->is_stopping && crew_has_ended(&supervisor->crew))
		(void)sd_event_exit(supervisor->event, 0);
}

/* Grows with each step that a stop comes nearer to its end. */
static uint64_t settled_by(const struct supervisor *supervisor)
{
	const struct ledger *ledger = supervisor->premises.ledger;
	struct counters total;
	uint64_t gone = 0;

	report_total(ledger, &total);
	for (size_t i = 0; i < ledger_header(ledger)->slot_count; i++)
		gone += atomic_load(&ledger_slot(ledger, i)->state) == STATE_GONE;
	return total.value[COUNTER_WRITTEN] + total.value[COUNTER_DISCARDED] +
	       total.value[COUNTER_FILES] + gone;
}

static void ask_for_time(struct supervisor *supervisor)
{
	uint64_t settled = settled_by(supervisor);

	if (settled != supervisor->settled)
		report_notify("EXTEND_TIMEOUT_USEC=%" PRIu64, stop_extension_us);
	supervisor->settled = settled;
}

static void stop(struct supervisor *supervisor)
{
	const struct journal_about about = { 0 };

	supervisor->is_stopping = true;
	supervisor->settled = settled_by(supervisor);
	update_state(supervisor);
	report_notify("STOPPING=1\nSTATUS=writing what the rings hold");
	journal_event(EVENT_STOPPING, &about, "stopping: writing what the rings hold");
	crew_stop(&supervisor->crew);
}

/* Nothing is touched: the next life finds all as a killed one leaves it, and goes on from there. */
static void leave(struct supervisor *supervisor)
{
	const struct journal_about about = { 0 };

	supervisor->is_leaving = true;
	report_notify("STOPPING=1\nSTATUS=restarting; the rings go on filling");
	journal_event(EVENT_STOPPING, &about,
	    "restarting: the rings go on filling, and the next life goes on with them");
	(void)sd_event_exit(supervisor->event, 0);
}

/* Whether the rings will still be there for another life, which is about to begin. */
static bool may_leave(const struct supervisor *supervisor)
{
	return supervisor->is_ready && manager_job() == MANAGER_JOB_RESTART &&
	       room_is_kept(supervisor->config) && keeper_settle() >= 0;
}

/* ---- what wakes the loop ----------------------------------------------------------------- */

static int on_stop_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *user)
{
	struct supervisor *supervisor = user;

	(void)source;
	(void)info;
	if (supervisor->is_leaving)
		return 0;
	if (!supervisor->is_stopping) {
		if (may_leave(supervisor))
			leave(supervisor);
		else
			stop(supervisor);
		return 0;
	}
	log_line(LOG_ERR, "stopped by a second signal, before the drain was done");
	supervisor->exit_status = EX_SOFTWARE;
	return sd_event_exit(supervisor->event, 0);
}

static int on_reload_signal(
    sd_event_source *source, const struct signalfd_siginfo *info, void *user)
{
	struct supervisor *supervisor = user;

	(void)source;
	(void)info;
	/* What ends does not change any more; what starts has read its file already. */
	if (supervisor->is_stopping || supervisor->is_leaving)
		return 0;
	supervisor->wants_reload = true;
	/* Who asks is to hear of it, also where it comes together with our own. */
	supervisor->takes_up = false;
	if (supervisor->is_ready)
		reload(supervisor);
	return 0;
}

static int on_rotate_signal(
    sd_event_source *source, const struct signalfd_siginfo *info, void *user)
{
	struct supervisor *supervisor = user;

	(void)source;
	(void)info;
	crew_rotate(&supervisor->crew);
	return 0;
}

static int again(sd_event_source *source, uint64_t after_us)
{
	int r = sd_event_source_set_time_relative(source, after_us);

	return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int on_check(sd_event_source *source, uint64_t usec, void *user)
{
	struct supervisor *supervisor = user;
	uint64_t now_ns = clock_monotonic_ns();

	(void)usec;
	/* After a pause of this process, perhaps of the whole machine, workers get a turn first. */
	if (now_ns - supervisor->checked_ns < 2 * check_interval_us * NSEC_PER_USEC)
		crew_check(&supervisor->crew, now_ns);
	supervisor->checked_ns = now_ns;
	orphans_reap(
	    supervisor->premises.ledger, supervisor->premises.legacy, &supervisor->curation);
	clock_watch_look(&supervisor->clock);
	supervisor->curation.event = supervisor->event;
	interfaces_check(supervisor->interfaces);
	(void)catalog_catch_up(&supervisor->premises.catalog);
	curation_look(&supervisor->curation, clock_watch_is_sure(&supervisor->clock));
	tell_ready(supervisor);
	if (supervisor->is_stopping)
		ask_for_time(supervisor);
	return again(source, check_interval_us);
}

static int on_report(sd_event_source *source, uint64_t usec, void *user)
{
	struct supervisor *supervisor = user;

	(void)usec;
	if (!supervisor->is_stopping)
		report_tick(supervisor->report, clock_monotonic_ns());
	for (size_t i = 0; i < supervisor->config->interface_count; i++)
		stamping_look(&supervisor->crew.groups[i]->intake.stamping);
	return again(source, supervisor->config->report.interval / NSEC_PER_USEC);
}

static void on_link(
    void *user, const char *territory, const char *device, int ifindex, enum link_change change)
{
	struct supervisor *supervisor = user;

	for (size_t i = 0; i < supervisor->config->interface_count; i++) {
		struct group *group = supervisor->crew.groups[i];

		if (strcmp(territory, group->interface->namespace) != 0)
			continue;
		if (!device)
			group_look_at_link(group);
		else if (strcmp(group->interface->device, INTERFACE_ANY) == 0)
			continue; /* one is not all, even where it is called so */
		else if (strcmp(device, group->interface->device) == 0)
			group_link(group, ifindex, change);
		else if (group->has_begun && ifindex == group->link.ifindex)
			/* Renamed: what is configured is a name. */
			group_link(group, ifindex, LINK_IS_GONE);
	}
	tell_ready(supervisor);
}

/* ---- setting up -------------------------------------------------------------------------- */

static int listen_to_signals(struct supervisor *supervisor)
{
	static const struct {
		int number;
		sd_event_signal_handler_t handler;
	} signals[] = {
		{ SIGTERM, on_stop_signal },
		{ SIGINT, on_stop_signal },
		{ SIGHUP, on_reload_signal },
		{ SIGUSR1, on_rotate_signal },
	};
	sigset_t mask;
	int r = 0;

	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	for (size_t i = 0; i < COUNT_OF(signals); i++)
		sigaddset(&mask, signals[i].number);
	if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
		return -errno;
	for (size_t i = 0; r >= 0 && i < COUNT_OF(signals); i++)
		r = sd_event_add_signal(
		    supervisor->event, NULL, signals[i].number, signals[i].handler, supervisor);
	return r;
}

static int set_up_loop(struct supervisor *supervisor)
{
	int r = sd_event_new(&supervisor->event);

	if (r >= 0)
		r = listen_to_signals(supervisor);
	/* Speaks for this loop only: a stuck worker is for deadlines_check() to end. */
	if (r >= 0)
		r = sd_event_set_watchdog(supervisor->event, true);
	if (r >= 0)
		r = sd_event_add_time_relative(supervisor->event, NULL, CLOCK_MONOTONIC,
		    check_interval_us, 0, on_check, supervisor);
	if (r >= 0)
		r = sd_event_add_time_relative(supervisor->event, &supervisor->report_source,
		    CLOCK_MONOTONIC, supervisor->config->report.interval / NSEC_PER_USEC, 0,
		    on_report, supervisor);
	if (r < 0)
		return log_failure(r, "cannot set the supervisor's loop up");
	return interfaces_open(
	    &supervisor->interfaces, supervisor->event, supervisor->config, on_link, supervisor);
}

static int set_up_groups(struct supervisor *supervisor, enum exit_step *ret_step)
{
	struct ledger_header *header = ledger_header(supervisor->premises.ledger);
	struct crew *crew = &supervisor->crew;
	int r;

	clock_watch_look(&supervisor->clock);
	crew->premises = &supervisor->premises;
	crew->interfaces = supervisor->interfaces;
	crew->event = supervisor->event;
	supervisor->report = report_new(supervisor->config, supervisor->interfaces,
	    supervisor->premises.ledger, clock_monotonic_ns());
	if (!supervisor->report)
		return log_failure(-ENOMEM, "cannot plan the groups");
	*ret_step = STEP_RUNTIME;
	atomic_store(&header->pid, (uint32_t)getpid());
	atomic_store(&header->refuses_file, supervisor->seat->source == CONFIG_IS_INSTEAD_OF_IT);
	if (!supervisor->premises.goes_on) {
		/* Before there are rings; what goes on with some is kept once it has. */
		last_good_keep(supervisor->premises.runtime, supervisor->config);
		atomic_store(&header->started_utc_ns, clock_utc_ns());
	}
	r = crew_open(crew);
	if (r < 0)
		return r;
	*ret_step = STEP_CAPTURE;
	return crew_begin(crew);
}

static void end_ledger(struct supervisor *supervisor)
{
	if (supervisor->is_stopping) {
		if (!balance_check(supervisor->premises.ledger))
			supervisor->exit_status = EX_SOFTWARE;
		tell_stopped(supervisor);
	} else {
		premises_remove_ledger(&supervisor->premises);
	}
	atomic_store(&ledger_header(supervisor->premises.ledger)->state, STATE_GONE);
}

static void tear_down(struct supervisor *supervisor)
{
	struct ledger *ledger = supervisor->premises.ledger;

	/* A start that fails leaves what it was to go on with as it was. */
	bool leaves =
	    supervisor->is_leaving || (supervisor->premises.goes_on && !supervisor->is_stopping);

	crew_close(&supervisor->crew, leaves);
	curation_end(&supervisor->curation);
	if (ledger) {
		if (!leaves) {
			end_ledger(supervisor);
			last_good_forget(supervisor->premises.runtime, supervisor->config);
		}
		atomic_store(&ledger_header(ledger)->pid, 0);
	}
	report_free(supervisor->report);
	interfaces_close(supervisor->interfaces);
	sd_event_source_unref(supervisor->report_source);
	sd_event_unref(supervisor->event);
	premises_close(&supervisor->premises);
}

int supervisor_run(const struct supervisor_seat *seat)
{
	struct supervisor supervisor = {
		.seat = seat,
		.config = seat->config,
		.wants_reload = seat->source == CONFIG_IS_BEFORE_FILE,
		.takes_up = seat->source == CONFIG_IS_BEFORE_FILE,
		.crew = { .config = seat->config,
		    .run = seat->run,
		    .owner = { on_group_runs, on_group_failed, on_group_ended, &supervisor },
		    .changed = on_changed },
		.curation = { seat->config, &supervisor.premises, .run = seat->run, .channel = -1 },
	};
	enum exit_step step = STEP_CAPTURE;
	bool has_rings;
	int r;

	workers_settle(seat->config);
	r = keeper_open(&supervisor.crew.keeper);
	if (r >= 0)
		predecessor_drain(&(struct predecessor_seat) {
		    seat->config, seat->runtime_directory, supervisor.crew.keeper, seat->run });
	if (r >= 0)
		r = premises_open(&supervisor.premises, seat->config, seat->runtime_directory,
		    keeper_count(supervisor.crew.keeper) > 0 ? PREMISES_GO_ON : PREMISES_ANEW,
		    &step);
	if (r < 0) {
		has_rings = keeper_count(supervisor.crew.keeper) > 0;
		keeper_free(supervisor.crew.keeper);
		report_notify("ERRNO=%d", -r);
		return retry_end(exit_status_of(step, r), has_rings, seat->runtime_directory);
	}
	r = set_up_loop(&supervisor);
	if (r >= 0)
		r = set_up_groups(&supervisor, &step);
	supervisor.has_begun = r >= 0;
	if (r >= 0)
		tell_ready(&supervisor);
	if (r >= 0)
		r = sd_event_loop(supervisor.event);
	if (r < 0) {
		supervisor.exit_status = exit_status_of(step, r);
		report_notify("ERRNO=%d", -r);
	}
	has_rings = supervisor.premises.goes_on && !supervisor.is_stopping;
	tear_down(&supervisor);
	return retry_end(supervisor.exit_status, has_rings, seat->runtime_directory);
}
