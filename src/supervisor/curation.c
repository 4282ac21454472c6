/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/curation.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "control/channel.h"
#include "supervisor/child.h"
#include "supervisor/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

/* One that ends at once would be started for ever. */
static const uint64_t again_ns = 5 * NSEC_PER_SEC;
/* Of what is open, less is no news: it looks by itself, too. */
static const uint64_t open_unit = UINT64_C(16) << 20;

/* It answers between two files, and the longest that it is in one call of a disk at work is less.
 */
static const uint64_t hang_ns = 120 * NSEC_PER_SEC;
enum { REAP_TRIES = 50, REAP_WAIT_MS = 2 };

/* ---- what it is to go by ----------------------------------------------------------------- */

static void count_open(const struct curation *curation, struct message *plan)
{
	const struct ledger *ledger = curation->premises->ledger;

	for (size_t i = 0; i < ledger_header(ledger)->slot_count; i++) {
		struct ledger_commit commit;

		if (ledger_commit_read(ledger_worker(ledger, i), &commit) < 0)
			continue;
		plan->retain.finished += commit.counters.value[COUNTER_FILES];
		if (commit.open.name[0])
			plan->number += commit.filled - commit.open.start;
	}
	plan->number -= plan->number % open_unit;
}

static void make_plan(const struct curation *curation, bool knows_time, struct message *ret_plan)
{
	const struct config *config = curation->config;
	const struct retain_config *retain = &config->output.retain;

	/* Plans are compared, with what is between their fields. */
	memset(ret_plan, 0, sizeof(*ret_plan));
	ret_plan->kind = MESSAGE_CURATE;
	ret_plan->value = knows_time;
	ret_plan->retain.size = retain->size;
	ret_plan->retain.age = retain->age;
	ret_plan->retain.files = retain->files;
	ret_plan->retain.free = retain->free;
	ret_plan->retain.after_close = retain->after_close;
	ret_plan->retain.rotate_size = config->output.rotate.size;
	for (size_t i = 0; i < config->interface_count; i++)
		ret_plan->retain.open_files += config->interfaces[i].workers;
	count_open(curation, ret_plan);
}

static bool is_wanted(const struct curation *curation)
{
	const struct retain_config *retain = &curation->config->output.retain;

	return retain->size > 0 || retain->age > 0 || retain->files > 0 || retain->free > 0;
}

/* ---- what it says ------------------------------------------------------------------------ */

static void on_heard(struct curation *curation, const struct message *message)
{
	(void)message;
	curation->told_ns = 0;
}

static void on_expired(struct curation *curation, const struct message *message)
{
	const struct journal_about about = {
		.file = message->file.name,
		.bytes = &message->file.bytes,
	};

	(void)curation;
	journal_event(EVENT_FILE_EXPIRED, &about, "%s: removed by retention (output.retain.%s)",
	    message->file.name, message->text);
}

static void on_short(struct curation *curation, const struct message *message)
{
	const struct journal_about about = { 0 };

	(void)curation;
	journal_event(EVENT_RETENTION_SHORT, &about, "%s", message->text);
}

static void on_enough(struct curation *curation, const struct message *message)
{
	(void)curation;
	(void)message;
	log_line(LOG_NOTICE, "every bound of output.retain is kept again");
}

static void on_failed(struct curation *curation, const struct message *message)
{
	(void)curation;
	log_line(LOG_ERR, "cannot remove finished files as output.retain says: %s", message->text);
}

static int hear_out(struct curation *curation)
{
	static void (*const handlers[MESSAGE_COUNT_])(struct curation *, const struct message *) = {
		[MESSAGE_HEARD] = on_heard,
		[MESSAGE_EXPIRED] = on_expired,
		[MESSAGE_SHORT] = on_short,
		[MESSAGE_ENOUGH] = on_enough,
		[MESSAGE_FAILED] = on_failed,
	};
	struct message message;
	int r;

	while ((r = channel_receive(curation->channel, &message)) > 0)
		if (message.kind < MESSAGE_COUNT_ && handlers[message.kind])
			handlers[message.kind](curation, &message);
	return r;
}

static int on_channel(sd_event_source *source, int fd, uint32_t events, void *user)
{
	(void)fd;
	(void)events;
	return hear_out(user) < 0 ? sd_event_source_set_enabled(source, SD_EVENT_OFF) : 0;
}

/* ---- the child --------------------------------------------------------------------------- */

static void forget_child(struct curation *curation)
{
	curation->pid = 0;
	curation->is_dismissed = false;
	curation->told = (struct message) { 0 };
	curation->told_ns = 0;
	curation->channel_source = sd_event_source_disable_unref(curation->channel_source);
	curation->end_source = sd_event_source_disable_unref(curation->end_source);
	close_at(&curation->channel);
}

static int on_end(sd_event_source *source, const siginfo_t *how, void *user)
{
	struct curation *curation = user;
	char sentence[128];

	(void)source;
	(void)hear_out(curation);
	child_describe_end(how, sentence, sizeof(sentence));
	if (!curation->is_dismissed)
		log_line(LOG_ERR,
		    "the process that removes finished files was %s; it is started again",
		    sentence);
	forget_child(curation);
	return 0;
}

static int start(struct curation *curation)
{
	static const struct interface_config nowhere = { .name = NULL };
	struct heritage heritage = {
		.config = curation->config,
		.interface = &nowhere,
		.supervisor_pid = getpid(),
		.life = LIFE_CURATES,
		.socket = -1,
		.old_socket = -1,
		.stage = -1,
		.directory = curation->premises->output,
	};
	int ends[2], r = channel_open(ends);

	if (r < 0)
		return r;
	heritage.channel = ends[1];
	curation->pid = fork();
	if (curation->pid == 0)
		_exit(curation->run(&heritage));
	r = curation->pid < 0 ? -errno : 0;
	close(ends[1]);
	curation->channel = ends[0];
	if (r == 0)
		r = sd_event_add_child(curation->event, &curation->end_source, curation->pid,
		    WEXITED, on_end, curation);
	if (r >= 0)
		r = sd_event_add_io(curation->event, &curation->channel_source, curation->channel,
		    EPOLLIN, on_channel, curation);
	return r;
}

/* Its end is heard of like any other: it may be in a call of the disk, and that is not waited for.
 */
static void dismiss(struct curation *curation)
{
	if (curation->pid <= 0 || curation->is_dismissed)
		return;
	curation->is_dismissed = true;
	(void)kill(curation->pid, SIGKILL);
}

static void end_child(struct curation *curation)
{
	pid_t pid = curation->pid;

	dismiss(curation);
	if (pid > 0)
		(void)hear_out(curation);
	forget_child(curation);
	for (int i = 0; pid > 0 && i < REAP_TRIES && waitpid(pid, NULL, WNOHANG) == 0; i++)
		(void)poll(NULL, 0, REAP_WAIT_MS);
}

static void begin(struct curation *curation)
{
	uint64_t now = clock_monotonic_ns();
	int r;

	if (curation->begun_ns > 0 && now - curation->begun_ns < again_ns)
		return;
	curation->begun_ns = now;
	r = start(curation);
	if (r < 0) {
		(void)log_failure(r, "cannot start the process that removes finished files");
		end_child(curation);
	}
}

static void tell_unsure(struct curation *curation, bool knows_time)
{
	bool is_unsure = curation->config->output.retain.age > 0 && !knows_time;

	if (is_unsure && !curation->told_unsure)
		log_line(LOG_NOTICE,
		    "nothing is removed by output.retain.age as long as nobody keeps the system's "
		    "clock right (adjtimex says so), and for an hour after it was set, or the "
		    "sensor began");
	curation->told_unsure = is_unsure;
}

/* Told of once, as it is dismissed once. */
static void check_answer(struct curation *curation, uint64_t now_ns)
{
	if (now_ns - curation->told_ns < hang_ns)
		return;
	log_line(LOG_ERR,
	    "the process that removes finished files has not answered for %" PRIu64
	    " s: it is killed, and another is started once it has ended",
	    hang_ns / NSEC_PER_SEC);
	dismiss(curation);
}

static void tell_plan(struct curation *curation, bool knows_time, uint64_t now_ns)
{
	struct message plan;

	make_plan(curation, knows_time, &plan);
	if (memcmp(&plan, &curation->told, sizeof(plan)) == 0 ||
	    channel_send(curation->channel, &plan) < 0)
		return;
	memcpy(&curation->told, &plan, sizeof(plan));
	curation->told_ns = now_ns;
}

void curation_look(struct curation *curation, bool knows_time)
{
	uint64_t now = clock_monotonic_ns();

	tell_unsure(curation, knows_time);
	if (!is_wanted(curation)) {
		dismiss(curation);
		return;
	}
	if (curation->pid <= 0)
		begin(curation);
	if (curation->pid <= 0 || curation->is_dismissed)
		return;
	/* One at a time, so that the channel always has room. */
	if (curation->told_ns > 0)
		check_answer(curation, now);
	else
		tell_plan(curation, knows_time, now);
}

void curation_end(struct curation *curation)
{
	int r;

	end_child(curation);
	/* Which was perhaps just compacting it. */
	r = catalog_catch_up(&curation->premises->catalog);
	if (r < 0)
		(void)log_failure(r, "%s: catalog.jsonl lacks the last finished files",
		    curation->config->output.directory);
}
