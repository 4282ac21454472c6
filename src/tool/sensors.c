/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tool/sensors.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/exit.h"
#include "base/log.h"
#include "capture/filter.h"
#include "capture/geometry.h"
#include "capture/link.h"
#include "capture/program_text.h"
#include "config/difference.h"
#include "config/loader.h"
#include "config/workers.h"
#include "ledger/ledger.h"
#include "storage/name.h"

#include <errno.h>
#include <getopt.h>
#include <glob.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

enum { OPTION_CONFIG = 256, OPTION_RUNTIME, OPTION_JSON, OPTION_INTERFACE };

int sensors_parse(struct sensors_request *ret_request, int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, OPTION_CONFIG },
		{ "runtime-directory", required_argument, NULL, OPTION_RUNTIME },
		{ "json", no_argument, NULL, OPTION_JSON },
		{ "interface", required_argument, NULL, OPTION_INTERFACE },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct sensors_request request = { 0 };
	int option;

	optind = 0;
	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (option) {
		case OPTION_CONFIG:
			request.config = optarg;
			break;
		case OPTION_RUNTIME:
			request.runtime_directory = optarg;
			break;
		case OPTION_INTERFACE:
			request.interface = optarg;
			break;
		case OPTION_JSON:
			request.json = true;
			break;
		case 'h':
			request.help = true;
			break;
		default:
			return EX_USAGE;
		}
	}
	if (optind < argc)
		request.sensor = argv[optind++];
	if (request.interface && (request.sensor || request.config)) {
		fprintf(
		    stderr, "%s: takes a configuration or --interface, and not both\n", argv[0]);
		return EX_USAGE;
	}
	if (optind < argc || (request.sensor && request.config)) {
		fprintf(stderr, "%s: takes one SENSOR or --config FILE\n", argv[0]);
		return EX_USAGE;
	}
	*ret_request = request;
	return 0;
}

int sensors_each(const struct sensors_request *request, sensors_visit *visit)
{
	char path[512];
	glob_t found;
	int status = 0;

	if (request->config)
		return visit(request->config, request);
	if (request->sensor && strpbrk(request->sensor, "./")) {
		fprintf(stderr,
		    "fancap: %s: is no sensor's name; a file is named with --config FILE\n",
		    request->sensor);
		return EX_USAGE;
	}
	snprintf(path, sizeof(path), SYSCONFDIR "/fancap/%.200s.yaml",
	    request->sensor ? request->sensor : "*");
	if (request->sensor)
		return visit(path, request);
	if (glob(path, 0, NULL, &found) != 0) {
		fprintf(stderr, "fancap: no sensor is configured: %s matches nothing\n", path);
		return EX_NOINPUT;
	}
	for (size_t i = 0; i < found.gl_pathc; i++) {
		int one = visit(found.gl_pathv[i], request);

		if (status == 0)
			status = one;
	}
	globfree(&found);
	return status;
}

/* ---- what config/ cannot know ------------------------------------------------------------ */

static void check_geometry(struct config_faults *faults, const struct config *config)
{
	const struct ring_config *ring = &config->ring;
	const struct geometry_rule *rule;
	struct geometry geometry;

	for (size_t i = 0; (rule = geometry_broken(ring, i)); i++)
		config_faults_add(faults, rule->key, "ring.block_size", "%s", rule->text);
	if (geometry_plan(&geometry, ring, &rule) == 0 &&
	    geometry_memory(&geometry) != ring->block_size * geometry.block_count)
		config_faults_warn(faults, "ring.block_size", NULL,
		    "the kernel takes %" PRIu64 " KiB for each block of %" PRIu64
		    " KiB; a power of two wastes nothing",
		    geometry_memory(&geometry) / geometry.block_count >> 10,
		    ring->block_size >> 10);
}

/* For each kind of socket that the sensor will have, as far as the file alone can tell. */
static void check_filter(struct config_faults *faults, const struct config *config)
{
	bool is_asked[2] = { false, false };

	for (size_t i = 0; i < config->interface_count; i++)
		is_asked[config->capture.link == LINK_COOKED ||
			 strcmp(config->interfaces[i].device, INTERFACE_ANY) == 0] = true;
	for (size_t i = 0; i < COUNT_OF(is_asked); i++) {
		uint32_t link_type = i > 0 ? LINKTYPE_LINUX_SLL2 : LINKTYPE_ETHERNET;
		CLEANUP(free_at) char *reason = NULL;

		if (!is_asked[i] || filter_check(config->capture.filter, link_type, &reason) == 0)
			continue;
		config_faults_add(faults, "capture.filter", NULL, "%s; a pcap-filter(7) expression",
		    reason ? reason : "does not compile");
		return;
	}
}

struct program_faults {
	struct config_faults *faults;
	const char *path;
};

static void add_program_fault(void *user, size_t line, const char *text)
{
	const struct program_faults *to = user;

	config_faults_add_elsewhere(to->faults, "fanout.program", to->path, line, text);
}

static void check_program(struct config_faults *faults, const struct config *config)
{
	struct program_faults to = { faults, config->fanout.program };
	struct program program = { 0 };

	if (config->fanout.mode != FANOUT_PROGRAM || to.path[0] != '/')
		return;
	(void)program_read(&program, to.path, add_program_fault, &to);
	program_release(&program);
}

static const char *longest_interface(
    const struct config *config, char text[LEDGER_INTERFACE_LENGTH])
{
	const char *longest = "";

	for (size_t i = 0; i < config->interface_count; i++)
		if (strlen(config->interfaces[i].namespace) > strlen(longest))
			longest = config->interfaces[i].namespace;
	snprintf(
	    text, LEDGER_INTERFACE_LENGTH, "%s%sfifteen-letters", longest, longest[0] ? "@" : "");
	return text;
}

/* What the template grows to at most, in the month and on the day with the longest names. */
static void check_name(struct config_faults *faults, const struct config *config)
{
	enum { ATTEMPT = 99999 };
	static const uint64_t wednesday_in_september = UINT64_C(1790769599) * NSEC_PER_SEC;
	char interface[LEDGER_INTERFACE_LENGTH];
	const struct name_parts parts = {
		.sensor = config->sensor,
		.interface = longest_interface(config, interface),
		.worker = WORKERS_MOST - 1,
		.format = config->output.format,
		.compression = config->output.compression,
	};
	char plain[LEDGER_NAME_LENGTH], name[LEDGER_NAME_LENGTH] = "";
	int r =
	    name_expand(plain, sizeof(plain), config->output.name, &parts, wednesday_in_september);
	size_t longest = 0;

	if (r == 0)
		r = name_number(name, sizeof(name), plain, 0, ATTEMPT);
	for (const char *at = name; *at; at += strspn(at, "/")) {
		longest = MOST(longest, strcspn(at, "/"));
		at += strcspn(at, "/");
	}
	if (r == -ENAMETOOLONG || longest + strlen(".part") > NAME_MAX)
		config_faults_add(faults, "output.name", NULL,
		    "grows too long; at most %d bytes in all, and %d between two slashes",
		    LEDGER_NAME_LENGTH - 1, NAME_MAX - (int)strlen(".part"));
	else if (r < 0)
		config_faults_add(faults, "output.name", NULL,
		    "grows to what leaves output.directory; a path below it");
}

void sensors_check(struct config_faults *faults, const struct config *config)
{
	check_geometry(faults, config);
	check_filter(faults, config);
	check_program(faults, config);
	check_name(faults, config);
}

static const char *describe(const char *path, int error, char *text, size_t size)
{
	snprintf(text, size, "%.*s: cannot read it: %s", PATH_MAX, path, strerror(-error));
	return text;
}

static int check_against(
    struct config_faults *faults, const struct config *running, struct config *config)
{
	workers_settle(config);
	return difference_check(faults, running, config) > 0 ? -EINVAL : 0;
}

static int load(
    const char *path, config_check *check, const struct config *running, struct config **ret_config)
{
	struct config_faults *faults = NULL;
	struct config *config = NULL;
	char reason[PATH_MAX + 64];
	int r = config_load(&config, path, check, &faults);

	if (r >= 0 && running)
		r = check_against(faults, running, config);
	for (size_t i = 0; i < config_faults_count(faults); i++)
		log_bare(r < 0 ? LOG_ERR : LOG_WARNING, config_faults_text(faults, i));
	if (r < 0 && config_faults_count(faults) == 0)
		log_bare(LOG_ERR, describe(path, r, reason, sizeof(reason)));
	config_faults_free(faults);
	if (r >= 0 && ret_config)
		*ret_config = TAKE(config);
	config_free(config);
	return r;
}

static int status_of(int r)
{
	return r < 0 ? exit_status_of(STEP_CONFIGURATION, r) : 0;
}

int sensors_load(const char *path, struct config **ret_config)
{
	return status_of(load(path, sensors_check, NULL, ret_config));
}

int sensors_load_any_ring(const char *path, struct config **ret_config)
{
	return status_of(load(path, NULL, NULL, ret_config));
}

int sensors_reload(const char *path, const struct config *running, struct config **ret_config)
{
	return load(path, sensors_check, running, ret_config);
}
