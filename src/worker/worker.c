/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "worker/worker.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/memory.h"
#include "build.h"
#include "capture/cooked.h"
#include "capture/geometry.h"
#include "capture/link.h"
#include "capture/ring.h"
#include "capture/socket.h"
#include "capture/trial.h"
#include "config/config.h"
#include "control/channel.h"
#include "ledger/finished.h"
#include "ledger/ledger.h"
#include "storage/quarantine.h"
#include "storage/writer.h"
#include "worker/bus_error.h"
#include "worker/carry.h"
#include "worker/confine.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * A worker that stands still for a second at any moment beats again within the 2 s that the
 * supervisor allows; more often would only wake the CPU.
 */
static const uint64_t beat_interval_ns = 900 * NSEC_PER_MSEC;
/* How often a stopping worker looks whether the kernel has handed the open block over. */
static const uint64_t drain_interval_ns = 10 * NSEC_PER_MSEC;

/* How often a worker looks whether its last files are in the catalog, where it waits for that. */
enum { ENTRY_LOOK_MS = 1 };

/* What a frame may be longer than the MTU: with a tag that is still in the bytes. */
enum { HEADER_MOST = 18, COOKED_MOST = COOKED_HEADER_MOST + 4 };

struct worker {
	const struct heritage *heritage;
	struct ring *ring;
	struct writer *writer;
	uint64_t block_count; /* of the ring: the bound on one turn */
	uint64_t drain_deadline_ns;
	struct output_config output;      /* the heritage's, as a reload has changed it */
	char name[MESSAGE_TEXT_LENGTH];   /* output.name, once it has */
	char filter[MESSAGE_NAME_LENGTH]; /* capture.filter, once it has */
	uint32_t snaplen;
	uint32_t snaplen_before; /* by which the kernel cut what is in blocks up to this one */
	uint64_t last_cut_before;
	uint32_t poison;  /* of the heritage, until the first block */
	bool told_damage; /* once a life: there may be as many as blocks */
	bool runs;        /* packets count */
	bool is_stopping; /* drain, then leave */
	bool has_ended;
};

/* ---- news for the supervisor ------------------------------------------------------------- */

static void beat(const struct worker *worker)
{
	atomic_store_explicit(
	    &worker->heritage->record->heartbeat_ns, clock_monotonic_ns(), memory_order_relaxed);
}

/*
 * Waits for as long as the supervisor stands still with some ninety messages unread, since what is
 * not said would be known to nobody: the ring holds what arrives meanwhile.
 */
static int say(const struct worker *worker, const struct message *message)
{
	int r;

	while ((r = channel_send(worker->heritage->channel, message)) == -EAGAIN)
		beat(worker);
	return r;
}

static int say_kind(const struct worker *worker, enum message_kind kind, uint32_t value)
{
	struct message message = { .kind = kind, .value = value };

	return say(worker, &message);
}

static int say_trouble(const struct worker *worker, enum message_kind kind, int error,
    const char *purpose, const char *remedy)
{
	struct message message = { .kind = kind, .error = error };

	snprintf(message.text, sizeof(message.text), "%s: %s%s%s", purpose, strerror(-error),
	    remedy ? "; " : "", remedy ? remedy : "");
	(void)say(worker, &message);
	return error;
}

static int say_failure(
    const struct worker *worker, int error, const char *purpose, const char *remedy)
{
	return say_trouble(worker, MESSAGE_FAILED, error, purpose, remedy);
}

static void on_file_finished(void *user, const struct finished_file *file)
{
	const struct worker *worker = user;
	struct ledger_worker *record = worker->heritage->record;
	struct ledger_finished finished = {
		.number = file->number,
		.inode = file->segment->inode,
		.packets = file->segment->packets,
		.bytes = file->bytes,
		.first_ns = file->segment->first_ns,
		.last_ns = file->segment->last_ns,
		.closed_ns = clock_utc_ns(),
		.dropped = file->dropped,
		.discarded = file->discarded,
		.cause = file->segment->cause,
	};

	snprintf(finished.name, sizeof(finished.name), "%s", file->name);
	/* The supervisor stands still: the ring holds what arrives meanwhile. */
	while (!ledger_finished_has_room(record, finished.number)) {
		beat(worker);
		(void)poll(NULL, 0, ENTRY_LOOK_MS);
	}
	ledger_finished_write(record, &finished);
	(void)say_kind(worker, MESSAGE_FINISHED, 0);
}

static void on_storage_refused(void *user, int error, const char *what)
{
	struct message message = { .kind = MESSAGE_REFUSED, .error = error };

	snprintf(message.text, sizeof(message.text), "%s", what);
	(void)say(user, &message);
}

static void on_storage_works(void *user)
{
	(void)say_kind(user, MESSAGE_WORKS, 0);
}

/* ---- packets ----------------------------------------------------------------------------- */

static struct carry carry_of(const struct worker *worker, uint64_t number)
{
	const bool is_cut_before = number <= worker->last_cut_before;

	return (struct carry) {
		.writer = worker->writer,
		.socket = worker->heritage->socket,
		.snaplen = worker->snaplen,
		.cut_at = is_cut_before ? LEAST(worker->snaplen_before, worker->snaplen)
					: worker->snaplen,
		.next = cooked_step(worker->heritage->link_type),
	};
}

/* Two have died of it: its bytes are kept for who looks into that, its packets are discarded. */
static void set_aside(struct worker *worker, const struct carry_block *block)
{
	const struct heritage *heritage = worker->heritage;
	struct message message = { .kind = MESSAGE_SET_ASIDE, .number = block->number };
	const struct carry carry = carry_of(worker, block->number);
	const struct quarantine_origin origin = {
		.sensor = heritage->config->sensor,
		.interface = heritage->interface->name,
		.worker = heritage->worker,
		.cookie = socket_cookie(heritage->socket),
		.number = block->number,
	};
	uint64_t count;

	quarantine_name(message.file.name, sizeof(message.file.name), &origin);
	atomic_store(&heritage->record->in_storage, 1);
	message.error =
	    quarantine_put(heritage->directory, message.file.name, block->bytes, block->size);
	beat(worker);
	atomic_store(&heritage->record->in_storage, 0);
	count = carry_nothing(&carry, block);
	message.value = (uint32_t)LEAST(count, (uint64_t)UINT32_MAX);
	(void)say(worker, &message);
}

static void store_block(struct worker *worker, const struct carry_block *block)
{
	const struct carry carry = carry_of(worker, block->number);
	uint64_t missing = carry_block(&carry, block);

	if (missing > 0 && !worker->told_damage) {
		worker->told_damage = true;
		(void)say_kind(
		    worker, MESSAGE_DAMAGED, (uint32_t)LEAST(missing, (uint64_t)UINT32_MAX));
	}
}

/* Who dies with a block in hand may have died of it: the supervisor looks at this. */
static void take_in_hand(const struct worker *worker, uint64_t number)
{
	atomic_store_explicit(
	    &worker->heritage->record->leased, (uint32_t)number, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
}

static void handle_block(struct worker *worker, const struct carry_block *block)
{
	take_in_hand(worker, block->number);
	FAULT(LEASED);
	if (worker->poison > 0 && (uint32_t)block->number == worker->poison)
		set_aside(worker, block);
	else
		store_block(worker, block);
	/* It is the first that this life meets, or was done with by the one before. */
	worker->poison = 0;
	atomic_fetch_add_explicit(&worker->heritage->record->blocks, 1, memory_order_relaxed);
}

/* One turn: at most a ring's worth of blocks, so that commands and the clock get their due. */
static void read_ring(struct worker *worker)
{
	void *block;
	uint64_t number;
	size_t size;

	for (uint64_t turn = 0; turn < worker->block_count; turn++) {
		block = ring_lease(worker->ring, &size, &number);
		if (!block)
			return;
		handle_block(worker, &(struct carry_block) { block, size, number });
		FAULT(BLOCK_DONE);
		ring_release(worker->ring);
		FAULT(RELEASED);
		take_in_hand(worker, 0);
		beat(worker);
	}
}

/* ---- commands ---------------------------------------------------------------------------- */

static int on_join(struct worker *worker, const struct message *message)
{
	const struct config *config = worker->heritage->config;
	const struct ring_seat seat = {
		.ifindex = worker->heritage->ifindex,
		.mode = config->fanout.mode,
		.rollover = config->fanout.rollover,
		.group = (int32_t)message->value,
		.member_count = (unsigned int)worker->heritage->interface->workers,
		.promiscuous = config->capture.promiscuous,
		.timestamp = config->capture.timestamp,
	};
	struct ring_fault fault = { 0 };
	uint16_t group;
	int r = ring_join(worker->ring, &seat, &group, &fault);

	if (r < 0)
		return say_failure(worker, r, fault.purpose, fault.remedy);
	return say_kind(worker, MESSAGE_JOINED, group);
}

static int on_run(struct worker *worker, const struct message *message)
{
	(void)message;
	worker->runs = true;
	return 0;
}

static uint32_t longest_frame(const struct heritage *heritage, uint32_t mtu)
{
	/* Where each interface has its own, only the kernel can tell. */
	if (mtu == 0)
		return UINT32_MAX;
	return mtu + (link_is_cooked(heritage->link_type) ? COOKED_MOST : HEADER_MOST);
}

static int on_mtu(struct worker *worker, const struct message *message)
{
	writer_set_longest(worker->writer, longest_frame(worker->heritage, message->value));
	return 0;
}

/* Its filter was changed before: only what waits, and the block that is open, were cut by the old.
 */
static void change_snaplen(struct worker *worker, uint32_t snaplen)
{
	uint64_t ignored;

	if (snaplen == worker->snaplen)
		return;
	worker->snaplen_before = worker->snaplen;
	worker->last_cut_before = writer_last_block(worker->writer, &ignored) + 1;
	if (worker->ring)
		worker->last_cut_before += ring_waiting(worker->ring, &ignored);
	worker->snaplen = snaplen;
	writer_set_snaplen(worker->writer, snaplen);
}

static int on_settings(struct worker *worker, const struct message *message)
{
	const struct message_settings *settings = &message->settings;
	struct output_config *output = &worker->output;

	if (message->value)
		writer_finish(worker->writer, CAUSE_ROTATED);
	snprintf(worker->name, sizeof(worker->name), "%s", message->text);
	output->name = worker->name;
	output->rotate = (struct rotate_config) { settings->rotate_size, settings->rotate_interval,
		settings->rotate_packets };
	output->resolution = settings->resolution;
	output->sync = settings->sync;
	output->format = settings->format;
	output->compression = settings->compression;
	output->level = settings->level;
	/* One that is too long to be told is named in no file. */
	snprintf(worker->filter, sizeof(worker->filter), "%s", message->file.name);
	writer_set_filter(worker->writer, worker->filter);
	change_snaplen(worker, settings->snaplen);
	return 0;
}

static int on_rotate(struct worker *worker, const struct message *message)
{
	(void)message;
	writer_finish(worker->writer, CAUSE_ROTATED);
	return 0;
}

static int on_stop(struct worker *worker, const struct message *message)
{
	const uint64_t retire_timeout = worker->heritage->ring->retire_timeout;

	(void)message;
	worker->is_stopping = true;
	/* The open block comes out within one timeout; the rest is for a machine under load. */
	worker->drain_deadline_ns = clock_monotonic_ns() + 2 * retire_timeout + 5 * NSEC_PER_SEC;
	return 0;
}

static int obey(struct worker *worker)
{
	/* What a worker obeys; any other kind is a protocol error. */
	static int (*const handlers[MESSAGE_COUNT_])(struct worker *, const struct message *) = {
		[MESSAGE_JOIN] = on_join,
		[MESSAGE_RUN] = on_run,
		[MESSAGE_MTU] = on_mtu,
		[MESSAGE_SETTINGS] = on_settings,
		[MESSAGE_ROTATE] = on_rotate,
		[MESSAGE_STOP] = on_stop,
	};
	struct message message;
	int r;

	while ((r = channel_receive(worker->heritage->channel, &message)) > 0) {
		r = handlers[message.kind] ? handlers[message.kind](worker, &message) : -EPROTO;
		if (r < 0)
			return r;
	}
	return r;
}

/* ---- the loop ---------------------------------------------------------------------------- */

/* Drained when the books say that nothing waits; the kernel's count is read until then. */
static void look_whether_drained(struct worker *worker)
{
	if (worker->ring) {
		(void)socket_statistics(
		    worker->heritage->socket, writer_statistics_slot(worker->writer));
		writer_commit_idle(worker->writer);
	}
	if (counters_waiting(writer_counters(worker->writer)) != 0 &&
	    clock_monotonic_ns() < worker->drain_deadline_ns)
		return;
	writer_finish(worker->writer, CAUSE_STOPPED);
	worker->has_ended = true;
}

static int timeout_ms(const struct worker *worker, uint64_t now_ns)
{
	uint64_t until = LEAST(
	    now_ns + beat_interval_ns, writer_deadline(worker->writer, now_ns, clock_utc_ns()));

	if (worker->is_stopping)
		until = LEAST(until, now_ns + drain_interval_ns);
	return until <= now_ns ? 0 : (int)((until - now_ns + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC);
}

static int wait_for_work(struct worker *worker)
{
	struct pollfd waits[] = {
		{ .fd = worker->heritage->channel, .events = POLLIN },
		{ .fd = worker->runs ? worker->heritage->socket : -1, .events = POLLIN },
	};

	if (poll(waits, COUNT_OF(waits), timeout_ms(worker, clock_monotonic_ns())) < 0)
		return errno == EINTR ? 0 : -errno;
	/* A link that went down: the error stays readable until it is read, and poll would spin. */
	if (waits[1].revents & (POLLERR | POLLHUP))
		(void)socket_take_error(worker->heritage->socket);
	return waits[0].revents ? obey(worker) : 0;
}

static int run_loop(struct worker *worker)
{
	while (!worker->has_ended) {
		int r = wait_for_work(worker);

		beat(worker);
		if (r < 0)
			return r;
		if (worker->ring)
			read_ring(worker);
		writer_tick(worker->writer, clock_monotonic_ns(), clock_utc_ns());
		if (worker->is_stopping)
			look_whether_drained(worker);
	}
	return say_kind(worker, MESSAGE_STOPPED, 0);
}

/* ---- opening ----------------------------------------------------------------------------- */

static int plan_ring(struct worker *worker, struct geometry *ret_geometry)
{
	const struct geometry_rule *rule = NULL;
	int r = geometry_plan(ret_geometry, worker->heritage->ring, &rule);

	if (r < 0)
		return say_failure(worker, r, "plan the ring", rule->text);
	worker->block_count = ret_geometry->block_count;
	return 0;
}

/* Nothing to drain: only what the stage holds. */
static int open_nothing(struct worker *worker)
{
	worker->is_stopping = true;
	return 0;
}

/* Where memory lacks, a try says how much would do: nobody falls back in silence. */
static int say_no_ring(const struct worker *worker, int error, const struct ring_fault *fault,
    const struct geometry *geometry)
{
	char advice[TRIAL_TEXT];

	if (error != -ENOMEM)
		return say_failure(worker, error, fault->purpose, fault->remedy);
	trial_advise(worker->heritage->socket, geometry, memory_available(), advice);
	return say_failure(worker, error, fault->purpose, advice);
}

static int open_ring(struct worker *worker)
{
	struct ring_fault fault = { 0 };
	struct geometry geometry;
	uint64_t known;
	int r = plan_ring(worker, &geometry);

	if (r < 0)
		return r;
	r = ring_open(&worker->ring, worker->heritage->socket, &geometry, &fault);
	if (r < 0)
		return say_no_ring(worker, r, &fault, &geometry);
	(void)writer_last_block(worker->writer, &known);
	if (known != 0)
		writer_note(worker->writer, LOSSES_GAP);
	writer_ring(worker->writer, socket_cookie(worker->heritage->socket), 0);
	return say_kind(worker, MESSAGE_MAPPED, 0);
}

/* It has been in its group all the time, and was offered packets: there is nothing to wait for. */
static int take_ring_over(struct worker *worker)
{
	struct message message = { .kind = MESSAGE_TOOK_OVER };
	uint64_t known, cookie = socket_cookie(worker->heritage->socket);
	uint64_t done = writer_last_block(worker->writer, &known);
	struct ring_fault fault = { 0 };
	struct geometry geometry;
	int r = plan_ring(worker, &geometry);

	if (r < 0)
		return r;
	/* Numbers of another ring say nothing of this one. */
	if (cookie == 0 || known != cookie) {
		done = RING_PLACE_UNKNOWN;
		writer_ring(worker->writer, cookie, done);
	}
	r = ring_adopt(&worker->ring, worker->heritage->socket, &geometry, done, &fault);
	if (r < 0)
		return say_trouble(worker, MESSAGE_LOST, r, fault.purpose, fault.remedy);
	FAULT(ADOPTED);
	worker->runs = true;
	writer_note(worker->writer, r > 0 ? LOSSES_TAKEOVER | LOSSES_GAP : LOSSES_TAKEOVER);
	message.error = r > 0 ? -ESTALE : 0;
	message.value = ring_waiting(worker->ring, &message.number);
	r = say(worker, &message);
	FAULT(TOOK_OVER);
	return r;
}

static int open_writer(struct worker *worker)
{
	const struct heritage *heritage = worker->heritage;
	const struct writer_seat seat = {
		.output = &worker->output,
		.sensor = heritage->config->sensor,
		.interface = heritage->interface->name,
		.application = "fancapd " PACKAGE_VERSION,
		.filter = heritage->config->capture.filter,
		.worker = heritage->worker,
		.link_type = heritage->link_type,
		.snaplen = worker->snaplen,
		.longest = longest_frame(heritage, heritage->mtu),
		.directory = heritage->directory,
		.stage = heritage->stage,
		.record = heritage->record,
		.events = { .finished = on_file_finished,
		    .refused = on_storage_refused,
		    .works = on_storage_works,
		    .user = worker },
	};
	const void *stage;
	size_t size;
	int r = writer_open(&worker->writer, &seat);

	if (r < 0)
		return say_failure(worker, r, "open its stage", NULL);
	stage = writer_stage(worker->writer, &size);
	r = bus_error_acquit(stage, size, &heritage->record->leased);
	return r < 0 ? say_failure(worker, r, "handle SIGBUS", NULL) : 0;
}

static int live(struct worker *worker)
{
	static int (*const openings[])(struct worker *) = {
		[LIFE_BEGINS] = open_ring,
		[LIFE_TAKES_OVER] = take_ring_over,
		[LIFE_FINISHES] = open_nothing,
	};
	const char *purpose = "";
	int r = confine(worker->heritage, &purpose);

	if (r < 0)
		return say_failure(worker, r, purpose, NULL);
	r = open_writer(worker);
	if (r < 0)
		return r;
	r = openings[worker->heritage->life](worker);
	return r < 0 ? r : run_loop(worker);
}

int worker_run(const struct heritage *heritage)
{
	struct worker worker = {
		.heritage = heritage,
		.poison = heritage->poison,
		.output = heritage->config->output,
		.snaplen = (uint32_t)heritage->config->capture.snaplen,
	};
	int r = live(&worker);

	writer_close(worker.writer);
	ring_close(worker.ring);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
