/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "control/heritage.h"

/*
 * The child process: opens the ring on the socket it inherits, and carries blocks from it to files
 * until it is told to stop.  Never logs: what people must know goes to the supervisor.
 *
 * Returns the exit status: EXIT_SUCCESS once everything is drained and on disk.
 */
int worker_run(const struct heritage *heritage);
