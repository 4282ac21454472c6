/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/array.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/units.h"
#include "capture/link.h"
#include "capture/socket.h"
#include "config/settings.h"
#include "config/workers.h"
#include "tool/measure.h"
#include "tool/probe.h"
#include "tool/ring_report.h"
#include "tool/ring_trial.h"
#include "tool/sensors.h"
#include "tool/verbs.h"

#include <getopt.h>
#include <inttypes.h>
#include <linux/if_ether.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

struct options {
	struct sensors_request sensors; /* first: what visits a sensor is given this */
	struct ring_config ring;        /* what is 0 was not given */
	uint64_t workers, rate, packet_size, gap, seconds;
	const char *interface;
	bool suggests, tries, measures, json, help;
};

/* ---- options ----------------------------------------------------------------------------- */

static const char usage[] =
    "usage: fancap ring [SENSOR | --config FILE] [OPTION]...\n"
    "       fancap ring [--memory SIZE] [--block-size SIZE] [--retire-timeout TIME] [OPTION]...\n"
    "       fancap ring --suggest --rate BITS --packet-size BYTES --gap TIME [--workers N]\n"
    "       fancap ring --measure [--seconds N] [OPTION]...\n"
    "Says of a configuration's ring, or of plain numbers: what the kernel is asked and which of\n"
    "its rules that meets or breaks, the memory it takes, the longest frame, how long a burst\n"
    "fits and nobody need read. Exit 78 where the kernel would refuse it.\n"
    "\n"
    "  --memory SIZE             of one worker's ring; default 64MiB\n"
    "  --block-size SIZE         default 1MiB\n"
    "  --retire-timeout TIME     default 100ms\n"
    "  --workers N               that share the rate and have a ring each\n"
    "  --rate BITS               so much comes in a second: 10Gbit\n"
    "  --packet-size BYTES       in packets of this size\n"
    "  --suggest                 print a ring: section that survives the gap\n"
    "  --gap TIME                nobody reads for this long: 300ms\n"
    "  --try                     ask the kernel too, for each version of the ring\n"
    "  --interface IF            there, and not in a network namespace of its own\n"
    "  --measure                 compare TPACKET_V1, V2, V3 and no ring on this machine: as fast\n"
    "                            as it goes, and at --rate for the delay (else 10000 packets a\n"
    "                            second, of 60 bytes)\n"
    "  --seconds N               about as long as that takes; default 10\n"
    "  --json                    for machines\n"
    "  -h, --help\n";

enum { FIELD_FLAG, FIELD_NUMBER, FIELD_TEXT };

#define FIELD(kind, field) .holds = FIELD_##kind, .offset = offsetof(struct options, field)

/* Beyond these nothing is known, and below them nothing overflows. */
#define RATE_MOST UINT64_C(1000000000000000)
#define PACKET_MOST SNAPLEN_MOST
#define GAP_MOST (86400 * NSEC_PER_SEC)

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
	{ "rate", FIELD(NUMBER, rate), units_parse_rate, 1, RATE_MOST,
	    "bits a second, such as 10Gbit" },
	{ "packet-size", FIELD(NUMBER, packet_size), units_parse_number, 1, PACKET_MOST,
	    "a number of bytes up to 262144" },
	{ "gap", FIELD(NUMBER, gap), units_parse_time, 1, GAP_MOST,
	    "a time such as 300ms, up to 1d" },
	{ "suggest", FIELD(FLAG, suggests) },
	{ "try", FIELD(FLAG, tries) },
	{ "interface", FIELD(TEXT, interface), .allowed = "the name of an interface" },
	{ "measure", FIELD(FLAG, measures) },
	{ "seconds", FIELD(NUMBER, seconds), units_parse_number, 1, MEASURE_SECONDS_MOST,
	    "a number from 1 to 3600" },
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
	if (options->measures && (options->suggests || options->tries))
		return complain("--measure goes with neither --suggest nor --try");
	if (options->seconds && !options->measures)
		return complain("--seconds is for --measure");
	if (!options->rate != !options->packet_size)
		return complain("--rate and --packet-size go together");
	if (options->suggests && (!options->rate || !options->gap))
		return complain("--suggest takes --rate, --packet-size and --gap");
	if (options->interface && !options->tries)
		return complain("--interface is for --try");
	if (options->gap && !options->suggests)
		return complain("--gap is for --suggest");
	if (options->suggests && options->ring.memory)
		return complain("--suggest finds the memory: leave --memory out");
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

/* The rule first broken, in one line; the table of all is on stdout. */
static int status_of(const struct ring_config *ring)
{
	const struct geometry_request request = geometry_request_of(ring);
	const struct geometry_rule *fault = geometry_fault(&request);

	if (!fault)
		return 0;
	fprintf(stderr, "fancap: ring: %s: %s (%s)\n", fault->key, fault->text, fault->name);
	return EX_CONFIG;
}

/* Whether a ring of what was given could do at all, whatever memory it gets.  Logs. */
static bool is_possible(const struct ring_report *report, const struct options *options)
{
	struct ring_config least = report->ring;
	struct geometry geometry;
	const struct geometry_rule *rule;

	/* Of as many blocks as a ring has at least. */
	least.memory = 2 * least.block_size;
	if (geometry_plan(&geometry, &least, &rule) < 0)
		return status_of(&least) == 0;
	if (options->ring.block_size == 0 ||
	    geometry_largest_frame(&geometry, report->load.link_header) >= options->packet_size)
		return true;
	fprintf(stderr,
	    "fancap: ring: --packet-size %" PRIu64 ": is more than a block of %" PRIu64
	    " bytes takes; a larger --block-size, or none\n",
	    options->packet_size, least.block_size);
	return false;
}

static int suggest(const struct options *options, struct ring_report *report)
{
	const struct capacity_wish wish = {
		.load = report->load,
		.gap_ns = options->gap,
		.block_size = options->ring.block_size,
		.retire_timeout = report->ring.retire_timeout,
	};

	report->gap_ns = options->gap;
	if (capacity_suggest(&report->ring, &wish) == 0)
		return 0;
	/* What is wrong with any ring is told first. */
	if (!is_possible(report, options))
		return EX_CONFIG;
	fputs("fancap: ring: no ring lasts so long; a shorter --gap, more --workers, or a longer "
	      "--retire-timeout\n",
	    stderr);
	return EX_CONFIG;
}

static int measure(const struct options *options, const struct ring_config *ring)
{
	struct measure_plan plan = {
		.packet_size = (uint32_t)options->packet_size,
		.rate = MEASURE_RATE,
		.seconds = options->seconds ? options->seconds : (uint64_t)MEASURE_SECONDS,
		.json = options->json,
	};
	const struct geometry_rule *rule;

	if (geometry_plan(&plan.geometry, ring, &rule) < 0)
		return status_of(ring);
	if (plan.packet_size == 0)
		plan.packet_size = MEASURE_PACKET_SIZE;
	else
		plan.rate = options->rate / 8 / plan.packet_size;
	if (plan.packet_size < PROBE_SIZE_LEAST || plan.packet_size > PROBE_SIZE_MOST)
		return complain("--measure takes packets of 60 to 9014 bytes");
	if (plan.rate < 1 || plan.rate > MEASURE_RATE_MOST)
		return complain("--measure takes a rate of 1 to 1000000 packets a second");
	if (plan.geometry.retire_timeout_ms > MEASURE_RETIRE_MS_MOST)
		return complain("--measure takes a retire timeout of at most 1s");
	return measure_run(&plan);
}

static void print(const struct options *options, const struct ring_report *report,
    const struct ring_trial trials[RING_TRIALS])
{
	if (options->json) {
		ring_report_json(stdout, report);
		if (options->tries)
			ring_trial_json(stdout, trials);
		puts("}");
		return;
	}
	if (options->suggests)
		ring_report_yaml(stdout, report);
	else
		ring_report_text(stdout, report);
	if (options->tries)
		ring_trial_text(stdout, trials);
}

static int report_on(const struct options *options, struct ring_report *report)
{
	struct ring_trial trials[RING_TRIALS];
	int status = 0;

	if (options->measures)
		return measure(options, &report->ring);
	report->rate = options->rate;
	report->load.bits = (options->rate + report->sharers - 1) / report->sharers;
	report->load.packet = (uint32_t)options->packet_size;
	report->memory_free = memory_available();
	if (options->suggests)
		status = suggest(options, report);
	if (status != 0)
		return status;
	if (options->tries)
		status = ring_trial_run(trials, &report->ring, options->interface);
	if (status != 0)
		return status;
	print(options, report, trials);
	status = status_of(&report->ring);
	return status == 0 && options->tries ? ring_trial_status(trials) : status;
}

/* The configuration's defaults, where a number was not given. */
static int plan_numbers(const struct options *options)
{
	const struct ring_config *given = &options->ring;
	struct config defaults = { 0 };
	struct ring_report report = {
		.workers = MOST(options->workers, UINT64_C(1)),
		.sharers = MOST(options->workers, UINT64_C(1)),
		.load = { .link_header = ETH_HLEN },
	};

	if (settings_reset(settings, settings_count, &defaults) < 0)
		return EX_OSERR;
	report.ring = defaults.ring;
	settings_release(settings, settings_count, &defaults);
	if (given->memory)
		report.ring.memory = given->memory;
	if (given->block_size)
		report.ring.block_size = given->block_size;
	if (given->retire_timeout)
		report.ring.retire_timeout = given->retire_timeout;
	return report_on(options, &report);
}

/* Of an interface that cannot be seen from here, Ethernet's is taken for it. */
static uint32_t link_header_of(
    const struct interface_config *interface, const struct capture_config *capture)
{
	struct link_state link;
	uint32_t link_type =
	    capture->link == LINK_COOKED || strcmp(interface->device, INTERFACE_ANY) == 0
		? LINKTYPE_LINUX_SLL2
		: LINKTYPE_ETHERNET;

	if (!interface->namespace[0] && socket_interface(PLACE_OF(interface->device), &link) == 0)
		(void)link_choose(link.arphrd, capture->link, &link_type);
	return (uint32_t)link_header_received(link_type);
}

/* The interface with the fewest workers has the most to do, at the same rate. */
static int plan_sensor(const char *path, const struct sensors_request *request)
{
	const struct options *options = (const struct options *)request;
	struct ring_report report = { .sharers = UINT64_MAX, .load = { .link_header = ETH_HLEN } };
	struct config *config = NULL;
	int status = sensors_load_any_ring(path, &config);

	if (status != 0)
		return status;
	workers_settle(config);
	for (size_t i = 0; i < config->interface_count; i++) {
		uint64_t workers =
		    options->workers ? options->workers : config->interfaces[i].workers;

		report.workers += workers;
		report.sharers = LEAST(report.sharers, workers);
		report.load.link_header = LEAST(report.load.link_header,
		    link_header_of(&config->interfaces[i], &config->capture));
	}
	report.sensor = config->sensor;
	report.ring = config->ring;
	report.load.captured = (uint32_t)config->capture.snaplen;
	status = report_on(options, &report);
	config_free(config);
	return status;
}

int verb_ring(int argc, char **argv)
{
	struct options options = { 0 };
	int status = parse_options(&options, argc, argv);

	if (status != 0)
		return status;
	if (options.help)
		return fputs(usage, stdout) < 0 ? EX_IOERR : 0;
	if (options.sensors.config || options.sensors.sensor ||
	    !(has_numbers(&options) || options.workers || options.rate || options.tries ||
		options.measures))
		return sensors_each(&options.sensors, plan_sensor);
	return plan_numbers(&options);
}
