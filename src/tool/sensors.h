/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "config/config.h"
#include "config/loader.h"

#include <stdbool.h>

/* What a verb that looks at sensors was asked: `[SENSOR | --config FILE] [--runtime-directory
 * DIR]`. */
struct sensors_request {
	const char *config; /* NULL: not given */
	const char *sensor; /* NULL: all of them */
	const char *runtime_directory;
	const char *interface; /* a device, instead of a sensor */
	bool json;
	bool help;
};

/* Read a verb's options.  Returns 0, or 64 after one line to stderr. */
int sensors_parse(struct sensors_request *ret_request, int argc, char **argv);

/* Called for each sensor's configuration file; returns an exit status. */
typedef int sensors_visit(const char *path, const struct sensors_request *request);

/* Call visit for each sensor asked for; the first status that is not 0 is returned, or 66. */
int sensors_each(const struct sensors_request *request, sensors_visit *visit);

/* What config_load() does not know of: the ring's geometry, the filter, how long names grow. */
config_check sensors_check;

/*
 * Load a configuration and print every fault of it, and each warning, to stderr, as
 * FILE:LINE:COLUMN. The one check that `fancapd --check`, `fancap check` and a start share. Returns
 * 0 and hands the configuration over where ret_config is given, or an exit status.
 */
int sensors_load(const char *path, struct config **ret_config);

/*
 * As sensors_load(), and that a reload can bring it into force in place of the one that is: what it
 * cannot is a fault, too.  Returns 0 or a negative errno.
 */
int sensors_reload(const char *path, const struct config *running, struct config **ret_config);

/* As sensors_load(), for who judges the ring: only what the file says is checked. */
int sensors_load_any_ring(const char *path, struct config **ret_config);
