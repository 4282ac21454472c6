/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tool/sensors.h"
#include "tool/verbs.h"

#include <stdio.h>

static int check_one(const char *path, const struct sensors_request *request)
{
	int status = sensors_load(path, NULL);

	(void)request;
	if (status == 0)
		printf("%s: good\n", path);
	return status;
}

int verb_check(int argc, char **argv)
{
	struct sensors_request request;
	int status = sensors_parse(&request, argc, argv);

	if (status != 0)
		return status;
	if (request.help) {
		puts("usage: fancap check [SENSOR | --config FILE]\n"
		     "Says every fault of a configuration, as the daemon would at its start.");
		return 0;
	}
	return sensors_each(&request, check_one);
}
