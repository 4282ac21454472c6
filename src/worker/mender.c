/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "worker/mender.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "config/config.h"
#include "control/channel.h"
#include "ledger/claim.h"
#include "storage/name.h"
#include "storage/repair.h"
#include "worker/confine.h"
#include "worker/estate.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { DEPTH_MOST = 16, PATTERN_LENGTH = 2048, ENTRY_PATIENCE_MS = 10000 };

struct walk {
	const struct heritage *heritage;
	int above; /* the directory of all runtime directories */
};

void mender_say(const struct heritage *heritage, const struct message *message)
{
	(void)channel_send(heritage->channel, message);
}

void mender_tell_repaired(const struct heritage *heritage, const struct message *message)
{
	struct pollfd wait = { .fd = heritage->channel, .events = POLLIN };
	struct message answer;

	mender_say(heritage, message);
	if (poll(&wait, 1, ENTRY_PATIENCE_MS) > 0)
		(void)channel_receive(heritage->channel, &answer);
}

/* ---- whose a file is --------------------------------------------------------------------- */

static bool fits(
    const struct walk *walk, const char *name, const char *interface, unsigned int worker)
{
	const struct config *config = walk->heritage->config;
	struct name_parts parts = {
		.sensor = config->sensor, .interface = interface, .worker = worker
	};
	struct name_kind kind;
	char pattern[PATTERN_LENGTH];

	/* An earlier life may have written another format, or compressed it otherwise. */
	if (!name_is_capture(name, &kind))
		return false;
	parts.format = kind.format;
	parts.compression = kind.compression;
	return name_pattern(pattern, sizeof(pattern), config->output.name, &parts) == 0 &&
	       fnmatch(pattern, name, 0) == 0;
}

/* Whose it was, as far as its name says so. */
static void find_worker(const struct walk *walk, const char *name, struct message *message)
{
	const struct config *config = walk->heritage->config;

	for (size_t i = 0; i < config->interface_count; i++) {
		const struct interface_config *interface = &config->interfaces[i];

		for (unsigned int k = 0; k < interface->workers; k++) {
			if (!fits(walk, name, interface->name, k))
				continue;
			message->value = k;
			snprintf(message->file.interface, sizeof(message->file.interface), "%s",
			    interface->name);
			return;
		}
	}
}

struct candidate {
	const struct walk *walk;
	const char *name;
};

/* A worker between two lives has its file open no more, and will again. */
static bool is_claimed(void *user, uint64_t inode)
{
	const struct candidate *candidate = user;
	struct claim claim;

	return claim_find_in(candidate->walk->heritage->stage, candidate->name, inode, &claim) ||
	       (candidate->walk->above >= 0 &&
		   claim_find(candidate->walk->above, candidate->name, inode, &claim));
}

/* ---- files ------------------------------------------------------------------------------- */

static void say_repaired(const struct walk *walk, const char *name,
    const struct repair_report *report, struct message *message)
{
	uint64_t cut = report->size - report->whole;

	message->kind = MESSAGE_REPAIRED;
	if (name_number(message->file.name, sizeof(message->file.name), name, 0, report->number) <
	    0)
		return;
	find_worker(walk, name, message);
	if (report->added > 0)
		snprintf(message->text, sizeof(message->text),
		    "%" PRIu64 " bytes cut behind its last whole frame (%s), of which %" PRIu64
		    " packets are in a new one",
		    cut, report->fault, report->moved);
	else if (cut > 0)
		snprintf(message->text, sizeof(message->text),
		    "%" PRIu64 " bytes cut behind its last packet (%s)", cut, report->fault);
	else
		snprintf(message->text, sizeof(message->text), "nothing cut");
	message->file.inode = report->inode;
	message->file.packets = report->packets;
	message->file.bytes = report->whole + report->added;
	message->file.first_ns = report->first_ns;
	message->file.last_ns = report->last_ns;
	message->file.closed_ns = clock_utc_ns();
	mender_tell_repaired(walk->heritage, message);
}

static void say(const struct walk *walk, const char *name, const struct repair_report *report)
{
	struct message message = { .kind = MESSAGE_LEFT };

	if (report->verdict == REPAIR_HELD)
		return;
	if (report->verdict == REPAIR_DONE) {
		say_repaired(walk, name, report, &message);
		return;
	}
	snprintf(message.file.name, sizeof(message.file.name), "%s", name);
	if (report->verdict == REPAIR_NO_PACKET) {
		message.kind = MESSAGE_REMOVED;
		snprintf(message.text, sizeof(message.text), "%" PRIu64 " bytes without a packet",
		    report->size);
	} else if (report->verdict == REPAIR_DAMAGED) {
		snprintf(message.text, sizeof(message.text),
		    "at byte %" PRIu64 ": %s, but packets go on at byte %" PRIu64, report->whole,
		    report->fault, report->next);
	} else {
		snprintf(message.text, sizeof(message.text), "%s", report->fault);
	}
	mender_say(walk->heritage, &message);
}

/* `name` is below the output directory and without .part, `base` the same in its own. */
static void mend(const struct walk *walk, int directory, const char *name, const char *base)
{
	struct candidate candidate = { walk, base };
	const struct repair_wish wish = {
		.removes_empty = true,
		.is_claimed = is_claimed,
		.user = &candidate,
	};
	struct repair_report report;
	int r;

	/* Others may write to the same directory, and have names of their own. */
	if (!fits(walk, name, NULL, 0))
		return;
	r = repair_file(directory, base, &wish, &report);
	if (r >= 0) {
		say(walk, name, &report);
	} else if (r != -ENOENT) {
		struct message message = { .kind = MESSAGE_LEFT };

		snprintf(message.file.name, sizeof(message.file.name), "%s", name);
		snprintf(message.text, sizeof(message.text), "cannot repair it: %s",
		    r == -ELOOP         ? "it is a symbolic link"
		    : r == -EMEDIUMTYPE ? "it is no regular file"
					: strerror(-r));
		mender_say(walk->heritage, &message);
	}
}

static void look_into(const struct walk *walk, int fd, const char *prefix, unsigned int depth);

static void look_at(const struct walk *walk, int directory, const struct dirent *entry,
    const char *prefix, unsigned int depth)
{
	char name[MESSAGE_NAME_LENGTH];
	size_t length = name_of_part(entry->d_name);
	int n = snprintf(name, sizeof(name), "%s%s", prefix, entry->d_name);

	if (entry->d_name[0] == '.' || n < 0 || (size_t)n >= sizeof(name))
		return;
	if (length > 0) {
		char base[NAME_MAX + 1];

		snprintf(base, sizeof(base), "%.*s", (int)length, entry->d_name);
		name[(size_t)n - strlen(".part")] = 0;
		mend(walk, directory, name, base);
	} else if (depth < DEPTH_MOST && (size_t)n + 1 < sizeof(name) &&
		   (entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN)) {
		name[n] = '/';
		name[n + 1] = 0;
		look_into(walk,
		    openat(
			directory, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW),
		    name, depth + 1);
	}
}

/* Takes the descriptor; -1 is allowed. */
static void look_into(const struct walk *walk, int fd, const char *prefix, unsigned int depth)
{
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!directory) {
		close_at(&fd);
		return;
	}
	while ((entry = readdir(directory)))
		look_at(walk, dirfd(directory), entry, prefix, depth);
	closedir(directory);
}

/* ---- estates ----------------------------------------------------------------------------- */

static void settle_estates(const struct heritage *heritage)
{
	int fd = openat(heritage->stage, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		if (strncmp(entry->d_name, "old.", 4) == 0)
			estate_settle(
			    &(struct estate_heir) { heritage, heritage->stage, entry->d_name });
	if (directory)
		closedir(directory);
}

int mender_run(const struct heritage *heritage)
{
	struct walk walk = { .heritage = heritage };
	struct message message = { .kind = MESSAGE_FAILED };
	const char *purpose = "";
	int r = confine(heritage, &purpose);

	if (r < 0) {
		message.error = r;
		snprintf(message.text, sizeof(message.text), "%s: %s", purpose, strerror(-r));
		mender_say(heritage, &message);
		return EXIT_FAILURE;
	}
	settle_estates(heritage);
	walk.above = openat(heritage->stage, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	look_into(
	    &walk, openat(heritage->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), "", 0);
	close_at(&walk.above);
	message.kind = MESSAGE_STOPPED;
	mender_say(heritage, &message);
	return EXIT_SUCCESS;
}
