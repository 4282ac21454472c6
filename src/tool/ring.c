/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/array.h"
#include "base/units.h"
#include "capture/geometry.h"
#include "config/settings.h"
#include "tool/sensors.h"
#include "tool/verbs.h"

#include <getopt.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

struct options {
	struct sensors_request sensors;
	struct ring_config ring; /* what is 0 was not given */
	uint64_t workers, rate, packet_size, gap;
	bool suggests, tries, measures, json, help;
};

/* ---- options ----------------------------------------------------------------------------- */

static const char usage[] =
    "usage: fancap ring [SENSOR | --config FILE] [OPTION]...\n"
    "       fancap ring --memory SIZE --block-size SIZE --retire-timeout TIME [OPTION]...\n"
    "       fancap ring --measure [--json]\n"
    "Says what the kernel makes of a ring, of a configuration's or of plain numbers.\n"
    "\n"
    "  --memory SIZE             of one worker's ring; default 64MiB\n"
    "  --block-size SIZE         default 1MiB\n"
    "  --retire-timeout TIME     default 100ms\n"
    "  --workers N               how many there are\n"
    "  --measure                 compare the versions of the ring on this machine\n"
    "  --json                    for machines\n"
    "  -h, --help\n";

enum { FIELD_FLAG, FIELD_NUMBER, FIELD_TEXT };

#define FIELD(kind, field) .holds = FIELD_##kind, .offset = offsetof(struct options, field)

typedef int unit_parser(const char *text, uint64_t *ret_value);

static const struct {
	const char *name;
	int holds;
	size_t offset;
	unit_parser *parse;
	uint64_t least, most;
	const char *allowed;
} rows[] = {
	{ "config", FIELD(TEXT, sensors.config), .allowed = "a file" },
	{ "memory", FIELD(NUMBER, ring.memory), units_parse_size, 1, UINT64_MAX,
	    "a size such as 64MiB" },
	{ "block-size", FIELD(NUMBER, ring.block_size), units_parse_size, 1, UINT64_MAX,
	    "a size such as 1MiB" },
	{ "retire-timeout", FIELD(NUMBER, ring.retire_timeout), units_parse_time, 1, UINT64_MAX,
	    "a time such as 100ms" },
	{ "workers", FIELD(NUMBER, workers), units_parse_number, 1, WORKERS_MOST,
	    "a number from 1 to 256" },
	{ "measure", FIELD(FLAG, measures) },
	{ "json", FIELD(FLAG, json) },
};

static int complain(const char *text)
{
	fprintf(stderr, "fancap: ring: %s\n", text);
	return EX_USAGE;
}

static bool take(struct options *options, size_t row, const char *text)
{
	void *field = (char *)options + rows[row].offset;
	uint64_t value;

	switch (rows[row].holds) {
	case FIELD_FLAG:
		return *(bool *)field = true;
	case FIELD_TEXT:
		*(const char **)field = text;
		return text[0] != 0;
	default:
		if (rows[row].parse(text, &value) < 0 || value < rows[row].least ||
		    value > rows[row].most)
			return false;
		*(uint64_t *)field = value;
		return true;
	}
}

static bool has_numbers(const struct options *options)
{
	const struct ring_config *ring = &options->ring;

	return ring->memory || ring->block_size || ring->retire_timeout;
}

/* What no option says alone. */
static int check_options(const struct options *options)
{
	bool has_file = options->sensors.config || options->sensors.sensor;

	if (options->sensors.config && options->sensors.sensor)
		return complain("takes one SENSOR or --config FILE");
	if (has_file && has_numbers(options))
		return complain("takes a configuration or numbers, and not both");
	if (options->measures && (has_file || has_numbers(options)))
		return complain("--measure takes rings of its own");
	return 0;
}

static int parse_options(struct options *options, int argc, char **argv)
{
	struct option known[COUNT_OF(rows) + 2] = { 0 };
	int at, index;

	for (size_t i = 0; i < COUNT_OF(rows); i++)
		known[i] = (struct option) { rows[i].name,
			rows[i].holds == FIELD_FLAG ? no_argument : required_argument, NULL, 0 };
	known[COUNT_OF(rows)] = (struct option) { "help", no_argument, NULL, 'h' };
	optind = 0;
	while ((at = getopt_long(argc, argv, "h", known, &index)) != -1) {
		if (at == 'h')
			return options->help = true, 0;
		if (at != 0)
			return EX_USAGE;
		if (take(options, (size_t)index, optarg))
			continue;
		fprintf(stderr, "fancap: ring: --%s %s: is not %s\n", rows[index].name, optarg,
		    rows[index].allowed);
		return EX_USAGE;
	}
	if (optind < argc)
		options->sensors.sensor = argv[optind++];
	if (optind < argc)
		return complain("takes one SENSOR or --config FILE");
	return check_options(options);
}

/* ---- the verb ---------------------------------------------------------------------------- */

static int measure(const struct options *options)
{
	(void)options;
	return complain("--measure is not in this version");
}

static int plan_one(const struct ring_config *ring, uint64_t workers)
{
	const struct geometry_rule *rule = NULL;
	struct geometry geometry;

	if (geometry_plan(&geometry, ring, &rule) < 0) {
		fprintf(stderr, "fancap: ring: %s: %s\n", rule->key, rule->text);
		return EX_CONFIG;
	}
	printf("%" PRIu32 " blocks of %" PRIu32 " bytes; %" PRIu64 " bytes for all workers\n",
	    geometry.block_count, geometry.block_size, workers * geometry_memory(&geometry));
	return 0;
}

/* What the configuration's defaults are, where a number was not given. */
static int plan_numbers(const struct options *options)
{
	const struct ring_config *given = &options->ring;
	struct config defaults = { 0 };
	struct ring_config ring;

	if (settings_reset(settings, settings_count, &defaults) < 0)
		return EX_OSERR;
	ring = (struct ring_config) {
		.memory = given->memory ? given->memory : defaults.ring.memory,
		.block_size = given->block_size ? given->block_size : defaults.ring.block_size,
		.retire_timeout =
		    given->retire_timeout ? given->retire_timeout : defaults.ring.retire_timeout,
	};
	settings_release(settings, settings_count, &defaults);
	return plan_one(&ring, MOST(options->workers, UINT64_C(1)));
}

int verb_ring(int argc, char **argv)
{
	struct options options = { 0 };
	int status = parse_options(&options, argc, argv);

	if (status != 0)
		return status;
	if (options.help)
		return fputs(usage, stdout) < 0 ? EX_IOERR : 0;
	return options.measures ? measure(&options) : plan_numbers(&options);
}
