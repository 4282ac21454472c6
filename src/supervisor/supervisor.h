/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "config/config.h"
#include "control/heritage.h"
#include "supervisor/last_good.h"
#include "supervisor/reload.h"

/* What a sensor is run by. */
struct supervisor_seat {
	struct config *config; /* workers it does not name are settled in it, a reload changes it */
	enum config_source source;
	const char *path; /* of the file, which a reload reads */
	reload_load *load;
	const char *runtime_directory;
	worker_main *run;
};

/*
 * The parent process of a sensor: makes sockets, starts workers, watches them, reports.  It never
 * sees a packet.  Blocks until the sensor is stopped.  Logs.
 *
 * The configuration must outlive the call.
 * Returns an exit status of SPEC section 2.
 */
int supervisor_run(const struct supervisor_seat *seat);
