/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/group.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "capture/geometry.h"
#include "capture/link.h"
#include "ledger/members.h"
#include "supervisor/inheritance.h"
#include "supervisor/joining.h"
#include "supervisor/journal.h"
#include "supervisor/membership.h"
#include "supervisor/news.h"
#include "supervisor/report.h"
#include "supervisor/succession.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void group_set_state(struct group *group, enum ledger_state state)
{
	if (group->role == GROUP_SERVES)
		atomic_store(&group->record->state, (uint32_t)state);
}

static enum ledger_state state_of(const struct group *group)
{
	return (enum ledger_state)atomic_load(&group->record->state);
}

/* ---- how children end -------------------------------------------------------------------- */

static void group_reset(struct group *group)
{
	for (size_t i = 0; i < group->count; i++)
		child_let_go(&group->children[i]);
	intake_release(&group->intake);
	group->has_begun = group->runs = group->is_gone = group->is_of_old = false;
	group->fanout = -1;
	group_set_state(group, STATE_WAITING);
}

static void begin_on_return(struct group *group)
{
	const struct journal_about about = { .interface = group->interface->name };

	if (group_begin(group) > 0)
		journal_event(EVENT_INTERFACE_BACK, &about, "%s: is up, capture begins",
		    group->interface->name);
}

void group_look_for_end(struct group *group)
{
	if (!group_has_ended(group))
		return;
	if (group->is_stopping) {
		group_set_state(group, STATE_GONE);
		group->owner.ended(group->owner.user);
	} else if (group->is_gone) {
		group_reset(group);
		/* It may be back under its name already. */
		begin_on_return(group);
	}
}

static void on_ended(void *user, struct child *child, const siginfo_t *how)
{
	struct group *group = user;
	bool in_order = child->is_drained && how->si_code == CLD_EXITED && how->si_status == 0;

	/* It may have been killed before it could speak of it. */
	news_finished(group, child);
	if (!in_order)
		succession_follow(group, child, how);
	else if (group->is_stopping || group->is_gone)
		child_set_state(child, STATE_GONE);
	group_look_for_end(group);
}

/* ---- life of the group ------------------------------------------------------------------- */

static struct child make_child(
    struct group *group, size_t index, const struct child *like, uint64_t patience_ns)
{
	struct ledger *ledger = group->premises->ledger;
	const size_t slot = group->run.first + index;

	/* An earlier life's, which is over. */
	atomic_store(&ledger_slot(ledger, slot)->pid, 0);
	atomic_store(&ledger_slot(ledger, slot)->state, STATE_WAITING);
	return (struct child) {
		.heritage = { .config = group->config,
		    .interface = group->interface,
		    .ring = &group->ring,
		    .worker = (uint32_t)index,
		    .socket = -1,
		    .old_socket = -1,
		    .channel = -1,
		    .stage = -1,
		    .directory = group->premises->output,
		    .ledger = ledger,
		    .record = ledger_worker(ledger, slot) },
		.owner = { .said = joining_hear, .ended = on_ended, .user = group },
		.event = like->event,
		.run = like->run,
		.slot = ledger_slot(ledger, slot),
		.restart = { .most_ns = patience_ns / 2 },
		.socket = -1,
		.channel = -1,
	};
}

int group_open(struct group *group, sd_event *event, worker_main *run, size_t index)
{
	const struct child like = { .event = event, .run = run };
	struct geometry geometry;
	const struct geometry_rule *rule;
	bool ran;

	if (geometry_plan(&geometry, &group->ring, &rule) < 0)
		return log_failure(
		    -EINVAL, "%s: %s: %s", group->interface->name, rule->key, rule->text);
	group->fanout = -1;
	group->intake.stamping.runtime = group->premises->runtime;
	group->record = ledger_interface(group->premises->ledger, index);
	group->count = group->run.count;
	group->children = calloc(group->count, sizeof(*group->children));
	if (!group->children)
		return log_failure(-ENOMEM, "%s: cannot plan its workers", group->interface->name);
	/* Slots of others may be those of workers that have gone in order. */
	ran = group->start == PREMISES_GO_ON && group->role == GROUP_SERVES &&
	      state_of(group) == STATE_RUNNING;
	group_set_state(group, STATE_WAITING);
	for (size_t i = 0; i < group->count; i++) {
		struct child *child = &group->children[i];

		*child = make_child(group, i, &like, geometry_patience_ns(&geometry));
		/* Unless its socket has come back. */
		if (ran)
			child->gap_since_ns = membership_last_heard_ns(child->heritage.record);
	}
	for (size_t i = 0; i < group->count; i++) {
		int r = premises_stage(group->premises, group->run.first + i,
		    group->config->output.stage, group->start);

		if (r < 0)
			return r;
		group->children[i].heritage.stage = r;
		/* Whoever wrote it has ended, since the stage is ours. */
		news_inherited(group, &group->children[i]);
		if (group->premises->goes_on && succession_renew(group, &group->children[i]))
			(void)ledger_settle(group->children[i].heritage.record);
	}
	return 0;
}

static int wait_for_link(struct group *group, const char *why)
{
	const struct journal_about about = { .interface = group->interface->name };

	if (group->interface->missing == MISSING_REFUSE && !group->has_ever_run) {
		log_line(LOG_ERR, "interfaces: %s: %s; bring it up first, or set missing: wait",
		    group->interface->name, why);
		return -ENODEV;
	}
	group_set_state(group, STATE_WAITING);
	journal_event(EVENT_INTERFACE_WAITING, &about, "%s: %s; capture begins when it is up",
	    group->interface->name, why);
	return 0;
}

/* Nothing new from here on: what the kernel still counts was there before. */
static void refuse_and_stop(struct group *group)
{
	for (size_t i = 0; i < group->count; i++) {
		struct child *child = &group->children[i];

		membership_tell_gap(group, child);
		if (child->socket >= 0)
			(void)filter_attach(child->socket, &filter_refuse_all);
		if (!child_lives(child)) {
			succession_stop(group, child);
			continue;
		}
		child_stop(child);
	}
}

/* Our own filter and program, in place of those that an earlier life gave its sockets. */
static int renew_intake(struct group *group)
{
	const struct place place = interfaces_place(group->interfaces, group->interface);
	int r = intake_prepare(&group->intake, group->config, group->record->name,
	    (uint32_t)group->count, &place, &group->link);

	/* First the filters: one that had just joined may still refuse everything. */
	for (size_t i = 0; r >= 0 && i < group->count; i++)
		if (group->children[i].captures)
			r = filter_attach(group->children[i].socket, &group->intake.filter);
	if (r >= 0 && group_is_alone(group))
		r = membership_share_out(group);
	group->is_of_old = r < 0;
	return r;
}

static void leave_device(struct group *group)
{
	const struct journal_about about = { .interface = group->interface->name };

	journal_event(EVENT_INTERFACE_GONE, &about, "%s: is gone; capture begins when it is back",
	    group->interface->name);
	group->is_gone = true;
	group_set_state(group, STATE_WAITING);
	refuse_and_stop(group);
	group_look_for_end(group);
}

/* They join the others, who have got their share since their sockets were lost. */
static void begin_missing(struct group *group)
{
	for (size_t i = 0; i < group->count; i++) {
		struct child *child = &group->children[i];

		if (child_lives(child) || child->captures || child->restart_source)
			continue;
		membership_tell_gap(group, child);
		(void)succession_begin(group, child);
	}
}

/* Some workers are on the sockets of an earlier life: the others join these. */
static int go_on(struct group *group, const struct socket_seat *seat)
{
	/* A namespace that was made anew under its name has the same indexes. */
	bool is_there =
	    group->link.ifindex == seat->ifindex && group->link.namespace == seat->namespace;

	group->has_begun = group->runs = group->has_ever_run = true;
	group->link.link_type = atomic_load(&group->record->link_type);
	group->fanout = seat->group;
	group->is_down = !group->link.is_up;
	group->is_of_old = true;
	if (!is_there) {
		/* What their rings hold is written. */
		leave_device(group);
		return 1;
	}
	group_set_state(group, group->is_down ? STATE_WAITING : STATE_RUNNING);
	if (!group->is_down)
		begin_missing(group);
	group->owner.runs(group->owner.user, group);
	return group->is_down ? 1 : renew_intake(group);
}

static int look_at_link(struct group *group, const char **ret_why)
{
	const struct place place = interfaces_place(group->interfaces, group->interface);
	int r = socket_interface(&place, &group->link);

	*ret_why = NULL;
	if (r == -ENODEV)
		*ret_why = place.namespace == PLACE_NOWHERE ? "no such network namespace"
							    : "no such interface";
	else if (r >= 0 && !group->link.is_up)
		*ret_why = "the interface is down";
	return *ret_why ? 0 : r;
}

static int start_workers(struct group *group)
{
	int error = 0;

	group->has_begun = true;
	group->is_down = false;
	for (size_t i = 0; i < group->count; i++) {
		int r = succession_begin(group, &group->children[i]);

		error = r < 0 ? r : error;
	}
	return error;
}

static int prepare_intake(struct group *group, const struct config *config)
{
	const struct place place = interfaces_place(group->interfaces, group->interface);

	(void)link_choose(group->link.arphrd, config->capture.link, &group->link.link_type);
	return intake_prepare(&group->intake, config, group->record->name, (uint32_t)group->count,
	    &place, &group->link);
}

static int begin_anew(struct group *group)
{
	int r = prepare_intake(group, group->config);

	members_clear(group->premises->ledger, group->record);
	atomic_store(&group->record->link_type, group->link.link_type);
	if (r < 0)
		return r;
	group_set_state(group, STATE_STARTING);
	r = start_workers(group);
	return r < 0 ? r : 1;
}

int group_begin_beside(struct group *group, const struct group *serving)
{
	const struct place place = interfaces_place(group->interfaces, group->interface);
	int r;

	group->link = serving->link;
	group->fanout = serving->fanout;
	group->has_ever_run = true;
	r = intake_compile(
	    &group->intake, group->config, (uint32_t)group->count, &place, &group->link);
	return r < 0 ? r : start_workers(group);
}

void group_go_on_leaving(struct group *group)
{
	struct socket_seat seat;

	group->has_begun = group->runs = group->has_ever_run = true;
	group->link.link_type = atomic_load(&group->record->link_type);
	if (group->keeper && inheritance_enter(group, &seat) > 0)
		group->fanout = seat.group;
}

int group_prepare(struct group *group, const struct config *config)
{
	const char *why;
	int r = look_at_link(group, &why);

	if (r < 0)
		return log_failure(r, "%s: cannot look at the interface", group->interface->name);
	if (why)
		return group->interface->missing == MISSING_REFUSE ? wait_for_link(group, why) : 0;
	return prepare_intake(group, config);
}

void group_take_settings(struct group *group, const struct interface_config *interface)
{
	group->interface = interface;
	for (size_t i = 0; i < group->count; i++)
		group->children[i].heritage.interface = interface;
}

int group_begin(struct group *group)
{
	struct socket_seat seat;
	const char *why;
	int r = look_at_link(group, &why);

	if (r < 0)
		return log_failure(r, "%s: cannot look at the interface", group->interface->name);
	if (group->keeper && inheritance_enter(group, &seat) > 0)
		return go_on(group, &seat);
	return why ? wait_for_link(group, why) : begin_anew(group);
}

/* Frames are told from several in one by what the link takes, which may be changed while it is up.
 */
static void follow_mtu(struct group *group)
{
	const struct place place = interfaces_place(group->interfaces, group->interface);
	struct link_state link;

	if (socket_interface(&place, &link) < 0 || link.mtu == group->link.mtu)
		return;
	group->link.mtu = link.mtu;
	for (size_t i = 0; i < group->count; i++)
		child_command(&group->children[i], MESSAGE_MTU, link.mtu);
}

void group_take_order(const struct group *group)
{
	if (group->link.ifindex != 0)
		members_relink(group->premises->ledger, group->record);
}

void group_link(struct group *group, int ifindex, enum link_change change)
{
	const struct journal_about about = { .interface = group->interface->name };
	const char *name = group->interface->name;

	if (group->is_stopping || group->is_gone)
		return;
	if (ifindex == group->link.ifindex || !group->has_begun)
		group->is_down = change != LINK_IS_UP;
	if (!group->has_begun) {
		if (change == LINK_IS_UP)
			begin_on_return(group);
		return;
	}
	if (change != LINK_IS_GONE && ifindex == group->link.ifindex)
		follow_mtu(group);
	if (change == LINK_IS_GONE && ifindex == group->link.ifindex) {
		leave_device(group);
	} else if (change == LINK_IS_DOWN && state_of(group) == STATE_RUNNING) {
		journal_event(EVENT_INTERFACE_DOWN, &about,
		    "%s: is down; capture goes on when it is up", name);
		group_take_order(group);
		group_set_state(group, STATE_WAITING);
	} else if (change == LINK_IS_UP && state_of(group) == STATE_WAITING && group->runs) {
		journal_event(EVENT_INTERFACE_BACK, &about, "%s: is up, capture goes on", name);
		stamping_again(&group->intake.stamping);
		/* Once more, without those that left while it was down. */
		group_take_order(group);
		group_set_state(group, STATE_RUNNING);
		begin_missing(group);
		if (group->is_of_old && renew_intake(group) < 0)
			group->is_of_old = false; /* told; the old ones stay */
	}
}

void group_look_at_link(struct group *group)
{
	const struct place place = interfaces_place(group->interfaces, group->interface);
	struct link_state link;
	int r = socket_interface(&place, &link);

	if (group->has_begun && (r == -ENODEV || (r == 0 && link.ifindex != group->link.ifindex)))
		group_link(group, group->link.ifindex, LINK_IS_GONE);
	else if (r == 0)
		group_link(group, link.ifindex, link.is_up ? LINK_IS_UP : LINK_IS_DOWN);
}

void group_stop(struct group *group)
{
	group->is_stopping = true;
	group_set_state(group, STATE_STOPPING);
	if (!group->is_gone)
		refuse_and_stop(group);
	group_look_for_end(group);
}

void group_rotate(struct group *group)
{
	for (size_t i = 0; i < group->count; i++)
		child_command(&group->children[i], MESSAGE_ROTATE, 0);
}

bool group_has_ended(const struct group *group)
{
	for (size_t i = 0; i < group->count; i++) {
		const struct child *child = &group->children[i];

		if (child_lives(child) || child->restart_source)
			return false;
	}
	return true;
}

bool group_is_steady(const struct group *group)
{
	for (size_t i = 0; i < group->count; i++) {
		const struct child *child = &group->children[i];

		if (!child->captures || !child_lives(child) || child_state(child) != STATE_RUNNING)
			return false;
	}
	return true;
}

size_t group_count_members(const struct group *group)
{
	size_t count = 0;

	for (size_t i = 0; i < group->count; i++)
		count += child_is_member(&group->children[i]);
	return count;
}

void group_keep_places(struct group *group)
{
	for (size_t i = 0; i < group->count; i++)
		group->children[i].keeps_place = true;
}

bool group_has_lost_one(const struct group *group)
{
	for (size_t i = 0; i < group->count; i++)
		if (!group->children[i].captures)
			return true;
	return false;
}

static void forget(struct group *group)
{
	free(group->children);
	*group = (struct group) { 0 };
}

void group_close(struct group *group)
{
	for (size_t i = 0; group->children && i < group->count; i++) {
		struct child *child = &group->children[i];
		struct ledger_commit commit;

		child_abandon(child);
		news_finished(group, child);
		/* Kept where it holds what is nowhere else. */
		if (ledger_commit_read(child->heritage.record, &commit) < 0 ||
		    commit.counters.value[COUNTER_STAGED] == 0)
			premises_remove_stage(group->premises, group->run.first + i);
	}
	intake_release(&group->intake);
	forget(group);
}

void group_leave(struct group *group)
{
	for (size_t i = 0; group->children && i < group->count; i++)
		child_leave(&group->children[i]);
	intake_leave(&group->intake);
	forget(group);
}
