/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/clock.h"
#include "base/units.h"
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

static const char usage[] =
    "usage: fancap list [SENSOR | --config FILE | --directory DIR] [--json | --sha256sums]\n"
    "Shows the finished files that catalog.jsonl names and that are there, in the order in which\n"
    "they were finished; of all sensors, where none is given.\n"
    "\n"
    "  --json         the catalog's own lines\n"
    "  --sha256sums   for `sha256sum -c`: those that have a digest\n"
    "  -h, --help\n";

enum list_form { LIST_TABLE, LIST_JSON, LIST_SUMS };

struct list {
	enum list_form form;
	bool has_head;
	uint64_t listed, without_sum;
};

static bool is_there(const struct depot *depot, const struct catalog_line *line)
{
	struct stat status;

	return fstatat(depot->fd, line->file, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(status.st_mode) && status.st_ino == line->inode;
}

/* To the second: the file's own stamps are exact. */
static void print_time(uint64_t time_ns)
{
	char text[CLOCK_TEXT_LENGTH];

	clock_text(text, time_ns);
	printf("%.19sZ  ", text);
}

static void print_row(const struct holds *holds, struct list *list, const struct catalog_line *line)
{
	char size[UNITS_TEXT];

	if (!list->has_head)
		printf("%-20s  %-20s  %12s  %9s  %9s  %-4s  %s\n", "FIRST", "LAST", "PACKETS",
		    "SIZE", "DROPPED", "HELD", "FILE");
	list->has_head = true;
	units_format_about(size, sizeof(size), line->bytes);
	print_time(line->first_ns);
	print_time(line->last_ns);
	printf("%12" PRIu64 "  %9s  %9" PRIu64 "  %-4s  %s\n", line->packets, size, line->dropped,
	    holds_cover(holds, line->first_ns, line->last_ns) ? "yes" : "-", line->file);
}

static void print_sum(const struct depot *depot, struct list *list, const struct catalog_line *line)
{
	if (line->sha256[0])
		printf("%s  %s/%s\n", line->sha256, depot->path, line->file);
	else
		list->without_sum++;
}

static void print_line(const struct depot *depot, const struct holds *holds, struct list *list,
    const struct catalog_line *line)
{
	list->listed++;
	if (list->form == LIST_JSON)
		fwrite(line->text, 1, line->length, stdout);
	else if (list->form == LIST_SUMS)
		print_sum(depot, list, line);
	else
		print_row(holds, list, line);
}

static int list_one(const struct depot *depot, void *user)
{
	struct catalog_reader reader = { 0 };
	struct catalog_line line;
	struct holds holds;
	int r = holds_read(&holds, depot->fd);

	if (r == 0)
		r = catalog_reader_open(&reader, depot->fd, 0);
	while (r >= 0 && (r = catalog_reader_next(&reader, &line)) > 0)
		if (is_there(depot, &line))
			print_line(depot, &holds, user, &line);
	if (reader.bad > 0)
		fprintf(stderr,
		    "fancap: list: %s/catalog.jsonl: %" PRIu64 " lines in it are not of its kind\n",
		    depot->path, reader.bad);
	catalog_reader_close(&reader);
	holds_release(&holds);
	/* A sensor that has finished none yet has none. */
	if (r == 0 || r == -ENOENT)
		return 0;
	fprintf(stderr, "fancap: list: %s: cannot read its catalog.jsonl: %s\n", depot->path,
	    strerror(-r));
	return r == -EACCES ? EX_NOPERM : EX_IOERR;
}

static int parse(struct depot_request *request, struct list *list, int argc, char **argv)
{
	static const struct option known[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "directory", required_argument, NULL, 'd' },
		{ "json", no_argument, NULL, 'j' },
		{ "sha256sums", no_argument, NULL, 's' },
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
		else if (option == 'j')
			list->form = LIST_JSON;
		else if (option == 's')
			list->form = LIST_SUMS;
		else if (option == 'h')
			request->sensors.help = true;
		else
			return EX_USAGE;
	}
	if (optind < argc)
		request->sensors.sensor = argv[optind++];
	if (optind == argc && !(request->sensors.sensor && request->sensors.config))
		return 0;
	fprintf(stderr, "%s: takes one SENSOR or --config FILE\n", argv[0]);
	return EX_USAGE;
}

int verb_list(int argc, char **argv)
{
	struct list list = { 0 };
	struct depot_request request = { .verb = argv[0], .visit = list_one, .user = &list };
	int status = parse(&request, &list, argc, argv);

	if (status == 0 && request.sensors.help) {
		fputs(usage, stdout);
		return 0;
	}
	if (status == 0)
		status = depot_each(&request);
	if (list.without_sum > 0)
		fprintf(stderr,
		    "%s: %" PRIu64 " of %" PRIu64 " files have no digest: output.digest was none\n",
		    argv[0], list.without_sum, list.listed);
	return status;
}
