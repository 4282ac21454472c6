/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/news.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/units.h"
#include "capture/device.h"
#include "capture/geometry.h"
#include "capture/link.h"
#include "ledger/finished.h"
#include "storage/catalog.h"
#include "supervisor/deadlines.h"
#include "supervisor/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static void append_line(
    struct group *group, const struct child *child, const struct ledger_finished *file)
{
	const struct catalog_entry entry = {
		.file = file->name,
		.inode = file->inode,
		.sensor = group->config->sensor,
		.interface = group->interface->name,
		.worker = child->heritage.worker,
		.first_ns = file->first_ns,
		.last_ns = file->last_ns,
		.packets = file->packets,
		.bytes = file->bytes,
		.dropped = file->dropped,
		.discarded = file->discarded,
		.closed_ns = file->closed_ns,
		.cause = ledger_cause_name((enum ledger_cause)file->cause),
	};
	int r = catalog_append(&group->premises->catalog, &entry);

	/* It is just being compacted. */
	if (r < 0 && r != -EAGAIN)
		(void)log_failure(r,
		    "%s: cannot enter it in catalog.jsonl; that is tried until it works",
		    file->name);
}

static void tell_finished(
    const struct group *group, const struct child *child, const struct ledger_finished *file)
{
	const struct journal_about about = {
		.interface = group->interface->name,
		.worker = &child->heritage.worker,
		.file = file->name,
		.packets = &file->packets,
		.bytes = &file->bytes,
		.drops = &file->dropped,
	};

	journal_event(EVENT_FILE_FINISHED, &about, "%s: finished with %" PRIu64 " packets",
	    file->name, file->packets);
}

static void say_entered(const struct child *child, const struct ledger_finished *file)
{
	FAULT(LINE_WRITTEN);
	atomic_store(&child->heritage.record->entered, file->number);
	FAULT(ENTERED);
}

void news_finished(struct group *group, struct child *child)
{
	struct ledger_finished file;

	while (ledger_finished_next(child->heritage.record, &file) > 0) {
		FAULT(HEARD);
		append_line(group, child, &file);
		say_entered(child, &file);
		tell_finished(group, child, &file);
	}
}

void news_inherited(struct group *group, struct child *child)
{
	struct ledger_finished file;

	/* The supervisor before us may have ended between the line and the word that it is there.
	 */
	if (ledger_finished_next(child->heritage.record, &file) > 0 &&
	    catalog_has(&group->premises->catalog, file.name, file.inode))
		say_entered(child, &file);
	news_finished(group, child);
}

void news_took_over(struct group *group, struct child *child, const struct message *message)
{
	const uint64_t waiting = message->value;
	const struct journal_about about = {
		.interface = group->interface->name,
		.worker = &child->heritage.worker,
		.block = &message->number,
		.waiting = &waiting,
	};

	journal_event(EVENT_TOOK_OVER, &about,
	    "%s: worker %u took over at block %" PRIu64 " with %" PRIu64 " blocks waiting%s",
	    group->interface->name, child->heritage.worker, message->number, waiting,
	    message->error == -ESTALE
		? ", the oldest in a ring where the ledger does not know its place"
		: "");
}

void news_refused(struct group *group, struct child *child, const struct message *message)
{
	const struct journal_about about = {
		.interface = group->interface->name,
		.worker = &child->heritage.worker,
		.file = message->file.name[0] ? message->file.name : NULL,
		.cause = journal_storage_cause(message->error),
	};

	journal_event(EVENT_STORAGE_REFUSED, &about,
	    "%s: %s: worker %u discards packets until the storage works again (%s)",
	    group->config->output.directory, strerror(-message->error), child->heritage.worker,
	    message->text);
}

void news_works(struct group *group, struct child *child, const struct message *message)
{
	const struct journal_about about = {
		.interface = group->interface->name,
		.worker = &child->heritage.worker,
	};

	(void)message;
	journal_event(EVENT_STORAGE_WORKS, &about, "%s: takes data of worker %u again",
	    group->config->output.directory, child->heritage.worker);
}

void news_damaged(struct group *group, struct child *child, const struct message *message)
{
	const uint64_t missing = message->value;
	const struct journal_about about = {
		.interface = group->interface->name,
		.worker = &child->heritage.worker,
		.discards = &missing,
		.cause = "poison",
	};

	journal_event(EVENT_BLOCK_DAMAGED, &about,
	    "%s: worker %u found a ring block that does not hold together; the %" PRIu64
	    " packets that it lacks are discarded, as those of others will be",
	    group->interface->name, child->heritage.worker, missing);
}

void news_set_aside(struct group *group, struct child *child, const struct message *message)
{
	const uint64_t count = message->value;
	const struct journal_about about = {
		.interface = group->interface->name,
		.worker = &child->heritage.worker,
		.file = message->error < 0 ? NULL : message->file.name,
		.block = &message->number,
		.discards = &count,
		.cause = "poison",
	};

	journal_event(EVENT_BLOCK_SET_ASIDE, &about,
	    "%s: worker %u set block %" PRIu64 " aside, of which two have died; its %" PRIu64
	    " packets are discarded, its bytes are %s%s",
	    group->interface->name, child->heritage.worker, message->number, count,
	    message->error < 0 ? "lost: " : "in ",
	    message->error < 0 ? strerror(-message->error) : message->file.name);
}

void news_gap(const struct group *group, const struct child *child, uint64_t since_utc_ns)
{
	char from[CLOCK_TEXT_LENGTH], until[CLOCK_TEXT_LENGTH];
	const struct journal_about about = {
		.interface = group->interface->name,
		.worker = &child->heritage.worker,
		.from = from,
		.until = until,
	};

	clock_text(from, since_utc_ns);
	clock_text(until, clock_utc_ns());
	journal_event(EVENT_GAP, &about,
	    "%s: worker %u lost its socket, and what the kernel picked it for from %s until %s was "
	    "let in by nobody; how many packets that were is not known",
	    group->interface->name, child->heritage.worker, from, until);
}

void news_frozen(const struct group *group, const struct child *child)
{
	const struct journal_about about = {
		.interface = group->interface->name,
		.worker = &child->heritage.worker,
	};

	journal_event(EVENT_WORKER_FROZEN, &about,
	    "%s: worker %u was killed and does not end: it hangs in the kernel, mostly in a disk; "
	    "it is followed when it does",
	    group->interface->name, child->heritage.worker);
}

void news_patience(const struct group *group)
{
	const struct journal_about about = { .interface = group->interface->name };
	const struct geometry_rule *rule;
	struct geometry geometry;
	char waits[UNITS_TEXT], hangs[UNITS_TEXT], more[UNITS_TEXT];
	const struct group_limits *limits = group->limits;
	uint64_t patience, limit = limits->storage;
	bool is_short;

	if (geometry_plan(&geometry, &group->ring, &rule) < 0)
		return;
	patience = geometry_patience_ns(&geometry);
	is_short = patience < limits->heartbeat + limits->looking;
	if (is_short)
		limit = limits->heartbeat;
	if (patience >= limit + limits->looking)
		return;
	units_format_time(waits, sizeof(waits), patience);
	units_format_time(hangs, sizeof(hangs), limit);
	units_format_time(more, sizeof(more), limits->looking);
	journal_event(EVENT_PATIENCE, &about,
	    "%s: a ring waits %s at most, and a worker that hangs%s is killed after %s, or up to "
	    "%s later; what comes in between is dropped",
	    group->interface->name, waits, is_short ? "" : " in the storage", hangs, more);
}

static void tell_of_device(void *user, const char *sentence)
{
	const struct group *group = user;
	const struct journal_about about = { .interface = group->interface->name };

	journal_event(EVENT_DEVICE, &about, "%s", sentence);
}

static void tell_of_link(const struct group *group)
{
	const struct journal_about about = { .interface = group->interface->name };
	uint32_t link_type;

	if (link_choose(group->link.arphrd, group->config->capture.link, &link_type) == 0)
		journal_event(EVENT_LINK, &about,
		    "%s: its link type (ARPHRD_ %u) is not known; it is captured cooked: each "
		    "packet with a header of LINKTYPE_LINUX_SLL2 in place of its own",
		    group->interface->name, group->link.arphrd);
}

void news_device(struct group *group)
{
	const struct place place = interfaces_place(group->interfaces, group->interface);
	struct device_facts facts;

	tell_of_link(group);
	if (device_look(&place, &facts) == 0)
		device_advise(&facts, group->interface->workers, tell_of_device, group);
	stamping_look(&group->intake.stamping);
}
