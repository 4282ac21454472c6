/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/cleanup.h"
#include "base/json.h"
#include "ledger/ledger.h"
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
	uint64_t share; /* of the packets of all, in percent */
};

static void read_slot(
    const struct ledger *ledger, size_t index, struct view *view, struct ledger_commit *commit)
{
	view->slot = ledger_slot(ledger, index);
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
	json_string(stdout, view->interface);
	printf(",\"worker\":%" PRIu32 ",\"pid\":%" PRIu32
	       ",\"state\":\"%s\",\"generation\":%" PRIu32 ",\"file\":",
	    slot->worker, atomic_load(&slot->pid),
	    ledger_state_name((enum ledger_state)atomic_load(&slot->state)),
	    atomic_load(&slot->generation));
	json_string(stdout, view->file);
	printf(",\"file_bytes\":%" PRIu64 ",\"restarts\":%" PRIu64 ",\"takeovers\":%" PRIu64
	       ",\"gaps\":%" PRIu64 ",\"packets_per_second\":%" PRIu64
	       ",\"bytes_per_second\":%" PRIu64 ",\"share\":%" PRIu64 ",",
	    view->file_bytes, atomic_load(&slot->restarts), atomic_load(&slot->takeovers),
	    atomic_load(&slot->gaps), atomic_load(&slot->packets_per_second),
	    atomic_load(&slot->bytes_per_second), view->share);
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
	struct counters total;
};

static void print_json_interfaces(const struct ledger *ledger)
{
	for (uint32_t i = 0; i < ledger_header(ledger)->interface_count; i++) {
		const struct ledger_interface *interface = ledger_interface(ledger, i);

		printf("%s{\"interface\":", i > 0 ? "," : "");
		json_string(stdout, interface->name);
		printf(",\"state\":\"%s\",\"nic_dropped\":%" PRIu64 "}",
		    ledger_state_name((enum ledger_state)atomic_load(&interface->state)),
		    atomic_load(&interface->nic_dropped));
	}
}

static void print_json(const struct summary *summary, const struct view *views, size_t count)
{
	printf("{\"sensor\":");
	json_string(stdout, summary->sensor);
	printf(",\"state\":\"%s\",\"balanced\":%s,\"total\":{", ledger_state_name(summary->state),
	    summary->balanced ? "true" : "false");
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

static void print_line(const char *name, const struct counters *c)
{
	printf("%-20s %12" PRIu64 " %10" PRIu64 " %12" PRIu64 " %10" PRIu64 " %8" PRIu64
	       " %8" PRId64,
	    name, c->value[COUNTER_SEEN], c->value[COUNTER_DROPPED], c->value[COUNTER_WRITTEN],
	    c->value[COUNTER_DISCARDED], c->value[COUNTER_STAGED], counters_waiting(c));
}

static void print_text(const struct summary *summary, const struct view *views, size_t count)
{
	char name[96];

	printf("%s: %s, %s\n", summary->sensor, ledger_state_name(summary->state),
	    summary->balanced ? "the books balance" : "THE BOOKS DO NOT BALANCE");
	printf("%-20s %12s %10s %12s %10s %8s %8s  %6s %9s %9s  %s\n", "worker", "seen", "dropped",
	    "written", "discarded", "staged", "waiting", "share", "pkt/s", "MB/s", "state, file");
	for (size_t i = 0; i < count; i++) {
		const struct ledger_slot *slot = views[i].slot;

		snprintf(name, sizeof(name), "%.40s/%" PRIu32, views[i].interface, slot->worker);
		print_line(name, &views[i].counters);
		printf("  %5" PRIu64 "%% %9" PRIu64 " %9.1f  %s%s%s\n", views[i].share,
		    atomic_load(&slot->packets_per_second),
		    (double)atomic_load(&slot->bytes_per_second) / 1e6,
		    ledger_state_name((enum ledger_state)atomic_load(&slot->state)),
		    views[i].file[0] ? ", " : "", views[i].file);
	}
	print_line("total", &summary->total);
	putchar('\n');
	for (uint32_t i = 0; i < ledger_header(summary->ledger)->interface_count; i++) {
		const struct ledger_interface *interface = ledger_interface(summary->ledger, i);
		uint64_t dropped = atomic_load(&interface->nic_dropped);

		if (dropped > 0)
			printf("%s: the device lost %" PRIu64
			       " packets before the kernel could offer them\n",
			    interface->name, dropped);
	}
}

static bool is_alive(const struct ledger_header *header)
{
	pid_t pid = (pid_t)atomic_load(&header->pid);

	return pid > 0 && (kill(pid, 0) == 0 || errno == EPERM);
}

static int show(const struct ledger *ledger, const struct sensors_request *request)
{
	const struct ledger_header *header = ledger_header(ledger);
	size_t count = header->slot_count;
	CLEANUP(free_at) struct view *views = calloc(count, sizeof(*views));
	CLEANUP(free_at) struct ledger_commit *commits = calloc(count, sizeof(*commits));
	struct summary summary = { .sensor = header->sensor, .ledger = ledger, .balanced = true };

	if (!views || !commits)
		return EX_OSERR;
	summary.state =
	    is_alive(header) ? (enum ledger_state)atomic_load(&header->state) : STATE_GONE;
	for (size_t i = 0; i < count; i++) {
		read_slot(ledger, i, &views[i], &commits[i]);
		counters_add(&summary.total, &views[i].counters);
		if (counters_waiting(&views[i].counters) < 0)
			summary.balanced = false;
		if (summary.state == STATE_GONE && !counters_are_settled(&views[i].counters))
			summary.balanced = false;
	}
	for (uint32_t i = 0; i < header->interface_count; i++)
		summary.nic_dropped += atomic_load(&ledger_interface(ledger, i)->nic_dropped);
	if (atomic_load(&header->imbalance))
		summary.balanced = false;
	for (size_t i = 0; i < count && summary.total.value[COUNTER_SEEN] > 0; i++)
		views[i].share =
		    views[i].counters.value[COUNTER_SEEN] * 100 / summary.total.value[COUNTER_SEEN];
	if (request->json)
		print_json(&summary, views, count);
	else
		print_text(&summary, views, count);
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
		fprintf(stderr, "fancap: %s: no ledger in %s: %s; is fancapd@%s running?\n", sensor,
		    request->runtime_directory ? request->runtime_directory : directory,
		    strerror(-r), sensor);
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
	if (request.help) {
		puts(
		    "usage: fancap status [SENSOR | --config FILE] [--runtime-directory DIR]\n"
		    "                     [--json]\n"
		    "Shows what each worker of a sensor has seen, dropped, written and discarded.");
		return 0;
	}
	return sensors_each(&request, status_one);
}
