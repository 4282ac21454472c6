/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/joining.h"

#include "base/fault.h"
#include "base/log.h"
#include "ledger/members.h"
#include "supervisor/membership.h"
#include "supervisor/news.h"

#include <errno.h>

/* ---- into the fanout group -------------------------------------------------------------- */

static int arm(struct group *group, struct child *child)
{
	int r = filter_attach(child->socket, &group->intake.filter);

	if (r < 0)
		return log_failure(r, "%s: cannot attach the filter of worker %u",
		    group->interface->name, child->heritage.worker);
	child->captures = true;
	FAULT(MEMBER_ARMED);
	child_set_state(child, STATE_RUNNING);
	child_command(child, MESSAGE_RUN, 0);
	return 0;
}

/* The program goes first: without one all packets are the first member's. */
static void arm_all(struct group *group)
{
	bool is_shared_out = false;

	for (size_t i = 0; i < group->count; i++) {
		struct child *child = &group->children[i];
		int r = 0;

		if (child_state(child) != STATE_ARMED)
			continue;
		if (!is_shared_out && group_is_alone(group))
			r = intake_share_out(&group->intake, child->socket);
		is_shared_out = r >= 0;
		if (r < 0)
			(void)log_failure(r, "%s: cannot give the fanout group its program",
			    group->interface->name);
		if (r < 0 || arm(group, child) < 0)
			child_kill(child);
	}
}

static bool all_are(const struct group *group, enum ledger_state state)
{
	for (size_t i = 0; i < group->count; i++)
		if (child_state(&group->children[i]) != state)
			return false;
	return true;
}

static bool is_ready_to_join(const struct child *child)
{
	return child_state(child) == STATE_STARTING && child->is_mapped && !child->was_asked;
}

static void ask(const struct group *group, struct child *child)
{
	child->was_asked = true;
	child_command(child, MESSAGE_JOIN, (uint32_t)group->fanout);
}

/* In worker order: that is the one in which the kernel links them again after the interface was
 * down. */
static void ask_next(struct group *group)
{
	for (size_t i = 0; i < group->count; i++) {
		struct child *child = &group->children[i];

		if (child_state(child) != STATE_STARTING)
			continue;
		if (is_ready_to_join(child) && membership_prepare(group, child))
			ask(group, child);
		break;
	}
}

static void begin_to_run(struct group *group)
{
	/* Once in a life, as a link says the same each time; and only now, as a start that fails
	 * has one line to say. */
	if (!group->has_ever_run && !group->link.is_loopback)
		news_device(group);
	if (!group->has_ever_run)
		news_patience(group);
	group->runs = group->has_ever_run = true;
	for (size_t i = 0; i < group->count; i++)
		membership_tell_gap(group, &group->children[i]);
	group_set_state(group, group->is_down ? STATE_WAITING : STATE_RUNNING);
	group->owner.runs(group->owner.user, group);
}

/* Those that come late, while others capture, come one after the other. */
static void let_in_late(struct group *group)
{
	for (size_t i = 0; i < group->count; i++) {
		struct child *child = &group->children[i];

		if (child_state(child) != STATE_ARMED)
			continue;
		if (arm(group, child) >= 0)
			membership_enter(group, child);
		else
			child_kill(child);
	}
	for (size_t i = 0; i < group->count; i++)
		if (is_ready_to_join(&group->children[i]) &&
		    membership_prepare(group, &group->children[i]))
			ask(group, &group->children[i]);
}

/* Let the next one join, or put the real filters in place once all have. */
void joining_advance(struct group *group)
{
	/* A stop has put the refusing filter in place: the real one must not come after it. */
	if (group->is_stopping || group->is_gone)
		return;
	if (group->runs) {
		let_in_late(group);
		return;
	}
	ask_next(group);
	if (!all_are(group, STATE_ARMED))
		return;
	arm_all(group);
	begin_to_run(group);
}

/* ---- what children say ------------------------------------------------------------------- */

static void on_mapped(struct group *group, struct child *child, const struct message *message)
{
	(void)message;
	child->is_mapped = true;
	joining_advance(group);
}

static void on_joined(struct group *group, struct child *child, const struct message *message)
{
	child->has_joined = true;
	members_join(group->premises->ledger, group->run.first + child->heritage.worker);
	if (child_state(child) == STATE_STOPPING)
		return;
	group->fanout = (int32_t)message->value;
	/* Before anything counts that it could lose with us. */
	child_keep(child);
	child_set_state(child, STATE_ARMED);
	FAULT(MEMBER_JOINED);
	joining_advance(group);
}

static void on_took_over(struct group *group, struct child *child, const struct message *message)
{
	atomic_fetch_add(&child->slot->takeovers, 1);
	if (child_state(child) == STATE_STARTING)
		child_set_state(child, STATE_RUNNING);
	news_took_over(group, child, message);
}

static void on_lost(struct group *group, struct child *child, const struct message *message)
{
	log_line(LOG_ERR, "%s: worker %u cannot %s", group->interface->name, child->heritage.worker,
	    message->text);
	child->captures = false;
}

static void on_failed(struct group *group, struct child *child, const struct message *message)
{
	log_line(LOG_ERR, "%s: worker %u cannot %s", group->interface->name, child->heritage.worker,
	    message->text);
	/* At the first start nobody captures yet: the service says so instead of half working; and
	 * so does a reload. */
	if (!group->runs &&
	    (group->arrives || (message->error != -ENETDOWN && message->error != -ENODEV)))
		group->owner.failed(group->owner.user, group, message->error);
}

static void on_finished(struct group *group, struct child *child, const struct message *message)
{
	(void)message;
	news_finished(group, child);
}

static void on_stopped(struct group *group, struct child *child, const struct message *message)
{
	(void)group;
	(void)message;
	child->is_drained = true;
}

/* Whether a life that has come so far may say this. */
static bool is_due(const struct child *child, uint32_t kind)
{
	enum ledger_state state = child_state(child);
	bool begins = child->heritage.life == LIFE_BEGINS;

	switch (kind) {
	case MESSAGE_STOPPED:
		return state == STATE_STOPPING;
	case MESSAGE_TOOK_OVER:
	case MESSAGE_LOST:
		return child->heritage.life == LIFE_TAKES_OVER;
	/* What a stop has overtaken on its way is no fault. */
	case MESSAGE_MAPPED:
		return begins &&
		       (state == STATE_STOPPING || (state == STATE_STARTING && !child->is_mapped));
	case MESSAGE_JOINED:
		return begins &&
		       (state == STATE_STOPPING || (state == STATE_STARTING && child->was_asked));
	default:
		return true;
	}
}

void joining_hear(void *user, struct child *child, const struct message *message)
{
	/* What a supervisor listens to; any other kind is a worker out of its mind. */
	static void (*const handlers[MESSAGE_COUNT_])(
	    struct group *, struct child *, const struct message *) = {
		[MESSAGE_MAPPED] = on_mapped,
		[MESSAGE_JOINED] = on_joined,
		[MESSAGE_TOOK_OVER] = on_took_over,
		[MESSAGE_LOST] = on_lost,
		[MESSAGE_FAILED] = on_failed,
		[MESSAGE_FINISHED] = on_finished,
		[MESSAGE_REFUSED] = news_refused,
		[MESSAGE_WORKS] = news_works,
		[MESSAGE_DAMAGED] = news_damaged,
		[MESSAGE_SET_ASIDE] = news_set_aside,
		[MESSAGE_STOPPED] = on_stopped,
	};
	struct group *group = user;

	if (handlers[message->kind] && is_due(child, message->kind)) {
		handlers[message->kind](group, child, message);
		return;
	}
	log_line(LOG_ERR, "%s: worker %u sent a message %s, which is not its to send",
	    group->interface->name, child->heritage.worker, message_name(message->kind));
	child_kill(child);
}
