/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/log.h"
#include "base/streams.h"
#include "build.h"
#include "config/config.h"
#include "config/loader.h"
#include "supervisor/last_good.h"
#include "supervisor/retry.h"
#include "supervisor/supervisor.h"
#include "tool/sensors.h"
#include "worker/curator.h"
#include "worker/mender.h"
#include "worker/worker.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>

struct options {
	const char *config;
	const char *runtime_directory;
	bool check;
};

static const char usage[] =
    "usage: fancapd --config FILE [--runtime-directory DIR] [--check]\n"
    "Captures what an interface sees to rotating files, until it is told to stop.\n"
    "\n"
    "  --config FILE            the sensor's configuration; its name is the sensor's\n"
    "  --runtime-directory DIR  default: $RUNTIME_DIRECTORY, else /run/fancap/SENSOR\n"
    "  --check                  say every fault of the configuration, and end\n"
    "  -V, --version            -h, --help\n";

/* Returns -1 to go on, else the exit status. */
static int parse_options(struct options *options, int argc, char **argv)
{
	static const struct option known[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "runtime-directory", required_argument, NULL, 'r' },
		{ "check", no_argument, NULL, 'k' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "hV", known, NULL)) != -1) {
		if (option == 'c')
			options->config = optarg;
		else if (option == 'r')
			options->runtime_directory = optarg;
		else if (option == 'k')
			options->check = true;
		else if (option == 'V')
			return puts("fancapd " PACKAGE_VERSION) < 0 ? EX_IOERR : 0;
		else if (option == 'h')
			return fputs(usage, stdout) < 0 ? EX_IOERR : 0;
		else
			return EX_USAGE;
	}
	if (optind == argc && options->config)
		return -1;
	if (optind < argc)
		fprintf(
		    stderr, "fancapd: %s: there is no such argument; see --help\n", argv[optind]);
	else
		fprintf(stderr, "fancapd: --config FILE is missing; see --help\n");
	return EX_USAGE;
}

static int run_child(const struct heritage *heritage)
{
	if (heritage->life == LIFE_MENDS)
		return mender_run(heritage);
	return heritage->life == LIFE_CURATES ? curator_run(heritage) : worker_run(heritage);
}

/* Where the file is faulty there is no configuration, and `status` is what to end with. */
static int capture(const struct options *options, struct config **config, int status)
{
	char sensor[SENSOR_NAME_LENGTH + 1], directory[64];
	struct supervisor_seat seat = {
		.path = options->config,
		.load = sensors_reload,
		.runtime_directory = options->runtime_directory,
		.run = run_child,
	};

	(void)config_sensor(options->config, sensor);
	snprintf(directory, sizeof(directory), "/run/fancap/%s", sensor);
	if (!seat.runtime_directory)
		seat.runtime_directory = getenv("RUNTIME_DIRECTORY");
	if (!seat.runtime_directory)
		seat.runtime_directory = directory;
	seat.source = last_good_choose(config, options->config, seat.runtime_directory);
	if (!*config)
		return retry_end(
		    status, last_good_is_missed(options->config), seat.runtime_directory);
	seat.config = *config;
	/* Modes are said where files are made: 0640 and 0750, whatever the caller's umask. */
	(void)umask(0027);
	log_sensor(seat.config->sensor);
	if (seat.source == CONFIG_IS_INSTEAD_OF_IT)
		last_good_tell(options->config);
	return supervisor_run(&seat);
}

int main(int argc, char **argv)
{
	struct options options = { 0 };
	struct config *config = NULL;
	int status;

	streams_fill();
	log_open("fancapd");
	status = parse_options(&options, argc, argv);
	if (status >= 0)
		return status;
	status = sensors_load(options.config, &config);
	if (!options.check)
		status = capture(&options, &config, status);
	else if (status == 0)
		printf("%s: good\n", options.config);
	config_free(config);
	return status;
}
