/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/units.h"
#include "storage/catalog_reader.h"
#include "tool/close_program.h"
#include "tool/closings.h"
#include "tool/sensors.h"
#include "tool/verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>

static const char usage[] =
    "usage: fancap on-close {SENSOR | --config FILE} [--follow | --pending | --skip]\n"
    "Runs output.on_close for each finished file that it was not run for yet, and again where it\n"
    "failed, until all are done.  It finds FANCAP_FILE, FANCAP_SENSOR, FANCAP_INTERFACE,\n"
    "FANCAP_FIRST, FANCAP_LAST, FANCAP_PACKETS, FANCAP_DROPS and FANCAP_SHA256.\n"
    "\n"
    "  --follow       then wait for more, until a signal ends it\n"
    "  --pending      show the files that it is still to be run for, and run nothing\n"
    "  --skip         run nothing, and never for the files that are there now\n"
    "  -h, --help\n";

enum {
	LOOK_MS = 5000,   /* at least so often it looks by itself */
	GRACE_MS = 10000, /* for the programs to end, once told to */
};
static const uint64_t record_again_ns = NSEC_PER_SEC;

enum on_close_mode { RUN_ONCE, RUN_ON, SHOW_PENDING, SKIP };

struct on_close {
	const struct config *config;
	const struct output_config *output;
	enum on_close_mode mode;
	int directory;
	struct closings closings;
	struct closing *running[ON_CLOSE_PARALLEL_MOST];
	size_t running_count;
	int signals, watch;
	int look_error;     /* told */
	int record_error;   /* told */
	uint64_t record_ns; /* when the record is tried again; 0: at once */
	uint64_t stop_ns;   /* until when the programs may take to end; 0: nobody asked to stop */
};

static void tell(const char *file, int priority, const char *text)
{
	const struct log_field fields[] = { { "FANCAP_FILE", file } };

	log_entry(priority, NULL, fields, COUNT_OF(fields), "%s: %s", file, text);
}

/* ---- one file ---------------------------------------------------------------------------- */

static void fail(struct on_close *on_close, struct closing *closing, const char *how)
{
	uint64_t delay = closings_again(&on_close->closings, closing, clock_monotonic_ns());
	char text[512];

	/* Once for a file; and those that are stopped with us are none of that. */
	if (closing->attempts > 1 || on_close->stop_ns > 0)
		return;
	snprintf(text, sizeof(text),
	    "%s; again in %" PRIu64 " s, and with a growing delay until it "
	    "succeeds",
	    how, delay / NSEC_PER_SEC);
	tell(closing->mark.file, LOG_WARNING, text);
}

/* What cannot be looked at is not known to be gone: 0, -ENOENT or another negative errno. */
static int look_for(const struct on_close *on_close, const struct close_mark *mark)
{
	struct stat status;

	if (fstatat(on_close->directory, mark->file, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOTDIR ? -ENOENT : -errno;
	return S_ISREG(status.st_mode) && status.st_ino == mark->inode ? 0 : -ENOENT;
}

static void launch(struct on_close *on_close, struct closing *closing)
{
	int there = look_for(on_close, &closing->mark);
	struct catalog_line line;
	char how[160];

	if (there == -ENOENT) {
		tell(closing->mark.file, LOG_WARNING,
		    "is gone, and output.on_close was not run for it yet "
		    "(output.retain.after_close: true keeps what it is not done with)");
		closings_finish(&on_close->closings, closing);
		return;
	}
	closing->pid = there;
	if (there == 0)
		closing->pid = catalog_line_read(&line, closing->text, closing->length);
	if (closing->pid == 0)
		closing->pid = close_program_start(
		    on_close->output->on_close, on_close->output->directory, &line);
	if (closing->pid > 0) {
		on_close->running[on_close->running_count++] = closing;
		return;
	}
	snprintf(how, sizeof(how), "cannot be given to a program: %s", strerror(-closing->pid));
	fail(on_close, closing, how);
}

static void end(struct on_close *on_close, struct closing *closing, int status)
{
	char how[64], text[512];

	if (status == 0) {
		snprintf(text, sizeof(text), "%s is done%s", on_close->output->on_close[0],
		    closing->attempts > 0 ? ", after it had failed" : "");
		tell(closing->mark.file, closing->attempts > 0 ? LOG_NOTICE : LOG_INFO, text);
		closings_finish(&on_close->closings, closing);
		return;
	}
	close_program_describe_end(status, how, sizeof(how));
	snprintf(text, sizeof(text), "%.200s %s", on_close->output->on_close[0], how);
	fail(on_close, closing, text);
}

static void launch_what_is_due(struct on_close *on_close)
{
	struct closing *closing;

	if (on_close->stop_ns > 0)
		return;
	while (on_close->running_count < on_close->output->on_close_parallel &&
	       (closing = closings_take(&on_close->closings, clock_monotonic_ns())))
		launch(on_close, closing);
}

static struct closing *take_running(struct on_close *on_close, pid_t pid)
{
	for (size_t i = 0; i < on_close->running_count; i++) {
		struct closing *closing = on_close->running[i];

		if (closing->pid != pid)
			continue;
		on_close->running[i] = on_close->running[--on_close->running_count];
		return closing;
	}
	return NULL;
}

/* Whoever it is: the first process of a container is given what programs leave behind, too. */
static void reap(struct on_close *on_close)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct closing *closing = take_running(on_close, pid);

		if (closing)
			end(on_close, closing, status);
	}
}

/* ---- the catalog and the record ---------------------------------------------------------- */

static void look(struct on_close *on_close)
{
	int r = closings_look(&on_close->closings);

	if (r < 0 && r != on_close->look_error)
		(void)log_failure(r, "%s: cannot read catalog.jsonl", on_close->output->directory);
	on_close->look_error = r;
}

static void record(struct on_close *on_close)
{
	uint64_t now = clock_monotonic_ns();
	int r;

	if (now < on_close->record_ns)
		return;
	r = closings_record(&on_close->closings);
	if (r < 0 && r != on_close->record_error)
		(void)log_failure(r,
		    "%s/on-close: cannot record what is done; it is tried again, and would be run "
		    "again after a restart",
		    on_close->output->directory);
	on_close->record_error = r;
	on_close->record_ns = r < 0 ? now + record_again_ns : 0;
}

/* ---- until when -------------------------------------------------------------------------- */

static void stop_all(const struct on_close *on_close, int signal)
{
	for (size_t i = 0; i < on_close->running_count; i++)
		close_program_stop(on_close->running[i]->pid, signal);
}

static void hear_signals(struct on_close *on_close)
{
	struct signalfd_siginfo info;

	while (read(on_close->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			continue;
		stop_all(on_close, on_close->stop_ns > 0 ? SIGKILL : SIGTERM);
		if (on_close->stop_ns == 0)
			on_close->stop_ns = clock_monotonic_ns() + GRACE_MS * NSEC_PER_MSEC;
	}
}

static int wait_ms(const struct on_close *on_close)
{
	uint64_t now = clock_monotonic_ns();
	uint64_t until = now + LOOK_MS * NSEC_PER_MSEC;

	/* None is begun during a stop, whatever is due. */
	if (on_close->stop_ns == 0 && on_close->running_count < on_close->output->on_close_parallel)
		until = LEAST(until, closings_due(&on_close->closings));
	if (on_close->record_ns > 0)
		until = LEAST(until, on_close->record_ns);
	if (on_close->stop_ns > 0)
		until = LEAST(until, on_close->stop_ns);
	return until <= now ? 0 : (int)((until - now) / NSEC_PER_MSEC) + 1;
}

/* What it watches may have been replaced; that it is watched already does no harm. */
static void watch(const struct on_close *on_close)
{
	char name[64];

	snprintf(name, sizeof(name), "/proc/self/fd/%d", on_close->directory);
	(void)inotify_add_watch(on_close->watch, name, IN_MOVED_TO | IN_CREATE | IN_ONLYDIR);
	snprintf(name, sizeof(name), "/proc/self/fd/%d/catalog.jsonl", on_close->directory);
	(void)inotify_add_watch(on_close->watch, name, IN_MODIFY);
}

static void wait_for_news(struct on_close *on_close)
{
	struct pollfd both[] = {
		{ .fd = on_close->signals, .events = POLLIN },
		{ .fd = on_close->watch, .events = POLLIN },
	};
	char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));

	(void)poll(both, COUNT_OF(both), wait_ms(on_close));
	while (read(on_close->watch, events, sizeof(events)) > 0)
		;
	hear_signals(on_close);
	if (on_close->stop_ns == 0 || clock_monotonic_ns() < on_close->stop_ns)
		return;
	stop_all(on_close, SIGKILL);
	on_close->stop_ns = clock_monotonic_ns() + GRACE_MS * NSEC_PER_MSEC;
}

static bool is_over(const struct on_close *on_close)
{
	if (on_close->running_count > 0)
		return false;
	if (on_close->stop_ns > 0)
		return true;
	return on_close->mode == RUN_ONCE && on_close->closings.count == 0;
}

static int listen(struct on_close *on_close)
{
	sigset_t heard;

	/* Whoever started it may ignore it, and then no end of a child could be waited for. */
	(void)signal(SIGCHLD, SIG_DFL);
	sigemptyset(&heard);
	sigaddset(&heard, SIGCHLD);
	sigaddset(&heard, SIGTERM);
	sigaddset(&heard, SIGINT);
	sigaddset(&heard, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &heard, NULL);
	on_close->signals = signalfd(-1, &heard, SFD_NONBLOCK | SFD_CLOEXEC);
	on_close->watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	return on_close->signals < 0 || on_close->watch < 0 ? -errno : 0;
}

static int run(struct on_close *on_close)
{
	int r = listen(on_close);

	if (r < 0) {
		(void)log_failure(r, "cannot listen to signals and the catalog");
		return EX_OSERR;
	}
	for (;;) {
		watch(on_close);
		look(on_close);
		reap(on_close);
		launch_what_is_due(on_close);
		record(on_close);
		if (is_over(on_close))
			break;
		wait_for_news(on_close);
	}
	close_at(&on_close->signals);
	close_at(&on_close->watch);
	return on_close->record_error < 0 ? EX_IOERR : 0;
}

/* ---- the others -------------------------------------------------------------------------- */

static int show(struct on_close *on_close)
{
	struct closing *closing;

	while ((closing = closings_take(&on_close->closings, 0)))
		puts(closing->mark.file);
	return 0;
}

static int skip(struct on_close *on_close)
{
	struct closing *closing;
	uint64_t count = 0;

	for (; (closing = closings_take(&on_close->closings, 0)); count++)
		closings_finish(&on_close->closings, closing);
	record(on_close);
	if (on_close->record_error < 0)
		return EX_IOERR;
	printf("%" PRIu64 " files are left out\n", count);
	return 0;
}

/* ---- which ------------------------------------------------------------------------------- */

static int begin(struct on_close *on_close)
{
	struct close_record *book = &on_close->closings.record;
	int r =
	    on_close->mode == SHOW_PENDING ? close_record_follow(book) : close_record_open(book);

	if (r == 0 && (on_close->mode == SHOW_PENDING || on_close->mode == SKIP))
		r = closings_look(&on_close->closings);
	if (r == -EBUSY) {
		log_line(
		    LOG_ERR, "%s: fancap on-close runs for it already", on_close->config->sensor);
		return EX_UNAVAILABLE;
	}
	if (r < 0)
		(void)log_failure(r, "%s/on-close: cannot %s what is done",
		    on_close->output->directory,
		    on_close->mode == SHOW_PENDING ? "read" : "record");
	return r == 0 ? 0 : r == -EACCES || r == -EPERM || r == -EROFS ? EX_NOPERM : EX_IOERR;
}

static int go(struct on_close *on_close)
{
	static int (*const modes[])(struct on_close *) = {
		[RUN_ONCE] = run,
		[RUN_ON] = run,
		[SHOW_PENDING] = show,
		[SKIP] = skip,
	};
	int status;

	closings_begin(&on_close->closings, on_close->directory, on_close->config->sensor);
	status = begin(on_close);
	if (status == 0)
		status = modes[on_close->mode](on_close);
	closings_release(&on_close->closings);
	return status;
}

struct request {
	struct sensors_request sensors; /* first: what visits a sensor is given this */
	enum on_close_mode mode;
};

static int open_and_go(struct on_close *on_close)
{
	const char *directory = on_close->output->directory;

	if (on_close->output->on_close_count == 0) {
		log_line(LOG_ERR, "%s: output.on_close is empty; a program and its arguments",
		    on_close->config->sensor);
		return EX_CONFIG;
	}
	on_close->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (on_close->directory < 0) {
		int r = log_failure(-errno, "%s: cannot open the output directory", directory);

		return r == -EACCES ? EX_NOPERM : EX_NOINPUT;
	}
	return go(on_close);
}

static int visit(const char *path, const struct sensors_request *sensors)
{
	const struct request *request = (const struct request *)sensors;
	struct on_close on_close = {
		.mode = request->mode,
		.directory = -1,
		.signals = -1,
		.watch = -1,
	};
	struct config *config = NULL;
	int status = sensors_load_any_ring(path, &config);

	if (status != 0)
		return status;
	on_close.config = config;
	on_close.output = &config->output;
	log_sensor(config->sensor);
	status = open_and_go(&on_close);
	log_sensor(NULL);
	close_at(&on_close.directory);
	config_free(config);
	return status;
}

static int parse(struct request *request, int argc, char **argv)
{
	static const struct option known[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "follow", no_argument, NULL, RUN_ON },
		{ "pending", no_argument, NULL, SHOW_PENDING },
		{ "skip", no_argument, NULL, SKIP },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option, modes = 0;

	optind = 0;
	while ((option = getopt_long(argc, argv, "h", known, NULL)) != -1) {
		if (option == 'c')
			request->sensors.config = optarg;
		else if (option == 'h')
			request->sensors.help = true;
		else if (option == '?')
			return EX_USAGE;
		else if (modes++ == 0)
			request->mode = (enum on_close_mode)option;
	}
	if (request->sensors.help)
		return 0;
	if (optind < argc)
		request->sensors.sensor = argv[optind++];
	if (optind == argc && modes <= 1 && !request->sensors.sensor != !request->sensors.config)
		return 0;
	fprintf(stderr,
	    "%s: takes one SENSOR or --config FILE, and one of --follow, --pending and --skip at "
	    "most\n",
	    argv[0]);
	return EX_USAGE;
}

int verb_on_close(int argc, char **argv)
{
	struct request request = { .mode = RUN_ONCE };
	int status = parse(&request, argc, argv);

	if (status == 0 && request.sensors.help)
		return fputs(usage, stdout) < 0;
	return status == 0 ? sensors_each(&request.sensors, visit) : status;
}
