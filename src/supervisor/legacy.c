/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/legacy.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "control/channel.h"
#include "ledger/finished.h"
#include "ledger/roster.h"
#include "supervisor/child.h"
#include "supervisor/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ESTATES_MOST = 1000, NAME_LENGTH = 32 };

/* Of an interface that nobody read from since then. */
struct gap {
	char interface[LEDGER_INTERFACE_LENGTH];
	uint64_t since_utc_ns;
};

struct legacy {
	struct gap *gaps;
	size_t gap_count;
	struct legacy_seat seat;
	sd_event *event; /* NULL until the first child is started */
	bool is_due;     /* another child, once this one has ended */
	pid_t pid;       /* of the child; 0: none */
	int channel;
	sd_event_source *channel_source, *end_source;
};

/* ---- setting aside ----------------------------------------------------------------------- */

static bool has_unfinished(const struct ledger *ledger)
{
	for (uint32_t i = 0; i < ledger_header(ledger)->worker_count; i++) {
		const struct ledger_worker *worker = ledger_worker(ledger, i);
		struct ledger_finished file;
		struct ledger_commit commit;
		int r = ledger_commit_read(worker, &commit);

		if ((r < 0 && r != -ENODATA) ||
		    (r == 0 && (commit.open.name[0] || commit.closing.name[0])) ||
		    ledger_finished_next(worker, &file) > 0)
			return true;
	}
	return false;
}

/* A heartbeat is of this machine's uptime: of an earlier one it says nothing. */
static uint64_t last_beat_utc_ns(const struct ledger *ledger, const struct ledger_interface *record)
{
	uint64_t beat = 0, now = clock_monotonic_ns(), utc = clock_utc_ns();

	for (uint32_t k = 0; k < record->slot_count; k++) {
		uint64_t one =
		    atomic_load(&ledger_worker(ledger, record->first_slot + k)->heartbeat_ns);

		beat = MOST(beat, one);
	}
	if (beat == 0 || beat > now || now - beat > utc)
		return atomic_load(&ledger_header(ledger)->started_utc_ns);
	return utc - (now - beat);
}

static int remember_gaps(struct legacy *legacy, const struct ledger *ledger)
{
	struct ledger_header *header = ledger_header(ledger);
	size_t count = header->interface_count;

	/* One that ended in order was meant to end, unlike one that left; one may never have begun.
	 */
	if (atomic_load(&header->pid) == 0 && (atomic_load(&header->state) == STATE_GONE ||
						  atomic_load(&header->started_utc_ns) == 0))
		return 0;
	legacy->gaps = calloc(count, sizeof(*legacy->gaps));
	if (!legacy->gaps)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct ledger_interface *record = ledger_interface(ledger, i);
		struct gap *gap = &legacy->gaps[legacy->gap_count];

		if (!roster_has(record))
			continue;
		legacy->gap_count++;
		snprintf(gap->interface, sizeof(gap->interface), "%s", record->name);
		gap->since_utc_ns = last_beat_utc_ns(ledger, record);
	}
	return 0;
}

/* The first that is free, or that a start was killed over before the ledger went there. */
static int make_place(int runtime, char name[NAME_LENGTH])
{
	for (unsigned int i = 1; i <= ESTATES_MOST; i++) {
		char ledger[NAME_LENGTH + 8];

		snprintf(name, NAME_LENGTH, "old.%u", i);
		snprintf(ledger, sizeof(ledger), "%s/ledger", name);
		if (mkdirat(runtime, name, 0750) == 0)
			return 0;
		if (errno != EEXIST)
			return -errno;
		if (faccessat(runtime, ledger, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
			return 0;
	}
	return -EEXIST;
}

/* Every stage to a place, or away where there is none. */
static int move_stages(int runtime, const char *place)
{
	int fd = openat(runtime, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!directory)
		return -errno;
	while (r == 0 && (entry = readdir(directory))) {
		char to[NAME_LENGTH + NAME_MAX + 2];

		if (strncmp(entry->d_name, "stage.", 6) != 0)
			continue;
		snprintf(to, sizeof(to), "%s/%s", place ? place : "", entry->d_name);
		if (!place)
			(void)unlinkat(runtime, entry->d_name, 0);
		else if (renameat(runtime, entry->d_name, runtime, to) < 0)
			r = -errno;
	}
	closedir(directory);
	return r;
}

/* The ledger last: as long as it stays, the next start does what is left of this. */
static int move(int runtime)
{
	char name[NAME_LENGTH], ledger[NAME_LENGTH + 8];
	int r = make_place(runtime, name);

	if (r >= 0)
		r = move_stages(runtime, name);
	snprintf(ledger, sizeof(ledger), "%s/ledger", name);
	if (r >= 0 && renameat(runtime, "ledger", runtime, ledger) < 0)
		r = -errno;
	if (r < 0)
		return log_failure(
		    r, "cannot set aside, in the runtime directory, what an earlier life left");
	return 0;
}

int legacy_open(struct legacy **ret_legacy)
{
	struct legacy *legacy = calloc(1, sizeof(*legacy));

	if (!legacy)
		return log_failure(-ENOMEM, "cannot look for what an earlier life left");
	legacy->channel = -1;
	*ret_legacy = legacy;
	return 0;
}

int legacy_set_aside(struct legacy *legacy, int runtime)
{
	struct ledger *ledger = NULL;
	int r = ledger_open(&ledger, runtime);
	bool is_left = r < 0 ? r != -ENOENT : has_unfinished(ledger);

	r = ledger ? remember_gaps(legacy, ledger) : 0;
	ledger_close(ledger);
	if (r < 0)
		return r;
	return is_left ? move(runtime) : move_stages(runtime, NULL);
}

/* ---- what the child says ----------------------------------------------------------------- */

static void enter(const struct legacy *legacy, const struct message *message)
{
	const struct message entered = { .kind = MESSAGE_ENTERED };
	const struct message_file *file = &message->file;
	const struct catalog_entry entry = {
		.file = file->name,
		.inode = file->inode,
		.sensor = legacy->seat.config->sensor,
		.interface = file->interface,
		.worker = message->value,
		.first_ns = file->first_ns,
		.last_ns = file->last_ns,
		.packets = file->packets,
		.bytes = file->bytes,
		.dropped = file->dropped,
		.discarded = file->discarded,
		.closed_ns = file->closed_ns,
		.cause = file->cause[0] ? file->cause : ledger_cause_name(CAUSE_REPAIRED),
	};
	int r = 0;

	/* A process that was killed while it told of it is followed by one that tells it again. */
	if (file->inode != 0 && !catalog_has(legacy->seat.catalog, file->name, file->inode))
		r = catalog_append(legacy->seat.catalog, &entry);
	if (r < 0 && r != -EAGAIN)
		(void)log_failure(r,
		    "%s: cannot enter it in catalog.jsonl; that is tried until it works",
		    file->name);
	(void)channel_send(legacy->channel, &entered);
}

static void on_finished(struct legacy *legacy, const struct message *message)
{
	const struct message_file *file = &message->file;
	const struct journal_about about = {
		.interface = file->interface,
		.worker = &message->value,
		.file = file->name,
		.packets = &file->packets,
		.bytes = &file->bytes,
		.drops = &file->dropped,
	};

	enter(legacy, message);
	journal_event(EVENT_FILE_FINISHED, &about,
	    "%s: finished with %" PRIu64 " packets by an earlier life", file->name, file->packets);
}

static void on_repaired(struct legacy *legacy, const struct message *message)
{
	const struct message_file *file = &message->file;
	const uint32_t worker = message->value;
	const struct journal_about about = {
		.interface = file->interface[0] ? file->interface : NULL,
		.worker = file->interface[0] ? &worker : NULL,
		.file = file->name,
		.packets = &file->packets,
		.bytes = &file->bytes,
	};

	enter(legacy, message);
	journal_event(EVENT_FILE_REPAIRED, &about,
	    "%s: left unfinished by an earlier life, finished with %" PRIu64 " packets; %s",
	    file->name, file->packets, message->text);
}

static void on_removed(struct legacy *legacy, const struct message *message)
{
	const struct journal_about about = { .file = message->file.name };

	(void)legacy;
	journal_event(EVENT_FILE_REPAIRED, &about,
	    "%s: left unfinished by an earlier life, removed: %s", message->file.name,
	    message->text);
}

static void on_left(struct legacy *legacy, const struct message *message)
{
	const struct journal_about about = { .file = message->file.name };

	(void)legacy;
	journal_event(EVENT_FILE_LEFT, &about, "%s: left unfinished by an earlier life: %s",
	    message->file.name, message->text);
}

static void on_failed(struct legacy *legacy, const struct message *message)
{
	(void)legacy;
	log_line(LOG_ERR, "cannot finish what an earlier life left: %s", message->text);
}

static int hear_out(struct legacy *legacy)
{
	static void (*const handlers[MESSAGE_COUNT_])(struct legacy *, const struct message *) = {
		[MESSAGE_FINISHED] = on_finished,
		[MESSAGE_REPAIRED] = on_repaired,
		[MESSAGE_REMOVED] = on_removed,
		[MESSAGE_LEFT] = on_left,
		[MESSAGE_FAILED] = on_failed,
	};
	struct message message;
	int r;

	while ((r = channel_receive(legacy->channel, &message)) > 0)
		if (message.kind < MESSAGE_COUNT_ && handlers[message.kind])
			handlers[message.kind](legacy, &message);
	return r;
}

static int on_channel(sd_event_source *source, int fd, uint32_t events, void *user)
{
	(void)fd;
	(void)events;
	return hear_out(user) < 0 ? sd_event_source_set_enabled(source, SD_EVENT_OFF) : 0;
}

static void forget_child(struct legacy *legacy)
{
	legacy->pid = 0;
	legacy->channel_source = sd_event_source_disable_unref(legacy->channel_source);
	legacy->end_source = sd_event_source_disable_unref(legacy->end_source);
	close_at(&legacy->channel);
}

static void begin(struct legacy *legacy);

static int on_end(sd_event_source *source, const siginfo_t *how, void *user)
{
	struct legacy *legacy = user;
	char sentence[128];

	(void)source;
	(void)hear_out(legacy);
	if (how->si_code != CLD_EXITED || how->si_status != 0) {
		child_describe_end(how, sentence, sizeof(sentence));
		log_line(LOG_ERR,
		    "the process that finishes what an earlier life left was %s; the next start "
		    "goes on with it",
		    sentence);
	}
	forget_child(legacy);
	if (legacy->is_due)
		begin(legacy);
	return 0;
}

/* ---- the child --------------------------------------------------------------------------- */

static int start(struct legacy *legacy)
{
	static const struct interface_config nowhere = { .name = NULL };
	struct heritage heritage = {
		.config = legacy->seat.config,
		.interface = &nowhere,
		.supervisor_pid = getpid(),
		.life = LIFE_MENDS,
		.socket = -1,
		.old_socket = -1,
		.directory = legacy->seat.output,
	};
	/* Of its own, since a duplicate would share the lock on it beyond the supervisor's end. */
	CLEANUP(close_at)
	int runtime = openat(legacy->seat.runtime, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int ends[2], r = runtime < 0 ? -errno : channel_open(ends);

	if (r < 0)
		return r;
	heritage.stage = runtime;
	heritage.channel = ends[1];
	legacy->pid = fork();
	if (legacy->pid == 0)
		_exit(legacy->seat.run(&heritage));
	r = legacy->pid < 0 ? -errno : 0;
	close(ends[1]);
	legacy->channel = ends[0];
	if (r < 0)
		forget_child(legacy);
	return r;
}

static void begin(struct legacy *legacy)
{
	int r = start(legacy);

	legacy->is_due = false;
	if (r >= 0)
		r = sd_event_add_child(
		    legacy->event, &legacy->end_source, legacy->pid, WEXITED, on_end, legacy);
	if (r >= 0)
		r = sd_event_add_io(legacy->event, &legacy->channel_source, legacy->channel,
		    EPOLLIN, on_channel, legacy);
	if (r < 0)
		(void)log_failure(r, "cannot begin to finish what an earlier life left");
}

void legacy_begin(struct legacy *legacy, sd_event *event, const struct legacy_seat *seat)
{
	if (!legacy || legacy->event)
		return;
	legacy->event = event;
	legacy->seat = *seat;
	begin(legacy);
}

bool legacy_is_child(const struct legacy *legacy, pid_t pid)
{
	return legacy && legacy->pid > 0 && legacy->pid == pid;
}

void legacy_again(struct legacy *legacy)
{
	if (!legacy || !legacy->event)
		return;
	if (legacy->pid > 0)
		legacy->is_due = true;
	else
		begin(legacy);
}

void legacy_close(struct legacy *legacy)
{
	if (!legacy)
		return;
	if (legacy->pid > 0) {
		pid_t pid = legacy->pid;

		(void)kill(pid, SIGKILL);
		(void)hear_out(legacy);
		forget_child(legacy);
		(void)waitpid(pid, NULL, 0);
	}
	free(legacy->gaps);
	free(legacy);
}

/* ---- the gap ----------------------------------------------------------------------------- */

static void count_gap(const struct ledger *ledger, const char *interface)
{
	for (uint32_t i = 0; i < ledger_header(ledger)->slot_count; i++) {
		struct ledger_slot *slot = ledger_slot(ledger, i);

		if (strcmp(ledger_interface(ledger, slot->interface)->name, interface) == 0)
			atomic_fetch_add(&slot->gaps, 1);
	}
}

void legacy_tell_gap(struct legacy *legacy, const struct ledger *ledger, const char *interface)
{
	for (size_t i = 0; legacy && i < legacy->gap_count; i++) {
		struct gap *gap = &legacy->gaps[i];
		char from[CLOCK_TEXT_LENGTH], until[CLOCK_TEXT_LENGTH];
		const struct journal_about about = {
			.interface = interface,
			.from = from,
			.until = until,
		};

		if (strcmp(gap->interface, interface) != 0)
			continue;
		clock_text(from, gap->since_utc_ns);
		clock_text(until, clock_utc_ns());
		count_gap(ledger, interface);
		gap->interface[0] = 0;
		journal_event(EVENT_GAP, &about,
		    "%s: nobody captured from %s until %s; how many packets came meanwhile is not "
		    "known",
		    interface, from, until);
	}
}
