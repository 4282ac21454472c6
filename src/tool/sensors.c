/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tool/sensors.h"

#include "base/cleanup.h"
#include "capture/filter.h"
#include "config/loader.h"

#include <errno.h>
#include <getopt.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

enum { OPTION_CONFIG = 256, OPTION_RUNTIME, OPTION_JSON };

int sensors_parse(struct sensors_request *ret_request, int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, OPTION_CONFIG },
		{ "runtime-directory", required_argument, NULL, OPTION_RUNTIME },
		{ "json", no_argument, NULL, OPTION_JSON },
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
	if (optind < argc || (request.sensor && request.config)) {
		fprintf(stderr, "fancap: %s: takes one SENSOR or --config FILE\n", argv[0]);
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

static int check_filter(const char *path, const struct config *config)
{
	CLEANUP(free_at) char *reason = NULL;

	if (filter_check(config->capture.filter, &reason) >= 0)
		return 0;
	fprintf(stderr, "%s: capture.filter: %s: %s\n", path, config->capture.filter,
	    reason ? reason : "does not compile");
	return EX_CONFIG;
}

static int status_of(int error)
{
	switch (error) {
	case -ENOENT:
		return EX_NOINPUT;
	case -EACCES:
	case -EPERM:
		return EX_NOPERM;
	default:
		return EX_CONFIG;
	}
}

int sensors_load(const char *path, struct config **ret_config)
{
	struct config_faults *faults = NULL;
	struct config *config = NULL;
	int r = config_load(&config, path, &faults), status = 0;

	for (size_t i = 0; i < config_faults_count(faults); i++)
		fprintf(stderr, "%s\n", config_faults_text(faults, i));
	if (r < 0 && config_faults_count(faults) == 0)
		fprintf(stderr, "%s: cannot read it: %s\n", path, strerror(-r));
	config_faults_free(faults);
	if (r < 0)
		status = status_of(r);
	else
		status = check_filter(path, config);
	if (status == 0 && ret_config)
		*ret_config = TAKE(config);
	config_free(config);
	return status;
}
