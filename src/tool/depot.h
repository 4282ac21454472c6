/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "tool/sensors.h"

#include <stdbool.h>

/*
 * The output directories that a verb is about: of the sensors asked for, or one that is named.
 */
struct depot {
	const char *path;
	int fd;
};

/* Returns an exit status. */
typedef int depot_visit(const struct depot *depot, void *user);

/* What a verb was asked: `[SENSOR | --config FILE | --directory DIR]`. */
struct depot_request {
	struct sensors_request sensors;
	const char *directory; /* NULL: the sensors' */
	const char *verb;      /* what messages begin with */
	depot_visit *visit;
	void *user;
};

/*
 * Call visit for each.  One that is not there is told of on stderr.  The first status that is not 0
 * is returned.
 */
int depot_each(const struct depot_request *request);
