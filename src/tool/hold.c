/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/units.h"
#include "base/when.h"
#include "storage/catalog_reader.h"
#include "storage/holds.h"
#include "tool/depot.h"
#include "tool/verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

static const char hold_usage[] =
    "usage: fancap hold --since TIME --until TIME --name CASE [SENSOR | --config FILE |\n"
    "                   --directory DIR]\n"
    "Keeps the finished files with packets from that time, whatever output.retain says, until\n"
    "`fancap release CASE`; of all sensors, where none is given. A TIME is 2026-03-01T12:00:00Z\n"
    "or less of it (in UTC, but for an offset such as +01:00), @SECONDS since the epoch, -15min,\n"
    "or now. Files that are finished later are kept, too.\n";
static const char holds_usage[] =
    "usage: fancap holds [SENSOR | --config FILE | --directory DIR] [--json]\n"
    "Shows what is held, and how much it comes to.\n";
static const char release_usage[] =
    "usage: fancap release CASE [SENSOR | --config FILE | --directory DIR]\n"
    "Gives what was held by that name back to output.retain.\n";

struct order {
	const char *name, *since, *until;
	struct hold hold;
	bool json, has_head;
	unsigned int released;
};

/* ---- what was asked ---------------------------------------------------------------------- */

static int parse(struct depot_request *request, struct order *order, int argc, char **argv)
{
	static const struct option known[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "directory", required_argument, NULL, 'd' },
		{ "since", required_argument, NULL, 's' },
		{ "until", required_argument, NULL, 'u' },
		{ "name", required_argument, NULL, 'n' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	optind = 0;
	while ((option = getopt_long(argc, argv, "h", known, NULL)) != -1) {
		if (option == 'c')
			request->sensors.config = optarg;
		else if (option == 'd')
			request->directory = optarg;
		else if (option == 's')
			order->since = optarg;
		else if (option == 'u')
			order->until = optarg;
		else if (option == 'n')
			order->name = optarg;
		else if (option == 'j')
			order->json = true;
		else if (option == 'h')
			request->sensors.help = true;
		else
			return EX_USAGE;
	}
	return 0;
}

static int take_sensor(struct depot_request *request, int argc, char **argv)
{
	if (optind < argc)
		request->sensors.sensor = argv[optind++];
	if (optind == argc && !(request->sensors.sensor && request->sensors.config))
		return 0;
	fprintf(stderr, "%s: takes one SENSOR or --config FILE\n", argv[0]);
	return EX_USAGE;
}

static int read_time(const char *verb, const char *option, const char *text, uint64_t *ret_ns)
{
	if (!text) {
		fprintf(stderr, "%s: %s TIME is missing; see --help\n", verb, option);
		return EX_USAGE;
	}
	if (when_parse(text, clock_utc_ns(), ret_ns) == 0)
		return 0;
	fprintf(stderr,
	    "%s: %s %s: is no time; 2026-03-01T12:00:00Z, @1772366400, -15min and now are\n", verb,
	    option, text);
	return EX_USAGE;
}

static int read_name(const char *verb, const char *name)
{
	if (name && holds_is_name(name))
		return 0;
	if (!name)
		fprintf(stderr, "%s: the name of the case is missing; see --help\n", verb);
	else
		fprintf(stderr,
		    "%s: %s: is no name of a case; letters, digits, - _ . make one, of at most %d, "
		    "a letter or a digit first\n",
		    verb, name, HOLD_NAME_LENGTH - 1);
	return EX_USAGE;
}

/* ---- what it comes to -------------------------------------------------------------------- */

struct sum {
	uint64_t files, bytes;
};

static struct sum sum_up(const struct depot *depot, const struct hold *hold)
{
	struct hold copy = *hold;
	const struct holds one = { .list = &copy, .count = 1 };
	struct catalog_reader reader = { 0 };
	struct catalog_line line;
	struct sum sum = { 0 };
	int r = catalog_reader_open(&reader, depot->fd, 0);

	while (r >= 0 && (r = catalog_reader_next(&reader, &line)) > 0) {
		struct stat status;

		if (!holds_cover(&one, line.first_ns, line.last_ns) ||
		    fstatat(depot->fd, line.file, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
		    status.st_ino != line.inode)
			continue;
		sum.files++;
		sum.bytes += line.bytes;
	}
	catalog_reader_close(&reader);
	return sum;
}

static int fail(const struct depot *depot, int error, const char *what)
{
	fprintf(stderr, "fancap: %s: cannot %s: %s\n", depot->path, what, strerror(-error));
	return error == -EACCES || error == -EPERM || error == -EROFS ? EX_NOPERM : EX_IOERR;
}

/* ---- the verbs --------------------------------------------------------------------------- */

static int hold_one(const struct depot *depot, void *user)
{
	struct order *order = user;
	CLEANUP(close_at) int lock = holds_lock(depot->fd, HOLDS_ALONE);
	int r = lock < 0 ? lock : holds_add(depot->fd, &order->hold);
	char size[UNITS_TEXT];
	struct sum sum;

	if (r == -EEXIST) {
		fprintf(stderr,
		    "fancap: %s: a case %s is held there already; `fancap holds` shows it\n",
		    depot->path, order->hold.name);
		return EX_CANTCREAT;
	}
	if (r < 0)
		return fail(depot, r, "make the hold");
	sum = sum_up(depot, &order->hold);
	units_format_about(size, sizeof(size), sum.bytes);
	printf(
	    "%s: %s holds %" PRIu64 " files, %s\n", depot->path, order->hold.name, sum.files, size);
	return 0;
}

int verb_hold(int argc, char **argv)
{
	struct order order = { 0 };
	struct depot_request request = { .verb = argv[0], .visit = hold_one, .user = &order };
	int status = parse(&request, &order, argc, argv);

	if (status == 0 && request.sensors.help)
		return fputs(hold_usage, stdout) < 0;
	if (status == 0)
		status = take_sensor(&request, argc, argv);
	if (status == 0)
		status = read_name(argv[0], order.name);
	if (status == 0)
		status = read_time(argv[0], "--since", order.since, &order.hold.since_ns);
	if (status == 0)
		status = read_time(argv[0], "--until", order.until, &order.hold.until_ns);
	if (status == 0 && order.hold.since_ns > order.hold.until_ns) {
		fprintf(stderr, "%s: --since is after --until\n", argv[0]);
		status = EX_USAGE;
	}
	if (status != 0)
		return status;
	snprintf(order.hold.name, sizeof(order.hold.name), "%s", order.name);
	order.hold.made_ns = clock_utc_ns();
	return depot_each(&request);
}

static void print_hold(const struct depot *depot, struct order *order, const struct hold *hold)
{
	char since[CLOCK_TEXT_LENGTH], until[CLOCK_TEXT_LENGTH], made[CLOCK_TEXT_LENGTH],
	    size[UNITS_TEXT];
	const struct sum sum = sum_up(depot, hold);

	clock_text(since, hold->since_ns);
	clock_text(until, hold->until_ns);
	clock_text(made, hold->made_ns);
	units_format_about(size, sizeof(size), sum.bytes);
	if (order->json) {
		printf("{\"name\":\"%s\",\"directory\":", hold->name);
		json_quote(stdout, depot->path);
		printf(",\"since\":\"%s\",\"until\":\"%s\",\"made\":\"%s\",\"files\":%" PRIu64
		       ",\"bytes\":%" PRIu64 "}\n",
		    since, until, made, sum.files, sum.bytes);
		return;
	}
	if (!order->has_head)
		printf("%-20s  %-20s  %9s  %9s  %-20s  %s\n", "SINCE", "UNTIL", "FILES", "SIZE",
		    "CASE", "DIRECTORY");
	order->has_head = true;
	printf("%.19sZ  %.19sZ  %9" PRIu64 "  %9s  %-20s  %s\n", since, until, sum.files, size,
	    hold->name, depot->path);
}

static int show_one(const struct depot *depot, void *user)
{
	struct holds holds;
	int r = holds_read(&holds, depot->fd);

	if (r < 0)
		return fail(depot, r, "read its holds");
	for (size_t i = 0; i < holds.count; i++)
		print_hold(depot, user, &holds.list[i]);
	if (holds.is_unsure)
		fprintf(stderr,
		    "fancap: %s/holds: one of the files there cannot be read as a hold; until it "
		    "can, or is removed, no finished file is\n",
		    depot->path);
	r = holds.is_unsure ? EX_DATAERR : 0;
	holds_release(&holds);
	return r;
}

int verb_holds(int argc, char **argv)
{
	struct order order = { 0 };
	struct depot_request request = { .verb = argv[0], .visit = show_one, .user = &order };
	int status = parse(&request, &order, argc, argv);

	if (status == 0 && request.sensors.help)
		return fputs(holds_usage, stdout) < 0;
	if (status == 0)
		status = take_sensor(&request, argc, argv);
	return status == 0 ? depot_each(&request) : status;
}

static int release_one(const struct depot *depot, void *user)
{
	struct order *order = user;
	int r = holds_remove(depot->fd, order->name);

	/* Each sensor has its own. */
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return fail(depot, r, "release the hold");
	order->released++;
	printf("%s: %s is released\n", depot->path, order->name);
	return 0;
}

int verb_release(int argc, char **argv)
{
	struct order order = { 0 };
	struct depot_request request = { .verb = argv[0], .visit = release_one, .user = &order };
	int status = parse(&request, &order, argc, argv);

	if (status == 0 && request.sensors.help)
		return fputs(release_usage, stdout) < 0;
	if (status == 0 && optind < argc)
		order.name = argv[optind++];
	if (status == 0)
		status = read_name(argv[0], order.name);
	if (status == 0)
		status = take_sensor(&request, argc, argv);
	if (status == 0)
		status = depot_each(&request);
	if (status == 0 && order.released == 0) {
		fprintf(stderr, "%s: no case %s is held; `fancap holds` names those that are\n",
		    argv[0], order.name);
		return EX_NOINPUT;
	}
	return status;
}
