/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/array.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "ledger/ledger.h"
#include "ledger/roster.h"
#include "tool/sensors.h"
#include "tool/verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

/* One slot as it was at one moment. */
struct view {
	const struct ledger_slot *slot;
	const char *interface;
	const char *file; /* "" where none is open */
	uint64_t file_bytes;
	struct counters counters;
	enum ledger_state state;
	uint64_t packets_per_second, bytes_per_second;
	uint64_t share; /* of the packets of all, in percent */
};

static void read_slot(
    const struct ledger *ledger, size_t index, struct view *view, struct ledger_commit *commit)
{
	view->slot = ledger_slot(ledger, index);
	view->state = (enum ledger_state)atomic_load(&view->slot->state);
	view->packets_per_second = atomic_load(&view->slot->packets_per_second);
	view->bytes_per_second = atomic_load(&view->slot->bytes_per_second);
	view->interface = ledger_interface(ledger, view->slot->interface)->name;
	if (ledger_commit_read(ledger_worker(ledger, index), commit) < 0)
		memset(commit, 0, sizeof(*commit));
	view->counters = commit->counters;
	view->file = commit->open.name;
	view->file_bytes = commit->open.name[0] ? commit->filled - commit->open.start : 0;
}

static uint64_t truncated(const struct counters *counters)
{
	return counters->value[COUNTER_TRUNCATED_SNAPLEN] +
	       counters->value[COUNTER_TRUNCATED_BLOCK];
}

static void print_json_counters(const struct counters *counters)
{
	for (int i = 0; i < COUNTER_COUNT_; i++)
		printf("\"%s\":%" PRIu64 ",", counter_name((enum counter)i), counters->value[i]);
	printf("\"truncated\":%" PRIu64 ",\"waiting\":%" PRId64, truncated(counters),
	    counters_waiting(counters));
}

static void print_json_worker(const struct view *view)
{
	const struct ledger_slot *slot = view->slot;

	printf("{\"interface\":");
	json_quote(stdout, view->interface);
	printf(",\"worker\":%" PRIu32 ",\"pid\":%" PRIu32
	       ",\"state\":\"%s\",\"generation\":%" PRIu32 ",\"file\":",
	    slot->worker, atomic_load(&slot->pid), ledger_state_name(view->state),
	    atomic_load(&slot->generation));
	json_quote(stdout, view->file);
	printf(",\"file_bytes\":%" PRIu64 ",\"restarts\":%" PRIu64 ",\"takeovers\":%" PRIu64
	       ",\"gaps\":%" PRIu64 ",\"packets_per_second\":%" PRIu64
	       ",\"bytes_per_second\":%" PRIu64 ",\"share\":%" PRIu64 ",",
	    view->file_bytes, atomic_load(&slot->restarts), atomic_load(&slot->takeovers),
	    atomic_load(&slot->gaps), view->packets_per_second, view->bytes_per_second,
	    view->share);
	print_json_counters(&view->counters);
	putchar('}');
}

/* What the whole sensor comes to. */
struct summary {
	const char *sensor;
	const struct ledger *ledger;
	uint64_t nic_dropped;
	enum ledger_state state;
	bool balanced;
	bool unsettled;    /* gone, with packets on their way to the files */
	bool refuses_file; /* it goes by another configuration than the file's */
	struct counters total;
	uint64_t packets_per_second, bytes_per_second;
};

static void print_json_interfaces(const struct ledger *ledger)
{
	const char *separator = "";

	for (uint32_t i = 0; i < ledger_header(ledger)->interface_count; i++) {
		const struct ledger_interface *interface = ledger_interface(ledger, i);

		if (!roster_has(interface))
			continue;
		printf("%s{\"interface\":", separator);
		separator = ",";
		json_quote(stdout, interface->name);
		printf(",\"state\":\"%s\",\"nic_dropped\":%" PRIu64 "}",
		    ledger_state_name((enum ledger_state)atomic_load(&interface->state)),
		    atomic_load(&interface->nic_dropped));
	}
}

static void print_json(const struct summary *summary, const struct view *views, size_t count)
{
	printf("{\"sensor\":");
	json_quote(stdout, summary->sensor);
	printf(",\"state\":\"%s\",\"balanced\":%s,\"file_refused\":%s,\"total\":{",
	    ledger_state_name(summary->state),
	    summary->balanced && !summary->unsettled ? "true" : "false",
	    summary->refuses_file ? "true" : "false");
	print_json_counters(&summary->total);
	printf(",\"nic_dropped\":%" PRIu64 "},\"interfaces\":[", summary->nic_dropped);
	print_json_interfaces(summary->ledger);
	printf("],\"workers\":[");
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			putchar(',');
		print_json_worker(&views[i]);
	}
	printf("]}\n");
}

/* ---- for people -------------------------------------------------------------------------- */

enum { COLUMNS = 11, CELL_LENGTH = 64 };

/* A line of the table, which is as wide as what is in it. */
struct row {
	char cell[COLUMNS][CELL_LENGTH];
};

static const char *state_text(enum ledger_state state)
{
	return state == STATE_GONE ? "stopped" : ledger_state_name(state);
}

static void print_head(const struct summary *summary)
{
	if (summary->unsettled && summary->balanced)
		printf("%s: ended before all was written; its next start writes what is staged\n",
		    summary->sensor);
	else
		printf("%s: %s, %s\n", summary->sensor, state_text(summary->state),
		    summary->balanced ? "the books balance" : "THE BOOKS DO NOT BALANCE");
	if (summary->refuses_file)
		printf("%s: the configuration file is refused, the last good one is in force; the "
		       "journal says why\n",
		    summary->sensor);
}

static void fill_row(
    struct row *row, const struct counters *c, uint64_t packet_rate, uint64_t byte_rate)
{
	static const enum counter counted[] = { COUNTER_SEEN, COUNTER_DROPPED, COUNTER_WRITTEN,
		COUNTER_DISCARDED, COUNTER_STAGED };

	for (size_t i = 0; i < COUNT_OF(counted); i++)
		snprintf(row->cell[1 + i], CELL_LENGTH, "%" PRIu64, c->value[counted[i]]);
	snprintf(row->cell[6], CELL_LENGTH, "%" PRId64, counters_waiting(c));
	snprintf(row->cell[8], CELL_LENGTH, "%" PRIu64, packet_rate);
	snprintf(row->cell[9], CELL_LENGTH, "%.1f", (double)byte_rate / 1e6);
}

static void fill_worker(struct row *row, const struct view *view)
{
	snprintf(row->cell[0], CELL_LENGTH, "%.40s/%" PRIu32, view->interface, view->slot->worker);
	fill_row(row, &view->counters, view->packets_per_second, view->bytes_per_second);
	snprintf(row->cell[7], CELL_LENGTH, "%" PRIu64 "%%", view->share);
	snprintf(row->cell[10], CELL_LENGTH, "%s", state_text(view->state));
}

/* Names stand to the left, numbers to the right. */
static void print_rows(const struct row *rows, size_t count)
{
	int width[COLUMNS] = { 0 };

	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < COLUMNS; k++)
			width[k] = MOST(width[k], (int)strlen(rows[i].cell[k]));
	for (size_t i = 0; i < count; i++) {
		printf("%-*s", width[0], rows[i].cell[0]);
		for (size_t k = 1; k < COLUMNS - 1; k++)
			printf("  %*s", width[k], rows[i].cell[k]);
		printf(
		    "%s%s\n", rows[i].cell[COLUMNS - 1][0] ? "  " : "", rows[i].cell[COLUMNS - 1]);
	}
}

static int print_table(const struct summary *summary, const struct view *views, size_t count)
{
	static const struct row heading = { { "worker", "seen", "dropped", "written", "discarded",
	    "staged", "waiting", "share", "pkt/s", "MB/s", "state" } };
	CLEANUP(free_at) struct row *rows = calloc(count + 2, sizeof(*rows));

	if (!rows)
		return -ENOMEM;
	rows[0] = heading;
	for (size_t i = 0; i < count; i++)
		fill_worker(&rows[1 + i], &views[i]);
	snprintf(rows[count + 1].cell[0], CELL_LENGTH, "total");
	fill_row(&rows[count + 1], &summary->total, summary->packets_per_second,
	    summary->bytes_per_second);
	snprintf(rows[count + 1].cell[7], CELL_LENGTH, "%s",
	    summary->total.value[COUNTER_SEEN] > 0 ? "100%" : "0%");
	print_rows(rows, count + 2);
	return 0;
}

static int print_text(const struct summary *summary, const struct view *views, size_t count)
{
	print_head(summary);
	if (print_table(summary, views, count) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		if (views[i].file[0])
			printf("%.40s/%" PRIu32 " %s %s.part\n", views[i].interface,
			    views[i].slot->worker, summary->state == STATE_GONE ? "left" : "writes",
			    views[i].file);
	for (uint32_t i = 0; i < ledger_header(summary->ledger)->interface_count; i++) {
		const struct ledger_interface *interface = ledger_interface(summary->ledger, i);
		uint64_t dropped = atomic_load(&interface->nic_dropped);

		if (dropped > 0)
			printf("%s: the device lost %" PRIu64
			       " packets before the kernel could offer them\n",
			    interface->name, dropped);
	}
	return 0;
}

/* ---- reading it -------------------------------------------------------------------------- */

static bool is_alive(const struct ledger_header *header)
{
	pid_t pid = (pid_t)atomic_load(&header->pid);

	return pid > 0 && (kill(pid, 0) == 0 || errno == EPERM);
}

/* What the ledger still says of workers that ended with the sensor is not so any more. */
static void correct_for_end(struct view *view)
{
	if (view->state != STATE_FROZEN)
		view->state = STATE_GONE;
	view->packets_per_second = 0;
	view->bytes_per_second = 0;
}

static void add_up(struct summary *summary, struct view *view)
{
	if (summary->state == STATE_GONE)
		correct_for_end(view);
	counters_add(&summary->total, &view->counters);
	summary->packets_per_second += view->packets_per_second;
	summary->bytes_per_second += view->bytes_per_second;
	if (counters_waiting(&view->counters) < 0)
		summary->balanced = false;
	if (summary->state == STATE_GONE && !counters_are_settled(&view->counters))
		summary->unsettled = true;
}

static void share_out(const struct summary *summary, struct view *views, size_t count)
{
	const uint64_t all = summary->total.value[COUNTER_SEEN];

	for (size_t i = 0; i < count && all > 0; i++)
		views[i].share = (views[i].counters.value[COUNTER_SEEN] * 100 + all / 2) / all;
}

/* Their counters are in the sums; there is nobody else to show. */
static size_t leave_out_unused(struct view *views, size_t count)
{
	size_t used = 0;

	for (size_t i = 0; i < count; i++)
		if (atomic_load(&views[i].slot->is_used))
			views[used++] = views[i];
	return used;
}

static int show(const struct ledger *ledger, const struct sensors_request *request)
{
	const struct ledger_header *header = ledger_header(ledger);
	size_t count = header->slot_count;
	CLEANUP(free_at) struct view *views = calloc(count, sizeof(*views));
	CLEANUP(free_at) struct ledger_commit *commits = calloc(count, sizeof(*commits));
	struct summary summary = { .sensor = header->sensor,
		.ledger = ledger,
		.balanced = !atomic_load(&header->imbalance) };

	if (!views || !commits)
		return EX_OSERR;
	summary.state =
	    is_alive(header) ? (enum ledger_state)atomic_load(&header->state) : STATE_GONE;
	summary.refuses_file = summary.state != STATE_GONE && atomic_load(&header->refuses_file);
	for (size_t i = 0; i < count; i++) {
		read_slot(ledger, i, &views[i], &commits[i]);
		add_up(&summary, &views[i]);
	}
	for (uint32_t i = 0; i < header->interface_count; i++)
		summary.nic_dropped += atomic_load(&ledger_interface(ledger, i)->nic_dropped);
	share_out(&summary, views, count);
	count = leave_out_unused(views, count);
	if (!request->json)
		return print_text(&summary, views, count) < 0 ? EX_OSERR : 0;
	print_json(&summary, views, count);
	return 0;
}

/* The file's name without .yaml, into text. */
static void sensor_of(const char *path, char *text, size_t size)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	const char *dot = strrchr(base, '.');

	snprintf(text, size, "%.*s", dot ? (int)(dot - base) : (int)strlen(base), base);
}

static const char *advice_for(int error)
{
	return error == -EACCES ? "as root, or in the group of the daemon"
				: "is the sensor running?";
}

/* The path is of the configuration; without one, of the runtime directory. */
static int status_one(const char *path, const struct sensors_request *request)
{
	char sensor[64], directory[256];
	CLEANUP(close_at) int fd = -1;
	struct ledger *ledger = NULL;
	int r, status;

	sensor_of(path, sensor, sizeof(sensor));
	snprintf(directory, sizeof(directory), "/run/fancap/%s", sensor);
	fd = open(request->runtime_directory ? request->runtime_directory : directory,
	    O_DIRECTORY | O_CLOEXEC);
	r = fd < 0 ? -errno : ledger_open(&ledger, fd);
	if (r < 0) {
		fprintf(stderr, "fancap: %s: no ledger in %s: %s; %s\n", sensor,
		    request->runtime_directory ? request->runtime_directory : directory,
		    strerror(-r), advice_for(r));
		return r == -EACCES ? EX_NOPERM : r == -EBADMSG ? EX_DATAERR : EX_UNAVAILABLE;
	}
	status = show(ledger, request);
	ledger_close(ledger);
	return status;
}

int verb_status(int argc, char **argv)
{
	struct sensors_request request;
	int status = sensors_parse(&request, argc, argv);

	if (status != 0)
		return status;
	if (request.interface) {
		fprintf(stderr, "%s: --interface is for `fancap check` alone\n", argv[0]);
		return EX_USAGE;
	}
	if (request.help) {
		puts("usage: fancap status [SENSOR | --config FILE] [--runtime-directory DIR]\n"
		     "                     [--json]\n"
		     "Shows what each worker of a sensor has seen, dropped, written and\n"
		     "discarded, in packets since the sensor's start, its share of what all\n"
		     "have seen, and its rates over the last report.interval. Without SENSOR:\n"
		     "all in /etc/fancap. One that was started by hand is found by its\n"
		     "--runtime-directory.");
		return 0;
	}
	if (request.runtime_directory && !request.sensor && !request.config)
		return status_one(request.runtime_directory, &request);
	return sensors_each(&request, status_one);
}
