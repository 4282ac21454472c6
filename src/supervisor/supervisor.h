/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "config/config.h"
#include "control/heritage.h"

/*
 * The parent process of a sensor: makes sockets, starts workers, watches them, reports.  It never
 * sees a packet.  Blocks until the sensor is stopped.  Logs.
 *
 * The configuration must outlive the call; workers and rings it does not name are settled in it.
 * Returns an exit status of SPEC section 2.
 */
int supervisor_run(struct config *config, const char *runtime_directory, worker_main *run);
