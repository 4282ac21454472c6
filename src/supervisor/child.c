/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/child.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "capture/link.h"
#include "capture/socket.h"
#include "config/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Tell the owner of everything that the channel still holds. */
static int hear_out(struct child *child)
{
	struct message message;
	int r = 0;

	while (child->channel >= 0 && (r = channel_receive(child->channel, &message)) > 0)
		child->owner.said(child->owner.user, child, &message);
	return child->channel < 0 ? -EPIPE : r;
}

static int on_channel(sd_event_source *source, int fd, uint32_t events, void *user)
{
	struct child *child = user;

	int r = hear_out(child);

	(void)fd;
	(void)events;
	if (r >= 0)
		return 0;
	(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	if (r != -EPIPE)
		log_line(LOG_ERR, "%s: worker %u sent what is no message",
		    child->heritage.interface->name, child->heritage.worker);
	/* Nobody can tell it anything any more; one that ends by itself is past being killed. */
	child_kill(child);
	return 0;
}

static void forget_process(struct child *child)
{
	child->channel_source = sd_event_source_disable_unref(child->channel_source);
	child->end_source = sd_event_source_disable_unref(child->end_source);
	close_at(&child->channel);
	child->heritage.channel = -1;
	atomic_store(&child->slot->pid, 0);
}

static int on_end(sd_event_source *source, const siginfo_t *how, void *user)
{
	struct child *child = user;
	siginfo_t end = *how;

	(void)source;
	(void)hear_out(child);
	forget_process(child);
	child->owner.ended(child->owner.user, child, &end);
	return 0;
}

static int watch(struct child *child, pid_t pid)
{
	int r = sd_event_add_child(child->event, &child->end_source, pid, WEXITED, on_end, child);

	if (r >= 0)
		r = sd_event_add_io(child->event, &child->channel_source, child->channel, EPOLLIN,
		    on_channel, child);
	/* Messages first, so that a file is in the catalog before its worker's end is told. */
	if (r >= 0)
		r = sd_event_source_set_priority(child->end_source, SD_EVENT_PRIORITY_NORMAL + 1);
	return r;
}

static int open_for_life(struct child *child, const char **ret_purpose)
{
	struct heritage *heritage = &child->heritage;
	bool takes_over = heritage->life == LIFE_TAKES_OVER;
	int ends[2], r;

	heritage->old_socket = takes_over ? -1 : child->socket;
	heritage->socket = takes_over ? child->socket : -1;
	if (heritage->life == LIFE_BEGINS) {
		*ret_purpose = "open a packet socket (CAP_NET_RAW is what it needs)";
		r = link_is_cooked(heritage->link_type) ? socket_open_cooked(&child->place)
							: socket_open(&child->place);
		if (r < 0)
			return r;
		heritage->socket = r;
	}
	*ret_purpose = "open a channel to the worker";
	r = channel_open(ends);
	if (r < 0) {
		if (!takes_over)
			close_at(&heritage->socket);
		return r;
	}
	child->channel = ends[0];
	heritage->channel = ends[1];
	return 0;
}

struct keeper_ring child_ring(const struct child *child)
{
	struct keeper_ring ring = {
		.generation = atomic_load(&child->slot->generation),
		.worker = child->heritage.worker,
	};

	snprintf(ring.interface, sizeof(ring.interface), "%s", child->heritage.interface->name);
	return ring;
}

void child_keep(struct child *child)
{
	const struct keeper_ring ring = child_ring(child);

	keeper_store(&ring, child->socket);
	child->is_kept = true;
}

void child_let_go(struct child *child)
{
	const struct keeper_ring ring = child_ring(child);

	if (child->is_kept)
		keeper_remove(&ring);
	child->is_kept = child->has_joined = false;
	child->leaving = 0;
	close_at(&child->socket);
}

bool child_is_member(const struct child *child)
{
	return child->socket >= 0 && child->has_joined;
}

/* What the child has inherited is held here too; what it closes is let go. */
static void hold_socket(struct child *child)
{
	const enum life life = child->heritage.life;

	if (life == LIFE_FINISHES && child->keeps_place) {
		child->captures = false;
	} else if (life != LIFE_TAKES_OVER) {
		child_let_go(child);
		child->socket = child->heritage.socket;
		child->captures = false;
		atomic_store(&child->slot->born_ns, child->started_ns);
	}
	child->heritage.socket = -1;
}

static void prepare_record(const struct child *child)
{
	struct ledger_worker *record = child->heritage.record;

	atomic_store(&record->heartbeat_ns, child->started_ns);
	atomic_store(&record->in_storage, 0);
	atomic_store(&record->leased, 0);
	atomic_store(&record->blocks, 0);
}

static void end_now(struct child *child)
{
	uint32_t pid = atomic_load(&child->slot->pid);

	child_kill(child);
	forget_process(child);
	if (pid > 0)
		(void)waitpid((pid_t)pid, NULL, 0);
}

int child_start(struct child *child, const char **ret_purpose)
{
	pid_t pid;
	int r = open_for_life(child, ret_purpose);

	if (r < 0)
		return r;
	/* A ring that is taken over is mapped and in its group. */
	child->is_mapped = child->was_asked = child->heritage.life == LIFE_TAKES_OVER;
	child->is_drained = false;
	child->started_ns = clock_monotonic_ns();
	child->stopping_ns = child->started_ns;
	child->killed_ns = 0;
	child->is_frozen = false;
	prepare_record(child);
	child->heritage.supervisor_pid = getpid();

	*ret_purpose = "fork a worker";
	pid = fork();
	if (pid == 0)
		_exit(child->run(&child->heritage));
	r = pid < 0 ? -errno : 0;
	FAULT(FORKED);
	close_at(&child->heritage.channel);
	hold_socket(child);
	if (r < 0) {
		close_at(&child->channel);
		return r;
	}
	atomic_store(&child->slot->pid, (uint32_t)pid);
	child_set_state(
	    child, child->heritage.life == LIFE_FINISHES ? STATE_STOPPING : STATE_STARTING);
	*ret_purpose = "watch a worker";
	r = watch(child, pid);
	/* Unwatched it would live on beside its successor. */
	if (r < 0)
		end_now(child);
	return r;
}

int child_tell(struct child *child, const struct message *message)
{
	return child->channel >= 0 ? channel_send(child->channel, message) : -EPIPE;
}

void child_command(struct child *child, enum message_kind kind, uint32_t value)
{
	const struct message message = { .kind = kind, .value = value };

	(void)child_tell(child, &message);
}

void child_stop(struct child *child)
{
	child->stopping_ns = clock_monotonic_ns();
	child_set_state(child, STATE_STOPPING);
	child_command(child, MESSAGE_STOP, 0);
}

void child_kill(struct child *child)
{
	uint32_t pid = atomic_load(&child->slot->pid);

	/* Not yet reaped, or the slot would say 0: the number is still this child's. */
	if (pid > 0)
		(void)kill((pid_t)pid, SIGKILL);
	if (child->killed_ns == 0)
		child->killed_ns = clock_monotonic_ns();
}

void child_look_for_end(struct child *child)
{
	(void)sd_event_source_set_enabled(child->end_source, SD_EVENT_OFF);
	(void)sd_event_source_set_enabled(child->end_source, SD_EVENT_ONESHOT);
}

void child_leave(struct child *child)
{
	child->restart_source = sd_event_source_disable_unref(child->restart_source);
	end_now(child);
	close_at(&child->socket);
	close_at(&child->heritage.stage);
}

void child_abandon(struct child *child)
{
	end_now(child);
	child_let_go(child);
	child_leave(child);
	child_set_state(child, STATE_GONE);
}

bool child_lives(const struct child *child)
{
	return atomic_load(&child->slot->pid) != 0;
}

enum ledger_state child_state(const struct child *child)
{
	return (enum ledger_state)atomic_load(&child->slot->state);
}

void child_set_state(struct child *child, enum ledger_state state)
{
	atomic_store(&child->slot->state, (uint32_t)state);
}

void child_describe_end(const siginfo_t *how, char *text, size_t size)
{
	const char *name = how->si_code == CLD_EXITED ? NULL : sigabbrev_np(how->si_status);

	if (how->si_code == CLD_EXITED)
		snprintf(text, size, "exited with status %d", how->si_status);
	else if (how->si_status == SIGSYS)
		snprintf(
		    text, size, "killed by SIGSYS: it made a system call that its filter refuses");
	else
		snprintf(text, size, "killed by SIG%s", name ? name : "?");
}
