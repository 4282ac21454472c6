/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tool/depot.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static int visit_directory(const struct depot_request *request, const char *path)
{
	CLEANUP(close_at) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct depot depot = { path, fd };

	if (fd >= 0)
		return request->visit(&depot, request->user);
	fprintf(stderr, "%s: %s: cannot open the output directory: %s\n", request->verb, path,
	    strerror(errno));
	return errno == EACCES ? EX_NOPERM : EX_NOINPUT;
}

static int visit_sensor(const char *path, const struct sensors_request *sensors)
{
	const struct depot_request *request = (const struct depot_request *)sensors;
	struct config *config = NULL;
	int status = sensors_load_any_ring(path, &config);

	if (status == 0)
		status = visit_directory(request, config->output.directory);
	config_free(config);
	return status;
}

int depot_each(const struct depot_request *request)
{
	if (!request->directory)
		return sensors_each(&request->sensors, visit_sensor);
	if (!request->sensors.config && !request->sensors.sensor)
		return visit_directory(request, request->directory);
	fprintf(stderr, "%s: takes a sensor or --directory DIR, and not both\n", request->verb);
	return EX_USAGE;
}
